"""Nothing that `load` accepts overflows: models against Python's integers, which have no limit."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterator
from fractions import Fraction
from typing import Any

import duckdb
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from python_workers.raw.playing_time import MAX_MINUTES
from python_workers.raw.schema import (
    BOX_COUNTS,
    MAX_PLAYER_COUNT,
    RAW_SPECS,
)
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine
from tests.python.support.raw_factories import Row
from tests.python.support.slow_reference import rounded, sqrt_rounded

DAY = dt.date(2022, 1, 15)
STORE = "nba_predictions.ml_feature_store_v2"
INPUTS = "nba_precompute.ml_feature_store_inputs"
VIEWS = (
    *("nba_staging.stg_games", "nba_staging.stg_player_box_scores"),
    "nba_analytics.int_team_box_scores",
    *("nba_analytics.team_offense_game_summary", "nba_analytics.team_defense_game_summary"),
)
BUILT = (
    *("nba_analytics.int_games", "nba_analytics.int_game_teams"),
    "nba_analytics.player_game_summary",
)


class Models:
    """Empty tables of all models, and the selects of some: an example runs in milliseconds."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, selects: dict[str, str]) -> None:
        self.connection = connection
        self.selects = selects
        # Views over empty tables are empty.
        for view in VIEWS:
            connection.execute(f"create or replace view {view} as {selects[view]}")

    def fill(self, table: str, rows: list[Row]) -> None:
        """Replace the rows of a table; a column that is not given is NULL."""
        names = list(rows[0])
        self.connection.execute(f"truncate {table}")
        self.connection.executemany(
            f"insert into {table} ({', '.join(names)}) values ({', '.join('?' * len(names))})",
            [[row[name] for name in names] for row in rows],
        )

    def rows(self, model: str, key: str) -> dict[Any, Row]:
        """Return the rows of a model by key."""
        found: list[Row] = self.connection.execute(self.selects[model]).to_arrow_table().to_pylist()
        return {row[key]: row for row in found}

    def build(self, model: str) -> None:
        self.connection.execute(f"create or replace table {model} as {self.selects[model]}")


once_in_one_database = settings(
    deadline=None,
    max_examples=25,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Models]:
    engine = Engine(tmp_path_factory.mktemp("empty"))
    with DuckDBWarehouse(engine.path) as warehouse:
        warehouse.ensure_tables(RAW_SPECS)
    project = engine.project()
    project._invoke(["seed"], {})
    project._invoke(["run", "--empty"], {})
    names = [name.partition(".")[2] for name in (*VIEWS, *BUILT, STORE)]
    selects = {node.name: node.sql for node in project.compiled(names, DAY, DAY)}
    with duckdb.connect(str(engine.path)) as connection:
        yield Models(connection, selects)


# A season of points ---------------------------------------------------------------------------


def seasons() -> st.SearchStrategy[list[int]]:
    """Draw seasons of up to 2,000 games: up to four runs of equal points, or random points."""
    points = st.sampled_from([0, 1, MAX_PLAYER_COUNT]) | st.integers(0, MAX_PLAYER_COUNT)
    games = st.integers(1, 90) | st.integers(1, 2_000)
    blocks = st.lists(st.tuples(points, games), min_size=1, max_size=4).map(
        lambda parts: [value for value, count in parts for _ in range(count)][:2_000]
    )
    anything = st.tuples(st.integers(0), games).map(
        lambda drawn: random.Random(drawn[0]).choices(range(MAX_PLAYER_COUNT + 1), k=drawn[1])  # noqa: S311 -- points
    )
    return blocks | anything


def of_a_season(points: list[int], player_id: int) -> Row:
    """Return the sums that the feature store reads."""
    n = len(points)
    numbered = list(enumerate(points, start=1))
    return {
        "analysis_date": DAY,
        "player_id": player_id,
        "known_games_season": n,
        **{f"points_last_{size}": sum(points[-size:]) for size in (2, 3, 5, 7, 10)},
        "points_so_far": sum(points),
        "points_squared_last_10": sum(each * each for each in points[-10:]),
        "points_squared_so_far": sum(each * each for each in points),
        "numbered_points_last_7": sum(number * each for number, each in numbered[-7:]),
        "numbered_points_last_10": sum(number * each for number, each in numbered[-10:]),
    }


def slope(points: list[int]) -> float | None:
    n = len(points)
    if n < 2:
        return None
    mean_x = Fraction(n + 1, 2)
    num = sum(((x - mean_x) * y for x, y in enumerate(points, start=1)), Fraction(0))
    return rounded(
        num / sum(((x - mean_x) * (x - mean_x) for x in range(1, n + 1)), Fraction(0)), 4
    )


def variance(points: list[int]) -> Fraction | None:
    n = len(points)
    if n < 2:
        return None
    mean = Fraction(sum(points), n)
    return sum(((each - mean) * (each - mean) for each in points), Fraction(0)) / (n - 1)


def expected_features(points: list[int]) -> Row:
    def mean(size: int) -> Fraction:
        return Fraction(sum(points[-size:]), len(points[-size:]))

    spread, recent_spread = variance(points), variance(points[-10:])
    deviation = mean(5) - mean(len(points))
    zscore = None
    if spread:
        size = sqrt_rounded(deviation**2 / spread, 3)
        zscore = size if deviation > 0 else -size if size else 0.0
    return {
        "points_avg_last_10": rounded(mean(10), 4),
        "points_avg_season": rounded(mean(len(points)), 4),
        "points_std_last_10": None if recent_spread is None else sqrt_rounded(recent_spread, 4),
        "deviation_from_avg_last3": rounded(mean(3) - mean(len(points)), 4),
        "pts_slope_10g": slope(points[-10:]),
        "scoring_trend_slope": slope(points[-7:]),
        "pts_vs_season_zscore": zscore,
    }


@once_in_one_database
@given(st.lists(seasons(), min_size=1, max_size=6))
@example([[0] * 131 + [200] * 5, [0] * 1_995 + [200] * 5, [200] * 1_000 + [0] * 1_000])
def test_features_of_any_season_of_points_are_exact(models: Models, drawn: list[list[int]]) -> None:
    models.fill(INPUTS, [of_a_season(points, n) for n, points in enumerate(drawn)])
    found = models.rows(STORE, "player_id")
    for player_id, points in enumerate(drawn):
        expected = expected_features(points)
        assert {name: found[player_id][name] for name in expected} == expected


# A game -----------------------------------------------------------------------------------------

TEAMS = {"AAA": "BBB", "BBB": "AAA"}
counts = st.sampled_from([0, 1, MAX_PLAYER_COUNT]) | st.integers(0, MAX_PLAYER_COUNT)


@st.composite
def lines(draw: st.DrawFn) -> Row:
    """Return a line as extreme as `load` accepts."""
    makes = {"fga": draw(counts), "fta": draw(counts)}
    makes["fgm"] = draw(st.integers(0, makes["fga"]) | st.just(makes["fga"]))
    makes["ftm"] = draw(st.integers(0, makes["fta"]))
    makes["fg3a"] = draw(st.integers(0, makes["fga"]))
    makes["fg3m"] = draw(st.integers(0, min(makes["fg3a"], makes["fgm"])))
    total = 2 * makes["fgm"] + makes["fg3m"] + makes["ftm"]
    others = {name: draw(counts) for name in ("oreb", "dreb", "ast", "stl", "blk", "tov", "pf")}
    seconds = draw(st.sampled_from([1, 2_880, MAX_MINUTES * 60]) | st.integers(1, 4_200))
    return {
        **makes,
        **others,
        "points": total if total <= MAX_PLAYER_COUNT else draw(counts),
        "minutes": seconds / 60,
        "is_dnp": False,
    }


@st.composite
def games(draw: st.DrawFn) -> dict[str, list[Row]]:
    """Return the lines of both teams: mostly of equal length, some of 64 players."""
    game = {team: draw(st.lists(lines(), min_size=1, max_size=8)) for team in TEAMS}
    if draw(st.integers(0, 3)):
        times = min(len(of_team) for of_team in game.values())
        game = {team: of_team[:times] for team, of_team in game.items()}
        for first, second in zip(*game.values(), strict=True):
            second["minutes"] = first["minutes"]
    if draw(st.integers(0, 5)) == 0:
        game = {team: of_team * 8 for team, of_team in game.items()}
    return game


def seconds_of(line: Row) -> int:
    seconds: int = round(line["minutes"] * 60)
    return seconds


def possessions(own: Row, opponent: Row) -> Fraction:
    chances: int = max(own["oreb"] + opponent["dreb"], 1)
    found: Fraction = (
        own["fga"]
        + Fraction(2, 5) * own["fta"]
        + own["tov"]
        - Fraction(107, 100) * Fraction(own["oreb"], chances) * (own["fga"] - own["fgm"])
    )
    return found


def totals(lines_of_a_team: list[Row]) -> Row:
    names = ("fga", "fta", "fgm", "oreb", "dreb", "tov", "points")
    found: Row = {name: sum(line[name] for line in lines_of_a_team) for name in names}
    found["counts"] = sum(line[name] for line in lines_of_a_team for name in BOX_COUNTS)
    return found | {"seconds": sum(map(seconds_of, lines_of_a_team))}


def at_most(value: Fraction, limit: int) -> float | None:
    return rounded(value, 4) if value <= limit else None


@once_in_one_database
@given(games())
def test_values_of_any_game_are_exact_or_unknown(
    models: Models, game: dict[str, list[Row]]
) -> None:
    of_game: Row = {"game_id": "0022100001", "season": "2021-22", "season_type": "regular"}
    of_game |= {"game_date": DAY, "home_team_abbr": "AAA", "away_team_abbr": "BBB"}
    listed: list[Row] = [
        {"game_id": "0022100001", "player_id": 100 * side + number, "team_abbr": team} | line
        for side, team in enumerate(TEAMS)
        for number, line in enumerate(game[team], start=1)
    ]
    models.fill("nba_raw.games", [of_game | {"status": "in_progress"}])
    models.fill("nba_raw.player_box_scores", listed)
    for name in BUILT:
        models.build(name)

    found = models.rows("nba_analytics.player_game_summary", "player_id")
    whole = {
        team: all(row["has_whole_team"] for row in found.values() if row["team_abbr"] == team)
        for team in TEAMS
    }
    teams = {team: totals(of_team) for team, of_team in game.items()}
    for team, total in teams.items():
        if total["counts"] > 1_500 or total["seconds"] > 30_000:
            assert not whole[team]
    for line in listed:
        total = teams[line["team_abbr"]]
        plays = line["fga"] + Fraction(44, 100) * line["fta"] + line["tov"]
        team_plays = total["fga"] + Fraction(44, 100) * total["fta"] + total["tov"]
        expected = None
        if whole[line["team_abbr"]] and team_plays:
            usage = 100 * plays * Fraction(total["seconds"], 5) / (seconds_of(line) * team_plays)
            expected = rounded(min(usage, Fraction(100)), 4)
        assert found[line["player_id"]]["usage_rate"] == expected

    offense = models.rows("nba_analytics.team_offense_game_summary", "team_abbr")
    defense = models.rows("nba_analytics.team_defense_game_summary", "team_abbr")
    each = (possessions(teams["AAA"], teams["BBB"]) + possessions(teams["BBB"], teams["AAA"])) / 2
    known = all(whole.values()) and each > 0
    for team, opponent in TEAMS.items():
        pace = rating = allowed = opponent_pace = None
        if known:
            pace = at_most(14_400 * each / teams[team]["seconds"], 1_000)
            opponent_pace = at_most(14_400 * each / teams[opponent]["seconds"], 1_000)
            rating = at_most(100 * teams[team]["points"] / each, 1_000)
            allowed = at_most(100 * teams[opponent]["points"] / each, 1_000)
        assert offense[team]["possessions"] == (rounded(each, 4) if known else None)
        assert (offense[team]["pace"], offense[team]["offensive_rating"]) == (pace, rating)
        assert defense[team]["defensive_rating"] == allowed
        assert defense[team]["opponent_pace"] == opponent_pace
