"""Player shot zones (PSZA): a player's shots by zone in his last 10 and 20 games."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import (
    Integers,
    both_valid,
    days,
    decimal_array,
    integers,
    labels_of,
    nullable,
    ratio_array,
    require_columns,
    zero_where_unknown,
)
from python_workers.columnar.rounding import BoolArray, IntArray, round_half_even
from python_workers.columnar.segments import Tables, entity_keys, sorted_entities
from python_workers.columnar.windows import GameWindows, game_windows
from python_workers.columnar.workings import note
from python_workers.processors.base import Games, PoolWork, Population, Processor
from python_workers.processors.failures import (
    EXPECTED_INCOMPLETE,
    PROCESSING_ERROR,
    ChunkResult,
    Failed,
    Rejections,
    failure_rows,
)
from python_workers.processors.game_checks import (
    missing_games,
    reject_excess,
    reject_values,
    reject_wrong_games,
    too_few_reasons,
)
from python_workers.processors.output_table import (
    ByWindow,
    OutputTable,
    date_column,
    decimal,
    text,
    whole,
)

CALCULATION_VERSION = "v2"

MIN_GAMES_REQUIRED = 10
SHORT_WINDOW = 10
LONG_WINDOW = 20
# With fewer games, the 20-game values add little to the 10-game values.
LONG_WINDOW_MIN_GAMES = 15

# Smallest share of attempts, in percent, that makes a zone the primary one; tested in this order.
PRIMARY_PAINT_MIN = 40
PRIMARY_THREE_MIN = 40
PRIMARY_MID_RANGE_MIN = 35

# Grades of a sample, by its smallest share of the window's games in percent.
SAMPLE_QUALITY = ((100, "excellent"), (70, "good"), (50, "limited"), (0, "insufficient"))
# Grades of the data, by the smallest number of games in the 10-game sample.
DATA_QUALITY_TIER = ((10, "high"), (7, "medium"), (0, "low"))

RATE_DECIMALS = 2
PCT_DECIMALS = 3
PER_GAME_DECIMALS = 1

# Above any zone's attempts in a game; the record over all zones is 63.
MAX_ATTEMPTS = 200

ZONES = {"paint": "paint", "mid_range": "mid_range", "three_pt": "three"}
"""The zones: prefix of their output columns, prefix of their input columns."""

PLAYER_COLUMNS = (
    "analysis_date",
    "player_id",
    "player_lookup",
    "universal_player_id",
    "player_position",
    "season_year",
    "actual_game_count",
)
"""Columns read from ``players``, one row per (analysis_date, player_id)."""

GAME_COLUMNS = (
    "season_year",
    "player_id",
    "game_number",
    "game_date",
    "has_complete_shot_zones",
    "is_known_gap",
    "paint_makes",
    "paint_attempts",
    "mid_range_makes",
    "mid_range_attempts",
    "three_makes",
    "three_attempts",
    "assisted_fg_makes",
    "unassisted_fg_makes",
)
"""Columns read from ``games``, one row per (season_year, player_id, game_number)."""


def _of_zones(window: int, count: str, join: str) -> str:
    return join.join(f"{zone}_{count}_last_{window}" for zone in ZONES)


def _graded_by(amount: str, whole_amount: int, grades: tuple[tuple[int, str], ...]) -> str:
    """Return the formula of a grade; `_graded` finds it."""
    *conditional, (_, last) = grades
    tests = (f"{grade!r} if {amount} >= {bound * whole_amount}" for bound, grade in conditional)
    return " else ".join([*tests, repr(last)])


def _rate(zone: str) -> str:
    return f"round(100 * {zone}_attempts_last_10 / total_shots_last_10, {RATE_DECIMALS})"


def _pct(zone: str, window: int) -> str:
    return f"round({zone}_makes_last_{window} / {zone}_attempts_last_{window}, {PCT_DECIMALS})"


def _per_game(zone: str) -> str:
    return f"round({zone}_attempts_last_10 / {zone}_games_last_10, {PER_GAME_DECIMALS})"


def _assist_rate(kind: str) -> str:
    both = "assisted_makes_last_10 + unassisted_makes_last_10"
    return f"round(100 * {kind}_makes_last_10 / ({both}), {RATE_DECIMALS})"


_KNOWN_10, _KNOWN_20 = (f"min({_of_zones(window, 'games', ', ')}) > 0" for window in (10, 20))
_LONG_ENOUGH = f"games_in_sample_20 >= {LONG_WINDOW_MIN_GAMES}"
_RATE_20 = f"100 * paint_attempts_last_20 / ({_of_zones(20, 'attempts', ' + ')})"

OUTPUT = OutputTable(
    CALCULATION_VERSION,
    (
        date_column("analysis_date"),
        whole("player_id"),
        text("player_lookup"),
        text("universal_player_id"),
        text("player_position"),
        whole("season_year"),
        text(
            "primary_scoring_zone",
            formula=(
                "None if paint_rate_last_10 is None "
                f"else 'paint' if paint_rate_last_10 >= {PRIMARY_PAINT_MIN} "
                f"else 'perimeter' if three_pt_rate_last_10 >= {PRIMARY_THREE_MIN} "
                f"else 'mid_range' if mid_range_rate_last_10 >= {PRIMARY_MID_RANGE_MIN} "
                "else 'balanced'"
            ),
        ),
        text(
            "sample_quality_10",
            formula=_graded_by("100 * games_in_sample_10", SHORT_WINDOW, SAMPLE_QUALITY),
        ),
        text(
            "sample_quality_20",
            formula=_graded_by("100 * games_in_sample_20", LONG_WINDOW, SAMPLE_QUALITY),
        ),
        text("data_quality_tier", formula=_graded_by("games_in_sample_10", 1, DATA_QUALITY_TIER)),
        whole("games_in_sample_10", 0, SHORT_WINDOW, formula="complete_games_last_10"),
        whole("games_in_sample_20", 0, LONG_WINDOW, formula="complete_games_last_20"),
        whole(
            "total_shots_last_10",
            formula=f"{_of_zones(10, 'attempts', ' + ')} if {_KNOWN_10} else None",
        ),
        decimal("paint_rate_last_10", 0, 100, formula=_rate("paint")),
        decimal("mid_range_rate_last_10", 0, 100, formula=_rate("mid_range")),
        decimal("three_pt_rate_last_10", 0, 100, formula=_rate("three_pt")),
        decimal("paint_pct_last_10", 0, 1, formula=_pct("paint", 10)),
        decimal("mid_range_pct_last_10", 0, 1, formula=_pct("mid_range", 10)),
        decimal("three_pt_pct_last_10", 0, 1, formula=_pct("three_pt", 10)),
        decimal("paint_attempts_per_game", 0, MAX_ATTEMPTS, formula=_per_game("paint")),
        decimal("mid_range_attempts_per_game", 0, MAX_ATTEMPTS, formula=_per_game("mid_range")),
        decimal("three_pt_attempts_per_game", 0, MAX_ATTEMPTS, formula=_per_game("three_pt")),
        decimal("assisted_rate_last_10", 0, 100, formula=_assist_rate("assisted")),
        decimal("unassisted_rate_last_10", 0, 100, formula=_assist_rate("unassisted")),
        decimal(
            "paint_rate_last_20",
            0,
            100,
            formula=(
                f"round({_RATE_20}, {RATE_DECIMALS}) if {_LONG_ENOUGH} and {_KNOWN_20} else None"
            ),
        ),
        decimal(
            "paint_pct_last_20", 0, 1, formula=f"{_pct('paint', 20)} if {_LONG_ENOUGH} else None"
        ),
    ),
)
"""The rows written to ``player_shot_zone_analysis``."""


def compute(tables: Tables, params: Mapping[str, object]) -> ChunkResult:  # noqa: ARG001
    """Compute the shot zones of every player and date of a chunk.

    Parameters
    ----------
    tables
        ``players`` and ``games`` with `PLAYER_COLUMNS` and `GAME_COLUMNS`, rows in any order.
    params
        Unused; all processors have the same signature.

    Returns
    -------
    ChunkResult
        A row or a failure for each row of ``players``.
    """
    require_columns(tables["players"], "players", PLAYER_COLUMNS)
    require_columns(tables["games"], "games", GAME_COLUMNS)
    players, keys = sorted_entities(tables["players"], entity_keys(tables["players"]))
    games = game_windows(tables["games"], players, LONG_WINDOW)
    complete = games.flags("has_complete_shot_zones")

    rejected = Rejections(len(keys))
    actual = integers(players, "actual_game_count")
    dates = days(players, "analysis_date").values
    reject_wrong_games(rejected, games, actual, dates, LONG_WINDOW)
    (complete_10,) = games.tallies(complete, SHORT_WINDOW)
    too_few = ~rejected.mask & (actual.values < MIN_GAMES_REQUIRED)
    lacking = ~rejected.mask & ~too_few & (complete_10 < SHORT_WINDOW)[games.of_entity]

    used = None if complete.all() else complete
    zones = {zone: _zone(games, source, used, rejected) for zone, source in ZONES.items()}
    assists = _assists(games, used, rejected)
    failed = rejected.mask & ~too_few & ~lacking
    computed = ~(failed | too_few | lacking)

    kept = games.restricted(computed)
    by_window = _columns(kept, complete, zones, assists)
    rows, out_of_range = OUTPUT.rows(players, computed, {}, ByWindow(by_window, kept.of_entity))
    at_too_few, at_lacking, at_failed = map(np.flatnonzero, (too_few, lacking, failed))
    failures = [
        Failed(
            at_too_few,
            EXPECTED_INCOMPLETE,
            too_few_reasons(actual.values[at_too_few], MIN_GAMES_REQUIRED),
        ),
        *missing_games(games, complete, at_lacking, SHORT_WINDOW, "complete shot zones"),
        Failed(at_failed, PROCESSING_ERROR, rejected.reasons(at_failed)),
        out_of_range,
    ]
    return ChunkResult(rows, failure_rows(players, failures, MIN_GAMES_REQUIRED))


@dataclass(frozen=True)
class _Counts:
    """Two counts per game row, 0 where not `known`; `known` is None if all are known."""

    first: IntArray
    second: IntArray
    known: BoolArray | None


def _counts(first: Integers, second: Integers, used: BoolArray | None) -> _Counts:
    known = both_valid(both_valid(first.valid, second.valid), used)
    if known is None:
        return _Counts(first.values, second.values, None)
    return _Counts(
        zero_where_unknown(first.values, known), zero_where_unknown(second.values, known), known
    )


def _zone(games: GameWindows, source: str, used: BoolArray | None, rejected: Rejections) -> _Counts:
    """Read a zone's makes and attempts; a zone is known in a game if both are."""
    made, tried = f"{source}_makes", f"{source}_attempts"
    makes, attempts = games.integers(made), games.integers(tried)
    reject_values(rejected, games, made, makes, used=used, high=MAX_ATTEMPTS)
    reject_values(rejected, games, tried, attempts, used=used, high=MAX_ATTEMPTS)
    counts = _counts(makes, attempts, used)
    reject_excess(rejected, games, (made, counts.first), (tried, counts.second))
    return counts


def _assists(games: GameWindows, used: BoolArray | None, rejected: Rejections) -> _Counts:
    columns = []
    for name in ("assisted_fg_makes", "unassisted_fg_makes"):
        column = games.integers(name)
        reject_values(rejected, games, name, column, used=used, high=MAX_ATTEMPTS)
        columns.append(column)
    return _counts(columns[0], columns[1], used)


def _columns(
    games: GameWindows, complete: BoolArray, zones: Mapping[str, _Counts], assists: _Counts
) -> dict[str, pa.Array]:
    """Return the computed columns, one value per window: none depends on the date."""
    sample_10, sample_20 = games.tallies(complete, SHORT_WINDOW, LONG_WINDOW)
    note(complete_games_last_10=sample_10, complete_games_last_20=sample_20)
    columns = {
        "games_in_sample_10": pa.array(sample_10),
        "games_in_sample_20": pa.array(sample_20),
        "sample_quality_10": _graded(100 * sample_10, SHORT_WINDOW, SAMPLE_QUALITY),
        "sample_quality_20": _graded(100 * sample_20, LONG_WINDOW, SAMPLE_QUALITY),
        "data_quality_tier": _graded(sample_10, 1, DATA_QUALITY_TIER),
    }
    attempts: dict[str, list[IntArray]] = {}
    known_10 = np.ones(len(sample_10), dtype=np.bool_)
    long_enough = sample_20 >= LONG_WINDOW_MIN_GAMES
    known_20 = long_enough
    for zone, counts in zones.items():
        makes_10, makes_20 = games.sums(counts.first, SHORT_WINDOW, LONG_WINDOW)
        attempts[zone] = games.sums(counts.second, SHORT_WINDOW, LONG_WINDOW)
        in_10, in_20 = games.tallies(counts.known, SHORT_WINDOW, LONG_WINDOW)
        known_10 &= in_10 > 0
        known_20 = known_20 & (in_20 > 0)
        tried_10, tried_20 = attempts[zone]
        for window, made, tried, known in (
            (SHORT_WINDOW, makes_10, tried_10, in_10),
            (LONG_WINDOW, makes_20, tried_20, in_20),
        ):
            note(
                **{
                    f"{zone}_makes_last_{window}": made,
                    f"{zone}_attempts_last_{window}": tried,
                    f"{zone}_games_last_{window}": known,
                }
            )
        columns[f"{zone}_pct_last_10"] = ratio_array(makes_10, tried_10, PCT_DECIMALS)
        columns[f"{zone}_attempts_per_game"] = ratio_array(tried_10, in_10, PER_GAME_DECIMALS)
        if zone == "paint":
            pct_20 = ratio_array(makes_20, tried_20, PCT_DECIMALS, where=long_enough)
            columns["paint_pct_last_20"] = pct_20
    total_10 = sum((sums[0] for sums in attempts.values()), np.zeros_like(sample_10))
    total_20 = sum((sums[1] for sums in attempts.values()), np.zeros_like(sample_20))
    columns["total_shots_last_10"] = nullable(total_10, known_10)
    rates = {zone: _percent(sums[0], total_10, known_10) for zone, sums in attempts.items()}
    for zone, rate in rates.items():
        columns[f"{zone}_rate_last_10"] = decimal_array(rate, RATE_DECIMALS)
    columns["primary_scoring_zone"] = _primary_zone(rates)
    rate_20 = _percent(attempts["paint"][1], total_20, known_20)
    columns["paint_rate_last_20"] = decimal_array(rate_20, RATE_DECIMALS)
    (assisted,) = games.sums(assists.first, SHORT_WINDOW)
    (unassisted,) = games.sums(assists.second, SHORT_WINDOW)
    note(assisted_makes_last_10=assisted, unassisted_makes_last_10=unassisted)
    for name, part in (("assisted", assisted), ("unassisted", unassisted)):
        rate = _percent(part, assisted + unassisted)
        columns[f"{name}_rate_last_10"] = decimal_array(rate, RATE_DECIMALS)
    return columns


def _percent(part: IntArray, whole: IntArray, where: BoolArray | None = None) -> Integers:
    """Return a share in hundredths of a percent; missing if the whole is 0."""
    valid = whole > 0 if where is None else where & (whole > 0)
    return Integers(round_half_even(100 * part, whole, RATE_DECIMALS, valid), valid)


def _primary_zone(rates: Mapping[str, Integers]) -> pa.Array:
    """Find the primary zone from the stored (rounded) rates, so that the row explains it."""
    unit = 10**RATE_DECIMALS
    codes = np.select(
        [
            ~rates["paint"].known(),
            rates["paint"].values >= PRIMARY_PAINT_MIN * unit,
            rates["three_pt"].values >= PRIMARY_THREE_MIN * unit,
            rates["mid_range"].values >= PRIMARY_MID_RANGE_MIN * unit,
        ],
        [0, 1, 2, 3],
        4,
    )
    return labels_of(codes, [None, "paint", "perimeter", "mid_range", "balanced"])


def _graded(amounts: IntArray, whole: int, grades: tuple[tuple[int, str], ...]) -> pa.Array:
    """Return for each amount the first grade whose bound, times `whole`, it reaches."""
    codes = np.select([amounts >= bound * whole for bound, _ in grades], range(len(grades)))
    return labels_of(codes, [grade for _, grade in grades])


SHOT_ZONES = Processor(
    number=2,
    key="psza",
    name="PlayerShotZoneAnalysisProcessor",
    title="Player shot zones",
    calculation_version=CALCULATION_VERSION,
    model="player_shot_zone_analysis",
    inputs_model="player_shot_zone_inputs",
    entity="player_id",
    population=Population.PLAYERS_WITH_A_GAME,
    work=PoolWork(compute, OUTPUT, PLAYER_COLUMNS, Games(GAME_COLUMNS, LONG_WINDOW)),
)
