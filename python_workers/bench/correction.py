"""Measures a backfill after one corrected box score: recomputed dates, time, correctness."""

from __future__ import annotations

import shutil
from dataclasses import dataclass
from datetime import date
from pathlib import Path

import duckdb
import pyarrow.parquet as pq

from python_workers import table_names
from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.bench.results import at_most, exactly
from python_workers.bench.sql_aggregate import inputs_with_games
from python_workers.bench.stages import RAW, SCRATCH, WHOLE, Bench, median
from python_workers.bench.workspace import Outcome
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import PROCESSORS
from python_workers.raw.load import load_directory
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.duckdb.file import NO_DOWNLOADS

AGAIN = "again"

AFTER_A_CORRECTION = at_most(6, "s")

Pairs = set[tuple[str, date]]


# Stands before the tables of a relation that is looked at in several databases.
_DATABASE = "{database}."


@dataclass(frozen=True)
class Correction:
    """A box-score line to correct by one more made free throw."""

    game_id: str
    game_date: date
    player_id: int
    player_name: str


def measure_correction(bench: Bench) -> None:
    """Load a corrected box score, backfill, and compare with a full recomputation."""
    results, workspace = bench.results, bench.workspace
    results.section("g", "One corrected box score in mid-season")
    bench.need_whole()
    folder = workspace.folder / "corrected"
    with workspace.open(WHOLE) as warehouse:
        correction = choose_line(warehouse)
        write_correction(warehouse, correction, folder)

    def once() -> tuple[Outcome, Outcome]:
        workspace.copy(WHOLE, SCRATCH)
        bench.say(f"correcting a box score of {correction.game_date}")
        load = workspace.run(SCRATCH, "load", str(folder))
        return load, workspace.run(SCRATCH, "backfill", "--all")

    runs = [once() for _ in range(bench.repeat)]
    load_seconds = median([load.seconds for load, _ in runs])
    seconds = median([outcome.seconds for _, outcome in runs])
    outcome = runs[-1][1]  # the one whose warehouse is compared below
    bench.say("computing everything from the corrected raw tables, to compare")
    workspace.copy(RAW, AGAIN)
    with workspace.open(AGAIN) as warehouse:
        load_directory(warehouse, folder)
    whole = workspace.run(AGAIN, "backfill", "--all")
    shutil.rmtree(folder)

    found = compare(
        workspace.file(WHOLE), workspace.file(SCRATCH), workspace.file(AGAIN), outcome.run_id
    )
    workspace.drop(AGAIN)
    results.add("loading the corrected file", load_seconds, "s")
    results.add("backfill after the correction", seconds, "s", AFTER_A_CORRECTION)
    for stage, seconds in outcome.stages.items():
        results.add(f"of it {stage}", seconds, "s")
    for processor in PROCESSORS:
        dates = sorted(day for key, day in found.recomputed if key == processor.key)
        note = f"{dates[0]} to {dates[-1]}" if dates else ""
        results.add(f"{processor.key} dates recomputed", len(dates), "dates", note=note)
    nothing = exactly(0, "dates")
    results.add(
        "recomputed although nothing they read changed",
        len(found.recomputed - found.affected),
        "dates",
        nothing,
    )
    results.add(
        "not recomputed although something they read changed",
        len(found.affected - found.recomputed),
        "dates",
        nothing,
    )
    results.add(
        "rows that differ from a full recomputation",
        found.different_rows,
        "rows",
        exactly(0, "rows"),
        f"which took {whole.seconds:.1f} s; all five outputs and the failures",
    )
    results.note(
        f"The corrected line is that of {correction.player_name} on {correction.game_date}: one "
        "more made free throw, loaded as files of that one game. The inputs tables and the "
        "upstream outputs that a date reads were compared row by row, before and after."
    )


def choose_line(warehouse: Warehouse) -> Correction:
    """Return the line of the player with the most minutes on a date in mid-season."""
    found = warehouse.query(
        f"""
        with dates as (
            select
                game_date,
                season,
                row_number() over (partition by season order by game_date) as number,
                count(*) over (partition by season) as dates,
                dense_rank() over (order by season) as season_number
            from (
                select distinct game_date, season from {table_names.GAMES} where status = 'final'
            )
        ),

        middle as (
            select game_date from dates
            where number = (dates + 1) // 2
            order by abs(season_number - 2), season
            limit 1
        )

        select lines.game_id, games.game_date, lines.player_id, lines.player_name
        from {table_names.PLAYER_BOX_SCORES} as lines
        inner join {table_names.GAMES} as games on lines.game_id = games.game_id
        inner join middle on games.game_date = middle.game_date
        where not lines.is_dnp
        order by lines.minutes desc, lines.game_id, lines.player_id
        limit 1
        """  # noqa: S608 our own names
    )
    return Correction(**found.to_pylist()[0])


def write_correction(warehouse: Warehouse, correction: Correction, folder: Path) -> None:
    """Write the raw files of the one game, with the corrected line."""
    given = {"game_id": correction.game_id, "player_id": correction.player_id}
    corrected = ", ".join(
        f"{name} + cast(player_id = @player_id as int64) as {name}"
        for name in ("points", "ftm", "fta")
    )
    queries = {
        "games": f"select * from {table_names.GAMES} where game_id = @game_id",  # noqa: S608 our own names
        "players": f"select * from {table_names.PLAYERS} where player_id = @player_id",  # noqa: S608 our own names
        "player_box_scores": f"select * replace ({corrected}) "  # noqa: S608 our own names
        f"from {table_names.PLAYER_BOX_SCORES} where game_id = @game_id",
        "shots": f"select * from {table_names.SHOTS} where game_id = @game_id",  # noqa: S608 our own names
    }
    for table in RAW_TABLES:
        (folder / table.name).mkdir(parents=True, exist_ok=True)
        rows = warehouse.query(queries[table.name], given)
        pq.write_table(rows, folder / table.name / "corrected.parquet")


@dataclass(frozen=True)
class Comparison:
    """The expected and actual effects of a correction.

    Parameters
    ----------
    affected
        (processor key, date) pairs that read changed rows.
    recomputed
        (processor key, date) pairs that were computed again.
    different_rows
        Number of rows of outputs and failures that differ from a full recomputation.
    """

    affected: Pairs
    recomputed: Pairs
    different_rows: int


def compare(before: Path, after: Path, again: Path, run_id: str) -> Comparison:
    """Compare the warehouses before and after a correction, and a complete recomputation.

    Parameters
    ----------
    before, after, again
        Files of the three.
    run_id
        The run after the correction.
    """
    with duckdb.connect(config={"memory_limit": "1GB", **NO_DOWNLOADS}) as connection:
        for name, path in (("old", before), ("new", after), ("again", again)):
            connection.execute(
                f"attach '{str(path).replace(chr(39), chr(39) * 2)}' as {name} (read_only)"
            )
        runs = connection.execute(
            "select processor_name, analysis_date "  # noqa: S608 our own names
            f"from new.{table_names.PROCESSOR_RUNS} where run_id = ?",
            [run_id],
        ).fetchall()
        keys = {processor.name: processor.key for processor in PROCESSORS}
        changed_inputs = {
            processor.key: _changed_dates(
                connection,
                inputs_with_games(processor, _DATABASE),
                "analysis_date",
                _columns(connection, inputs_with_games(processor, _DATABASE)),
            )
            for processor in PROCESSORS
        }
        changed_outputs = {
            processor.key: _changed_outputs(connection, processor) for processor in PROCESSORS
        }
        affected: Pairs = set()
        for processor in PROCESSORS:
            days = set(changed_inputs[processor.key])
            for upstream in processor.upstream:
                days |= changed_outputs[upstream]
            affected |= {(processor.key, day) for day in days}
        different = sum(
            _different_rows(connection, table)
            for table in (
                *(processor.table for processor in PROCESSORS),
                table_names.PRECOMPUTE_FAILURES,
            )
        )
    return Comparison(affected, {(keys[name], day) for name, day in runs}, different)


def _changed_outputs(connection: duckdb.DuckDBPyConnection, processor: Processor) -> set[date]:
    """Return the dates whose rows or failures changed in columns that other processors read."""
    columns = _columns(connection, f"{_DATABASE}{processor.table}")
    if processor.engine == "pool":
        columns = [processor.entity, "data_hash"]
    table = f"{_DATABASE}{processor.table}"
    rows = _changed_dates(connection, table, processor.date_column, columns)
    failures = _changed_dates(
        connection,
        f"{_DATABASE}{table_names.PRECOMPUTE_FAILURES}",
        "analysis_date",
        ["entity_id", "failure_category", "failure_reason"],
        f"processor_name = '{processor.name}'",
    )
    return rows | failures


def _changed_dates(
    connection: duckdb.DuckDBPyConnection,
    relation: str,
    date_column: str,
    columns: list[str],
    condition: str = "true",
) -> set[date]:
    """Return the dates on which a relation differs between the old and the new warehouse."""
    hashed = f"hash({', '.join(columns)})"
    digests = (
        f"select {date_column} as day, count(*) as lines, sum({hashed}) as total, "  # noqa: S608 our own names
        f"bit_xor({hashed}) as mixed from {relation} where {condition} group by {date_column}"
    )
    old, new = (digests.replace(_DATABASE, f"{name}.") for name in ("old", "new"))
    found = connection.execute(
        f"select coalesce(o.day, n.day) from ({old}) as o "  # noqa: S608 our own names
        f"full outer join ({new}) as n on o.day = n.day "
        "where (o.lines, o.total, o.mixed) is distinct from (n.lines, n.total, n.mixed)"
    ).fetchall()
    return {day for (day,) in found}


def _different_rows(connection: duckdb.DuckDBPyConnection, table: str) -> int:
    columns = ", ".join(_columns(connection, f"{_DATABASE}{table}"))
    new, again = (f"select {columns} from {name}.{table}" for name in ("new", "again"))  # noqa: S608 our own names
    found = connection.execute(
        f"select (select count(*) from ({new} except all {again})) "  # noqa: S608 our own names
        f"+ (select count(*) from ({again} except all {new}))"
    ).fetchone()
    return int(found[0]) if found else 0


def _columns(connection: duckdb.DuckDBPyConnection, relation: str) -> list[str]:
    """Return a relation's columns without those about the time and run of writing."""
    named = relation.replace(_DATABASE, "new.")
    described = connection.execute(f"describe select * from {named}").fetchall()  # noqa: S608 our own names
    return [name for name, *_ in described if name not in BOOKKEEPING]
