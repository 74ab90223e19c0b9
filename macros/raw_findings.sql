{#
  The contradiction within a box-score line: the finding, or NULL.

  Minutes, counts and shots of the play-by-play each show that the player was on the floor. A line with
  counts or shots but without minutes contradicts itself; so does a line whose points are not
  2 * FGM + 3PM + FTM (FGM includes the threes).
#}
{% macro line_contradiction(seconds_played, shots_taken) -%}
    case
        when {{ seconds_played }} > 0 and points != 2 * fg_makes + three_pt_makes + ft_makes
            then 'points_unlike_makes'
        when {{ seconds_played }} > 0 then null
        when
            {% for count in box_score_counts() -%}
            {{ 'or ' if not loop.first }}{{ count }} > 0
            {% endfor -%}
            then 'counts_without_minutes'
        when {{ shots_taken }} > 0 then 'shots_without_minutes'
    end
{%- endmacro %}

{# Counts of a box-score line. #}
{% macro box_score_counts() -%}
    {{ return([
        'points', 'fg_makes', 'fg_attempts', 'three_pt_makes', 'three_pt_attempts', 'ft_makes',
        'ft_attempts', 'offensive_rebounds', 'defensive_rebounds', 'assists', 'steals', 'blocks',
        'turnovers', 'personal_fouls',
    ]) }}
{%- endmacro %}

{# A value as text; concat() skips NULL on DuckDB and gives NULL on BigQuery. #}
{% macro shown(value) -%}coalesce(cast({{ value }} as string), 'unknown'){%- endmacro %}

{#
  Facts that the raw tables state twice and differently, and facts that are missing.

  Each finding has the relation of raw_findings.sql with its rows, the raw table to correct, the
  condition, and the values to show. `backcourt load` refuses errors, so they come from elsewhere or
  from an older version; somebody must correct them. The others deserve a check.
#}
{% macro raw_finding_kinds() -%}
    {%- set line_of_no_game = 'game_date is null' -%}
    {%- set of_another_team = 'game_date is not null and (team_abbr is null or team_abbr not in (home_team_abbr, away_team_abbr))' -%}
    {%- set team = ["'team '", shown('team_abbr')] -%}
    {%- set teams = ["'game of '", shown('home_team_abbr'), "' and '", shown('away_team_abbr')] -%}
    {{ return([
        {
            'finding': 'line_of_unknown_game', 'table_name': 'player_box_scores', 'is_error': true,
            'relation': 'lines', 'condition': line_of_no_game, 'detail': team,
        },
        {
            'finding': 'line_of_another_team', 'table_name': 'player_box_scores', 'is_error': true,
            'relation': 'lines', 'condition': of_another_team, 'detail': team + ["', '"] + teams,
        },
        {
            'finding': 'shot_of_unknown_game', 'table_name': 'shots', 'is_error': true,
            'relation': 'shots', 'condition': line_of_no_game, 'detail': team,
        },
        {
            'finding': 'shot_of_another_team', 'table_name': 'shots', 'is_error': true,
            'relation': 'shots', 'condition': of_another_team, 'detail': team + ["', '"] + teams,
        },
        {
            'finding': 'game_of_unknown_season', 'table_name': 'games', 'is_error': true,
            'relation': 'games', 'condition': 'first_date is null',
            'detail': ["'season '", shown('season')],
        },
        {
            'finding': 'game_id_unlike_labels', 'table_name': 'games', 'is_error': true,
            'relation': 'games',
            'condition': "substr(game_id, 1, 2) = '00' and substr(game_id, 3, 1) in ('1', '2', '3', '4', '5', '6') and ("
                "substr(game_id, 3, 1) != case season_type when 'regular' then '2' when 'playoffs' then '4' when 'play_in' then '5' else '' end"
                " or substr(game_id, 4, 2) != substr(season, 3, 2))",
            'detail': ["'labelled '", shown('season_type'), "' of '", shown('season')],
        },
        {
            'finding': 'game_outside_its_season', 'table_name': 'games', 'is_error': false,
            'relation': 'games', 'condition': 'game_date < first_date or game_date > last_date',
            'detail': ["'season from '", shown('first_date'), "' to '", shown('last_date')],
        },
        {
            'finding': 'counts_without_minutes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines', 'condition': "contradiction = 'counts_without_minutes'",
            'detail': [shown(box_score_counts() | join(' + ')), "' counted points, shots, rebounds …, no minutes'"],
        },
        {
            'finding': 'count_missing', 'table_name': 'player_box_scores', 'is_error': true,
            'relation': 'lines', 'condition': box_score_counts() | join(' + ') ~ ' is null',
            'detail': ["'points, shots, rebounds … are not all there'"],
        },
        {
            'finding': 'dnp_with_minutes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines', 'condition': 'is_dnp and seconds_played > 0',
            'detail': ["'marked as not playing, '", shown('seconds_played'), "' seconds'"],
        },
        {
            'finding': 'shots_without_minutes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines', 'condition': "contradiction = 'shots_without_minutes'",
            'detail': [shown('shots_taken'), "' shots in the play-by-play, no minutes'"],
        },
        {
            'finding': 'points_unlike_makes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines', 'condition': "contradiction = 'points_unlike_makes'",
            'detail': [
                shown('points'), "' points, '", shown('2 * fg_makes + three_pt_makes + ft_makes'),
                "' by makes'",
            ],
        },
        {
            'finding': 'shots_unlike_attempts', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines',
            'condition': 'contradiction is null and team_shots > 0 and shots_taken != fg_attempts',
            'detail': [shown('shots_taken'), "' shots, '", shown('fg_attempts'), "' attempts'"],
        },
        {
            'finding': 'shots_unlike_makes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines',
            'condition': 'contradiction is null and team_shots > 0 and shots_taken = fg_attempts and ('
                'shots_made != fg_makes or threes_taken != three_pt_attempts or threes_made != three_pt_makes)',
            'detail': [
                shown('shots_made'), "' made, '", shown('threes_made'), "' of '", shown('threes_taken'),
                "' threes by shots, '", shown('fg_makes'), "', '", shown('three_pt_makes'), "' of '",
                shown('three_pt_attempts'), "' by line'",
            ],
        },
        {
            'finding': 'minutes_beyond_game', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines', 'condition': 'seconds_played > ' ~ most_player_seconds('overtimes'),
            'detail': [
                shown(int_div('seconds_played', '60')), "' minutes of '", shown(game_minutes('overtimes')),
            ],
        },
        {
            'finding': 'starter_without_minutes', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'lines',
            'condition': 'is_starter and contradiction is null and coalesce(seconds_played, 0) = 0',
            'detail': ["'starter, '", "case when is_dnp then 'did not play' else 'no minutes' end"],
        },
        {
            'finding': 'line_of_unfinished_game', 'table_name': 'player_box_scores',
            'is_error': false, 'relation': 'lines',
            'condition': "game_status in ('scheduled', 'postponed')",
            'detail': ["'game is '", shown('game_status')],
        },
        {
            'finding': 'shot_without_line', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots', 'condition': 'has_lines and line_team_abbr is null',
            'detail': ["'event '", shown('event_number')],
        },
        {
            'finding': 'shot_of_another_team_than_line', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots', 'condition': 'line_team_abbr != team_abbr',
            'detail': ["'event '", shown('event_number'), "', line of '", shown('line_team_abbr')],
        },
        {
            'finding': 'shot_value_unlike_zone', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots',
            'condition': "zone_basic is not null and (shot_value = 3) != (zone_basic in "
                "('Left Corner 3', 'Right Corner 3', 'Above the Break 3', 'Backcourt'))",
            'detail': ["'event '", shown('event_number'), "': '", shown('shot_value'), "' from '", shown('zone_basic')],
        },
        {
            'finding': 'shot_contradicts_itself', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots',
            'condition': '(is_assisted and not is_made) or (is_made and block_player_id > 0)'
                ' or (not is_assisted and assist_player_id > 0)'
                ' or player_id in (assist_player_id, block_player_id)',
            'detail': [
                "'event '", shown('event_number'),
                "case when is_assisted and not is_made then ': missed and assisted'"
                " when is_made and block_player_id > 0 then ': made and blocked'"
                " when player_id in (assist_player_id, block_player_id) then ': assisted or blocked by the shooter'"
                " else ': not assisted, and by somebody' end",
            ],
        },
        {
            'finding': 'shot_zone_elsewhere', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots',
            'condition': 'loc_x is not null and loc_y is not null and '
                ~ zone_is_elsewhere('zone_basic', 'loc_x', 'loc_y'),
            'detail': [
                "'event '", shown('event_number'), "': '", shown('zone_basic'), "' at ('", shown('loc_x'),
                "', '", shown('loc_y'), "')'",
            ],
        },
        {
            'finding': 'clock_beyond_period', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots', 'condition': 'clock_seconds > ' ~ period_seconds('period'),
            'detail': [
                "'event '", shown('event_number'), "': '", shown('clock_seconds'),
                "' seconds left in period '", shown('period'),
            ],
        },
        {
            'finding': 'shot_without_zone', 'table_name': 'shots', 'is_error': false,
            'relation': 'shots',
            'condition': "shot_value = 2 and nullif(zone_basic, '') is null and is_paint is null"
                ' and shot_distance_ft is null and (loc_x is null or loc_y is null)',
            'detail': ["'event '", shown('event_number')],
        },
        {
            'finding': 'box_score_missing', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'sides', 'condition': 'lines_listed = 0',
            'detail': ["'no line of '", shown('team_abbr')],
        },
        {
            'finding': 'shots_missing', 'table_name': 'shots', 'is_error': false,
            'relation': 'sides', 'condition': 'lines_listed > 0 and shots_taken = 0',
            'detail': ["'no shot of '", shown('team_abbr')],
        },
        {
            'finding': 'points_unlike_score', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'sides', 'condition': 'lines_listed > 0 and points != score',
            'detail': ["'lines of '", shown('team_abbr'), "' have '", shown('points'), "' of '", shown('score'), "' points'"],
        },
        {
            'finding': 'team_minutes_short', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'sides',
            'condition': 'lines_listed > 0 and seconds_played < '
                ~ least_whole_seconds('longer_side_seconds', 'overtimes'),
            'detail': [
                "'lines of '", shown('team_abbr'), "' have '", shown(int_div('seconds_played', '60')),
                "' minutes'",
            ],
        },
        {
            'finding': 'team_minutes_beyond_game', 'table_name': 'player_box_scores',
            'is_error': false, 'relation': 'sides',
            'condition': 'seconds_played > ' ~ most_whole_seconds('shorter_side_seconds', 'overtimes')
                ~ ' and seconds_played <= ' ~ most_team_seconds(),
            'detail': [
                "'lines of '", shown('team_abbr'), "' have '", shown(int_div('seconds_played', '60')),
                "' minutes of '", shown('5 * ' ~ game_minutes('overtimes')),
            ],
        },
        {
            'finding': 'team_beyond_any_game', 'table_name': 'player_box_scores', 'is_error': false,
            'relation': 'sides',
            'condition': 'seconds_played > ' ~ most_team_seconds() ~ ' or counts > ' ~ most_team_counts(),
            'detail': [
                "'lines of '", shown('team_abbr'), "' have '", shown(int_div('seconds_played', '60')),
                "' minutes, '", shown('counts'), "' points, shots, rebounds …'",
            ],
        },
        {
            'finding': 'two_games_on_a_date', 'table_name': 'games', 'is_error': false,
            'relation': 'dates_of_teams', 'condition': 'games_on_date > 1',
            'detail': [shown('team_abbr'), "' plays '", shown('games_on_date'), "' games'"],
        },
        {
            'finding': 'franchise_under_two_codes', 'table_name': 'games', 'is_error': true,
            'relation': 'codes_of_franchises', 'condition': 'first_code != last_code',
            'detail': ["'one franchise as '", shown('first_code'), "' and '", shown('last_code')],
        },
        {
            'finding': 'birth_date_unknown', 'table_name': 'players', 'is_error': false,
            'relation': 'players', 'condition': 'birth_date is null',
            'detail': [shown('player_full_name')],
        },
        {
            'finding': 'birth_date_is_placeholder', 'table_name': 'players', 'is_error': false,
            'relation': 'players', 'condition': 'is_birth_date_placeholder',
            'detail': [shown('player_full_name'), "', '", shown('birth_date')],
        },
        {
            'finding': 'birth_date_unlikely', 'table_name': 'players', 'is_error': false,
            'relation': 'players', 'condition': 'age_at_first_game not between 10 and 80',
            'detail': [
                shown('player_full_name'), "', '", shown('birth_date'), "': '",
                shown('age_at_first_game'), "' years old in his first game'",
            ],
        },
    ]) }}
{%- endmacro %}

{#
  A birth date that stands for an unknown day: at least ten players and a twentieth of all share it.
  (Normally 2 or 3 of 900 players share a birthday.) Ages from it are right to within a year.
#}
{% macro is_birth_date_placeholder(birth_date) -%}
    {%- set same_day -%}
        (
            count({{ birth_date }}) over (
                partition by
                    extract(month from {{ birth_date }}), extract(day from {{ birth_date }})
            )
        )
    {%- endset -%}
    ({{ same_day }} >= 10 and 20 * {{ same_day }} >= count({{ birth_date }}) over ())
{%- endmacro %}
