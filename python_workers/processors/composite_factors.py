"""Player composite factors (PCF): how the next game changes a player's expected output."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.columnar.columns import (
    Integers,
    booleans,
    decimal_array,
    decoded,
    fixed_point,
    integers,
    labels_of,
    one_array,
    require_columns,
)
from python_workers.columnar.rounding import BoolArray, IntArray, round_half_even
from python_workers.columnar.segments import (
    Tables,
    entity_keys,
    rows_of,
    sorted_entities,
    team_rows,
)
from python_workers.columnar.value_texts import json_objects
from python_workers.processors.base import PoolWork, Population, Processor
from python_workers.processors.factor_scores import (
    FATIGUE_MAX,
    FATIGUE_MIN,
    FORMULAS,
    MISMATCH_MAX,
    PACE_MAX,
    PROJECTED_USAGE_MAX_E4,
    STEPS,
    UNIT,
    USAGE_DECIMALS,
    USAGE_MAX,
    Factor,
    fatigue,
    pace,
    score_tenths,
    shot_zone_mismatch,
    usage_spike,
)
from python_workers.processors.failures import (
    PROCESSING_ERROR,
    ChunkResult,
    Failed,
    Rejections,
    failure_rows,
)
from python_workers.processors.output_table import (
    OutputTable,
    date_column,
    decimal,
    flag,
    text,
    whole,
)

CALCULATION_VERSION = "v2_4factors"

DEFERRED_SCORES = (
    "referee_favorability_score",
    "look_ahead_pressure_score",
    "travel_impact_score",
    "opponent_strength_score",
)
"""Factors of a later calculation version, stored as 0.0."""

TOTAL_DECIMALS = 2
# -5 for fatigue, and the ranges of the three other factors.
TOTAL_MIN, TOTAL_MAX = -21, 16

WARN_FATIGUE_BELOW = 50
WARN_MISMATCH_BEYOND = 8
WARN_TOTAL_BEYOND = 12
WARNINGS = (
    f"fatigue_score below {WARN_FATIGUE_BELOW}",
    f"shot_zone_mismatch_score beyond {WARN_MISMATCH_BEYOND}",
    f"total_composite_adjustment beyond {WARN_TOTAL_BEYOND}",
)

INPUTS = (
    "days_rest",
    "pace_differential",
    "player_shot_zone_analysis",
    "projected_usage_rate",
    "team_defense_zone_analysis",
)
"""The inputs that ``data_completeness_pct`` counts and ``missing_data_fields`` names."""

MAX_RATE_E4 = 10**9
MAX_USAGE_E4 = 100_0000
PLAYER_RANGES: dict[str, tuple[int, int]] = {
    "days_rest": (0, 366),
    "games_in_last_7_days": (0, 7),
    "seconds_in_last_7_days": (0, 7 * 100 * 60),
    "back_to_backs_last_14_days": (0, 13),
    "player_age": (10, 80),
    "team_pace_games_last_10": (0, 10),
    "team_pace_e4_sum_last_10": (0, 10 * MAX_RATE_E4),
    "opponent_pace_games_last_10": (0, 10),
    "opponent_pace_e4_sum_last_10": (0, 10 * MAX_RATE_E4),
    "usage_games_last_7": (0, 7),
    "usage_e4_sum_last_7": (0, 7 * MAX_USAGE_E4),
    "team_games_last_10": (0, 10),
    "team_usage_load": (0, 10**18),
    "star_teammates_out": (0, 30),
}
"""Least and greatest value of a player's column."""

PLAYER_COLUMNS = (
    "analysis_date",
    "player_id",
    "player_lookup",
    "universal_player_id",
    "game_id",
    "team_abbr",
    "opponent_team_abbr",
    "season_year",
    "population_source",
    "is_back_to_back",
    "is_bootstrap",
    "is_season_boundary",
    *PLAYER_RANGES,
)
"""Columns read from ``players``, one row per (analysis_date, player_id)."""

ZONES = (
    ("paint_rate_last_10", "paint_defense_vs_league_avg"),
    ("mid_range_rate_last_10", "mid_range_defense_vs_league_avg"),
    ("three_pt_rate_last_10", "three_pt_defense_vs_league_avg"),
)
"""Per zone (paint, mid_range, perimeter): the player's column and the opponent's column."""

PSZA_COLUMNS = ("analysis_date", "player_id", "primary_scoring_zone", *(rate for rate, _ in ZONES))
"""Columns read from ``psza``, the shot zones of the same dates."""

TDZA_COLUMNS = ("analysis_date", "team_abbr", *(defense for _, defense in ZONES))
"""Columns read from ``tdza``, the team defences of the same dates."""


def _of_primary_zone(columns: Sequence[str]) -> str:
    """Return the formula that chooses a column by the player's zone; `_primary_zones` finds it."""
    paint, mid_range, perimeter = columns
    zone = "psza.primary_scoring_zone"
    others = f"{mid_range} if {zone} == 'mid_range' else {perimeter} if {zone} == 'perimeter'"
    return f"{others} else {paint}"


_IS_PRESENT = {
    "days_rest": "days_rest is not None",
    "pace_differential": "pace_differential is not None",
    "player_shot_zone_analysis": "psza.player_id is not None",
    "projected_usage_rate": "projected_usage_rate is not None",
    "team_defense_zone_analysis": "tdza.team_abbr is not None",
}
_COMPLETENESS = " + ".join(
    f"({100 // len(INPUTS)} if {_IS_PRESENT[name]} else 0)" for name in INPUTS
)
_HAS_WARNINGS = (
    f"fatigue_score < {WARN_FATIGUE_BELOW} "
    f"or abs(shot_zone_mismatch_score) > {WARN_MISMATCH_BEYOND} "
    f"or abs(total_composite_adjustment) > {WARN_TOTAL_BEYOND}"
)
_TOTAL = (
    "round(fatigue_adjustment + mismatch_adjustment + pace_adjustment + usage_adjustment, "
    f"{TOTAL_DECIMALS})"
)

OUTPUT = OutputTable(
    CALCULATION_VERSION,
    (
        date_column("analysis_date"),
        date_column("game_date", formula="analysis_date"),
        whole("player_id"),
        text("player_lookup"),
        text("universal_player_id"),
        text("game_id"),
        text("team_abbr"),
        text("opponent_team_abbr"),
        whole("season_year"),
        text("population_source", is_hashed=False),
        whole("fatigue_score", FATIGUE_MIN, FATIGUE_MAX, formula=FORMULAS["fatigue_score"]),
        decimal(
            "shot_zone_mismatch_score",
            -MISMATCH_MAX,
            MISMATCH_MAX,
            formula=FORMULAS["shot_zone_mismatch_score"],
        ),
        decimal("pace_score", -PACE_MAX, PACE_MAX, formula=FORMULAS["pace_score"]),
        decimal("usage_spike_score", -USAGE_MAX, USAGE_MAX, formula=FORMULAS["usage_spike_score"]),
        *(decimal(name, formula="0") for name in DEFERRED_SCORES),
        decimal("total_composite_adjustment", TOTAL_MIN, TOTAL_MAX, formula=_TOTAL),
        decimal("pace_differential", formula=FORMULAS["pace_differential"]),
        decimal("recent_usage_rate", formula=FORMULAS["recent_usage_rate"]),
        decimal(
            "projected_usage_rate",
            0,
            PROJECTED_USAGE_MAX_E4 / 10**USAGE_DECIMALS,
            formula=FORMULAS["projected_usage_rate"],
        ),
        whole("star_teammates_out"),
        whole("days_rest"),
        text("fatigue_context_json", is_hashed=False),
        text("shot_zone_context_json", is_hashed=False),
        text("pace_context_json", is_hashed=False),
        text("usage_context_json", is_hashed=False),
        decimal("data_completeness_pct", 0, 100, is_hashed=False, formula=_COMPLETENESS),
        text("missing_data_fields", is_hashed=False),
        flag("has_warnings", is_hashed=False, formula=_HAS_WARNINGS),
        text("warning_details", is_hashed=False),
        flag(
            "upstream_psza_ready", is_hashed=False, formula=_IS_PRESENT["player_shot_zone_analysis"]
        ),
        flag(
            "upstream_tdza_ready",
            is_hashed=False,
            formula=_IS_PRESENT["team_defense_zone_analysis"],
        ),
        flag("is_bootstrap", is_hashed=False),
        flag("is_season_boundary", is_hashed=False),
    ),
    {
        "zone_rate": _of_primary_zone([f"psza.{rate}" for rate, _ in ZONES]),
        "defense_vs_league_avg": _of_primary_zone([f"tdza.{defense}" for _, defense in ZONES]),
        **STEPS,
    },
)
"""The rows written to ``player_composite_factors``."""


def compute(tables: Tables, params: Mapping[str, object]) -> ChunkResult:  # noqa: ARG001
    """Compute the composite factors of every player and date of a chunk.

    Parameters
    ----------
    tables
        ``players``, ``psza`` and ``tdza`` with `PLAYER_COLUMNS`, `PSZA_COLUMNS` and `TDZA_COLUMNS`,
        rows in any order.
    params
        Unused; all processors have the same signature.

    Returns
    -------
    ChunkResult
        A row for each row of ``players``, or a failure if a value is impossible.
    """
    require_columns(tables["players"], "players", PLAYER_COLUMNS)
    require_columns(tables["psza"], "psza", PSZA_COLUMNS)
    require_columns(tables["tdza"], "tdza", TDZA_COLUMNS)
    players, keys = sorted_entities(tables["players"], entity_keys(tables["players"]))

    rejected = Rejections(len(keys))
    load = {}
    for name, (low, high) in PLAYER_RANGES.items():
        load[name] = integers(players, name)
        rejected.require_range(name, load[name], low, high)
    psza, tdza = tables["psza"], tables["tdza"]
    psza_rows = rows_of(keys, psza)
    tdza_rows = team_rows(players, "opponent_team_abbr", tdza)
    zone = _primary_zones(psza, psza_rows)
    rate_e2 = _of_zone(zone, psza, psza_rows, [rate for rate, _ in ZONES])
    defense_e2 = _of_zone(zone, tdza, tdza_rows, [defense for _, defense in ZONES])
    rejected.require_range("zone rate", rate_e2, 0, 100_00, unit=100)
    rejected.require_range("defense_vs_league_avg", defense_e2, -100_00, 100_00, unit=100)

    # Leave out rejected players before computing, since their values are impossible.
    computed = ~rejected.mask
    load = {name: column.take(computed) for name, column in load.items()}
    factors = {
        "fatigue": fatigue(load, booleans(players, "is_back_to_back")[computed]),
        "shot_zone": shot_zone_mismatch(
            zone[computed], rate_e2.take(computed), defense_e2.take(computed)
        ),
        "pace": pace(load),
        "usage": usage_spike(load),
    }
    present = {
        "days_rest": load["days_rest"].known(),
        "pace_differential": _known(factors["pace"], "pace_differential"),
        "player_shot_zone_analysis": psza_rows.known()[computed],
        "projected_usage_rate": _known(factors["usage"], "projected_usage_rate"),
        "team_defense_zone_analysis": tdza_rows.known()[computed],
    }
    columns = {
        "game_date": one_array(players, "analysis_date").filter(pa.array(computed)),
        **_score_columns(factors),
        **_readiness_columns(present),
        **{
            f"{name}_context_json": json_objects(factor.context) for name, factor in factors.items()
        },
    }
    rows, out_of_range = OUTPUT.rows(players, computed, columns)
    at_failed = np.flatnonzero(rejected.mask)
    failures = [Failed(at_failed, PROCESSING_ERROR, rejected.reasons(at_failed)), out_of_range]
    return ChunkResult(rows, failure_rows(players, failures))


def _primary_zones(psza: pa.Table, rows: Integers) -> IntArray:
    """Return each player's primary zone; balanced and unknown count as paint."""
    names = decoded(one_array(psza, "primary_scoring_zone"))
    others = pa.array(["mid_range", "perimeter"])
    codes = pc.index_in(names.cast(pa.string()), others).fill_null(-1).to_numpy() + 1
    return _at(Integers(codes.astype(np.int64)), rows).values


def _of_zone(zone: IntArray, table: pa.Table, rows: Integers, columns: list[str]) -> Integers:
    """Return, per player, the column that belongs to his zone, in hundredths."""
    by_zone = [_at(fixed_point(table, name, 2), rows) for name in columns]
    values = np.choose(zone, [column.values for column in by_zone])
    return Integers(values, np.choose(zone, [column.known() for column in by_zone]))


def _at(column: Integers, rows: Integers) -> Integers:
    """Return the values at the given rows; 0 and missing where the row is missing."""
    if not len(column.values):
        return Integers(np.zeros_like(rows.values), np.zeros(len(rows.values), np.bool_))
    taken = column.take(rows.values)
    known = taken.known() & rows.known()
    return Integers(np.where(known, taken.values, 0), known)


def _known(factor: Factor, name: str) -> BoolArray:
    known: BoolArray = factor.columns[name].is_valid().to_numpy(zero_copy_only=False)
    return known


def _score_columns(factors: Mapping[str, Factor]) -> dict[str, pa.Array]:
    total = _sum([factor.adjustment for factor in factors.values()])
    total_e2 = round_half_even(total, UNIT // 10**TOTAL_DECIMALS, 0)
    scores = {
        name: values for factor in factors.values() for name, values in factor.columns.items()
    }
    low_fatigue = scores["fatigue_score"].to_numpy() < WARN_FATIGUE_BELOW
    # Use the stored (rounded) values, so that the row explains its warnings.
    mismatch = np.abs(score_tenths(factors["shot_zone"].adjustment)) > WARN_MISMATCH_BEYOND * 10
    extreme = np.abs(total_e2) > WARN_TOTAL_BEYOND * 10**TOTAL_DECIMALS
    warnings = _subset_code([low_fatigue, mismatch, extreme])
    zeros = pa.array(np.zeros(len(total)))
    return {
        **scores,
        **dict.fromkeys(DEFERRED_SCORES, zeros),
        "total_composite_adjustment": decimal_array(Integers(total_e2), TOTAL_DECIMALS),
        "has_warnings": pa.array(warnings > 0),
        "warning_details": labels_of(warnings, [None, *_subset_texts(WARNINGS)[1:]]),
    }


def _readiness_columns(present: Mapping[str, BoolArray]) -> dict[str, pa.Array]:
    absent = [~present[name] for name in INPUTS]
    count = len(INPUTS) - _sum([gone.astype(np.int64) for gone in absent])
    return {
        "data_completeness_pct": decimal_array(Integers(100 * count // len(INPUTS)), 0),
        "missing_data_fields": labels_of(_subset_code(absent), _subset_texts(INPUTS)),
        "upstream_psza_ready": pa.array(present["player_shot_zone_analysis"]),
        "upstream_tdza_ready": pa.array(present["team_defense_zone_analysis"]),
    }


def _sum(parts: list[IntArray]) -> IntArray:
    total: IntArray = np.add.reduce(parts)
    return total


def _subset_code(members: list[BoolArray]) -> IntArray:
    """Encode which members are true as a number: bit i stands for member i."""
    return _sum([member.astype(np.int64) << bit for bit, member in enumerate(members)])


def _subset_texts(names: tuple[str, ...]) -> list[str]:
    """Return each subset as a JSON array, in the order of `_subset_code`."""
    return [
        json.dumps([name for bit, name in enumerate(names) if code >> bit & 1])
        for code in range(1 << len(names))
    ]


COMPOSITE_FACTORS = Processor(
    number=3,
    key="pcf",
    name="PlayerCompositeFactorsProcessor",
    title="Composite factors",
    calculation_version=CALCULATION_VERSION,
    model="player_composite_factors",
    inputs_model="player_composite_factors_inputs",
    entity="player_id",
    population=Population.LISTED_PLAYERS,
    work=PoolWork(
        compute,
        OUTPUT,
        PLAYER_COLUMNS,
        upstream_columns={"tdza": TDZA_COLUMNS, "psza": PSZA_COLUMNS},
    ),
)
