"""The list of all processors. Add a processor here to have it run and accounted for."""

from __future__ import annotations

from python_workers.processors.base import PoolWork, Processor
from python_workers.processors.composite_factors import COMPOSITE_FACTORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.feature_store import FEATURE_STORE
from python_workers.processors.shot_zones import SHOT_ZONES
from python_workers.processors.team_defense import TEAM_DEFENSE

PROCESSORS: tuple[Processor, ...] = (
    TEAM_DEFENSE,
    SHOT_ZONES,
    COMPOSITE_FACTORS,
    DAILY_CACHE,
    FEATURE_STORE,
)

BY_KEY: dict[str, Processor] = {processor.key: processor for processor in PROCESSORS}
BY_NAME: dict[str, Processor] = {processor.name: processor for processor in PROCESSORS}
POOL_PROCESSORS: tuple[Processor, ...] = tuple(
    processor for processor in PROCESSORS if isinstance(processor.work, PoolWork)
)
