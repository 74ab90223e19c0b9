"""The warehouse on BigQuery: reads Arrow tables, writes with load jobs and one transaction."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import asdict
from pathlib import Path
from types import TracebackType
from typing import Self

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
from google.api_core import exceptions as google_exceptions
from google.cloud import bigquery

from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.base import (
    ChangeNote,
    Column,
    Statement,
    TableChange,
    TableSpec,
    UpsertCounts,
    split_table_name,
)
from python_workers.warehouse.bigquery.client import ONCE, BigQueryConnection, BigQueryOptions
from python_workers.warehouse.bigquery.datasets import (
    ensure_dataset,
    existing_tables,
    prepare_datasets,
)
from python_workers.warehouse.bigquery.jobs import BigQueryJobs, JobCounts
from python_workers.warehouse.bigquery.layout import new_table, require_unique_keys, staged_rows
from python_workers.warehouse.bigquery.lease import RunLease
from python_workers.warehouse.bigquery.sql import (
    ARROW_TYPES,
    COLUMN_TYPES,
    DELETION_MARK,
    SQL_TYPES,
    changed_rows,
    comma_list,
    count_statement,
    delete_left_out_statement,
    delete_statement,
    in_shared_types,
    insert_statement,
    merge_statement,
    query_parameters,
    quoted,
    transaction,
    with_dataset_prefix,
)
from python_workers.warehouse.bigquery.staging import Staging
from python_workers.warehouse.former_tables import with_added_columns
from python_workers.warehouse.missing_tables import missing_table_error
from python_workers.warehouse.stored_rows import StoredRows
from python_workers.warehouse.widths import narrowed

# As in the state of a season's rows: a sum beside bit_xor, which equal changes leave unchanged.
_PRIME = 2_147_483_647


class BigQueryWarehouse:
    """The tables of Backcourt on BigQuery.

    Parameters
    ----------
    options
        Project, location, limits.

    Notes
    -----
    `commit` loads each table's rows and deletion keys with one load job into a staging table, then
    runs one multi-statement transaction: a commit of n tables takes n load jobs and one query job.
    `upsert` takes one load job, one count, and one transaction with a MERGE if a row changed.
    Inside `only_writer`, each transaction first updates the row of the lease.
    """

    kind = "bigquery"
    row_hash = "farm_fingerprint(to_json_string(t))"
    has_free_content_state = True

    def __init__(self, options: BigQueryOptions) -> None:
        self._options = options
        self._connection = BigQueryConnection(options)
        self._jobs = BigQueryJobs(self._connection)
        self._staging = Staging(self._connection)
        self._lease = RunLease(options)
        # Only ensure_tables changes the layout of Python's tables, and it clears this cache.
        self._tables: dict[str, bigquery.Table] = {}

    @property
    def options(self) -> BigQueryOptions:
        """Address, limits and time limits."""
        return self._options

    @property
    def jobs_run(self) -> JobCounts:
        """Numbers of jobs so far, by kind."""
        return self._jobs.counts

    @contextmanager
    def only_writer(self) -> Iterator[None]:
        """Hold the lease of the datasets inside the block; create missing datasets before.

        Raises
        ------
        BackcourtError
            If another run holds the lease, or if the rows of a dataset or table would expire. The
            block's end checks the tables that it has created.
        """
        prepare_datasets(self._connection)
        with self._lease.held():
            yield
            prepare_datasets(self._connection)

    def beside_workers(self) -> AbstractContextManager[None]:
        """Change nothing: BigQuery does not use this machine's cores."""
        return nullcontext()

    def jobs_by_kind(self) -> dict[str, int]:
        """Return the numbers of jobs so far, by kind, and of table modifications."""
        return asdict(self._jobs.counts)

    # --- Reading ----------------------------------------------------------------------------------

    def query(
        self, sql: str, params: Mapping[str, object] | None = None, *, narrow: bool = False
    ) -> pa.Table:
        """Return the rows of one select statement; with `narrow`, in narrower integer types."""
        try:
            rows = self._read(sql, params)
        except BackcourtError as error:
            completed = None
            if isinstance(error.__cause__, google_exceptions.BadRequest):
                completed = with_added_columns(sql, self.has_table, self.columns)
            if completed is None:
                raise
            rows = self._read(completed, params)
        return narrowed(rows) if narrow else rows

    def _read(self, sql: str, params: Mapping[str, object] | None) -> pa.Table:
        job = self._jobs.run_query(self._with_prefix(sql), query_parameters(params))
        return in_shared_types(self._jobs.read(job))

    def hash_of(self, columns: Sequence[str]) -> str:
        """Return the SQL expression that hashes these columns of a row to an INT64."""
        return f"farm_fingerprint(to_json_string(struct({comma_list(columns)})))"

    def dry_run(self, sql: str, params: Mapping[str, object] | None = None) -> int | None:
        """Return the bytes that a statement would process, at no cost.

        Return None if the statement reads a table that does not exist yet.
        """
        try:
            return self._jobs.dry_run(self._with_prefix(sql), query_parameters(params))
        except BackcourtError as error:
            if isinstance(error.__cause__, google_exceptions.NotFound):
                return None
            raise

    def has_table(self, table: str) -> bool:
        """Tell whether a table or view of that name exists."""
        return self._get_table(table) is not None

    def tables(self) -> frozenset[str]:
        """Return the name of every table and view in the datasets of Backcourt."""
        return existing_tables(self._connection)

    def is_view(self, table: str) -> bool:
        """Tell whether a name stands for a view."""
        found = self._get_table(table)
        return found is not None and found.table_type == "VIEW"

    def columns(self, table: str) -> tuple[Column, ...]:
        """Return the columns of an existing table, in order."""
        return tuple(
            Column(field.name, COLUMN_TYPES[field.field_type])
            for field in self._existing(table).schema
        )

    def content_state(self, tables: Sequence[str]) -> str:
        """Return a short digest that changes whenever the content of the tables changes.

        Of a table it reads metadata, which is free and needs no job: time of last modification,
        number of rows and schema. (The etag changes by itself.) Of a view or an external table,
        whose rows change without that, it hashes the rows.
        """
        parts = []
        for table in sorted(tables):
            found = self._get_table(table)
            parts.append(f"{table}={'missing' if found is None else self._state(table, found)}")
        return hashlib.sha256("\n".join(parts).encode()).hexdigest()[:32]

    def _state(self, table: str, found: bigquery.Table) -> str:
        schema = [(field.name, field.field_type) for field in found.schema]
        if found.table_type == "TABLE":
            return repr((found.modified, found.num_rows, schema))
        hashed = self.query(
            f"select count(*) as n, bit_xor({self.row_hash}) as hash, "  # noqa: S608 our own names
            f"sum(mod({self.row_hash}, {_PRIME})) as total from {table} as t"
        )
        return repr((hashed.to_pylist(), schema))

    def version(self) -> str | None:
        """Return None: no metadata covers all tables at once."""
        return None

    # --- Writing ----------------------------------------------------------------------------------

    def execute(self, sql: str, params: Mapping[str, object] | None = None) -> None:
        """Run one statement for its effect."""
        self._jobs.run_query(self._with_prefix(sql), query_parameters(params), modifies=1)
        self._tables.clear()

    def ensure_tables(self, specs: Iterable[TableSpec]) -> None:
        """Create missing datasets, tables and columns; change no existing column."""
        known_datasets = set()
        for spec in specs:
            dataset = self._full_name(spec.name).rpartition(".")[0]
            if dataset not in known_datasets:
                ensure_dataset(self._connection, dataset)
                known_datasets.add(dataset)
            existing = self._get_table(spec.name)
            if existing is None:
                self._create_table(spec)
            else:
                self._add_columns(spec, {field.name for field in existing.schema})
            self._tables.pop(spec.name, None)

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
        with these values. Run `note` if any row changes. Send `StoredRows` from their disk.
        """
        if rows.num_rows == 0:
            return UpsertCounts(0, 0, 0)
        require_unique_keys(spec, rows.select(list(spec.key)))
        target, columns = quoted(spec.name, self._prefix), rows.column_names
        name = self._staging.create(self._schema(spec.name, columns))
        with self._staged([name]), self._sendable(spec.name, rows) as sent:
            self._jobs.finish(self._jobs.start_load(name, sent, self._schema(spec.name, columns)))
            changes = changed_rows(target, f"`{name}`", spec.key, columns, whole)
            counted = self._jobs.read(self._jobs.run_query(count_statement(changes)))
            found = {kind: int(count) for kind, count in counted.to_pylist()[0].items()}
            counts = UpsertCounts(
                unchanged=rows.num_rows - found["inserted"] - found["updated"], **found
            )
            # Each statement may be repeated: it then finds no row to change or to note.
            statements = [merge_statement(target, f"`{name}`", spec.key, columns)]
            params: Mapping[str, object] = {}
            if whole is not None and counts.deleted:
                statements.append(delete_left_out_statement(target, f"`{name}`", spec.key, whole))
            if note is not None:
                noted = self._with_prefix(note.sql).format(changes=f"({changes})")
                statements, params = [noted, *statements], note.params
            if counts.changed:
                self._write(statements, params, len(statements))
        return counts

    def commit(self, changes: Sequence[TableChange], statements: Sequence[Statement] = ()) -> None:
        """Make all changes visible together, or none of them.

        Run the statements after the changes, in the same transaction. If a key has the table's
        partitioning column, the deletion bounds it, so that BigQuery reads only those partitions.
        """
        changes = [change for change in changes if staged_rows(change)]
        if not changes:
            return
        script: list[str] = []
        bounds: dict[str, object] = {}
        names: list[str] = []
        loads = []
        with self._staged(names):
            for number, change in enumerate(changes):
                rows = self._staged_table(change)
                schema = [
                    *self._schema(change.table, rows.column_names[:-1]),
                    bigquery.SchemaField(DELETION_MARK, "BOOL"),
                ]
                names.append(self._staging.create(schema))
                loads.append(self._jobs.start_load(names[-1], rows, schema))
                script += self._statements(change, names[-1], number, bounds)
            for load in loads:
                self._jobs.finish(load)
            for statement in statements:
                script.append(self._with_prefix(statement.sql))
                bounds |= statement.params
            self._write(script, bounds, len(changes) + len(statements))

    @contextmanager
    def _staged(self, names: Sequence[str]) -> Iterator[None]:
        """Drop staging tables at the end of the block; cancel its jobs if it fails."""
        try:
            yield
        except BaseException:
            self._jobs.cancel_running()
            raise
        finally:
            self._staging.drop(names)

    def _write(
        self, statements: Sequence[str], params: Mapping[str, object], modifies: int
    ) -> None:
        """Run statements in one transaction, which fails if the run has lost its lease."""
        with self._lease.renewal() as (first, its_params):
            self._jobs.run_query(
                transaction([*first, *statements]),
                query_parameters({**params, **its_params}),
                modifies=modifies,
            )

    def _statements(
        self, change: TableChange, staging: str, number: int, bounds: dict[str, object]
    ) -> list[str]:
        target = quoted(change.table, self._prefix)
        partition = None
        column = self._partition_column(change.table)
        if column is not None and column in change.key:
            spans = [pc.min_max(keys[column]).as_py() for keys in change.replaced_keys()]
            bounds[f"from_{number}"] = min(span["min"] for span in spans)
            bounds[f"to_{number}"] = max(span["max"] for span in spans)
            partition = (column, str(number))
        statements = [delete_statement(target, f"`{staging}`", change.key, partition)]
        if change.rows is not None and change.rows.num_rows:
            statements.append(insert_statement(target, f"`{staging}`", change.rows.column_names))
        return statements

    def _staged_table(self, change: TableChange) -> pa.Table:
        """Return a change's rows and marked deletion keys in one table."""
        change.replaced_keys()  # checks them
        parts = []
        for rows, is_key in ((change.delete_keys, True), (change.rows, False)):
            if rows is not None and rows.num_rows:
                mark = pa.array([is_key]).take(pa.array([0] * rows.num_rows))
                parts.append(self._cast_to(change.table, rows).append_column(DELETION_MARK, mark))
        both = pa.concat_tables(parts, promote_options="default")
        return both.select([*(n for n in both.column_names if n != DELETION_MARK), DELETION_MARK])

    # --- Tables -----------------------------------------------------------------------------------

    @property
    def _prefix(self) -> str:
        return self._options.address_prefix

    def _with_prefix(self, sql: str) -> str:
        return with_dataset_prefix(sql, self._prefix)

    def _full_name(self, table: str) -> str:
        schema, name = split_table_name(table)
        return f"{self._options.project}.{self._options.dataset_prefix}{schema}.{name}"

    def _get_table(self, table: str) -> bigquery.Table | None:
        name, client = self._full_name(table), self._connection.client
        seconds = self._options.request_seconds
        try:
            return self._connection.request(
                lambda: client.get_table(name, retry=ONCE, timeout=seconds)
            )
        except google_exceptions.NotFound:
            return None

    def _existing(self, table: str) -> bigquery.Table:
        known = self._tables.get(table)
        if known is None:
            known = self._get_table(table)
            if known is None:
                raise missing_table_error(table, f"project {self._options.project}")
            self._tables[table] = known
        return known

    def _partition_column(self, table: str) -> str | None:
        partitioning = self._existing(table).time_partitioning
        return None if partitioning is None else partitioning.field

    def _schema(self, table: str, names: Sequence[str]) -> list[bigquery.SchemaField]:
        types = {column.name: column.type for column in self.columns(table)}
        return [bigquery.SchemaField(name, SQL_TYPES[types[name]]) for name in names]

    @contextmanager
    def _sendable(self, table: str, rows: pa.Table | StoredRows) -> Iterator[pa.Table | Path]:
        """Yield rows in the types of a table's columns; those on disk as a file beside theirs."""
        if isinstance(rows, pa.Table):
            yield self._cast_to(table, rows)
            return
        path = rows.path.with_name(f"sent-{rows.path.name}")
        empty = self._cast_to(table, rows.schema.empty_table())
        try:
            with pq.ParquetWriter(
                path, empty.schema, compression="zstd", coerce_timestamps="us"
            ) as file:
                for batch in rows.batches(rows.column_names):
                    file.write_table(self._cast_to(table, pa.Table.from_batches([batch])))
            yield path
        finally:
            path.unlink(missing_ok=True)

    def _cast_to(self, table: str, rows: pa.Table) -> pa.Table:
        """Cast the rows to the types of the table's columns."""
        types = {column.name: ARROW_TYPES[column.type] for column in self.columns(table)}
        unknown = [name for name in rows.column_names if name not in types]
        if unknown:
            raise BackcourtError(
                f"table {table} has no column {', '.join(unknown)}",
                "Another version created it: rebuild it with dbt run, or add the column.",
                ExitCode.ENVIRONMENT,
            )
        return rows.cast(pa.schema([(name, types[name]) for name in rows.column_names]))

    def _create_table(self, spec: TableSpec) -> None:
        table = new_table(spec, self._full_name(spec.name), self._options.encryption)
        client, seconds = self._connection.client, self._options.request_seconds
        self._connection.require(
            lambda: client.create_table(table, exists_ok=True, retry=ONCE, timeout=seconds)
        )

    def _add_columns(self, spec: TableSpec, existing: set[str]) -> None:
        missing = [column for column in spec.columns if column.name not in existing]
        if missing:
            additions = ", ".join(
                f"add column if not exists {column.name} {SQL_TYPES[column.type]}"
                for column in missing
            )
            statement = f"alter table {quoted(spec.name, self._prefix)} {additions}"
            self._jobs.run_query(statement, modifies=1)

    # --- Life -------------------------------------------------------------------------------------

    def close(self) -> None:
        """Close the connections; the next call opens them again."""
        self._connection.close()

    def __enter__(self) -> Self:
        """Return the warehouse itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        """Close it; after an error or a signal, cancel the jobs that still run."""
        if kind is not None:
            self._jobs.cancel_running()
        self.close()
