"""The benchmark computes the engine's rows and states its results; no test depends on timings."""

from __future__ import annotations

import cProfile
import csv
import datetime as dt
import math
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.accounting.ledger import Ledger
from python_workers.backfill.pool_stage import read_inputs
from python_workers.bench.baseline import compute_frames, sample_dates
from python_workers.bench.comparisons import run_statement
from python_workers.bench.correction import choose_line, compare, write_correction
from python_workers.bench.profiles import top_functions
from python_workers.bench.raw_data import cut_to_weeks, is_simulated
from python_workers.bench.results import Results
from python_workers.bench.seasons import copy_project, cycle, seasons_of, write_seasons
from python_workers.bench.sql_aggregate import AGGREGATE_TABLE
from python_workers.bench.stages import (
    forget_computed,
    job_counts,
    pool_seconds,
    turn_back_to_the_morning_of,
)
from python_workers.bench.workspace import Memory, Outcome, Workspace
from python_workers.bench.yardstick import bytes_of_inputs, read_raw, write_outputs
from python_workers.cli.bench import chosen_sections
from python_workers.errors import BackcourtError
from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.catalogue import (
    BY_KEY,
    POOL_PROCESSORS,
    PROCESSORS,
)
from python_workers.processors.failures import ChunkResult
from python_workers.settings import resolve_project_dir
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine

pytestmark = pytest.mark.slow

POOL_SHORTS = tuple(processor.key for processor in POOL_PROCESSORS)


def dates_of(engine: Engine) -> list[dt.date]:
    found = engine.query("select distinct game_date from nba_raw.games order by game_date")
    return [row["game_date"] for row in found]


def sorted_rows(table: pa.Table) -> list[dict[str, object]]:
    return sorted(table.to_pylist(), key=lambda row: (row["analysis_date"], row["player_id"]))


def assert_same_result(ours: ChunkResult, theirs: ChunkResult) -> None:
    assert sorted_rows(ours.rows) == sorted_rows(theirs.rows)
    assert sorted_rows(ours.failures) == sorted_rows(theirs.failures)


# One pandas frame per player ------------------------------------------------------------------


def work_of(processor: Processor) -> PoolWork:
    assert isinstance(processor.work, PoolWork)
    return processor.work


@pytest.mark.parametrize("processor", POOL_PROCESSORS, ids=POOL_SHORTS)
def test_a_frame_per_player_gives_the_rows_and_hashes_of_the_engine(
    simulated: Engine, processor: Processor
) -> None:
    seen = 0
    with DuckDBWarehouse(simulated.path, read_only=True) as warehouse:
        for day in sample_dates(dates_of(simulated), 5):
            tables = read_inputs(warehouse, processor, [day])
            engine = work_of(processor).compute(tables, {})
            assert_same_result(compute_frames(processor.key, tables), engine)
            seen += engine.rows.num_rows
    assert seen


@pytest.mark.parametrize("processor", POOL_PROCESSORS, ids=POOL_SHORTS)
def test_a_pool_gives_the_same_rows_as_no_pool(simulated: Engine, processor: Processor) -> None:
    day = dates_of(simulated)[-3]
    with DuckDBWarehouse(simulated.path, read_only=True) as warehouse:
        tables = read_inputs(warehouse, processor, [day])
    with ThreadPoolExecutor(2) as pool:
        assert_same_result(
            compute_frames(processor.key, tables, pool, 2),
            compute_frames(processor.key, tables),
        )


def test_the_sample_is_spread_over_all_dates() -> None:
    days = [dt.date(2022, 1, 1) + dt.timedelta(days=number) for number in range(100)]
    assert sample_dates(days, 4) == [days[12], days[37], days[62], days[87]]
    assert sample_dates(days[:3], 4) == days[:3]


# The yardstick --------------------------------------------------------------------------------


def test_the_yardstick_writes_the_rows_of_every_output(simulated: Engine, tmp_path: Path) -> None:
    assert read_raw(simulated.path, 2) > 0
    assert write_outputs(simulated.path, tmp_path / "outputs.duckdb", 2) > 0
    with duckdb.connect(str(tmp_path / "outputs.duckdb")) as connection:
        for processor in PROCESSORS:
            name = processor.table.partition(".")[2]
            written = connection.sql(f"select count(*) from {name}").fetchone()
            (stored,) = simulated.query(f"select count(*) as n from {processor.table}")
            assert written == (stored["n"],)


def test_the_inputs_take_the_blocks_of_their_tables_and_no_others(tmp_path: Path) -> None:
    file = tmp_path / "bytes.duckdb"
    (output,) = {each.table for each in PROCESSORS if each.key == "psza"}
    with duckdb.connect(str(file)) as connection:
        connection.execute("create schema nba_precompute; create schema nba_raw")
        for table in (output, "nba_raw.shots"):
            connection.execute(f"create table {table} as select random() as x from range(200_000)")
    assert bytes_of_inputs(file)[0] == 0
    with duckdb.connect(str(file)) as connection:
        connection.execute(
            "create table nba_precompute.games as select random() as x from range(200_000)"
        )
    inputs, used = bytes_of_inputs(file)
    assert 8 * 200_000 <= inputs <= used / 2


# One SQL statement ----------------------------------------------------------------------------

SMALLEST_UNIT = {
    **dict.fromkeys(("paint_pct", "mid_range_pct", "three_pt_pct"), 1e-3),
    **dict.fromkeys(("shot_zone_mismatch_score", "pace_score", "usage_spike_score"), 0.1),
    **dict.fromkeys(("total_composite", "pace_differential", "paint_rate", "mid_range_rate"), 0.01),
    **dict.fromkeys(("three_pt_rate", "assisted_rate", "unassisted_rate"), 0.01),
}


@pytest.fixture(scope="module")
def aggregated(simulated: Engine, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    engine = simulated.copy(tmp_path_factory.mktemp("aggregated"))
    with DuckDBWarehouse(engine.path) as warehouse:
        run_statement(warehouse, 2)
    return engine


@pytest.mark.parametrize("short", POOL_SHORTS)
def test_the_statement_aggregates_what_the_engine_sums(aggregated: Engine, short: str) -> None:
    with DuckDBWarehouse(aggregated.path, read_only=True) as warehouse:
        table = BY_KEY[short].table
        numbers = [
            column.name
            for column in warehouse.columns(table)
            if column.type in ("int64", "float64")
            and column.name in {each.name for each in warehouse.columns(AGGREGATE_TABLE)}
        ]
    sums = ", ".join(f"sum({name}) as {name}, count({name}) as n_{name}" for name in numbers)
    (ours,) = aggregated.query(f"select count(*) as n, {sums} from {table}")
    (theirs,) = aggregated.query(
        f"select count(*) as n, {sums} from {AGGREGATE_TABLE} where processor = ?", [short]
    )
    assert ours["n"] == theirs["n"] > 0
    for name in numbers:
        assert ours[f"n_{name}"] == theirs[f"n_{name}"], name
        if isinstance(ours[name], int):
            assert ours[name] == theirs[name], name
        elif ours[name] is not None:
            # The statement rounds halves in floats, so single values may be one unit off.
            unit = next(
                (unit for begin, unit in SMALLEST_UNIT.items() if name.startswith(begin)), 1e-4
            )
            assert math.isclose(
                ours[name], theirs[name], rel_tol=1e-3, abs_tol=unit * ours[f"n_{name}"]
            ), name


# More seasons ---------------------------------------------------------------------------------


def test_repeated_seasons_can_be_loaded(simulated_raw: Engine, tmp_path: Path) -> None:
    with DuckDBWarehouse(simulated_raw.path, read_only=True) as warehouse:
        seasons = seasons_of(warehouse)
        written = write_seasons(warehouse, tmp_path / "raw", seasons, 3)
    assert written == [("2021-22", 0), ("2021-22", 4), ("2021-22", 8)]
    repeated = Engine(tmp_path)
    report = repeated.load(tmp_path / "raw")
    assert not any(each.counts.updated or each.duplicates for each in report.tables)
    for table in ("games", "player_box_scores", "shots"):
        counted = f"select count(*) as n from nba_raw.{table}"
        assert repeated.query(counted)[0]["n"] == 3 * simulated_raw.query(counted)[0]["n"]
    assert repeated.query("select * from nba_raw.players order by player_id") == (
        simulated_raw.query("select * from nba_raw.players order by player_id")
    )
    days = dates_of(simulated_raw)
    assert dates_of(repeated) == [
        day.replace(year=day.year + years) for years in (0, 4, 8) for day in days
    ]


def test_every_line_of_a_moved_season_belongs_to_a_moved_game(
    simulated_raw: Engine, tmp_path: Path
) -> None:
    with DuckDBWarehouse(simulated_raw.path, read_only=True) as warehouse:
        write_seasons(warehouse, tmp_path, ["2021-22"], 2)
    games = {row["game_id"]: row["season"] for row in pq.read_table(tmp_path / "games").to_pylist()}
    assert set(games.values()) == {"2021-22", "2025-26"}
    for table in ("player_box_scores", "shots"):
        named = set(pq.read_table(tmp_path / table).column("game_id").to_pylist())
        assert named <= games.keys()
        assert {games[game] for game in named} == {"2021-22", "2025-26"}


def test_the_project_is_copied_with_the_moved_seasons_and_left_as_it_was(tmp_path: Path) -> None:
    project = resolve_project_dir()
    before = (project / "seeds" / "seasons.csv").read_bytes()
    known = {line.split(b",")[0].decode() for line in before.splitlines()[1:]}
    copy_project(project, tmp_path / "copy", [("2021-22", 0), ("2022-23", 4), ("2021-22", 8)])
    with (tmp_path / "copy" / "seeds" / "seasons.csv").open(encoding="utf-8") as file:
        rows = {row["season"]: row for row in csv.DictReader(file)}
    assert rows["2026-27"] == {
        "season": "2026-27",
        "season_year": "2026",
        "first_date": "2026-10-18",
        "regular_season_end": "2027-04-09",
        "last_date": "2027-06-30",
    }
    assert rows.keys() - known == {"2026-27", "2029-30"}
    assert (project / "seeds" / "seasons.csv").read_bytes() == before


def test_seasons_move_by_whole_leap_cycles() -> None:
    assert cycle(["2023-24"]) == 4
    assert cycle(["2020-21", "2024-25"]) == 8


# States that the runs start from --------------------------------------------------------------


def test_a_correction_recomputes_only_the_dates_that_read_the_line(
    simulated: Engine, simulated_raw: Engine, tmp_path: Path
) -> None:
    with DuckDBWarehouse(simulated.path, read_only=True) as warehouse:
        correction = choose_line(warehouse)
        write_correction(warehouse, correction, tmp_path / "corrected")
    corrected, again = simulated.copy(tmp_path / "a"), simulated_raw.copy(tmp_path / "b")
    report = corrected.load(tmp_path / "corrected")
    assert sum(each.counts.updated for each in report.tables) == 1
    assert sum(each.counts.inserted for each in report.tables) == 0
    result = corrected.backfill()
    again.load(tmp_path / "corrected")
    again.backfill()

    found = compare(simulated.path, corrected.path, again.path, result.run.run_id)

    assert found.recomputed == found.affected
    assert found.recomputed
    assert all(day > correction.game_date for _, day in found.recomputed)
    assert found.different_rows == 0


def test_a_comparison_sees_a_row_that_differs_and_a_date_not_recomputed(
    simulated: Engine, tmp_path: Path
) -> None:
    changed = simulated.copy(tmp_path)
    day = dates_of(simulated)[-3]
    changed.execute(
        "update nba_precompute.player_shot_zone_analysis set total_shots_last_10 = 1, "
        f"data_hash = '0123456789abcdef' where analysis_date = date '{day}'"
    )
    found = compare(simulated.path, changed.path, simulated.path, "no run")
    assert found.different_rows > 0
    assert {("pcf", day), ("pdc", day), ("mlfs", day)} <= found.affected
    assert not found.recomputed


def test_on_the_morning_of_a_date_nothing_is_played_or_computed(
    simulated: Engine, tmp_path: Path
) -> None:
    engine, day = simulated.copy(tmp_path), dates_of(simulated)[-3]
    with DuckDBWarehouse(engine.path) as warehouse:
        turn_back_to_the_morning_of(warehouse, day)
        ledger = Ledger.read(warehouse, day, day)
    assert {ledger.state(processor, day).status for processor in PROCESSORS} == {"missing"}
    (games,) = engine.query(
        "select count(*) as n, count(home_score) as scores from nba_raw.games where game_date = ?",
        [day],
    )
    assert games["n"] > 0
    assert games["scores"] == 0
    result = engine.backfill(day, day)
    assert result.written
    sources = engine.query(
        "select distinct population_source from nba_precompute.player_composite_factors "
        "where analysis_date = ?",
        [day],
    )
    assert sources == [{"population_source": "recent_roster"}]


def test_only_the_pool_s_results_are_deleted(simulated: Engine, tmp_path: Path) -> None:
    engine = simulated.copy(tmp_path)
    with DuckDBWarehouse(engine.path) as warehouse:
        forget_computed(warehouse)
    for processor in PROCESSORS:
        kept = processor.engine == "sql"
        assert bool(engine.rows(processor.key)) == kept
        assert kept or not engine.failures(processor.key)


def test_the_time_of_computing_is_that_of_the_pools_stages() -> None:
    seconds = {"inputs": 16.0, "tdza": 8.0, "psza": 4.0, "pcf and pdc": 2.0, "mlfs": 1.0}
    events = [
        {"event": "stage_finished", "stage": stage, "seconds": each}
        for stage, each in seconds.items()
    ]
    assert pool_seconds(Outcome(31.0, 31.0, 1.0, 0, events)) == 6.0


def test_jobs_double_up_to_twice_the_pool() -> None:
    assert job_counts(2, is_quick=False) == [1, 2, 4]
    assert job_counts(6, is_quick=False) == [1, 2, 4, 6, 8, 16]
    assert job_counts(2, is_quick=True) == [1, 2]


def test_a_cut_keeps_the_first_weeks_and_what_belongs_to_them(
    simulated_files: Path, tmp_path: Path
) -> None:
    cut_to_weeks(simulated_files, tmp_path)
    games = pq.read_table(tmp_path / "games").to_pylist()
    days = [game["game_date"] for game in games]
    assert max(days) - min(days) < dt.timedelta(days=28)
    kept = {game["game_id"] for game in games}
    for table in ("player_box_scores", "shots"):
        assert set(pq.read_table(tmp_path / table).column("game_id").to_pylist()) <= kept
    assert is_simulated(simulated_files)
    assert not is_simulated(tmp_path)


def test_a_failing_command_is_an_error_with_its_message(tmp_path: Path) -> None:
    workspace = Workspace(tmp_path, resolve_project_dir(), 1)
    with pytest.raises(BackcourtError, match="backfill --all failed") as raised:
        workspace.run("nothing", "backfill", "--all")
    assert any("there is no warehouse" in line for line in raised.value.hint)


def test_a_kept_workspace_is_used_as_long_as_nothing_has_changed(tmp_path: Path) -> None:
    Memory.read(tmp_path, "one").note("raw")
    assert Memory.read(tmp_path, "one").made == ["raw"]
    assert Memory.read(tmp_path, "another").made == []


def test_a_profile_ranks_functions_by_their_own_time(tmp_path: Path) -> None:
    profile = cProfile.Profile()
    profile.runcall(sorted, range(100_000), key=lambda number: -number)
    profile.dump_stats(tmp_path / "stats")
    functions = top_functions(tmp_path / "stats", 2)
    assert len(functions) == 2
    assert functions[0][1] >= functions[1][1]
    assert {calls for _, _, calls in functions} == {1, 100_000}
    assert all(str(tmp_path.parent) not in where for where, _, _ in functions)


# The command ----------------------------------------------------------------------------------


def test_unknown_sections_are_named() -> None:
    assert chosen_sections("C, a") == ["a", "c"]
    with pytest.raises(BackcourtError, match="x, z is no section"):
        chosen_sections("z,a,x")


def test_the_command_measures_and_names_no_owner_of_the_machine(
    simulated_files: Path, tmp_path: Path
) -> None:
    workspace = Workspace(tmp_path / "unused", resolve_project_dir(), 2)
    workspace.folder.mkdir()
    output, page = tmp_path / "results.json", tmp_path / "docs" / "page.md"
    workspace.run(
        "unused",
        *("bench", "--quick", "--only", "a,f", "--raw", str(simulated_files)),
        *("--out", str(output), "--docs", str(page)),
    )
    results = Results.from_json(output.read_text(encoding="utf-8"))
    assert [section.key for section in results.sections] == ["a", "f"]
    figures = {figure.name: figure for figure in results.figures}
    assert figures["whole backfill"].value > 0
    assert 0.01 < figures["peak memory of the parent"].value < 16
    assert figures["rows written"].value == 0
    assert figures["tables that differ afterwards"].value == 0
    assert results.data["source"] == "simulated by backcourt simulate"
    for text in (output.read_text(encoding="utf-8"), page.read_text(encoding="utf-8")):
        for secret in (socket.gethostname(), str(tmp_path), str(resolve_project_dir())):
            assert secret not in text
