"""The warehouse as the rest of the package sees it, and the shapes that cross its border."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, Protocol, Self, runtime_checkable

if TYPE_CHECKING:
    from types import TracebackType

    import pyarrow as pa

    from python_workers.warehouse.stored_rows import StoredRows

ColumnType = Literal["int64", "float64", "string", "bool", "date", "timestamp"]

_IDENTIFIER = re.compile(r"^[A-Za-z_][A-Za-z0-9_]{0,127}$")


@dataclass(frozen=True)
class Column:
    """A column: its name and one of the six types that both engines share."""

    name: str
    type: ColumnType


@dataclass(frozen=True)
class TableSpec:
    """A table that Python creates.

    Parameters
    ----------
    name
        ``schema.table``, without any dataset prefix.
    columns
        In the order they are created.
    key
        Names of the columns that identify a row; never NULL.
    partition_by, cluster_by
        Physical layout where the engine has one (BigQuery).
    """

    name: str
    columns: tuple[Column, ...]
    key: tuple[str, ...]
    partition_by: str | None = None
    cluster_by: tuple[str, ...] = ()

    @property
    def column_names(self) -> tuple[str, ...]:
        """Names of the columns, in order."""
        return tuple(column.name for column in self.columns)


@dataclass(frozen=True)
class TableChange:
    """One table's part of an atomic commit.

    Parameters
    ----------
    table
        ``schema.table`` of an existing table.
    rows
        Inserted by column name, after the deletion; columns left out become NULL.
    delete_keys
        Rows of the table that equal one of these rows on all of these columns are deleted first,
        for example ``(processor_name, analysis_date)``.
    """

    table: str
    rows: pa.Table | None = None
    delete_keys: pa.Table | None = None


@dataclass(frozen=True)
class UpsertCounts:
    """What an upsert found, in rows."""

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
    """A statement that an upsert runs in its own transaction, to note what it changes.

    Parameters
    ----------
    sql
        An insertion in portable SQL. ``{changes}`` stands for the changed rows: the columns of the
        table (of a deleted row those that it had) and ``change``, which is ``inserted``,
        ``updated`` or ``deleted``. All tables still show what they held before the upsert.
    params
        Its parameters.
    """

    sql: str
    params: Mapping[str, object]


@runtime_checkable
class Warehouse(Protocol):
    """What Backcourt needs of a database.

    SQL is written once for both engines: ``schema.table`` names, parameters as ``@name``, lists as
    ``x in unnest(@names)``. Results hold int64, float64, string, bool, date32 and UTC timestamps
    only, whatever the engine calls them.
    """

    kind: str
    row_hash: str
    """SQL expression for a 63- or 64-bit hash of the row of the alias ``t``, an INT64."""
    has_free_content_state: bool
    """Whether `content_state` is asked of the engine's catalog instead of the rows."""

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, narrow: bool = False
    ) -> pa.Table:
        """Return the rows of one select statement.

        With `narrow`, whole numbers come in the narrowest integer types that hold them.
        """
        ...

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Run one statement for its effect."""
        ...

    def has_table(self, table: str) -> bool:
        """Tell whether a table or view of that name exists."""
        ...

    def columns(self, table: str) -> tuple[Column, ...]:
        """Return the columns of an existing table, in order."""
        ...

    def ensure_tables(self, specs: Iterable[TableSpec]) -> None:
        """Create what is missing of schemas, tables and columns; change no existing column."""
        ...

    def upsert(
        self,
        spec: TableSpec,
        rows: pa.Table | StoredRows,
        *,
        whole: str | None = None,
        note: ChangeNote | None = None,
    ) -> UpsertCounts:
        """Insert or update rows by ``spec.key``, atomically; equal rows are not written.

        `whole` names a key column of whose values the rows are all there is: stored rows of these
        values that are not among them are deleted. `note` runs where anything changes.
        Stored rows need not fit into memory where the engine reads them as it goes.
        """
        ...

    def commit(self, changes: Sequence[TableChange]) -> None:
        """Make all changes visible together, or none of them."""
        ...

    def content_state(self, tables: Sequence[str]) -> str:
        """Return a short text that changes whenever the content of the tables changes."""
        ...

    def beside_workers(self) -> AbstractContextManager[None]:
        """Leave processors to worker processes for a while, where the engine runs beside them."""
        ...

    def jobs_by_kind(self) -> dict[str, int]:
        """Return the jobs run so far by kind; nothing where the engine has no jobs."""
        ...

    def close(self) -> None:
        """Let go of connections and files; the next call opens them again."""
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


def split_table_name(table: str) -> tuple[str, str]:
    """Return (schema, table) of a ``schema.table`` name, having checked both as identifiers.

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
    """Return the name if it may stand in SQL as an identifier, else raise ValueError."""
    if not _IDENTIFIER.match(name):
        raise ValueError(f"{name!r} is not a plain SQL identifier")
    return name
