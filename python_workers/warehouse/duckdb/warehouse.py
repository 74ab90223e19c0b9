"""The warehouse on DuckDB: one file, one writing process, Arrow in and out."""

from __future__ import annotations

import contextlib
import hashlib
import itertools
import threading
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

import duckdb
import pyarrow as pa

from python_workers.errors import BackcourtError
from python_workers.runtime import injected_faults as faults
from python_workers.table_names import DATASETS
from python_workers.warehouse.base import (
    ChangeNote,
    Column,
    Statement,
    TableChange,
    TableSpec,
    UpsertCounts,
    checked_identifier,
    split_table_name,
)
from python_workers.warehouse.duckdb.comments import missing_comments
from python_workers.warehouse.duckdb.dialect import (
    SQL_TYPES,
    column_type,
    definition,
    literal,
    portable_types,
    quoted,
    translate_parameters,
    with_widths,
)
from python_workers.warehouse.duckdb.file import file_version, open_file, plain_errors
from python_workers.warehouse.former_tables import with_added_columns
from python_workers.warehouse.missing_tables import missing_table_error
from python_workers.warehouse.stored_rows import StoredRows
from python_workers.warehouse.widths import Widths, narrowed, wider, widths_of


class DuckDBWarehouse:
    """The tables of Backcourt in one DuckDB file.

    The first statement opens the file. `close` releases it, so that dbt may open it; a later
    statement opens it again. Threads may read through their own cursors while another thread
    commits. Writing transactions run one after the other.

    Parameters
    ----------
    path
        The file; it and its folder are created if missing.
    memory_limit
        DuckDB's own bound, for example ``700MB``.
    wait_seconds
        How long to wait while another process holds the file.
    read_only
        Whether to only read, and share the file with other readers.
    """

    kind = "duckdb"
    row_hash = "cast(hash(t) // 2 as int64)"
    has_free_content_state = False

    def __init__(
        self,
        path: Path | str,
        *,
        memory_limit: str = "700MB",
        wait_seconds: float = 0.0,
        read_only: bool = False,
    ) -> None:
        self.path = Path(path)
        self._memory_limit = memory_limit
        self._wait_seconds = wait_seconds
        self._read_only = read_only
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._cursors: list[duckdb.DuckDBPyConnection] = []
        self._local = threading.local()
        self._opening = threading.Lock()
        self._writing = threading.RLock()
        self._names = itertools.count()
        self._widths: dict[str, Widths] = {}
        self._catalog = _Catalog()

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, narrow: bool = False
    ) -> pa.Table:
        """Return the rows of one select statement, in the portable types of `portable_types`.

        With `narrow`, return whole numbers in narrower types: DuckDB casts them to the types that
        sufficed the last time, as long as these suffice.
        """
        with plain_errors(self.path):
            try:
                return self._read(sql, params, narrow=narrow)
            except duckdb.BinderException:
                completed = with_added_columns(sql, self.has_table, self.columns)
                if completed is None:
                    raise
                return self._read(completed, params, narrow=narrow)

    def _read(self, sql: str, params: Mapping[str, object] | None, *, narrow: bool) -> pa.Table:
        if not narrow:
            return portable_types(self._run(self._cursor(), sql, params).to_arrow_table())
        sufficed = self._widths.get(sql)
        if sufficed is not None:
            with contextlib.suppress(duckdb.ConversionException):
                rows = self._run(self._cursor(), with_widths(sql, sufficed), params)
                return portable_types(rows.to_arrow_table(), narrow=True)
        table = narrowed(self._read(sql, params, narrow=False))
        self._widths[sql] = wider(widths_of(table), sufficed or {})
        return table

    def hash_of(self, columns: Sequence[str]) -> str:
        """Return the SQL expression that hashes these columns of a row to an INT64."""
        names = ", ".join(f'"{checked_identifier(name)}"' for name in columns)
        return f"cast(hash({names}) // 2 as int64)"

    def write_file(self, sql: str, params: Mapping[str, object], file: Path) -> None:
        """Write the rows of one select statement to a Parquet file, in the shared types."""
        with plain_errors(self.path):
            columns = self._run(self._cursor(), f"describe {sql}", params).fetchall()
            typed = ", ".join(
                f'cast("{name}" as {SQL_TYPES[column_type("the inputs", name, type_)]}) as "{name}"'
                for name, type_, *_ in columns
            )
            self._run(
                self._cursor(),
                f"copy (select {typed} from ({sql})) to {literal(str(file))} "  # noqa: S608 our own names
                "(format parquet, compression zstd, compression_level 1)",
                params,
            )

    def relation_of(self, files: Sequence[Path]) -> str:
        """Return what a statement selects from to read Parquet files with the same columns."""
        return f"read_parquet([{', '.join(literal(str(file)) for file in files)}])"

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Run one statement for its effect."""
        with plain_errors(self.path), self._writing:
            try:
                self._run(self._cursor(), sql, params)
            finally:
                self._catalog = _Catalog()

    @contextlib.contextmanager
    def beside_workers(self) -> Iterator[None]:
        """Let DuckDB use only half of the cores while workers use them all.

        DuckDB's threads would compete with the workers, and each thread writes separate row groups,
        which must be merged.
        """
        threads = self.query("select current_setting('threads') as threads")["threads"][0].as_py()
        self.execute(f"set threads = {max(threads // 2, 1)}")
        try:
            yield
        finally:
            # On a full disk DuckDB refuses even this; report the first error instead.
            with contextlib.suppress(BackcourtError, duckdb.Error):
                self.execute(f"set threads = {threads}")

    def only_writer(self) -> contextlib.AbstractContextManager[None]:
        """Do nothing: `open_warehouse` has locked the file."""
        return contextlib.nullcontext()

    def jobs_by_kind(self) -> dict[str, int]:
        """Return an empty dict: DuckDB has no jobs."""
        return {}

    def has_table(self, table: str) -> bool:
        """Tell whether a table or view of that name exists."""
        return bool(self._catalog_columns(table))

    def tables(self) -> frozenset[str]:
        """Return the name of every table and view in the datasets of Backcourt."""
        found = self.query(
            "select distinct concat(schema_name, '.', table_name) as name from duckdb_columns() "
            "where database_name = current_database() and schema_name in unnest(@schemas)",
            {"schemas": list(DATASETS)},
        )
        return frozenset(found.column("name").to_pylist())

    def is_view(self, table: str) -> bool:
        """Tell whether a name stands for a view."""
        schema, name = split_table_name(table)
        found = self.query(
            "select count(*) as found from duckdb_views() where schema_name = @schema "
            "and view_name = @name and database_name = current_database()",
            {"schema": schema, "name": name},
        )
        return bool(found.column("found")[0].as_py())

    def columns(self, table: str) -> tuple[Column, ...]:
        """Return the columns of an existing table, in order."""
        found = self._catalog_columns(table)
        if not found:
            raise missing_table_error(table, self.path)
        return tuple(Column(name, column_type(table, name, type_)) for name, type_ in found)

    def ensure_tables(self, specs: Iterable[TableSpec]) -> None:
        """Create missing schemas, tables and columns; change no existing column."""
        specs = list(specs)
        statements: list[str] = []
        for spec in specs:
            present = {name for name, _ in self._catalog_columns(spec.name)}
            if present:
                statements += [
                    f"alter table {quoted(spec.name)} add column {definition(column)}"
                    for column in spec.columns
                    if column.name not in present
                ]
                continue
            schema, _ = split_table_name(spec.name)
            columns = ", ".join(definition(column) for column in spec.columns)
            statements += [
                f'create schema if not exists "{schema}"',
                f"create table {quoted(spec.name)} ({columns})",
            ]
        self._execute_all(statements)
        # In a transaction of its own: DuckDB cannot comment on a table and then write it in one.
        self._execute_all(
            [text for spec in specs for text in missing_comments(self._cursor(), spec)]
        )

    def _execute_all(self, statements: Sequence[str]) -> None:
        if statements:
            with self._transaction() as cursor:
                for statement in statements:
                    cursor.execute(statement)

    def upsert(
        self,
        spec: TableSpec,
        rows: pa.Table | StoredRows,
        *,
        whole: str | None = None,
        note: ChangeNote | None = None,
    ) -> UpsertCounts:
        """Insert or update rows by ``spec.key``, atomically; do not write equal rows.

        Parameters
        ----------
        spec
            An existing table.
        rows
            Exactly the columns of ``spec``, in any order; keys unique and not NULL. `StoredRows`
            are read in batches.
        whole
            A key column for whose values `rows` is complete: other stored rows with these values
            are deleted.
        note
            A statement that runs if any row changes.

        Raises
        ------
        ValueError
            If the columns differ, or keys are NULL or duplicated.
        """
        if sorted(rows.schema.names) != sorted(spec.column_names):
            raise ValueError(f"{spec.name}: expected {spec.column_names}, got {rows.schema.names}")
        target, key = quoted(spec.name), ", ".join(f'"{name}"' for name in spec.key)
        differs = " or ".join(
            f'old."{name}" is distinct from new."{name}"'
            for name in spec.column_names
            if name not in spec.key
        )
        typed = ", ".join(
            f'cast("{column.name}" as {SQL_TYPES[column.type]}) as "{column.name}"'
            for column in spec.columns
        )
        names = ", ".join(f'"{name}"' for name in spec.column_names)
        with self._transaction() as cursor, self._registered(cursor, rows) as given:
            _check_keys(cursor, given, spec)
            cursor.execute(
                f"create or replace temp table changed_rows as select new.*, "  # noqa: S608 checked
                f"if(old.\"{spec.key[0]}\" is null, 'inserted', 'updated') as change "
                f"from (select {typed} from {given}) as new "
                f"left join {target} as old using ({key}) "
                f'where old."{spec.key[0]}" is null or {differs or "false"}'
            )
            if whole is not None:
                cursor.execute(
                    f"insert into changed_rows by name "  # noqa: S608 checked identifiers
                    f"select {names}, 'deleted' as change from {target} as old "
                    f'where "{whole}" in (select "{whole}" from {given}) and not exists '
                    f"(select 1 from {given} as new where {_same_key(spec.key)})"
                )
            inserted, updated, deleted = _one_row(
                cursor,
                "select count(*) filter (where change = 'inserted'), "
                "count(*) filter (where change = 'updated'), "
                "count(*) filter (where change = 'deleted') from changed_rows",
            )
            counts = UpsertCounts(inserted, updated, rows.num_rows - inserted - updated, deleted)
            if note is not None and counts.changed:
                self._run(cursor, note.sql.format(changes="changed_rows"), note.params)
            if updated or deleted:
                cursor.execute(
                    f"delete from {target} as old using changed_rows as new "  # noqa: S608 as above
                    f"where new.change != 'inserted' and {_same_key(spec.key)}"
                )
            if inserted or updated:
                cursor.execute(
                    f"insert into {target} by name "  # noqa: S608 as above
                    f"select {names} from changed_rows where change != 'deleted'"
                )
            cursor.execute("drop table changed_rows")
        return counts

    def commit(self, changes: Sequence[TableChange], statements: Sequence[Statement] = ()) -> None:
        """Make all changes visible together, or none of them.

        Run the statements after the changes, in the same transaction.

        Raises
        ------
        ValueError
            If a key is NULL: it would match no row.
        """
        with self._transaction() as cursor:
            for change in changes:
                self._apply(cursor, change)
            for statement in statements:
                self._run(cursor, statement.sql, statement.params)

    def content_state(self, tables: Sequence[str]) -> str:
        """Return a digest of the tables' columns and rows that ignores the order of rows.

        It is a sum of row hashes, so new, deleted and changed rows alter it. A missing table also
        enters the digest.
        """
        digest = hashlib.sha256()
        for table in sorted(tables):
            columns = self._catalog_columns(table)
            digest.update(f"{table}:{columns}".encode())
            if columns:
                names = ", ".join(f'"{name}"' for name, _ in columns)
                with plain_errors(self.path):
                    state = _one_row(
                        self._cursor(),
                        f"select count(*), sum(hash({names})) "  # noqa: S608 names of the catalog
                        f"from {quoted(table)}",
                    )
                digest.update(repr(state).encode())
        return digest.hexdigest()[:32]

    def version(self) -> str | None:
        """Close the file, and return what tells its present content from every other."""
        self.close()
        return file_version(self.path)

    def close(self) -> None:
        """Close the file; the next statement opens it again."""
        with self._writing, self._opening:
            for cursor in self._cursors:
                cursor.close()
            self._cursors.clear()
            self._local = threading.local()
            self._catalog = _Catalog()
            if self._connection is not None:
                with plain_errors(self.path):
                    self._connection.close()
                self._connection = None

    def __enter__(self) -> Self:
        """Return the warehouse itself; do not open the file yet."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close the file."""
        self.close()

    def _cursor(self) -> duckdb.DuckDBPyConnection:
        cursor: duckdb.DuckDBPyConnection | None = getattr(self._local, "cursor", None)
        if cursor is not None:
            return cursor
        with self._opening:
            if self._connection is None:
                self._connection = open_file(
                    self.path,
                    memory_limit=self._memory_limit,
                    wait_seconds=self._wait_seconds,
                    read_only=self._read_only,
                )
            cursor = self._connection.cursor()
            self._cursors.append(cursor)
        self._local.cursor = cursor
        return cursor

    @staticmethod
    def _run(
        cursor: duckdb.DuckDBPyConnection, sql: str, params: Mapping[str, object] | None
    ) -> duckdb.DuckDBPyConnection:
        statement, names = translate_parameters(sql)
        given = params or {}
        missing = sorted(names - given.keys())
        if missing:
            raise ValueError(f"no value for the parameters {missing} of: {sql.strip()[:200]}")
        # DuckDB rejects values that the statement does not use.
        return cursor.execute(statement, {name: given[name] for name in names})

    @contextlib.contextmanager
    def _transaction(self) -> Iterator[duckdb.DuckDBPyConnection]:
        with plain_errors(self.path), self._writing:
            cursor = self._cursor()
            cursor.execute("begin transaction")
            try:
                yield cursor
                faults.crash_point("before-write")
                cursor.execute("commit")
                faults.crash_point("after-write")
            except BaseException:
                # After a failed commit, or if a full disk has invalidated the database, the
                # rollback fails, too; report the first error.
                with contextlib.suppress(duckdb.Error):
                    cursor.execute("rollback")
                raise
            finally:
                self._catalog = _Catalog()

    @contextlib.contextmanager
    def _registered(
        self, cursor: duckdb.DuckDBPyConnection, rows: pa.Table | StoredRows
    ) -> Iterator[str]:
        if isinstance(rows, StoredRows):
            yield rows.sql()
            return
        name = f"arrow_rows_{next(self._names)}"
        cursor.register(name, rows)
        try:
            yield name
        finally:
            with contextlib.suppress(duckdb.Error):
                cursor.unregister(name)

    def _apply(self, cursor: duckdb.DuckDBPyConnection, change: TableChange) -> None:
        target, rows = quoted(change.table), change.rows
        for keys in change.replaced_keys():
            with self._registered(cursor, keys) as given:
                cursor.execute(
                    f"delete from {target} as old "  # noqa: S608 checked identifiers
                    f"using (select distinct * from {given}) as new "
                    f"where {_same_key(change.key)}"
                )
        if rows is not None and rows.num_rows:
            names = ", ".join(f'"{checked_identifier(name)}"' for name in rows.column_names)
            with self._registered(cursor, rows) as given:
                cursor.execute(
                    f"insert into {target} by name select {names} from {given}"  # noqa: S608
                )

    def _catalog_columns(self, table: str) -> list[tuple[str, str]]:
        name, catalog = split_table_name(table), self._catalog
        if catalog.columns is None:
            catalog.columns = self._read_catalog()
        return catalog.columns.get(name, [])

    def _read_catalog(self) -> dict[tuple[str, str], list[tuple[str, str]]]:
        with plain_errors(self.path):
            rows = (
                self._cursor()
                .execute(
                    "select schema_name, table_name, column_name, data_type from duckdb_columns() "
                    "where database_name = current_database() order by column_index"
                )
                .fetchall()
            )
        found: dict[tuple[str, str], list[tuple[str, str]]] = {}
        for schema, table, column, type_ in rows:
            found.setdefault((schema, table), []).append((column, type_))
        return found


@dataclass
class _Catalog:
    """Name and type of the columns by schema and table, once they have been asked for.

    DuckDB takes as long to list the columns of one table as those of all. Each write begins a new
    object, so that a thread which reads during a write cannot keep the state before it.
    """

    columns: dict[tuple[str, str], list[tuple[str, str]]] | None = None


def _check_keys(cursor: duckdb.DuckDBPyConnection, rows: str, spec: TableSpec) -> None:
    key = ", ".join(f'"{name}"' for name in spec.key)
    any_null = " or ".join(f'"{name}" is null' for name in spec.key)
    nulls, total = _one_row(
        cursor,
        f"select count(*) filter (where {any_null}), count(*) from {rows}",  # noqa: S608
    )
    (distinct,) = _one_row(
        cursor,
        f"select count(*) from (select distinct {key} from {rows})",  # noqa: S608 checked names
    )
    if nulls or distinct != total:
        raise ValueError(f"{spec.name}: {nulls} keys are NULL, {total - distinct} are duplicates")


def _same_key(key: Iterable[str]) -> str:
    return " and ".join(f'old."{checked_identifier(name)}" = new."{name}"' for name in key)


def _one_row(cursor: duckdb.DuckDBPyConnection, sql: str) -> tuple[int, ...]:
    row: tuple[int, ...] | None = cursor.execute(sql).fetchone()
    if row is None:
        raise RuntimeError(f"an aggregate returned no row: {sql}")
    return row
