"""The datasets, and the name of every table and view that Python reads or writes in them.

`RECORD_KEYS` has the key of each table of records in which a later run replaces no earlier record.

Where the rows and inputs of a processor stand follows from its declaration.
"""

from __future__ import annotations

from collections.abc import Mapping

RAW = "nba_raw"
STAGING = "nba_staging"
ANALYTICS = "nba_analytics"
PRECOMPUTE = "nba_precompute"
PREDICTIONS = "nba_predictions"
PROCESSING = "nba_processing"
DATASETS = (RAW, STAGING, ANALYTICS, PRECOMPUTE, PREDICTIONS, PROCESSING)

GAMES = f"{RAW}.games"
PLAYERS = f"{RAW}.players"
PLAYER_BOX_SCORES = f"{RAW}.player_box_scores"
SHOTS = f"{RAW}.shots"
PLAYER_REGISTRY = f"{RAW}.player_registry"
LOADS = f"{RAW}.loads"
CHANGED_GAMES = f"{RAW}.changed_games"

SEASONS = f"{STAGING}.seasons"
KNOWN_SOURCE_GAPS = f"{STAGING}.known_source_gaps"

GAME_DATES = f"{ANALYTICS}.game_dates"
TEAM_GAMES = f"{ANALYTICS}.int_team_games"
GAME_TEAMS = f"{ANALYTICS}.int_game_teams"
PLAYER_GAMES = f"{ANALYTICS}.int_player_games"
PLAYER_GAME_SUMMARY = f"{ANALYTICS}.player_game_summary"

INPUT_FINGERPRINTS = f"{PRECOMPUTE}.input_fingerprints"

TRAINING_EXAMPLES = f"{PREDICTIONS}.training_examples"

PROCESSOR_RUNS = f"{PROCESSING}.processor_runs"
PROCESSED_DATES = f"{PROCESSING}.processed_dates"
PRECOMPUTE_FAILURES = f"{PROCESSING}.precompute_failures"
INPUT_BUILDS = f"{PROCESSING}.input_builds"
RECORD_CHANGES = f"{PROCESSING}.record_changes"
REPROCESS_ATTEMPTS = f"{PROCESSING}.reprocess_attempts"
EXPECTED_ENTITIES = f"{PROCESSING}.expected_entities"
BACKFILL_COVERAGE = f"{PROCESSING}.backfill_coverage"
STALE_DATES = f"{PROCESSING}.stale_dates"
SOURCE_GAPS = f"{PROCESSING}.source_gaps"
UNMATCHED_KNOWN_GAPS = f"{PROCESSING}.unmatched_known_gaps"
RAW_FINDINGS = f"{PROCESSING}.raw_findings"

RECORD_KEYS: Mapping[str, tuple[str, ...]] = {
    PROCESSOR_RUNS: ("processor_name", "analysis_date", "run_id"),
    RECORD_CHANGES: ("processor_name", "analysis_date", "entity_id", "run_id"),
    REPROCESS_ATTEMPTS: ("processor_name", "analysis_date", "entity_id"),
    INPUT_BUILDS: ("build_id",),
}
