"""Measures more seasons than the data have: repeats the real seasons in later years."""

from __future__ import annotations

import csv
import shutil
from collections.abc import Mapping, Sequence
from datetime import date
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq

from python_workers import table_names
from python_workers.accounting.schedule import game_dates
from python_workers.bench.results import at_most
from python_workers.bench.stages import PEAK_MEMORY, RAW, WHOLE, Bench
from python_workers.bench.workspace import Outcome, Workspace
from python_workers.errors import BackcourtError
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.base import Warehouse

MANY_SEASONS, MANY_SEASONS_QUICK = (12, 30), (2,)
# Years between a season and its repetition are a multiple of four, so that 29 February exists.
LEAP_CYCLE = 4

MOST_SEASONS_TIME = at_most(90, "s")
FURTHER_DATE = at_most(10, "% more")
# A buffer pool may fill up by this much; memory that grows with the seasons would triple.
FLAT_MEMORY = at_most(15, "% more")

PROJECT_PARTS = ("models", "macros", "seeds", "profiles", "tests/dbt")


def measure_seasons(bench: Bench) -> None:
    """Time whole backfills of one season, of all real seasons, and of many seasons."""
    results = bench.results
    results.section("e", "Whole backfill by number of seasons")
    with bench.workspace.open(RAW) as warehouse:
        seasons = seasons_of(warehouse)
        one = typical_season(warehouse)
    many = MANY_SEASONS_QUICK if bench.is_quick else MANY_SEASONS
    most = many[-1]
    outcomes = {len(seasons): bench.measure_whole()}
    if len(seasons) > 1:
        outcomes[1] = _backfill_seasons(bench, [one], 1)
    start_up = _start_up(bench, 1, len(seasons))
    for count in many:
        outcomes[count] = _backfill_seasons(bench, seasons, count)
    for count, outcome in sorted(outcomes.items()):
        results.add(
            f"{_counted(count)}: time per game date",
            1000 * outcome.seconds / outcome.game_dates,
            "ms",
            note=f"{outcome.seconds:.1f} s for {outcome.game_dates:,} dates, all included",
        )
    for count, outcome in sorted(outcomes.items()):
        name = f"{_counted(count)}: peak memory of the parent"
        results.add(name, outcome.peak_gib, "GiB", PEAK_MEMORY)
    results.add("start-up", start_up, "s", note="one finished date again")
    first, middle, last = outcomes[1], outcomes[min(len(seasons), most)], outcomes[most]
    bar = None if bench.is_quick else MOST_SEASONS_TIME
    results.add(f"{_counted(most)}: whole backfill", last.seconds, "s", bar)
    if first.game_dates < middle.game_dates < last.game_dates:
        results.add(
            f"time per further date, {len(seasons)} to {most} seasons against 1 to {len(seasons)}",
            _percent_more(_per_further_date(middle, last), _per_further_date(first, middle)),
            "%",
            FURTHER_DATE,
            f"{1000 * _per_further_date(middle, last):.1f} ms against "
            f"{1000 * _per_further_date(first, middle):.1f} ms",
        )
    results.add(
        f"peak memory, {most} seasons against {len(seasons)}",
        _percent_more(last.peak_gib, middle.peak_gib),
        "%",
        FLAT_MEMORY,
    )
    results.note(
        f"{' and '.join(map(str, many))} seasons: the real data ({_counted(len(seasons))}) "
        f"repeated, {cycle(seasons)} years later each time, with new game ids and the same "
        "players, in a copy of the project whose seasons seed contains all of them. "
        f"The one season is {one}, whose box-score lines per date are closest to the average."
    )


def _per_further_date(fewer: Outcome, more: Outcome) -> float:
    return (more.seconds - fewer.seconds) / (more.game_dates - fewer.game_dates)


def _percent_more(value: float, than: float) -> float:
    return 100 * (value / than - 1)


def _counted(count: int) -> str:
    return f"{count} season{'s' if count > 1 else ''}"


def _start_up(bench: Bench, count: int, all_seasons: int) -> float:
    """Time a backfill without due dates in the warehouse of `count` seasons."""
    workspace = bench.workspace
    name, project = _warehouse(count), _project(workspace, count)
    if count == all_seasons:
        name, project = WHOLE, workspace.project
    day = bench.dates(name)[0].isoformat()
    arguments = ("backfill", "--start", day, "--end", day)
    bench.say("timing the start-up")
    outcome = bench.typical(lambda: workspace.run(name, *arguments, project=project))
    workspace.drop(_warehouse(count))
    return outcome.seconds


def _backfill_seasons(bench: Bench, seasons: Sequence[str], count: int) -> Outcome:
    workspace = bench.workspace
    name, raw = _warehouse(count), workspace.folder / f"raw_{count}"
    bench.say(f"writing and loading the raw files of {_counted(count)}")
    with workspace.open(RAW) as warehouse:
        written = write_seasons(warehouse, raw, seasons, count)
    project = _project(workspace, count)
    copy_project(workspace.project, project, written)
    loaded = f"{name}_raw"
    workspace.drop(loaded)
    workspace.run(loaded, "load", str(raw), project=project)
    shutil.rmtree(raw)

    def backfill() -> Outcome:
        bench.say(f"backfilling {_counted(count)}")
        workspace.copy(loaded, name)
        return workspace.run(name, "backfill", "--all", project=project)

    outcome = bench.typical(backfill)
    workspace.drop(loaded)
    if count > 1:
        workspace.drop(name)
    return outcome


def _warehouse(count: int) -> str:
    return f"seasons_{count}"


def _project(workspace: Workspace, count: int) -> Path:
    return workspace.folder / f"project_{count}"


def seasons_of(warehouse: Warehouse) -> list[str]:
    """Return the seasons of the schedule, in order."""
    return sorted({season for _, season in game_dates(warehouse)})


def typical_season(warehouse: Warehouse) -> str:
    """Return the season whose box-score lines per date are closest to the overall average."""
    found = warehouse.query(
        f"""
        with seasons as (
            select games.season, count(*) as lines, count(distinct games.game_date) as dates
            from {table_names.GAMES} as games
            inner join {table_names.PLAYER_BOX_SCORES} as lines on games.game_id = lines.game_id
            group by games.season
        )
        select season from seasons
        order by
            abs(lines / dates - (select sum(lines) / sum(dates) from seasons)), season
        limit 1
        """  # noqa: S608 our own names
    )
    return str(found.to_pylist()[0]["season"])


def cycle(seasons: Sequence[str]) -> int:
    """Return the number of years by which repeated seasons move.

    Examples
    --------
    >>> cycle(["2021-22", "2022-23", "2023-24", "2024-25"]), cycle(["2015-16", "2020-21"])
    (4, 8)
    """
    span = int(max(seasons)[:4]) - int(min(seasons)[:4]) + 1
    return -(-span // LEAP_CYCLE) * LEAP_CYCLE


def write_seasons(
    warehouse: Warehouse, folder: Path, seasons: Sequence[str], count: int
) -> list[tuple[str, int]]:
    """Write raw files of `count` seasons: the given ones, then the same in later years.

    Parameters
    ----------
    warehouse
        The warehouse with the raw tables of the given seasons.
    folder
        Folder for the new files; it gets a folder of Parquet files per raw table.
    seasons
        The seasons to repeat, in order.
    count
        Number of seasons to write.

    Returns
    -------
    list
        For each written season, the original and the years by which it moved.

    Raises
    ------
    BackcourtError
        If games of two seasons would share an id.
    """
    written = [
        (seasons[number % len(seasons)], number // len(seasons) * cycle(seasons))
        for number in range(count)
    ]
    for table in RAW_TABLES:
        (folder / table.name).mkdir(parents=True, exist_ok=True)
    players = warehouse.query(f"select * from {table_names.PLAYERS}")  # noqa: S608 our own names
    pq.write_table(players, folder / "players" / "players.parquet")
    games: list[str] = []
    for number, (season, years) in enumerate(written):
        tables = _moved_tables(warehouse, season, years)
        games += tables["games"].column("game_id").to_pylist()
        for name, rows in tables.items():
            pq.write_table(rows, folder / name / f"{number:02}.parquet", compression="zstd")
    if len(set(games)) != len(games):
        raise BackcourtError(
            "the seasons cannot be repeated: their games would share ids",
            "Their ids must contain the season in characters 4 and 5, as 0022100001 does.",
        )
    return written


def _moved_tables(warehouse: Warehouse, season: str, years: int) -> dict[str, pa.Table]:
    """Return the rows of one season, moved by some years, by raw table."""
    games = warehouse.query(
        f"select * from {table_names.GAMES} where season = @season order by game_id",  # noqa: S608 our own names
        {"season": season},
    )
    label = moved_season(season, years)
    new_ids = [f"{old[:3]}{label[2:4]}{old[5:]}" for old in games.column("game_id").to_pylist()]
    days = [moved_day(day, years) for day in games.column("game_date").to_pylist()]
    moved = {
        "game_id": pa.array(new_ids, pa.string()),
        "season": pa.repeat(label, games.num_rows),
        "game_date": pa.array(days, pa.date32()),
    }
    tables = {"games": _replaced(games, moved)}
    old_ids = games.column("game_id").combine_chunks()
    for table in ("player_box_scores", "shots"):
        rows = warehouse.query(
            f"select lines.* from {table_names.RAW}.{table} as lines "  # noqa: S608 our own names
            f"inner join {table_names.GAMES} as games on lines.game_id = games.game_id "
            "where games.season = @season",
            {"season": season},
        )
        at = pc.index_in(rows.column("game_id"), value_set=old_ids)
        tables[table] = _replaced(rows, {"game_id": moved["game_id"].take(at.combine_chunks())})
    return tables


def _replaced(table: pa.Table, columns: Mapping[str, pa.Array]) -> pa.Table:
    return pa.table({name: columns.get(name, table.column(name)) for name in table.column_names})


def moved_season(season: str, years: int) -> str:
    """Return the label of the season some years later.

    Examples
    --------
    >>> moved_season("2021-22", 8)
    '2029-30'
    """
    first = int(season[:4]) + years
    return f"{first}-{(first + 1) % 100:02}"


def moved_day(day: date, years: int) -> date:
    """Return the same day of the year, some years later."""
    return day.replace(year=day.year + years)


def copy_project(source: Path, target: Path, seasons: Sequence[tuple[str, int]]) -> None:
    """Copy the parts of a project that dbt needs, and add the moved seasons to its seed.

    Parameters
    ----------
    source, target
        The project, and the new folder.
    seasons
        The result of `write_seasons`.
    """
    shutil.rmtree(target, ignore_errors=True)
    target.mkdir(parents=True)
    shutil.copy(source / "dbt_project.yml", target)
    for part in PROJECT_PARTS:
        shutil.copytree(source / part, target / part)
    seed = target / "seeds" / "seasons.csv"
    with seed.open(encoding="utf-8", newline="") as file:
        rows = {row["season"]: row for row in csv.DictReader(file)}
    for season, years in seasons:
        if years:
            moved = _moved_row(rows[season], years)
            rows[moved["season"]] = moved
    with seed.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(next(iter(rows.values()))), lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows.values())


def _moved_row(row: Mapping[str, str], years: int) -> dict[str, str]:
    days = {
        name: moved_day(date.fromisoformat(value), years).isoformat()
        for name, value in row.items()
        if name not in ("season", "season_year")
    }
    return {
        **row,
        **days,
        "season": moved_season(row["season"], years),
        "season_year": str(int(row["season_year"]) + years),
    }
