"""The five processors: what each reads, writes and depends on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from python_workers import composite_factors, daily_cache, shot_zones

Engine = Literal["pool", "sql"]


@dataclass(frozen=True)
class Processor:
    """One processor.

    Parameters
    ----------
    number
        Its place in the order of a backfill, 1 to 5.
    name
        As stored in ``processor_name``.
    short
        As written on the command line.
    table, date_column
        Where its rows go, and the column that holds their date.
    inputs
        The table of its inputs.
    upstream
        Short names of the processors whose rows of the same date it reads.
    engine
        ``pool``: computed by worker processes. ``sql``: built by dbt.
    calculation_version
        A new one re-opens every date. For the dbt models it stands in ``dbt_project.yml`` too.
    """

    number: int
    name: str
    short: str
    table: str
    date_column: str
    inputs: str
    upstream: tuple[str, ...]
    engine: Engine
    calculation_version: str


TDZA = Processor(
    1,
    "TeamDefenseZoneAnalysisProcessor",
    "tdza",
    "nba_precompute.team_defense_zone_analysis",
    "analysis_date",
    "nba_precompute.team_defense_zone_inputs",
    (),
    "sql",
    "v2",
)
PSZA = Processor(
    2,
    "PlayerShotZoneAnalysisProcessor",
    "psza",
    "nba_precompute.player_shot_zone_analysis",
    "analysis_date",
    "nba_precompute.player_shot_zone_inputs",
    (),
    "pool",
    shot_zones.CALCULATION_VERSION,
)
PCF = Processor(
    3,
    "PlayerCompositeFactorsProcessor",
    "pcf",
    "nba_precompute.player_composite_factors",
    "analysis_date",
    "nba_precompute.player_composite_factors_inputs",
    ("tdza", "psza"),
    "pool",
    composite_factors.CALCULATION_VERSION,
)
PDC = Processor(
    4,
    "PlayerDailyCacheProcessor",
    "pdc",
    "nba_precompute.player_daily_cache",
    "analysis_date",
    "nba_precompute.player_daily_cache_inputs",
    ("psza",),
    "pool",
    daily_cache.CALCULATION_VERSION,
)
MLFS = Processor(
    5,
    "MLFeatureStoreProcessor",
    "mlfs",
    "nba_predictions.ml_feature_store_v2",
    "game_date",
    "nba_precompute.ml_feature_store_inputs",
    ("tdza", "psza", "pcf", "pdc"),
    "sql",
    "v2_2",
)

PROCESSORS: tuple[Processor, ...] = (TDZA, PSZA, PCF, PDC, MLFS)
BY_SHORT: dict[str, Processor] = {processor.short: processor for processor in PROCESSORS}
BY_NAME: dict[str, Processor] = {processor.name: processor for processor in PROCESSORS}
POOL_PROCESSORS: tuple[Processor, ...] = tuple(p for p in PROCESSORS if p.engine == "pool")
