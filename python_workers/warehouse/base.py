"""The warehouse protocol that the rest of the package uses, and the types it passes around."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType

    import pyarrow as pa

    from python_workers.warehouse.stored_rows import StoredRows

ColumnType = Literal["int64", "float64", "string", "bool", "date", "timestamp"]

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")


@dataclass(frozen=True)
class Column:
    """A column: its name, one of the six types that both engines share, and what it holds."""

    name: str
    type: ColumnType
    description: str = field(default="", compare=False)


@dataclass(frozen=True)
class TableSpec:
    """A table that Python creates.

    Parameters
    ----------
    name
        ``schema.table``, without any dataset prefix.
    columns
        In the order of creation.
    key
        Names of the columns that identify a row; never NULL.
    partition_by, cluster_by
        Physical layout where the engine has one (BigQuery).
    is_key_unique
        Whether no two rows share a key; otherwise a key stands for a group of rows.
    description
        What a row is; the engine stores it, and the descriptions of the columns, as comments.
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()
    is_key_unique: bool = True
    description: str = field(default="", compare=False)

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class TableChange:
    """One table's part of an atomic commit.

    The commit first deletes every stored row whose key is that of a row or a deletion key, then
    inserts the rows. Whatever was stored when the commit was prepared, the same commit always ends
    with the same rows.

    Parameters
    ----------
    table
        ``schema.table`` of an existing table.
    key
        Columns by which rows replace stored ones: those that identify a row, or a group of rows
        that is always written whole, such as ``(processor_name, analysis_date)``. Never NULL.
    rows
        Rows to insert by column name; omitted columns become NULL.
    delete_keys
        Other keys to delete, with the columns of `key`.
    """

    table: str
    key: tuple[str, ...]
    rows: pa.Table | None = None
    delete_keys: pa.Table | None = None

    def replaced_keys(self) -> list[pa.Table]:
        """Return the keys of the rows and the deletion keys, without empty tables.

        Raises
        ------
        ValueError
            If a key is NULL: it would match no row.
        """
        parts = [part for part in (self.rows, self.delete_keys) if part is not None]
        found = [part.select(list(self.key)) for part in parts if part.num_rows]
        if any(column.null_count for keys in found for column in keys.columns):
            raise ValueError(f"{self.table}: a key is NULL")
        return found


@dataclass(frozen=True)
class UpsertCounts:
    """Numbers of rows that an upsert inserted, updated, left unchanged and deleted."""

    inserted: int
    updated: int
    unchanged: int
    deleted: int = 0

    @property
    def changed(self) -> int:
        """Rows that were written or deleted."""
        return self.inserted + self.updated + self.deleted


@dataclass(frozen=True)
class ChangeNote:
    """A statement that an upsert runs in its own transaction, to record its changes.

    Parameters
    ----------
    sql
        An insertion in portable SQL. ``{changes}`` stands for the changed rows: the columns of the
        table (with the old values of deleted rows) and ``change``, which is ``inserted``,
        ``updated`` or ``deleted``. All tables still hold their rows from before the upsert.
    params
        The parameters of the statement.
    """

    sql: str
    params: Mapping[str, object]


@dataclass(frozen=True)
class Statement:
    """A statement in portable SQL that a commit runs after its changes, with its parameters."""

    sql: str
    params: Mapping[str, object]


@runtime_checkable
class Warehouse(Protocol):
    """The operations Backcourt needs from a database.

    Callers write SQL once for both engines: ``schema.table`` names, parameters as ``@name``, lists
    as ``x in unnest(@names)``. Results hold only int64, float64, string, bool, date32 and UTC
    timestamps, on both engines.
    """

    kind: str
    row_hash: str
    """SQL expression that hashes the row of the alias ``t`` to an INT64 of 63 or 64 bits."""
    has_free_content_state: bool
    """Whether `content_state` reads the engine's catalog instead of the rows."""

    def hash_of(self, columns: Sequence[str]) -> str:
        """Return the SQL expression that hashes these columns of a row to an INT64."""
        ...

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, narrow: bool = False
    ) -> pa.Table:
        """Return the rows of one select statement.

        With `narrow`, return whole numbers in the narrowest integer types that hold them.
        """
        ...

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Run one statement for its effect."""
        ...

    def has_table(self, table: str) -> bool:
        """Tell whether a table or view of that name exists."""
        ...

    def tables(self) -> frozenset[str]:
        """Return the name of every table and view in the datasets of Backcourt."""
        ...

    def is_view(self, table: str) -> bool:
        """Tell whether a name stands for a view."""
        ...

    def columns(self, table: str) -> tuple[Column, ...]:
        """Return the columns of an existing table, in order."""
        ...

    def ensure_tables(self, specs: Iterable[TableSpec]) -> None:
        """Create missing schemas, tables and columns; change no existing column."""
        ...

    def upsert(
        self,
        spec: TableSpec,
        rows: pa.Table | StoredRows,
        *,
        whole: str | None = None,
        note: ChangeNote | None = None,
    ) -> UpsertCounts:
        """Insert or update rows by ``spec.key``, atomically; do not write equal rows.

        `whole` names a key column for whose values `rows` is complete: delete other stored rows
        with these values. Run `note` if any row changes. If the engine can stream `StoredRows`,
        they need not fit into memory.
        """
        ...

    def commit(self, changes: Sequence[TableChange], statements: Sequence[Statement] = ()) -> None:
        """Make all changes visible together, or none of them.

        Run the statements, which may be repeated, after the changes in the same transaction.

        Raises
        ------
        ValueError
            If a key is NULL.
        """
        ...

    def content_state(self, tables: Sequence[str]) -> str:
        """Return a short digest that changes whenever the content of the tables changes."""
        ...

    def version(self) -> str | None:
        """Return a text that every write to any table changes, by whomever; None if there is none.

        It costs no query. An equal text means equal tables; another text may, too.
        """
        ...

    def only_writer(self) -> AbstractContextManager[None]:
        """Keep other runs from writing inside the block, or raise an error that names the other.

        On DuckDB the lock of the file does that.
        """
        ...

    def beside_workers(self) -> AbstractContextManager[None]:
        """Leave CPU cores to worker processes inside the block, if the engine runs beside them."""
        ...

    def jobs_by_kind(self) -> dict[str, int]:
        """Return the number of jobs so far, by kind; empty if the engine has no jobs."""
        ...

    def close(self) -> None:
        """Close connections and files; the next call opens them again."""
        ...

    def __enter__(self) -> Self:
        """Return the warehouse itself."""
        ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it."""
        ...


@runtime_checkable
class ExchangesFiles(Warehouse, Protocol):
    """A warehouse that reads and writes Parquet files without passing rows to its caller."""

    def write_file(self, sql: str, params: Mapping[str, object], file: Path) -> None:
        """Write the rows of one select statement to a Parquet file, in the shared types."""
        ...

    def relation_of(self, files: Sequence[Path]) -> str:
        """Return what a statement selects from to read Parquet files with the same columns."""
        ...


def split_table_name(table: str) -> tuple[str, str]:
    """Split a ``schema.table`` name into (schema, table), and check both as identifiers.

    Examples
    --------
    >>> split_table_name("nba_raw.games")
    ('nba_raw', 'games')
    """
    schema, dot, name = table.partition(".")
    if not dot:
        raise ValueError(f"{table!r} is not a schema.table name")
    return checked_identifier(schema), checked_identifier(name)


def checked_identifier(name: str) -> str:
    """Return the name if it is a valid SQL identifier, else raise ValueError."""
    if not _IDENTIFIER.match(name):
        raise ValueError(f"{name!r} is not a plain SQL identifier")
    return name
