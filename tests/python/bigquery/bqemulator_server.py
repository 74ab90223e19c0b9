"""Start bqemulator 1.4.0 and add what it lacks of BigQuery; takes the arguments of ``bqemulator``.

Runs in the emulator's own environment. Each repair says which behaviour of BigQuery it supplies;
nothing in `python_workers` or the models bends to the emulator.
"""

from __future__ import annotations

import asyncio
import contextvars
import dataclasses
import functools
import os
import re
import sys
import threading
from collections.abc import Awaitable, Callable
from typing import Any

import sqlglot
from bqemulator.api.routes import jobs, upload
from bqemulator.catalog import ddl_sync
from bqemulator.catalog.etag import generate_etag
from bqemulator.cli import main
from bqemulator.domain.errors import InvalidQueryError, ResourceRef, resource_already_exists
from bqemulator.grpc_api import read_servicer
from bqemulator.jobs import executor
from bqemulator.scripting import interpreter
from bqemulator.sql import translator
from bqemulator.sql.rewriter import aggregate_variants, create_table_schema_ctas
from bqemulator.sql.rules import misc_helpers
from bqemulator.versioning.snapshots import SnapshotManager
from sqlglot import exp
from sqlglot.dialects.duckdb import DuckDB

# --- SQL ------------------------------------------------------------------------------------------

COLUMN_KEY = re.compile(
    r"\s+(?:primary\s+key(?!\s*\()|references\s+[`\w.\-]+\s*\([^)]*\))\s+not\s+enforced",
    re.IGNORECASE,
)
TABLE_KEY = re.compile(
    r",\s*(?:constraint\s+\w+\s+)?(?:primary|foreign)\s+key\s*\([^)]*\)"
    r"(?:\s*references\s+[`\w.\-]+\s*\([^)]*\))?\s+not\s+enforced",
    re.IGNORECASE,
)
# The MERGE of the materialization date_range.
ON_FALSE = re.compile(r"\bon\s+false\b(?=\s+when\s+not\s+matched\s+by\s+source)", re.IGNORECASE)
REPLACED_DATES = re.compile(
    ON_FALSE.pattern + r"\s+when\s+not\s+matched\s+by\s+source\s+and\s+old_rows\.(\w+)\s+between",
    re.IGNORECASE,
)
STRUCT_SUBQUERY = re.compile(r"^\s*\(\s*select\s+as\s+struct\b", re.IGNORECASE)


def innermost_argument(node: exp.Expression) -> exp.Expression:
    """Reach x in ARRAY_AGG(DISTINCT x IGNORE NULLS ORDER BY y LIMIT n)."""
    while isinstance(node, exp.Limit | exp.Order | exp.Distinct):
        node = node.expressions[0] if isinstance(node, exp.Distinct) else node.this
    return node


def with_named_struct_fields(sql: str) -> str:
    """STRUCT(a, t.b) takes its field names from its columns."""
    if "STRUCT(" not in sql.upper():
        return sql
    try:
        tree = sqlglot.parse_one(sql, read="bigquery")
    except sqlglot.errors.SqlglotError:
        return sql
    for struct in list(tree.find_all(exp.Struct)):
        if isinstance(struct.parent, exp.Cast):
            continue
        for field in list(struct.expressions):
            if isinstance(field, exp.Column):
                name = exp.to_identifier(field.name)
                field.replace(exp.PropertyEQ(this=name, expression=field.copy()))
    return str(tree.sql(dialect="bigquery"))


def bracketed_remainder(generator: Any, node: exp.Mod) -> str:
    """Put MOD(a, b) in brackets: ``2 * a % b`` would mean (2 * a) % b."""
    return f"({generator.binary(node, '%')})"


def bracketed_quotient(generator: Any, node: exp.IntDiv) -> str:
    """Put DIV(a, b) in brackets: 2 * DIV(a, b) divides first, and a may be a sum."""
    return f"(({generator.sql(node, 'this')}) // ({generator.sql(node, 'expression')}))"


def with_hashable_merge(sql: str) -> str:
    """Spare DuckDB comparing every row with every other in a MERGE ON FALSE.

    Dates that lie centuries apart are never equal either, and can be hashed.
    """
    replaced = REPLACED_DATES.search(sql)
    if replaced is None:
        return sql
    day = replaced[1]
    never = f"on old_rows.{day} = date_sub(new_rows.{day}, interval 100000 day)"
    return ON_FALSE.sub(never, sql, count=1)


def native_fingerprint(_rule: Any, node: exp.Expression) -> exp.Expression:
    """Hash with DuckDB: the emulator's exact FARM_FINGERPRINT runs Python for every byte."""
    hashed = exp.Anonymous(this="hash", expressions=[node.expressions[0]])
    shifted = exp.BitwiseRightShift(this=hashed, expression=exp.Literal.number(1))
    return exp.cast(shifted, "bigint")


LOOKERS = frozenset(
    {
        "_capture_dml_snapshots",
        "_detect_catalog_drop",
        "_detect_create_schema",
        "_detect_plain_create_table",
        "_detect_plain_create_view",
        "_dml_targets",
        "_extract_ddl_metadata",
        "_parse_for_classification",
        "_parse_statement",
        "_reject_dml_on_immutable",
        "build_catalog_schema",
        "detect_drop_routine",
    }
)


def install_parse_memory() -> None:
    """Parse a statement once for all who only look at it, which is most of the emulator's time.

    A copy takes as long as parsing: those who change what they get parse for themselves.
    """
    parse = sqlglot.parse_one
    remembered = functools.lru_cache(maxsize=16)(parse)

    def parse_or_remember(sql: str, *arguments: Any, **options: Any) -> Any:
        looks = sys._getframe(1).f_code.co_name in LOOKERS
        return (remembered if looks else parse)(sql, *arguments, **options)

    sqlglot.parse_one = parse_or_remember


def install_translation_memory() -> None:
    """Translate a statement once per schema of its tables, since commands repeat statements."""
    translate = translator.SQLTranslator.translate
    remembered: dict[tuple[str, str, str], Any] = {}

    def translate_or_remember(self: Any, sql: str, **options: Any) -> Any:
        # A dictionary keeps the order of a table's columns, which decides what * stands for.
        key = (sql, repr(options.get("schema")), repr(options.get("caller")))
        if key not in remembered:
            remembered[key] = translate(self, sql, **options)
        return remembered[key]

    translator.SQLTranslator.translate = translate_or_remember
    for module in (executor, interpreter):
        module.rewrite_table_refs = functools.lru_cache(maxsize=None)(module.rewrite_table_refs)


def install_sql_repairs() -> None:
    misc_helpers.FarmFingerprintRule.rewrite = native_fingerprint
    DuckDB.Generator.TRANSFORMS[exp.Mod] = bracketed_remainder
    DuckDB.Generator.TRANSFORMS[exp.IntDiv] = bracketed_quotient
    aggregate_variants._filter_target = innermost_argument
    find_select = create_table_schema_ctas._first_select

    def find_select_in_parentheses(body: exp.Expression | None) -> exp.Select | None:
        # CREATE TABLE t (columns) AS (SELECT ...), which dbt sends for a contract.
        while isinstance(body, exp.Subquery):
            body = body.this
        return find_select(body)

    create_table_schema_ctas._first_select = find_select_in_parentheses
    rewrite = translator.rewrite_aggregate_variants

    def rewrite_statement(sql: str) -> str:
        # Unenforced keys of a contract are only information in BigQuery.
        sql = with_hashable_merge(TABLE_KEY.sub("", COLUMN_KEY.sub("", sql)))
        return str(rewrite(with_named_struct_fields(sql)))

    translator.rewrite_aggregate_variants = rewrite_statement

    set_variables = interpreter.ScriptInterpreter._exec_set

    async def set_from_struct(self: Any, statement: Any) -> Any:
        # SET (x) = (SELECT AS STRUCT ...), which dbt's dynamic insert_overwrite sends.
        if len(statement.targets) == 1 and STRUCT_SUBQUERY.match(statement.source_expr):
            source = STRUCT_SUBQUERY.sub("(select", statement.source_expr)
            statement = dataclasses.replace(statement, source_expr=source)
        return await set_variables(self, statement)

    interpreter.ScriptInterpreter._exec_set = set_from_struct


# --- Scripts --------------------------------------------------------------------------------------

ALTERED_TABLE = re.compile(r"^\s*alter\s+table\s+`?([\w.`-]+?)`?\s", re.IGNORECASE)

script_parameters: contextvars.ContextVar[list[dict[str, Any]] | None] = contextvars.ContextVar(
    "script_parameters", default=None
)


def install_script_parameters() -> None:
    """Bind query parameters in multi-statement queries too."""
    run_body = executor._run_query_body
    bind = interpreter.bind_parameters

    async def run_with_parameters(**arguments: Any) -> Any:
        token = script_parameters.set(arguments["query_params"])
        try:
            return await run_body(**arguments)
        finally:
            script_parameters.reset(token)

    executor._run_query_body = run_with_parameters
    interpreter.bind_parameters = lambda sql, given: bind(sql, given or script_parameters.get())


# --- Tables ---------------------------------------------------------------------------------------


def record_modification(context: Any, project: str, dataset: str, table: str) -> None:
    """Renew row count, modification time and etag of a table, as BigQuery does on every write."""
    meta = context.catalog.get_table(project, dataset, table)
    if meta is None or meta.table_type != "TABLE":
        return
    counted = context.engine.execute(
        f'select count(*) from "{project}__{dataset}"."{table}"'
    ).fetchone()
    now = context.clock.now()
    context.catalog.update_table(
        meta.model_copy(
            update={
                "num_rows": counted[0],
                "last_modified_time": now,
                "etag": generate_etag(project, dataset, table, str(now)),
            }
        )
    )


def renew_schema(context: Any, project: str, dataset: str, table: str) -> None:
    """Show in a table's metadata what ALTER TABLE did to its columns."""
    meta = context.catalog.get_table(project, dataset, table)
    if meta is not None:
        schema = ddl_sync._introspect_schema(project, dataset, table, context)
        context.catalog.update_table(meta.model_copy(update={"schema_": schema}))


def install_table_state() -> None:
    """Keep the metadata of tables up to date."""
    run_single = executor._run_single_sql
    run_scripted = interpreter.ScriptInterpreter._run_query
    load = executor.execute_load_job

    def record_targets(context: Any, project: str, sql: str) -> None:
        altered = ALTERED_TABLE.match(sql)
        if altered is not None:
            dataset, table = altered[1].replace("`", "").split(".")[-2:]
            renew_schema(context, project, dataset, table)
        for target in interpreter._dml_targets(sql, project):
            schema, table = target.strip('"').split('"."')
            owner, dataset = schema.split("__", 1)
            record_modification(context, owner, dataset, table)

    async def run_single_and_record(
        project: str, sql: str, parameters: Any, context: Any, **options: Any
    ) -> Any:
        result = await run_single(project, sql, parameters, context, **options)
        record_targets(context, project, sql)
        return result

    async def run_scripted_and_record(self: Any, sql: str) -> Any:
        result = await run_scripted(self, sql)
        record_targets(self._ctx, self._project_id, sql)
        return result

    async def load_and_record(project: str, job_id: str, config: Any, context: Any) -> Any:
        result = await load(project, job_id, config, context)
        target = config["load"]["destinationTable"]
        record_modification(
            context, target.get("projectId", project), target["datasetId"], target["tableId"]
        )
        return result

    executor._run_single_sql = run_single_and_record
    interpreter.ScriptInterpreter._run_query = run_scripted_and_record
    for module in (executor, jobs, upload):
        module.execute_load_job = load_and_record

    def load_parquet_by_name(path: str, target: str, context: Any) -> None:
        # BigQuery matches the columns of a Parquet file by name, not by position.
        context.engine.execute(f"insert into {target} by name from read_parquet(?)", [path])

    executor._LOAD_FORMAT_HANDLERS["PARQUET"] = load_parquet_by_name

    # Time travel copies the whole table at every write; nothing here uses it.
    capture = SnapshotManager.capture

    def capture_on_request(self: Any, *table: str, kind: str = "AUTO") -> Any:
        return capture(self, *table, kind=kind) if kind != "AUTO" else None

    SnapshotManager.capture = capture_on_request


# --- Jobs -----------------------------------------------------------------------------------------

REQUESTED_ID = "requestedJobId"


class JobIds:
    """A job id names one job for ever: a second insert of it is refused with 409.

    One job runs at a time, so that a repeated request finds the first one finished.
    """

    def __init__(self) -> None:
        self._running = asyncio.Lock()

    async def run_once(
        self, context: Any, project: str, job_id: str, run: Callable[[], Awaitable[Any]]
    ) -> Any:
        async with self._running:
            if context.catalog.get_job(project, job_id) is not None:
                raise resource_already_exists(ResourceRef("job", project, resource_id=job_id))
            return await run()


def install_job_ids() -> None:
    ids = JobIds()
    handle_query = jobs._handle_query_job
    run_load = upload._run_load
    read_envelope = upload._load_configuration_from_envelope
    new_id = upload._new_job_id

    async def query_once(project: str, job_id: str, config: Any, **options: Any) -> Any:
        async def run() -> Any:
            result = await handle_query(project, job_id, config, **options)
            if not isinstance(result, dict):
                options["ctx"].catalog.upsert_job(result)
            return result

        return await ids.run_once(options["ctx"], project, job_id, run)

    jobs._handle_query_job = query_once

    def configuration_with_id(envelope: dict[str, Any]) -> dict[str, Any]:
        configuration = dict(read_envelope(envelope))
        reference = envelope.get("jobReference") or {}
        configuration[REQUESTED_ID] = reference.get("jobId") or new_id()
        return configuration

    async def load_once(
        *, project_id: str, configuration: dict[str, Any], media_path: str, ctx: Any
    ) -> Any:
        configuration = dict(configuration)
        job_id = configuration.pop(REQUESTED_ID)

        async def run() -> Any:
            upload._new_job_id = lambda: job_id
            return await run_load(
                project_id=project_id,
                configuration=configuration,
                media_path=media_path,
                ctx=ctx,
            )

        return await ids.run_once(ctx, project_id, job_id, run)

    upload._load_configuration_from_envelope = configuration_with_id
    upload._run_load = load_once
    # google-cloud-bigquery sends the media part of a multipart upload as */*.
    upload._PERMITTED_MEDIA_CONTENT_TYPES += ("*/*",)


def install_dry_runs() -> None:
    """Make a dry run analyse its statement; the emulator would run a select."""
    answer = jobs._dry_run_response

    async def answer_without_rows(**arguments: Any) -> dict[str, Any]:
        sql = arguments["bq_sql"]
        if executor.classify_statement_type(sql) == "SELECT":
            arguments["bq_sql"] = f"select * from ({sql}) limit 0"
        return dict(await answer(**arguments))

    jobs._dry_run_response = answer_without_rows


# --- Storage Read ---------------------------------------------------------------------------------


def install_reads_of_query_results() -> None:
    """Serve the anonymous result table of a finished query, not only stored tables."""
    handle = read_servicer.BigQueryReadHandler._handle_create_read_session

    def create_session(self: Any, request_bytes: bytes, context: Any) -> bytes:
        from google.cloud.bigquery_storage_v1 import types

        request = types.CreateReadSessionRequest.deserialize(request_bytes)
        *_, dataset, _, table = request.read_session.table.split("/")
        if dataset != executor._ANONYMOUS_RESULTS_DATASET:
            return bytes(handle(self, request_bytes, context))
        results = {f"anon{key.replace('-', '')}": key for key in executor.JOB_RESULTS}
        if table not in results:
            raise InvalidQueryError(f"Not found: result table {table}")
        result = executor.JOB_RESULTS[results[table]]
        formats = read_servicer._resolve_data_format(request.read_session, context)
        state = read_servicer.create_read_session(
            project_id=request.read_session.table.split("/")[1],
            table_ref=request.read_session.table,
            arrow_table=result,
            max_streams=request.max_stream_count or 1,
            selected_fields=None,
            data_format=formats[0],
            required_field_names=None,
        )
        response = read_servicer._build_read_session_response(
            state=state,
            read_session=request.read_session,
            session_format=formats[0],
            wire_format=formats[1],
            arrow_table=result,
        )
        return bytes(types.ReadSession.serialize(response))

    read_servicer.BigQueryReadHandler._handle_create_read_session = create_session


def exit_with_parent() -> None:
    """End when the standard input closes, so that a killed test run leaves no server behind."""

    def wait() -> None:
        sys.stdin.read()
        os._exit(0)

    threading.Thread(target=wait, daemon=True).start()


if __name__ == "__main__":
    exit_with_parent()
    install_parse_memory()
    install_translation_memory()
    install_sql_repairs()
    install_script_parameters()
    install_table_state()
    install_job_ids()
    install_dry_runs()
    install_reads_of_query_results()
    main()
