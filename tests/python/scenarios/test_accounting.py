from __future__ import annotations

import datetime as dt
import json
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

import pytest

from python_workers.backfill.outcome import BackfillResult
from python_workers.processors.catalogue import BY_KEY
from tests.python.support.engine import SHORTS, Engine, Rows, assert_accounted_for, outcomes
from tests.python.support.expected_outcomes import expected_outcomes
from tests.python.support.leagues import League, days, did_not_play, write_tables

# Twenty dates, two days apart: on the last one every player has played 19 games.
DATES = days(20)
EVE, LAST = DATES[-2], DATES[-1]
NEXT = LAST + dt.timedelta(days=2)
ONLY_DATE = dt.date(2022, 10, 18)
ODD_DAY = DATES[5] + dt.timedelta(days=1)

LONG_NAME = "Ég" * 5_000
NAMES = {
    1: "John Smith",
    2: "O'Neil; drop table nba_raw.games; --",
    3: "姚明",
    4: LONG_NAME,
    5: "Jóhn Smith",
    6: 'Bobby "B\\1" %s {x} @name',
}
TRADED, TRADE_DAY = 13, DATES[12]
BENCHED_WITH_POINTS, MARKED_BUT_PLAYED = 25, 26
WITHOUT_MINUTES = 49
ONE_SIDE, HALF_DAY = (58, 59, 60), DATES[16]
DOUBLE_DAY, ONLY_SECOND, RESTED_FIRST = DATES[15], 64, 65


@dataclass(frozen=True)
class Odd:
    """A league in which every pair of teams has something odd about it."""

    engine: Engine
    result: BackfillResult
    rows: dict[str, Rows] = field(default_factory=dict)
    failures: dict[str, Rows] = field(default_factory=dict)
    outcomes: dict[str, dict[tuple[dt.date, str], str]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for short in SHORTS:
            self.rows[short] = self.engine.rows(short)
            self.failures[short] = self.engine.failures(short)
            self.outcomes[short] = outcomes(self.rows[short], self.failures[short])

    def on(self, short: str, day: dt.date) -> dict[str, str]:
        """Return the outcome of each entity on a date."""
        return {key[1]: what for key, what in self.outcomes[short].items() if key[0] == day}

    def summary(self, player_id: int, day: dt.date) -> dict[str, Any]:
        (found,) = self.engine.query(
            "select * from nba_analytics.player_game_summary where player_id = ? and game_date = ?",
            [player_id, day],
        )
        return found

    def lookup(self, player_id: int) -> str:
        (found,) = self.engine.query(
            "select player_lookup from nba_raw.player_registry where player_id = ?", [player_id]
        )
        return str(found["player_lookup"])


TEAMS = [f"{letter * 3}" for letter in "ABCDEFGHIJKLMNOPQRSTUV"]


def odd_league() -> League:
    rosters = {team: range(3 * number + 1, 3 * number + 4) for number, team in enumerate(TEAMS)}
    league = League(rosters)
    league.names = dict(NAMES)
    for number, day in enumerate(DATES):
        # A and B have odd names, C and D nothing odd.
        league.play(day, "AAA", "BBB")
        league.play(day, "CCC", "DDD")
        # E trades its first player to G; on that day both teams list him.
        rested = {TRADED: did_not_play()} if day == TRADE_DAY else {}
        league.play(day, "EEE", "FFF", changes=rested)
        if day == TRADE_DAY:
            league.rosters["EEE"].remove(TRADED)
            league.rosters["GGG"].append(TRADED)
        league.play(day, "GGG", "HHH")
        # Two players of I are marked as not playing but have points; the second has minutes, too.
        marked = {
            BENCHED_WITH_POINTS: did_not_play(points=4, minutes="0:00"),
            MARKED_BUT_PLAYED: {"is_dnp": True},
        }
        league.play(day, "III", "JJJ", changes=marked if number == 17 else {})
        # K and L have a game without shots, M and N one without box score, O and P a postponed one.
        league.play(day, "KKK", "LLL", shots=day != DATES[15])
        league.play(day, "MMM", "NNN", box_score=day != DATES[16])
        league.play(day, "OOO", "PPP", status="postponed" if number == 14 else "final")
        # A line of Q has points but no minutes.
        unknown = {WITHOUT_MINUTES: {"minutes": None}} if number == 18 else {}
        league.play(day, "QQQ", "RRR", changes=unknown)
        # S and T have a game without the lines of T, U and V two games on one date.
        league.play(day, "SSS", "TTT", unlisted=ONE_SIDE if day == HALF_DAY else ())
        if day == DOUBLE_DAY:
            rested = {RESTED_FIRST: did_not_play()}
            league.play(day, "UUU", "VVV", unlisted=[ONLY_SECOND], changes=rested)
        league.play(day, "UUU", "VVV")
    league.schedule(ODD_DAY, "OOO", "PPP", status="postponed")
    league.schedule(NEXT, "AAA", "CCC")
    league.schedule(NEXT, "GGG", "MMM")
    return league


@pytest.fixture(scope="module")
def odd(tmp_path_factory: pytest.TempPathFactory) -> Odd:
    folder = tmp_path_factory.mktemp("odd")
    engine = Engine(folder)
    single = League({"AAA": [101, 102], "BBB": [103, 104]}, "2022-23")
    single.play(ONLY_DATE, "AAA", "BBB")
    engine.load(write_tables(folder / "raw", [odd_league(), single]))
    return Odd(engine, engine.backfill(run_tests=True))


def test_every_entity_is_accounted_for_in_an_odd_league(odd: Odd) -> None:
    assert_accounted_for(odd.engine)
    assert odd.result.failed_tests == []
    errors = [
        key
        for short in SHORTS
        for key, what in odd.outcomes[short].items()
        if what == "PROCESSING_ERROR"
    ]
    assert errors == []


def test_two_players_of_one_name_each_have_their_own_row(odd: Odd) -> None:
    assert [odd.lookup(1), odd.lookup(5)] == ["johnsmith", "johnsmith2"]
    for short in ("psza", "pcf", "pdc", "mlfs"):
        rows = odd.rows[short]
        first, second = rows[LAST, "johnsmith"], rows[LAST, "johnsmith2"]
        assert (first["player_id"], first["universal_player_id"]) == (1, "johnsmith_1")
        assert (second["player_id"], second["universal_player_id"]) == (5, "johnsmith2_5")


@pytest.mark.parametrize(
    ("player_id", "lookup"),
    [
        (2, "oneildroptablenbarawgames"),
        (3, "player3"),
        (4, "eg" * 5_000),
        (6, "bobbyb1sxname"),
    ],
)
def test_players_of_any_name_have_their_rows(odd: Odd, player_id: int, lookup: str) -> None:
    assert odd.lookup(player_id) == lookup
    for short in ("psza", "pcf", "pdc", "mlfs"):
        assert odd.outcomes[short][LAST, lookup] == "row"
        assert odd.rows[short][LAST, lookup]["player_id"] == player_id
    assert odd.summary(player_id, LAST)["player_full_name"] == NAMES[player_id]


def test_a_traded_player_counts_once_on_the_day_that_both_teams_list_him(odd: Odd) -> None:
    lookup = odd.lookup(TRADED)
    listed = odd.engine.query(
        "select team_abbr, is_dnp from nba_analytics.player_game_summary "
        "where player_id = ? and game_date = ? order by team_abbr",
        [TRADED, TRADE_DAY],
    )
    assert [(row["team_abbr"], row["is_dnp"]) for row in listed] == [("EEE", True), ("GGG", False)]
    for short in ("pcf", "pdc", "mlfs"):
        assert odd.outcomes[short][TRADE_DAY, lookup] == "row"
        assert odd.rows[short][TRADE_DAY, lookup]["team_abbr"] == "GGG"
        # On the dates before and after, only one team lists him.
        assert odd.rows[short][DATES[11], lookup]["team_abbr"] == "EEE"
        assert odd.rows[short][DATES[13], lookup]["team_abbr"] == "GGG"
    # His games with both teams make one sample.
    assert odd.rows["pdc"][LAST, lookup]["games_played_season"] == 19
    assert odd.rows["psza"][LAST, lookup]["games_in_sample_20"] == 19


@pytest.mark.parametrize(
    ("player_id", "day"), [(BENCHED_WITH_POINTS, DATES[17]), (WITHOUT_MINUTES, EVE)]
)
def test_counts_without_minutes_are_a_played_game_whose_box_score_is_not_known(
    odd: Odd, player_id: int, day: dt.date
) -> None:
    game = odd.summary(player_id, day)
    assert (game["is_played"], game["contradiction"]) == (True, "counts_without_minutes")
    lookup = odd.lookup(player_id)
    for short in ("psza", "pdc"):
        failure = odd.failures[short][LAST, lookup]
        assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
        assert failure["missing_game_dates"] == f'["{day}"]'
        assert failure["actual_game_count"] == 19
    # The game counts for his fatigue, although its minutes are unknown.
    factors = odd.rows["pcf"][LAST, lookup]
    fatigue = json.loads(factors["fatigue_context_json"])
    assert (fatigue["games_in_last_7_days"], fatigue["minutes_in_last_7_days"]) == (3, None)
    store = odd.rows["mlfs"][LAST, lookup]
    assert (store["points_avg_season"], store["dnp_rate"]) == (12.0, 0.0)
    assert store["minutes_load_last_7d"] is None


def test_a_dnp_with_minutes_is_reported_and_did_play(odd: Odd) -> None:
    assert odd.summary(MARKED_BUT_PLAYED, DATES[17])["is_played"]
    row = odd.rows["pdc"][LAST, odd.lookup(MARKED_BUT_PLAYED)]
    assert (row["games_played_season"], row["games_in_last_7_days"]) == (19, 3)


def test_the_data_test_reports_both_kinds_of_dnp_and_lines_without_minutes(odd: Odd) -> None:
    (found,) = [
        test
        for test in odd.result.tests
        if test.name == "box_score_lines_do_not_contradict_themselves"
    ]
    assert (found.status, found.failures) == ("warn", 3)


def test_a_game_without_shots_has_no_zones_rather_than_zeros(odd: Odd) -> None:
    game = odd.summary(31, DATES[15])
    zones = [name for name in game if "paint" in name or "mid_range" in name or "_pbp" in name]
    assert len(zones) == 6
    assert [game[name] for name in (*zones, "assisted_fg_makes", "unassisted_fg_makes")] == (
        [None] * 8
    )
    assert not game["has_complete_shot_zones"]
    assert (game["fg_attempts"], game["is_played"]) == (10, True)


def test_a_game_without_shots_leaves_the_shot_zones_incomplete_by_date(odd: Odd) -> None:
    for player_id in range(31, 37):
        key = LAST, odd.lookup(player_id)
        failure = odd.failures["psza"][key]
        assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
        assert failure["missing_game_dates"] == f'["{DATES[15]}"]'
        assert (failure["expected_game_count"], failure["actual_game_count"]) == (10, 19)
        assert (failure["is_expected"], failure["can_retry"]) == (False, True)
        # No other processor needs the shots.
        assert odd.outcomes["pdc"][key] == odd.outcomes["mlfs"][key] == "row"
        assert not odd.rows["pdc"][key]["shot_zone_data_available"]
        assert "player_shot_zone_analysis" in odd.rows["pcf"][key]["missing_data_fields"]
        # On the day before the game, the gap did not exist yet.
        assert odd.outcomes["psza"][DATES[15], key[1]] == "row"


def test_a_finished_game_without_a_box_score_counts_for_the_whole_roster(odd: Odd) -> None:
    for player_id in range(37, 43):
        lookup = odd.lookup(player_id)
        for short, required in (("psza", 10), ("pdc", 5)):
            failure = odd.failures[short][LAST, lookup]
            assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
            assert failure["missing_game_dates"] == f'["{DATES[16]}"]'
            assert (failure["expected_game_count"], failure["actual_game_count"]) == (required, 19)
        assert odd.outcomes["pcf"][LAST, lookup] == "row"
        assert odd.rows["mlfs"][LAST, lookup]["data_source"] == "mixed"


def test_the_side_of_a_game_that_is_missing_is_a_gap_of_its_players_alone(odd: Odd) -> None:
    for player_id in ONE_SIDE:
        lookup = odd.lookup(player_id)
        for short in ("psza", "pdc"):
            failure = odd.failures[short][LAST, lookup]
            assert failure["failure_category"] == "INCOMPLETE_UPSTREAM"
            assert failure["missing_game_dates"] == f'["{HALF_DAY}"]'
        assert odd.rows["pcf"][HALF_DAY, lookup]["population_source"] == "recent_roster"
    like_any = odd.rows["pdc"][LAST, odd.lookup(1)]
    for player_id in (55, 56, 57):
        lookup = odd.lookup(player_id)
        assert odd.outcomes["psza"][LAST, lookup] == "row"
        assert odd.rows["pcf"][HALF_DAY, lookup]["population_source"] == "box_score"
        row = odd.rows["pdc"][LAST, lookup]
        assert (row["games_played_season"], row["usage_rate_last_10"]) == (19, 20.0)
        # Pace needs the lines of both sides, so the mean is over the nine other games.
        assert row["team_pace_last_10"] == like_any["team_pace_last_10"]


def test_two_games_of_a_team_on_a_date_give_each_of_its_players_one_row(odd: Odd) -> None:
    games = odd.engine.query(
        "select game_id from nba_raw.games where game_date = ? and home_team_abbr = 'UUU' "
        "order by game_id",
        [DOUBLE_DAY],
    )
    assert len(games) == 2
    for player_id in range(61, 67):
        lookup = odd.lookup(player_id)
        for short in ("psza", "pcf", "pdc", "mlfs"):
            assert odd.outcomes[short][DOUBLE_DAY, lookup] == "row"
            (found,) = odd.engine.query(
                f"select count(*) as n from {BY_KEY[short].table} "
                f"where {BY_KEY[short].date_column} = ? and player_id = ?",
                [DOUBLE_DAY, player_id],
            )
            assert found["n"] == 1
        store = odd.rows["mlfs"][DOUBLE_DAY, lookup]
        assert (store["game_id"], store["population_source"]) == (games[0]["game_id"], "box_score")
        # Both games count from the next day on.
        missed_one = player_id in (ONLY_SECOND, RESTED_FIRST)
        row = odd.rows["pdc"][LAST, lookup]
        assert row["games_played_season"] == (19 if missed_one else 20)


def test_on_the_day_without_a_box_score_the_roster_is_expected(odd: Odd) -> None:
    for player_id in range(37, 43):
        key = DATES[16], odd.lookup(player_id)
        assert odd.outcomes["psza"][key] == odd.outcomes["pdc"][key] == "row"
        row = odd.rows["pcf"][key]
        assert row["population_source"] == "recent_roster"
        assert (row["projected_usage_rate"], row["star_teammates_out"]) == (None, None)
        assert row["missing_data_fields"] == '["projected_usage_rate"]'
    listed = odd.rows["pcf"][DATES[16], odd.lookup(1)]
    # The rotation has only three players, so the load ratio reaches its bound of 1.5.
    assert (listed["population_source"], listed["projected_usage_rate"]) == ("box_score", 23.0)


def test_a_postponed_game_takes_place_on_no_date(odd: Odd) -> None:
    for player_id in range(43, 49):
        lookup = odd.lookup(player_id)
        for short in ("pcf", "pdc", "mlfs"):
            assert (DATES[14], lookup) not in odd.outcomes[short]
        assert odd.outcomes["psza"][DATES[14], lookup] == "row"
        assert odd.rows["pdc"][LAST, lookup]["games_played_season"] == 18
    assert odd.outcomes["tdza"][DATES[14], "OOO"] == "row"
    # The day has no other game, so it is no game date.
    for short in SHORTS:
        assert odd.on(short, ODD_DAY) == {}


def test_on_a_future_date_the_rosters_of_its_teams_are_expected(odd: Odd) -> None:
    on_roster = {odd.lookup(each) for each in (1, 2, 3, 7, 8, 9, 19, 20, 21, TRADED, 37, 38, 39)}
    for short in ("pcf", "pdc", "mlfs"):
        assert odd.on(short, NEXT).keys() == on_roster
    for lookup in on_roster:
        row = odd.rows["pcf"][NEXT, lookup]
        assert row["population_source"] == "recent_roster"
        assert (row["projected_usage_rate"], row["star_teammates_out"]) == (None, None)
        assert '"projected_usage_rate"' in row["missing_data_fields"]
        assert row["usage_spike_score"] == 0.0
        assert odd.rows["mlfs"][NEXT, lookup]["star_teammates_out"] is None
    # Shot zones and defences do not depend on the day's players.
    assert len(odd.on("psza", NEXT)) == 66
    assert len(odd.on("tdza", NEXT)) == 22


def test_on_opening_night_nobody_has_played_and_the_date_is_done_all_the_same(odd: Odd) -> None:
    assert odd.on("psza", DATES[0]) == {}
    (run,) = odd.engine.query(
        "select status, expected, records from nba_processing.processor_runs "
        "where processor_name = ? and analysis_date = ?",
        [BY_KEY["psza"].name, DATES[0]],
    )
    assert run == {"status": "complete", "expected": 0, "records": 0}
    assert set(odd.on("pdc", DATES[0]).values()) == {"EXPECTED_INCOMPLETE"}
    assert set(odd.on("tdza", DATES[0]).values()) == {"EXPECTED_INCOMPLETE"}
    assert set(odd.on("pcf", DATES[0]).values()) == {"row"}


def test_a_season_of_a_single_game(odd: Odd) -> None:
    found = {short: set(odd.on(short, ONLY_DATE).values()) for short in SHORTS}
    assert found == {
        "tdza": {"EXPECTED_INCOMPLETE"},
        "psza": set(),
        "pcf": {"row"},
        "pdc": {"EXPECTED_INCOMPLETE"},
        "mlfs": {"row"},
    }
    assert len(odd.on("tdza", ONLY_DATE)) == 2
    assert len(odd.on("mlfs", ONLY_DATE)) == 4


def test_in_any_league_everyone_expected_has_a_row_or_the_failure_that_fits(
    four_seasons: Engine, random_leagues: list[League]
) -> None:
    assert_accounted_for(four_seasons)
    found = {short: four_seasons.outcomes(short) for short in SHORTS}
    expected: dict[str, dict[tuple[dt.date, str], str]] = {short: {} for short in SHORTS}
    for league in random_leagues:
        for short, of_season in expected_outcomes(league.tables()).items():
            expected[short] |= {
                (day, entity if short == "tdza" else f"playernumber{entity}"): what
                for (day, entity), what in of_season.items()
            }
    # The leagues are a real test only if each outcome occurs often.
    for short, categories in {
        "tdza": {"row", "EXPECTED_INCOMPLETE", "INCOMPLETE_UPSTREAM"},
        "psza": {"row", "EXPECTED_INCOMPLETE", "INCOMPLETE_UPSTREAM"},
        "pdc": {"row", "EXPECTED_INCOMPLETE", "INCOMPLETE_UPSTREAM", "STALE_DATA"},
    }.items():
        counts = Counter(expected[short].values())
        assert counts.keys() == categories
        assert min(counts.values()) >= 4
    for short in SHORTS:
        assert found[short] == expected[short]
