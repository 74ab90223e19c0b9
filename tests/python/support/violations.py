"""Changes that make each dbt data test fail, in the league of `test_dbt_tests_fail.py`."""

from __future__ import annotations

import datetime as dt

from python_workers.raw.schema import BOX_COUNTS
from tests.python.support.leagues import days

# From the eleventh date on, every player has ten games.
DATES = days(13)
FIRST, LAST = DATES[0], DATES[-1]
FREE_DAY = FIRST + dt.timedelta(days=1)
TEAMS = {"AAA": (11, 12, 13), "BBB": (21, 22, 23), "CCC": (31, 32, 33), "DDD": (41, 42, 43)}

TDZA = "nba_precompute.team_defense_zone_analysis"
PSZA = "nba_precompute.player_shot_zone_analysis"
PCF = "nba_precompute.player_composite_factors"
PDC = "nba_precompute.player_daily_cache"
MLFS = "nba_predictions.ml_feature_store_v2"
FAILURES = "nba_processing.precompute_failures"
PROCESSED = "nba_processing.processed_dates"
EXPECTED = "nba_processing.expected_entities"
PSZA_INPUTS = "nba_precompute.player_shot_zone_inputs"
PDC_INPUTS = "nba_precompute.player_daily_cache_inputs"
SUMMARY = "nba_analytics.player_game_summary"
CONTEXT = "nba_analytics.upcoming_player_game_context"
LINES = "nba_raw.player_box_scores"
SHOTS = "nba_raw.shots"
GAMES = "nba_raw.games"
SEASONS = "nba_staging.seasons"
KNOWN_GAPS = "nba_staging.known_source_gaps"
TRAINING = "nba_predictions.training_examples"


def change(table: str, *assignments: str) -> list[str]:
    """Return one update per row: the first assignment spoils the first row, and so on."""
    return [
        f"update {table} set {assignment} where rowid = "
        f"(select rowid from {table} order by rowid limit 1 offset {number})"
        for number, assignment in enumerate(assignments)
    ]


SPOILED: dict[str, list[str]] = {
    "rows_and_failures_are_those_recorded": [
        *change(PDC, "points_avg_last_5 = points_avg_last_5 + 1"),
        *change(FAILURES, "failure_reason = 'forged'"),
    ],
    "every_expected_entity_is_accounted_for": [
        f"delete from {PDC} where analysis_date = '{LAST}' and player_id = 11",
        f"delete from {FAILURES} where analysis_date = '{FIRST}' and entity_id = 'AAA'",
    ],
    "no_entity_is_both_recorded_and_failed": [
        f"""
        insert into {FAILURES} by name
        select
            'PlayerCompositeFactorsProcessor' as processor_name, 'STALE_DATA' as failure_category,
            player_lookup as entity_id, player_id, analysis_date
        from {PCF} where analysis_date = '{LAST}' and player_id = 11
        """,
        f"""
        insert into {FAILURES} by name
        select
            'TeamDefenseZoneAnalysisProcessor' as processor_name, team_abbr as entity_id,
            analysis_date
        from {TDZA} where analysis_date = '{LAST}' and team_abbr = 'AAA'
        """,
    ],
    "no_unexpected_entity_has_a_row_or_failure": [
        f"""
        update {PCF} set analysis_date = '{FREE_DAY}'
        where analysis_date = '{LAST}' and player_id = 11
        """,
        f"""
        delete from {EXPECTED}
        where
            processor_name = 'PlayerDailyCacheProcessor'
            and analysis_date = '{LAST}' and player_id = 12
        """,
        *change(TDZA, "team_abbr = 'XXX'"),
    ],
    "failure_categories_are_known": change(
        FAILURES,
        "failure_category = 'SHRUG'",
        "failure_category = null",
        "processor_name = 'PlayerProcessor'",
    ),
    "failures_say_whether_to_expect_and_retry": change(
        FAILURES, "can_retry = true", "is_expected = false", "is_expected = null"
    ),
    "no_failure_needs_investigation": change(
        FAILURES,
        "failure_category = 'PROCESSING_ERROR'",
        "failure_category = 'INCOMPLETE_UPSTREAM'",
        "failure_category = 'CIRCUIT_BREAKER_ACTIVE'",
    ),
    "no_date_is_behind_what_it_is_made_of": change(
        "nba_processing.processed_dates", "input_fingerprint = 'other'"
    ),
    "every_game_date_is_run_by_every_processor": [
        f"""
        delete from {PROCESSED}
        where processor_name = 'PlayerDailyCacheProcessor' and analysis_date = '{LAST}'
        """,
        f"""
        update {PROCESSED} set processor_name = null
        where processor_name = 'MLFeatureStoreProcessor' and analysis_date = '{FIRST}'
        """,
    ],
    "data_hashes_are_16_hex_digits": [
        *change(PSZA, "data_hash = upper(data_hash)", "data_hash = null"),
        *change(PCF, "data_hash = left(data_hash, 15)"),
        *change(PDC, "data_hash = 'g' || data_hash[2:]"),
    ],
    "feature_rows_belong_to_known_players": [
        *change(PSZA, "universal_player_id = 'nobody_11'"),
        *change(PCF, "player_lookup = 'nobody'"),
        *change(PDC, "player_id = 99"),
        *change(MLFS, "player_lookup = null"),
        f"""
        update {FAILURES} set entity_id = 'nobody'
        where
            processor_name = 'PlayerShotZoneAnalysisProcessor'
            and analysis_date = '{DATES[1]}' and player_id = 11
        """,
    ],
    "no_row_uses_a_game_on_or_after_its_date": [
        # This makes the game on the date itself the last one of the window.
        *change(PSZA_INPUTS, "actual_game_count = actual_game_count + 1"),
        *change(
            PDC_INPUTS,
            "actual_game_count = actual_game_count + 1",
            "last_played_date = analysis_date",
        ),
        *change(CONTEXT, "last_played_date = game_date"),
    ],
    "known_source_gaps_match_a_gap": [
        f"insert into {KNOWN_GAPS} by name select '0029900001' as game_id, 'lost' as reason",
    ],
    "known_source_gaps_are_listed_once": [
        f"""
        insert into {KNOWN_GAPS} by name
        select '0029900001' as game_id, unnest([11, 11]) as player_id, 'lost' as reason
        """,
        f"insert into {KNOWN_GAPS} by name select 11 as player_id, 'lost' as reason",
    ],
    "rest_advantages_of_a_game_cancel_out": [
        f"update {MLFS} set rest_advantage = 1 where game_date = '{LAST}' and team_abbr = 'AAA'",
        f"update {MLFS} set rest_advantage = null where game_date = '{LAST}' and team_abbr = 'CCC'",
        f"update {MLFS} set rest_advantage = 1 where game_date = '{DATES[-2]}' and player_id = 11",
    ],
    "box_score_lines_belong_to_a_team_of_their_game": change(
        LINES, "team_abbr = 'XXX'", "team_abbr = null", "game_id = '0029900001'"
    ),
    "every_game_belongs_to_a_known_season": change(GAMES, "season = '2098-99'"),
    "shots_belong_to_a_team_of_their_game": change(
        SHOTS, "team_abbr = 'XXX'", "team_abbr = null", "game_id = '0029900001'"
    ),
    "game_ids_agree_with_season_and_season_type": change(
        GAMES,
        "season_type = 'playoffs'",
        "season_type = 'play_in'",
        "game_id = '0032100001'",
        "game_id = '0022200001'",
    ),
    "box_score_lines_do_not_contradict_themselves": change(
        LINES,
        "minutes = null",
        "minutes = 0",
        "points = points + 1",
        "is_dnp = true",
        f"minutes = null, {', '.join(f'{name} = 0' for name in BOX_COUNTS)}",
    ),
}
"""Per singular test, statements that make one violation each."""

WARNINGS = {
    "no_failure_needs_investigation",
    "box_score_lines_do_not_contradict_themselves",
    "known_source_gaps_match_a_gap",
}

OUT_OF_RANGE: dict[str, tuple[str, dict[str, list[str]]]] = {
    "player_shot_zone_rates_sum_to_100": (
        PSZA,
        {
            "zone_rates_sum_to_100": [
                "paint_rate_last_10 = paint_rate_last_10 + 0.06",
                "three_pt_rate_last_10 = three_pt_rate_last_10 - 0.06",
                "mid_range_rate_last_10 = 'nan'",
            ],
            "zone_rates_are_known_together": [
                "paint_rate_last_10 = null",
                "mid_range_rate_last_10 = null, three_pt_rate_last_10 = null",
            ],
            "assisted_and_unassisted_sum_to_100": ["assisted_rate_last_10 = 0"],
        },
    ),
    "player_shot_zone_values_are_in_range": (
        PSZA,
        {
            "paint_rate": ["paint_rate_last_10 = 100.01", "paint_rate_last_10 = -0.01"],
            "mid_range_rate": ["mid_range_rate_last_10 = 100.01"],
            "three_point_rate": ["three_pt_rate_last_10 = -0.01"],
            "assisted_rate": ["assisted_rate_last_10 = 100.01"],
            "unassisted_rate": ["unassisted_rate_last_10 = 'inf'"],
            "paint_rate_of_20_games": ["games_in_sample_20 = 15, paint_rate_last_20 = 100.01"],
            "paint_percentage": ["paint_pct_last_10 = 1.001"],
            "mid_range_percentage": ["mid_range_pct_last_10 = -0.001"],
            "three_point_percentage": ["three_pt_pct_last_10 = 'nan'"],
            "paint_percentage_of_20_games": ["paint_pct_last_20 = 1.001"],
            "paint_attempts_a_game": ["paint_attempts_per_game = -0.1"],
            "mid_range_attempts_a_game": ["mid_range_attempts_per_game = 200.1"],
            "three_point_attempts_a_game": ["three_pt_attempts_per_game = -0.1"],
            "shots": ["total_shots_last_10 = -1"],
            "games_of_the_short_sample": ["games_in_sample_10 = 11, games_in_sample_20 = 11"],
            "games_of_the_long_sample": ["games_in_sample_20 = 9", "games_in_sample_20 = 21"],
            "no_20_game_rate_under_15_games": ["paint_rate_last_20 = 50"],
            "primary_zone": ["primary_scoring_zone = 'three'"],
            "quality_of_the_short_sample": ["sample_quality_10 = 'fine'"],
            "quality_of_the_long_sample": ["sample_quality_20 = ''"],
            "quality_tier": ["data_quality_tier = 'HIGH'"],
        },
    ),
    "composite_factor_scores_are_in_range": (
        PCF,
        {
            "fatigue_score": ["fatigue_score = 101", "fatigue_score = -1", "fatigue_score = null"],
            "shot_zone_mismatch_score": [
                "shot_zone_mismatch_score = 10.1",
                "shot_zone_mismatch_score = null",
            ],
            "pace_score": ["pace_score = -3.1", "pace_score = 'nan'"],
            "usage_spike_score": ["usage_spike_score = 3.1"],
            "deferred_scores_are_zero": [
                "travel_impact_score = 0.1",
                "referee_favorability_score = null",
            ],
            "total_adjustment": [
                "total_composite_adjustment = 16.01",
                "total_composite_adjustment = -21.01",
            ],
            "completeness": ["data_completeness_pct = 100.01"],
            "recent_usage": ["recent_usage_rate = -0.1"],
            "projected_usage": ["projected_usage_rate = 45.01"],
            "star_teammates_out": ["star_teammates_out = -1"],
            "days_of_rest": ["days_rest = -1"],
            "population_source": ["population_source = 'rumour'", "population_source = null"],
            "dates_agree": ["game_date = game_date + 1"],
        },
    ),
    "daily_cache_values_are_in_range": (
        PDC,
        {
            "mean_points": ["points_avg_last_5 = -0.1", "points_avg_season = 'inf'"],
            "deviation_of_points": ["points_std_last_10 = -0.1"],
            "mean_minutes": ["minutes_avg_last_10 = 100.1", "avg_minutes_per_game_last_7 = -1"],
            "usage": ["usage_rate_last_10 = -0.1"],
            "true_shooting": ["ts_pct_last_10 = -0.1"],
            "assisted_rate": ["assisted_rate_last_10 = 1.1"],
            "team_pace_and_rating": ["team_pace_last_10 = -0.1"],
            "games_of_the_week": ["games_in_last_7_days = -1", "games_in_last_7_days = 9"],
            "games_of_the_fortnight": ["games_in_last_14_days = 90"],
            "minutes_of_the_week": ["minutes_in_last_7_days = minutes_in_last_14_days + 1"],
            "back_to_backs": ["back_to_backs_last_14_days = 15"],
            "age": ["player_age = 9"],
            "zone_rates": ["three_pt_rate_last_10 = 100.1"],
            "completeness_of_5_games": [
                "l5_completeness_pct = 80, cache_quality_score = 80",
                "l5_completeness_pct = 101, cache_quality_score = 101",
            ],
            "completeness_of_10_games": ["l10_completeness_pct = -0.01, l10_is_complete = false"],
            "completeness_of_7_days": ["l7d_is_complete = not l7d_is_complete"],
            "completeness_of_14_days": ["l14d_completeness_pct = 89.99, l14d_is_complete = true"],
            "all_windows_complete": ["all_windows_complete = not all_windows_complete"],
            "quality_score": ["cache_quality_score = 99.99"],
            "dates_agree": ["cache_date = null"],
        },
    ),
    "team_defense_values_are_in_range": (
        TDZA,
        {
            "percentages_allowed": ["paint_pct_allowed_last_15 = 1.001"],
            "attempts_allowed_a_game": ["three_pt_attempts_allowed_per_game = -0.1"],
            "against_the_league": ["mid_range_defense_vs_league_avg = -100.01"],
            "rating_points_and_pace": ["defensive_rating_last_15 = -1", "opponent_pace = -1"],
            "games_in_the_sample": [
                "games_in_sample = 4",
                "games_in_sample = 16, early_season_flag = false",
            ],
            "strongest_zone": ["strongest_zone = 'three'"],
            "weakest_zone": ["weakest_zone = ''"],
            "quality_tier": ["data_quality_tier = null"],
            "early_season": ["early_season_flag = not early_season_flag"],
        },
    ),
    "feature_store_values_are_in_range": (
        MLFS,
        {
            "fatigue_score": ["fatigue_score = 101"],
            "shot_zone_mismatch_score": ["shot_zone_mismatch_score = -10.1"],
            "pace_score": ["pace_score = 3.1"],
            "usage_spike_score": ["usage_spike_score = -3.1"],
            "rest_advantage": ["rest_advantage = 3"],
            "recent_trend": ["recent_trend = -3"],
            "change_of_minutes": ["minutes_change = 3"],
            "zone_shares": ["pct_paint = 47.01, pct_mid_range = null"],
            "zone_shares_sum_to_1": ["pct_paint = 0.5, pct_mid_range = 0.3, pct_three = 0.201"],
            "share_of_free_throws": ["pct_free_throw = 1.1"],
            "team_wins": ["team_win_pct = 1.1"],
            "share_of_listings_without_playing": ["dnp_rate = -0.1"],
            "games_below_the_mean": ["consecutive_games_below_avg = 11"],
            "games_against_the_opponent": ["games_vs_opponent = -1"],
            "rest_and_load": ["days_rest = -1", "minutes_load_last_7d = -0.01"],
            "star_teammates_out": ["star_teammates_out = -1"],
            "quality_score": ["feature_quality_score = null, is_quality_ready = null"],
            "quality_ready": ["is_quality_ready = not is_quality_ready"],
            "data_source": ["data_source = 'guess'"],
            "population_source": ["population_source = null"],
        },
    ),
    "labels_are_in_range": (
        TRAINING,
        {
            "counts_of_games_played_alone": [
                (
                    "did_play = false, actual_points = 0, actual_minutes = 0, actual_fg_makes = 0, "
                    "actual_threes = 0, actual_ft_makes = 0"
                )
            ],
            "makes_within_attempts": [
                (
                    "actual_fg_makes = 2, actual_fg_attempts = 1, actual_threes = 0, "
                    "actual_ft_makes = 0, actual_points = 4"
                )
            ],
            "points_of_makes": [
                (
                    "actual_fg_makes = 1, actual_fg_attempts = 1, actual_threes = 0, "
                    "actual_ft_makes = 0, actual_points = 3"
                )
            ],
            "minutes": ["actual_minutes = 91"],
        },
    ),
    "season_days_are_in_order": (
        SEASONS,
        {
            "season_ends_after_it_begins": ["regular_season_end = last_date + 1"],
            "season_year_is_of_the_name": ["season_year = season_year - 1"],
            "season_begins_in_its_years": [
                "season = '2000-01', season_year = 2000",
            ],
        },
    ),
}
"""Per test of conditions its table and, per condition, values that break it (and no other)."""
