"""Measures the least work that a bare DuckDB needs for the same rows, and the bytes of the inputs.

The yardstick is the sum of three parts: read the raw tables, run the statement of section c, and
write the rows of the output tables into a new file. It checks, hashes and records nothing.
"""

from __future__ import annotations

import time
from pathlib import Path

import duckdb

from python_workers import table_names
from python_workers.bench.comparisons import run_statement
from python_workers.bench.results import at_most
from python_workers.bench.stages import RAW, SCRATCH, WHOLE, Bench, median
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS, STORAGE_VERSION

TIMES_OF_YARDSTICK = at_most(3, "x")
SHARE_OF_INPUTS = at_most(20, "% of the file")

YARDSTICK = "yardstick"
_PRECOMPUTE = PROCESSORS[0].table.partition(".")[0]


def measure_yardstick(bench: Bench) -> None:
    """Time the yardstick in the same run as the whole backfill, and compare the two."""
    results, workspace = bench.results, bench.workspace
    results.section("i", "Whole backfill against a bare DuckDB (the yardstick)")
    whole = bench.measure_whole()
    parts: dict[str, list[float]] = {"reading": [], "statement": [], "writing": []}
    for _ in range(bench.repeat):
        bench.say("the yardstick: a bare DuckDB reads, aggregates and writes")
        parts["reading"].append(read_raw(workspace.file(RAW), bench.jobs))
        bench.use_inputs()
        with workspace.open(SCRATCH) as warehouse:
            parts["statement"].append(run_statement(warehouse, bench.jobs)[0])
        workspace.drop(YARDSTICK)
        parts["writing"].append(
            write_outputs(workspace.file(WHOLE), workspace.file(YARDSTICK), bench.jobs)
        )
    workspace.drop(YARDSTICK)
    seconds = {part: median(each) for part, each in parts.items()}
    yardstick = sum(seconds.values())
    results.add("reading the raw tables", seconds["reading"], "s")
    results.add("the statement of section c", seconds["statement"], "s")
    results.add("writing the rows of the outputs into a new file", seconds["writing"], "s")
    results.add("the yardstick", yardstick, "s", note="the sum of the three")
    results.add("whole backfill", whole.seconds, "s")
    results.add(
        "whole backfill, times the yardstick", whole.seconds / yardstick, "x", TIMES_OF_YARDSTICK
    )
    inputs, file = bytes_of_inputs(workspace.file(WHOLE))
    results.add("bytes of the inputs tables", inputs / 1e6, "MB", note=f"of {file / 1e6:,.0f} MB")
    results.add("share of the inputs tables in the file", 100 * inputs / file, "%", SHARE_OF_INPUTS)


def read_raw(file: Path, threads: int) -> float:
    """Read all columns and rows of the raw tables into memory, and return the seconds."""
    with _bare(":memory:", threads) as connection:
        _attach(connection, file)
        began = time.perf_counter()
        for table in RAW_TABLES:
            connection.execute(
                f"create table {table.name} as from source.{table_names.RAW}.{table.name}"
            )
        return time.perf_counter() - began


def write_outputs(source: Path, target: Path, threads: int) -> float:
    """Write the rows of the output tables into a new file, and return the seconds."""
    began = time.perf_counter()
    with _bare(str(target), threads) as connection:
        _attach(connection, source)
        for processor in PROCESSORS:
            _, _, name = processor.table.partition(".")
            connection.execute(f"create table {name} as from source.{processor.table}")
    return time.perf_counter() - began


def bytes_of_inputs(file: Path) -> tuple[int, int]:
    """Return the bytes that the inputs tables take in a file, and the bytes of the file in use.

    The inputs tables are all tables of their schema but the outputs of the processors. A block that
    several tables share counts for each of them.
    """
    outputs = {processor.table for processor in PROCESSORS}
    with duckdb.connect(str(file), read_only=True, config=NO_DOWNLOADS) as connection:
        names = connection.execute(
            "select table_name from duckdb_tables() where schema_name = ? order by table_name",
            [_PRECOMPUTE],
        ).fetchall()
        blocks: set[int] = set()
        for (name,) in names:
            table = f"{_PRECOMPUTE}.{name}"
            if table in outputs:
                continue
            found = connection.execute(
                "select block_id, additional_block_ids from pragma_storage_info(?) "
                "where persistent and block_id is not null",
                [table],
            ).fetchall()
            for block, more in found:
                blocks |= {block, *(more or [])}
        about = connection.execute(
            "select block_size, used_blocks from pragma_database_size()"
        ).fetchone()
    size, used = about or (0, 0)
    return len(blocks) * int(size), int(used) * int(size)


def _bare(target: str, threads: int) -> duckdb.DuckDBPyConnection:
    return duckdb.connect(
        target,
        config={
            "threads": threads,
            "preserve_insertion_order": "false",
            "storage_compatibility_version": STORAGE_VERSION,
            **NO_DOWNLOADS,
        },
    )


def _attach(connection: duckdb.DuckDBPyConnection, file: Path) -> None:
    path = str(file).replace("'", "''")
    connection.execute(f"attach '{path}' as source (read_only)")
