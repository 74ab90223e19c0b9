"""Feature store (MLFS): one row of features per player and game. dbt builds its rows."""

from __future__ import annotations

from python_workers import table_names
from python_workers.processors.base import Population, Processor, SqlWork
from python_workers.processors.failures import PROCESSING_ERROR

_MISSING_ROWS = f"""
select
    analysis_date,
    entity_id,
    player_id,
    actual_game_count,
    '{PROCESSING_ERROR.name}' as failure_category,
    'the feature store has no row for him: look at its inputs' as failure_reason,
    cast(null as string) as missing_game_dates,
from {table_names.EXPECTED_ENTITIES}
where processor_name = @processor
    and analysis_date between @first and @last
    and analysis_date in unnest(@days)
"""  # noqa: S608 our own names

FEATURE_STORE = Processor(
    number=5,
    key="mlfs",
    name="MLFeatureStoreProcessor",
    title="Feature store",
    calculation_version="v2_2",
    schema=table_names.PREDICTIONS,
    model="ml_feature_store_v2",
    date_column="game_date",
    inputs_model="ml_feature_store_inputs",
    entity="player_id",
    population=Population.LISTED_PLAYERS,
    work=SqlWork(_MISSING_ROWS, upstream=("tdza", "psza", "pcf", "pdc")),
)
