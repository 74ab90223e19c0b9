"""Unknown values of a game stay out of sums and means, and affect no other player."""

from __future__ import annotations

import pytest

from python_workers.raw.schema import BOX_COUNTS, MAX_PLAYER_COUNT
from tests.python.support.engine import Engine, assert_accounted_for
from tests.python.support.leagues import League, days
from tests.python.support.raw_factories import Row

# From the eleventh date on, every player has ten games.
DATES = days(13)
LAST = DATES[-1]
TEAMS = {"AAA": (11, 12, 13), "BBB": (21, 22, 23), "CCC": (31, 32, 33), "DDD": (41, 42, 43)}
PAIRINGS = ((("AAA", "BBB"), ("CCC", "DDD")), (("AAA", "CCC"), ("BBB", "DDD")))
ABSURD_DAY, UNTIMED_DAY = DATES[9], DATES[10]
# The largest counts that a line may have; the points agree with the makes.
ABSURD: Row = dict.fromkeys(BOX_COUNTS, MAX_PLAYER_COUNT) | {"fgm": 100, "fg3m": 0, "ftm": 0}


@pytest.fixture(scope="module")
def played(tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return a league of equal lines, except a game without minutes and one with absurd lines."""
    league = League(TEAMS)
    for number, day in enumerate(DATES):
        for home, away in PAIRINGS[number % 2]:
            changes: dict[int, Row] = {}
            if day == UNTIMED_DAY and home == "AAA":
                changes = {each: {"minutes": None} for each in (*TEAMS["AAA"], *TEAMS["BBB"])}
            if day == ABSURD_DAY and away == "DDD":
                changes = dict.fromkeys(TEAMS["DDD"], ABSURD)
            league.play(day, home, away, changes=changes)
    folder = tmp_path_factory.mktemp("unknown")
    engine = Engine(folder)
    engine.load(league.write(folder / "raw"))
    engine.backfill()
    return engine


def test_a_mean_divides_by_the_games_that_are_known(played: Engine) -> None:
    (known,) = played.query(
        "select distinct pace from nba_analytics.team_offense_game_summary where pace is not null"
    )
    pace = known["pace"]
    unknown = played.query(
        "select game_date, team_abbr from nba_analytics.team_offense_game_summary "
        "where pace is null order by game_date, team_abbr"
    )
    assert [(row["game_date"], row["team_abbr"]) for row in unknown] == [
        *((ABSURD_DAY, team) for team in ("BBB", "DDD")),
        *((UNTIMED_DAY, team) for team in ("AAA", "BBB")),
    ]
    teams = played.rows("tdza")
    assert {teams[LAST, team]["opponent_pace"] for team in TEAMS} == {pace}
    factors = [row for (day, _), row in played.rows("pcf").items() if day == LAST]
    assert {row["pace_differential"] for row in factors} == {0.0}
    assert {row["recent_usage_rate"] for row in factors} == {20.0}
    features = [row for (day, _), row in played.rows("mlfs").items() if day == LAST]
    assert {(row["team_pace"], row["opponent_pace"]) for row in features} == {(pace, pace)}
    assert len(factors) == len(features) == 12


def test_absurd_lines_cost_their_own_players_alone_and_are_named(played: Engine) -> None:
    assert_accounted_for(played)
    troubled = {
        (key[1], failure["failure_category"])
        for short in ("tdza", "psza", "pcf", "pdc", "mlfs")
        for key, failure in played.failures(short).items()
        if failure["failure_category"] != "EXPECTED_INCOMPLETE"
    }
    own = {f"playernumber{each}" for team in ("AAA", "BBB", "DDD") for each in TEAMS[team]}
    assert {entity for entity, _ in troubled} <= own
    assert "PROCESSING_ERROR" not in {category for _, category in troubled}
    (row,) = played.query(
        "select * from nba_processing.raw_findings where finding = 'team_beyond_any_game'"
    )
    assert (row["game_date"], row["team_abbr"]) == (ABSURD_DAY, "DDD")
