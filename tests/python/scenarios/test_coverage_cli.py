"""`backcourt coverage`: expected entities, their outcomes, and what needs attention."""

from __future__ import annotations

import datetime as dt
from pathlib import Path
from typing import Any

import pytest

from python_workers.accounting.known_gaps import read_known_gaps, store_known_gaps
from python_workers.accounting.schedule import Schedule
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.command import CommandLine, Outcome
from tests.python.support.engine import SHORTS, Engine

DAY = dt.date(2021, 12, 4)
CHOSEN = ["2021-22", "2023-24"]


@pytest.fixture
def seasons(four_seasons: Engine, cli_folder: Path) -> Engine:
    """Return the engine on the warehouse of the command line: four seasons with many gaps."""
    return four_seasons.copy(cli_folder)


def table(outcome: Outcome) -> dict[str, list[int]]:
    """Return the numbers of the table by processor."""
    found: dict[str, list[int]] = {}
    for line in outcome.out.splitlines():
        name, *cells = line.split() or [""]
        if name in SHORTS:
            found.setdefault(name, []).extend(int(cell.replace(",", "")) for cell in cells)
    return found


def totals(outcome: Outcome, processor: str) -> dict[str, Any]:
    shown: list[dict[str, Any]] = outcome.json()["processors"]
    (found,) = [row for row in shown if row["processor_name"] == BY_KEY[processor].name]
    return found


def a_row_of(engine: Engine, short: str) -> str:
    """Return an entity that has a row of the processor on the date."""
    return min(entity for day, entity in engine.rows(short) if day == DAY)


def test_a_finished_backfill_is_accounted_for(backfilled: CommandLine, engine: Engine) -> None:
    outcome = backfilled.ok("coverage", "--all", "--verbose")
    first, *_, last = outcome.out.splitlines()
    assert first.rstrip() == "coverage 2021-10-19 to 2021-12-06"
    assert last == "everyone is accounted for"
    numbers = table(outcome)
    assert tuple(numbers) == SHORTS
    for short, (dates, not_run, expected, records, incomplete, stale, *rest) in numbers.items():
        failures = engine.failures(short)
        kinds = [failure["failure_category"] for failure in failures.values()]
        assert (dates, not_run, records) == (48, 0, len(engine.rows(short)))
        assert expected == records + len(failures)
        assert incomplete == kinds.count("EXPECTED_INCOMPLETE")
        assert stale == kinds.count("STALE_DATA")
        assert rest == [0] * 8
    assert max(map(len, outcome.out.splitlines())) <= 80
    # The table shows columns of zeros only on request.
    short_table = backfilled.ok("coverage", "--all").out
    for heading in ("breaker", "unknown", "duplicated"):
        assert heading in outcome.out
        assert heading not in short_table


def test_json_has_the_same_numbers_by_date_too(backfilled: CommandLine, engine: Engine) -> None:
    found = backfilled.ok("coverage", "--start", DAY, "--end", DAY, "--format", "json").json()
    assert (found["start_date"], found["end_date"]) == (str(DAY), str(DAY))
    assert found["needs_attention"] is False
    assert set(found["attention_counts"].values()) == {0}
    assert found["to_investigate"] == []
    assert len(found["dates"]) == len(found["processors"]) == 5
    by_date = {row["processor_name"]: row for row in found["dates"]}
    for row in found["processors"]:
        of_date = by_date[row["processor_name"]]
        assert of_date["analysis_date"] == str(DAY)
        assert of_date["coverage_status"] in ("complete", "complete_with_expected_gaps")
        assert of_date["records"] == row["records"] > 0
    assert by_date[DAILY_CACHE.name]["records"] == sum(day == DAY for day, _ in engine.rows("pdc"))


def test_raw_rows_that_the_models_leave_out_are_judged_as_the_tests_of_dbt_judge_them(
    backfilled: CommandLine, engine: Engine
) -> None:
    of_date = f"(select game_id from nba_raw.games where game_date = '{DAY}')"
    engine.execute(
        "update nba_raw.player_box_scores set team_abbr = 'XXX' where player_id in "
        f"(select min(player_id) from nba_raw.player_box_scores where game_id in {of_date}) "
        f"and game_id in {of_date}",
        "insert into nba_raw.shots by name select '0022199999' as game_id, 1 as event_number",
    )
    outcome = backfilled("coverage", "--start", DAY, "--end", DAY)
    assert outcome.code == 1
    assert "raw rows to correct: 1 lines of a team that does not play in the game" in outcome.out
    assert f"first {DAY} " in outcome.out
    found = backfilled("coverage", "--start", DAY, "--end", DAY, "--format", "json").json()
    assert "2 raw rows to correct" in found["reasons"]
    named = {row["finding"]: row["found"] for row in found["raw_errors"]}
    assert named == {"line_of_another_team": 1, "shot_of_unknown_game": 1}
    tests = engine.project().test(["path:tests/dbt/raw"], DAY, DAY)
    assert {test.name: test.failures for test in tests if test.status == "fail"} == {
        "box_score_lines_belong_to_a_team_of_their_game": 1,
        "shots_belong_to_a_team_of_their_game": 1,
    }
    # The line belongs to one date; a row of an unknown game belongs to every range.
    day_before = DAY - dt.timedelta(days=1)
    found = backfilled("coverage", "--start", day_before, "--end", day_before, "--format", "json")
    assert [row["finding"] for row in found.json()["raw_errors"]] == ["shot_of_unknown_game"]


def test_only_the_processors_asked_for_are_shown(backfilled: CommandLine) -> None:
    outcome = backfilled.ok("coverage", "--all", "--processor", "pdc,tdza")
    assert tuple(table(outcome)) == ("tdza", "pdc")
    assert backfilled("coverage", "--all", "--processor", "cache").code == 2


@pytest.mark.parametrize("short", ["tdza", "psza", "mlfs"])
def test_a_lost_row_is_unaccounted_for(backfilled: CommandLine, engine: Engine, short: str) -> None:
    processor = BY_KEY[short]
    entity = BY_KEY[short].entity_name
    engine.execute(
        f"delete from {processor.table} where {processor.date_column} = date '{DAY}' "
        f"and {entity} = '{a_row_of(engine, short)}'"
    )
    outcome = backfilled("coverage", "--all")
    assert (outcome.code, outcome.err) == (1, "")
    assert f"incomplete: {processor.key} {DAY}: 1 unaccounted, 0 duplicated" in outcome.out
    assert "everyone is accounted for" not in outcome.out
    found = totals(backfilled("coverage", "--all", "--format", "json"), short)
    assert found["unaccounted"] == 1
    # The other dates need no attention.
    assert backfilled("coverage", "--start", "2021-10-19", "--end", "2021-12-03").code == 0
    assert backfilled("coverage", "--all", "--processor", "pcf").code == 0


def test_a_row_beside_a_failure_is_a_duplicate(backfilled: CommandLine, engine: Engine) -> None:
    lookup = a_row_of(engine, "psza")
    (row,) = [row for key, row in engine.rows("psza").items() if key == (DAY, lookup)]
    engine.execute(
        "insert into nba_processing.precompute_failures by name "
        f"select '{SHOT_ZONES.name}' as processor_name, date '{DAY}' as analysis_date, "
        f"'{lookup}' as entity_id, {row['player_id']} as player_id, "
        "'EXPECTED_INCOMPLETE' as failure_category, true as is_expected"
    )
    outcome = backfilled("coverage", "--all")
    assert outcome.code == 1
    assert f"incomplete: {SHOT_ZONES.key} {DAY}: 0 unaccounted, 1 duplicated" in outcome.out


def test_a_row_of_an_unexpected_player_is_named(backfilled: CommandLine, engine: Engine) -> None:
    lookup = a_row_of(engine, "pcf")
    engine.execute(
        "delete from nba_processing.expected_entities where processor_name = "
        f"'{BY_KEY['pcf'].name}' and analysis_date = date '{DAY}' and entity_id = '{lookup}'"
    )
    outcome = backfilled("coverage", "--all")
    assert outcome.code == 1
    assert "0 unaccounted, 0 duplicated, 1 unexpected" in outcome.out


def test_a_date_that_has_not_run_is_named(backfilled: CommandLine, engine: Engine) -> None:
    engine.execute(
        f"delete from {TEAM_DEFENSE.table} where analysis_date = date '{DAY}'",
        *(
            f"delete from nba_processing.{name} where processor_name = '{TEAM_DEFENSE.name}' "
            f"and analysis_date = date '{DAY}'"
            for name in ("processed_dates", "precompute_failures")
        ),
    )
    outcome = backfilled("coverage", "--all")
    assert outcome.code == 1
    assert table(outcome)["tdza"][:2] == [48, 1]
    assert f"not_run: {TEAM_DEFENSE.key} {DAY}: 10 unaccounted" in outcome.out


def test_games_loaded_since_then_have_not_run(backfilled: CommandLine, engine: Engine) -> None:
    engine.execute(
        "insert into nba_raw.games by name select * replace ("
        "'0022199999' as game_id, date '2021-12-11' as game_date) "
        "from nba_raw.games order by game_id limit 1"
    )
    outcome = backfilled("coverage", "--all")
    assert outcome.code == 1
    assert [numbers[:2] for numbers in table(outcome).values()] == [[49, 1]] * 5
    assert f"not_run: {TEAM_DEFENSE.key} 2021-12-11" in outcome.out
    assert "everyone is accounted for" not in outcome.out


@pytest.mark.parametrize("category", ["INCOMPLETE_UPSTREAM", "PROCESSING_ERROR", "COFFEE_BREAK"])
def test_a_failure_to_look_at_needs_attention(
    backfilled: CommandLine, engine: Engine, category: str
) -> None:
    key = min(key for key in engine.failures("pdc") if key[0] == DAY)
    engine.execute(
        f"update nba_processing.precompute_failures set failure_category = '{category}', "
        "is_expected = false, failure_reason = 'no [bold]box score[/bold]' "
        f"where processor_name = '{DAILY_CACHE.name}' and analysis_date = date '{DAY}' "
        f"and entity_id = '{key[1]}'"
    )
    outcome = backfilled("coverage", "--all")
    assert (outcome.code, outcome.err) == (1, "")
    assert f"pdc {key[1]} {category}: no [bold]box score[/bold]" in outcome.out
    found = backfilled("coverage", "--all", "--format", "json")
    assert found.code == 1
    shown = found.json()
    name = category.lower() if category != "COFFEE_BREAK" else "unknown_category"
    assert {key for key, count in shown["attention_counts"].items() if count} == {name}
    (failure,) = shown["to_investigate"]
    assert (failure["entity_id"], failure["failure_category"]) == (key[1], category)
    # No other processor has the failure.
    other = backfilled.ok("coverage", "--all", "--processor", "psza", "--format", "json")
    assert other.json()["to_investigate"] == []


def test_failures_are_counted_by_the_game_that_causes_them(
    backcourt: CommandLine, seasons: Engine
) -> None:
    everything = backcourt("coverage", "--all", "--format", "json").json()
    games = {game["game_id"]: game for game in everything["games"]}
    # A game blocks each row that needs attention, so none is left over.
    blocked = sum(game["rows_blocked"] for game in games.values())
    assert blocked >= everything["attention_counts"]["incomplete_upstream"] > 0
    (worst,) = seasons.query(
        "select gaps.game_id, "
        "count(distinct (processor_name, failures.player_id, analysis_date)) as n "
        "from nba_processing.precompute_failures as failures "
        "inner join nba_processing.source_gaps as gaps on failures.player_id = gaps.player_id "
        "and contains(missing_game_dates, cast(game_date as varchar)) "
        "where failure_category = 'INCOMPLETE_UPSTREAM' group by 1 order by n desc, 1 limit 1"
    )
    assert everything["games"][0]["game_id"] == worst["game_id"]
    players = {
        name: count
        for name, count in games[worst["game_id"]]["rows_by_processor"].items()
        if name != TEAM_DEFENSE.name
    }
    assert sum(players.values()) == worst["n"]

    outcome = backcourt("coverage", "--all")
    line = next(line for line in outcome.out.splitlines() if line.startswith(worst["game_id"]))
    shown = games[worst["game_id"]]
    assert line == (
        f"{worst['game_id']}, {shown['away_team_abbr']}–{shown['home_team_abbr']}: "  # noqa: RUF001
        f"{'; '.join(shown['problems'])}: {shown['rows_blocked']} rows"
    )
    first, last = (
        pick(game[end] for game in games.values())
        for pick, end in ((min, "first_date"), (max, "last_date"))
    )
    assert f"  backcourt backfill --start {first} --end {last}" in outcome.out
    assert "docs/runbook.md#incomplete_upstream" in outcome.out


def test_suggested_lines_are_known_gaps_of_every_failure(
    backcourt: CommandLine, seasons: Engine, tmp_path: Path
) -> None:
    lines = backcourt.attention("coverage", "--all", "--suggest-known-gaps").out
    file = tmp_path / "gaps.csv"
    file.write_text("game_id,player_id,reason,noted_on\n" + lines)
    with DuckDBWarehouse(seasons.path) as warehouse:
        store_known_gaps(warehouse, read_known_gaps(file))
    (left,) = seasons.query(
        "select count(*) as n from nba_processing.precompute_failures as failures "
        "inner join nba_processing.source_gaps as gaps on failures.player_id = gaps.player_id "
        "and contains(missing_game_dates, cast(game_date as varchar)) "
        "where failure_category = 'INCOMPLETE_UPSTREAM' and not exists (from "
        "nba_staging.known_source_gaps as known where known.game_id = gaps.game_id "
        "and coalesce(known.player_id, gaps.player_id) = gaps.player_id)"
    )
    assert left["n"] == 0
    # Each line stands for a gap. A line without a gap is reported, and needs no attention.
    before = backcourt("coverage", "--all").out
    assert "known gap to take out" not in before
    seasons.execute(
        "insert into nba_staging.known_source_gaps values "
        "('0022199999', null, 'no such game', date '2026-01-31')"
    )
    for command in ("coverage", "plan"):
        assert "known gap to take out: game 0022199999: no such game" in (
            backcourt(command, "--all").out
        )


def test_games_lead_to_the_pages_of_those_whose_rows_they_block(
    backcourt: CommandLine, seasons: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    address = "https://reports.example/nba.html"
    monkeypatch.setenv("BACKCOURT_REPORT", address)
    games = backcourt("coverage", "--all", "--format", "json").json()["games"]
    failed = {
        (row["entity_id"], row["player_id"])
        for row in seasons.query("from nba_processing.precompute_failures")
    }
    pages = {name: page for game in games for name, page in game["blocked_entities"].items()}
    of_teams = {name for name, player in failed if player is None}
    assert of_teams & pages.keys()
    assert pages.keys() - of_teams
    assert pages == {
        name: f"{address}#{'team' if name in of_teams else 'player'}={name}" for name in pages
    }
    shown = backcourt("coverage", "--all", "--verbose").out
    for name, page in pages.items():
        assert f"  {name}: {page}\n" in shown
    assert f"in the report: {address}#do" in backcourt("coverage", "--all").out
    name = min(pages.keys() - of_teams)
    day = min(day for day, player in seasons.failures("psza") if player == name)
    explained = ("explain", name, "--date", day, "--processor", "psza")
    assert f"page: {pages[name]}\n" in backcourt(*explained).out
    assert backcourt(*explained, "--format", "json").json()[0]["page"] == pages[name]


def test_seasons_between_those_asked_for_do_not_count(
    backcourt: CommandLine, seasons: Engine
) -> None:
    between = "between date '2022-07-01' and date '2023-07-01'"
    for processor in BY_KEY.values():
        seasons.execute(f"delete from {processor.table} where {processor.date_column} {between}")
    for name in ("processed_dates", "precompute_failures"):
        seasons.execute(f"delete from nba_processing.{name} where analysis_date {between}")
    asked = [each for season in CHOSEN for each in ("--season", season)]
    outcome = backcourt("coverage", *asked, "--format", "json")
    assert outcome.code == 1
    shown = outcome.json()
    assert shown["attention_counts"]["unaccounted"] == 0
    assert all(row["not_run"] == 0 for row in shown["processors"])
    in_between = [row for row in shown["dates"] if "2022-07-01" < row["analysis_date"] < "2023-07"]
    assert in_between == []
    dates = {row["analysis_date"] for row in shown["dates"]}
    expected = seasons.query(
        "select distinct game_date as day from nba_raw.games "
        "where season in ('2021-22', '2023-24') and status != 'postponed'"
    )
    assert dates == {str(row["day"]) for row in expected}
    assert shown["to_investigate"]
    assert not any("2022-07-01" < row["first_date"] < "2023-07" for row in shown["to_investigate"])
    assert backcourt("coverage", "--season", "2022-23").code == 1


def test_a_backfill_of_some_seasons_tests_only_those(
    backcourt: CommandLine, seasons: Engine
) -> None:
    seasons.execute(
        "delete from nba_processing.processed_dates "
        "where analysis_date between date '2022-07-01' and date '2023-07-01'"
    )
    asked = [each for season in CHOSEN for each in ("--season", season)]
    # The gaps of the random leagues need attention, but no dbt test fails.
    found = backcourt.attention("backfill", *asked).out
    assert found.count("nothing due") == 4
    assert "0 failed" in found


def test_a_schedule_names_its_dates_only_where_the_range_does_not_say_it_all() -> None:
    whole = Schedule(DAY, DAY, (DAY,))
    assert whole.only_dates is None
    assert Schedule(DAY, DAY, (DAY,), is_whole_range=False).only_dates == (DAY,)
