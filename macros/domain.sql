{# Numbers and rules of the domain that several models share. #}

{% macro paint_labels() -%}('Restricted Area', 'In The Paint (Non-RA)'){%- endmacro %}

{#
  Whether a listing puts its player on the team's roster on the morning of a date: it must be his
  latest listing before the date, and at most 30 days old.
#}
{% macro is_on_roster(listings, team_dates) -%}
    (
        {{ team_dates }}.team_abbr = {{ listings }}.team_abbr
        and {{ team_dates }}.season_year = {{ listings }}.season_year
        and {{ listings }}.game_date < {{ team_dates }}.game_date
        and {{ add_days(listings ~ '.game_date', 30) }} >= {{ team_dates }}.game_date
        and (
            {{ listings }}.next_listing_date is null
            or {{ team_dates }}.game_date <= {{ listings }}.next_listing_date
        )
    )
{%- endmacro %}

{# Length of a game of the league; everything that depends on it follows from these two. #}
{% macro quarter_minutes() -%}{{ return(12) }}{%- endmacro %}
{% macro overtime_minutes() -%}{{ return(5) }}{%- endmacro %}

{# Minutes of a game with its overtimes. #}
{% macro game_minutes(overtimes) -%}
    ({{ 4 * quarter_minutes() }} + {{ overtime_minutes() }} * ({{ overtimes }}))
{%- endmacro %}

{% macro period_seconds(period) -%}
    case when {{ period }} <= 4 then {{ 60 * quarter_minutes() }} else {{ 60 * overtime_minutes() }} end
{%- endmacro %}

{# Overtimes of a game: from its play-by-play, or else from the minutes of the side with more. #}
{% macro overtimes(periods, longer_side_seconds) -%}
    coalesce(
        {{ at_least(periods ~ ' - 4', 0) }},
        {{ int_div(at_least(longer_side_seconds ~ ' - 60 * 235', 0), '60 * 25') }}
    )
{%- endmacro %}

{#
  Smallest sum of seconds of a team's lines that cover the whole game.

  Five players share 48 minutes, and 5 more per overtime: 240 + 25. If the sum is ten minutes below
  that, a line is missing. In a league in which neither side comes near 240 minutes (another length
  of game, or only five of ten players listed), compare with the side that has more minutes.
#}
{% macro least_whole_seconds(longer_side_seconds, overtimes) -%}
    case
        when {{ longer_side_seconds }} >= 60 * 210 then 60 * (5 * {{ game_minutes(overtimes) }} - 10)
        else {{ longer_side_seconds }} - 60 * 10
    end
{%- endmacro %}

{#
  Largest sum of seconds of a team's lines that belong to one game: ten minutes more than the game
  has. If the play-by-play lacks the overtime, compare with the other side's minutes.
#}
{% macro most_whole_seconds(shorter_side_seconds, overtimes) -%}
    {{ at_least(shorter_side_seconds ~ ' + 60 * 10', '60 * (5 * ' ~ game_minutes(overtimes) ~ ' + 10)') }}
{%- endmacro %}

{# Largest number of a player's seconds: those of the game, and a minute for feeds that round up. #}
{% macro most_player_seconds(overtimes) -%}60 * ({{ game_minutes(overtimes) }} + 1){%- endmacro %}

{#
  Largest sums of a team's lines; lines above them do not belong to one game.

  Five players in the longest game ever (78 minutes) have 23,400 seconds. All fourteen counts of a
  team sum to about 500, in the highest-scoring game ever to less than 900. So all products below fit
  64 bits: the numerator of the possessions is at most 100 * 1000^3, those of the pace and the rating,
  at four decimals, 72 * 10^15 and 2 * 10^17.
#}
{% macro most_team_seconds() -%}30000{%- endmacro %}
{% macro most_team_counts() -%}1500{%- endmacro %}

{# Possessions per 48 minutes, and points per 100 possessions, above every possible game. #}
{% macro most_team_rate() -%}1000{%- endmacro %}
{% macro team_rate(num, den) -%}
    case when {{ num }} <= {{ most_team_rate() }} * {{ den }} then {{ ratio(num, den, 4) }} end
{%- endmacro %}

{#
  Whether a team's lines cover the whole game, so that their sums are the team's values.

  Their points may differ from the final score by 5. Of the 21 real team-games that differ at all,
  complete lines lack 2 to 5 points (a basket or two was corrected later), and lines without one of the
  players 2 to 58. If time is compared with the other side, compare attempts with the play-by-play's
  shots.
#}
{% macro lines_are_whole(
    seconds, longer_side_seconds, shorter_side_seconds, overtimes, counts, points, final_score, fg_attempts, shots
) -%}
    coalesce(
        {{ seconds }} <= {{ most_team_seconds() }}
        and coalesce({{ counts }} <= {{ most_team_counts() }}, true)
        and {{ seconds }} >= {{ least_whole_seconds(longer_side_seconds, overtimes) }}
        and {{ seconds }} <= {{ most_whole_seconds(shorter_side_seconds, overtimes) }}
        and case
            when {{ longer_side_seconds }} >= 60 * 210
                then coalesce(abs({{ points }} - {{ final_score }}) <= 5, true)
            else coalesce(abs({{ fg_attempts }} - {{ shots }}) <= 5, true)
        end,
        false
    )
{%- endmacro %}

{#
  The NBA's SHOT_ZONE_BASIC label from coordinates in tenths of feet, hoop at the origin; NULL
  without coordinates.
#}
{% macro zone_label_from_coordinates(x, y, shot_value) -%}
    case
        when {{ x }} is null or {{ y }} is null then null
        when {{ y }} >= 420 then 'Backcourt'
        when {{ x }} * {{ x }} + {{ y }} * {{ y }} < 40 * 40 then 'Restricted Area'
        when {{ shot_value }} = 2 and abs({{ x }}) <= 80 and {{ y }} <= 138
            then 'In The Paint (Non-RA)'
        when {{ shot_value }} = 2 then 'Mid-Range'
        when {{ y }} <= 87 and {{ x }} < 0 then 'Left Corner 3'
        when {{ y }} <= 87 then 'Right Corner 3'
        else 'Above the Break 3'
    end
{%- endmacro %}

{#
  Whether an NBA zone label contradicts coordinates in tenths of feet by more than a foot. Feeds round
  coordinates, and shots from a line bear either label.
#}
{% macro zone_is_elsewhere(zone, x, y) -%}
    case {{ zone }}
        when 'Restricted Area' then {{ x }} * {{ x }} + {{ y }} * {{ y }} > 50 * 50
        when 'In The Paint (Non-RA)' then abs({{ x }}) > 90 or {{ y }} > 148
        when 'Mid-Range' then
            {{ x }} * {{ x }} + {{ y }} * {{ y }} > 248 * 248 or (abs({{ x }}) < 70 and {{ y }} < 128)
        when 'Left Corner 3' then {{ x }} > -210 or {{ y }} > 97
        when 'Right Corner 3' then {{ x }} < 210 or {{ y }} > 97
        when 'Above the Break 3' then
            {{ x }} * {{ x }} + {{ y }} * {{ y }} < 227 * 227 or {{ y }} < 77 or {{ y }} > 430
        when 'Backcourt' then {{ y }} < 410
        else false
    end
{%- endmacro %}

{# The franchise of a team's code; NULL for the only code of a franchise. #}
{% macro franchise(code) -%}
    case
        {%- for name, facts in franchises().items() %}
        when {{ code }} in ('{{ facts.codes | join("', '") }}') then '{{ name }}'
        {%- endfor %}
    end
{%- endmacro %}

{# Whole years from a birth date to a day. #}
{% macro age_on(birth_date, day) -%}
    (
        extract(year from {{ day }}) - extract(year from {{ birth_date }})
        - case
            when
                extract(month from {{ day }}) * 100 + extract(day from {{ day }})
                < extract(month from {{ birth_date }}) * 100 + extract(day from {{ birth_date }})
                then 1
            else 0
        end
    )
{%- endmacro %}

{# Names of the processors that must have run on every date: those in the vars, else all. #}
{% macro required_processors() -%}
    {%- set outputs = processors() -%}
    {%- set shorts = outputs.values() | map(attribute='key') | list -%}
    {%- set named = list_var('processors') -%}
    {%- set named = shorts if named is none else named -%}
    {%- for short in named if short not in shorts -%}
        {{ exceptions.raise_compiler_error(
            "no processor '" ~ short ~ "'; choose from " ~ shorts | join(', ')
        ) }}
    {%- endfor -%}
    {%- set names = [] -%}
    {%- for name, output in outputs.items() if output.key in named -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}

{# Column of expected_entities and precompute_failures on which to join a processor's entities. #}
{% macro entity_column(output) -%}
    {{ 'entity_id' if output.entity == 'team_abbr' else 'player_id' }}
{%- endmacro %}

{#
  Features in column order. Each has the flag that its precomputed source exists: the row, and for a
  factor also the inputs, without which its score is the neutral 0. None if the source is the game log.
#}
{% macro ml_features() -%}
    {{ return({
        'points_avg_last_3': none,
        'points_avg_last_5': 'has_cache',
        'points_avg_last_10': 'has_cache',
        'points_avg_season': 'has_cache',
        'points_std_last_10': 'has_cache',
        'games_in_last_7_days': none,
        'fatigue_score': 'has_factors',
        'shot_zone_mismatch_score': 'has_zone_matchup',
        'pace_score': 'has_pace_differential',
        'usage_spike_score': 'has_projected_usage',
        'rest_advantage': none,
        'recent_trend': none,
        'minutes_change': none,
        'opponent_def_rating': 'has_defense',
        'opponent_pace': none,
        'is_home': none,
        'back_to_back': none,
        'is_playoffs': none,
        'pct_paint': 'has_shot_zones',
        'pct_mid_range': 'has_shot_zones',
        'pct_three': 'has_shot_zones',
        'pct_free_throw': none,
        'team_pace': 'has_cache',
        'team_off_rating': 'has_cache',
        'team_win_pct': none,
        'avg_points_vs_opponent': none,
        'games_vs_opponent': none,
        'minutes_avg_last_10': 'has_cache',
        'ppm_avg_last_10': none,
        'dnp_rate': none,
        'pts_slope_10g': none,
        'pts_vs_season_zscore': none,
        'star_teammates_out': none,
        'days_rest': none,
        'minutes_load_last_7d': none,
        'scoring_trend_slope': none,
        'deviation_from_avg_last3': none,
        'consecutive_games_below_avg': none,
        'usage_rate_last_5': none,
    }) }}
{%- endmacro %}

{# Results of a game that a player played, by label, from his line of player_game_summary. #}
{% macro ml_labels() -%}
    {{ return({
        'actual_minutes': 'lines.minutes_played',
        'actual_points': 'lines.points',
        'actual_rebounds': 'lines.offensive_rebounds + lines.defensive_rebounds',
        'actual_assists': 'lines.assists',
        'actual_steals': 'lines.steals',
        'actual_blocks': 'lines.blocks',
        'actual_turnovers': 'lines.turnovers',
        'actual_threes': 'lines.three_pt_makes',
        'actual_three_attempts': 'lines.three_pt_attempts',
        'actual_fg_makes': 'lines.fg_makes',
        'actual_fg_attempts': 'lines.fg_attempts',
        'actual_ft_makes': 'lines.ft_makes',
        'actual_ft_attempts': 'lines.ft_attempts',
    }) }}
{%- endmacro %}

{# Features that may have no value although no data is missing. #}
{% macro ml_nothing_to_know() -%}
    {{ return({'avg_points_vs_opponent': 'games_vs_opponent = 0'}) }}
{%- endmacro %}

{% macro ml_boolean_features() -%}
    {{ return(['is_home', 'back_to_back', 'is_playoffs']) }}
{%- endmacro %}

{# Failure categories; as a list, and as SQL lists. #}
{% macro failure_categories() -%}
    {{- return(failure_category_facts().keys() | list) -}}
{%- endmacro %}

{% macro failure_category_list() -%}
    ('{{ failure_categories() | join("', '") }}')
{%- endmacro %}

{# Failure categories that need attention. #}
{% macro investigate_category_list() -%}
    {{- categories_where('needs_attention', true) -}}
{%- endmacro %}

{# Failure categories that the data do not explain. #}
{% macro unexpected_category_list() -%}
    {{- categories_where('is_expected', false) -}}
{%- endmacro %}

{% macro categories_where(fact, value) -%}
    ('{{ categories_that(fact, value) | join("', '") }}')
{%- endmacro %}

{% macro categories_that(fact, value) -%}
    {%- set names = [] -%}
    {%- for name, facts in failure_category_facts().items() if facts[fact] == value -%}
        {%- do names.append(name) -%}
    {%- endfor -%}
    {{- return(names) -}}
{%- endmacro %}

{#
  Hash of the window that ends with a row of a games model: the sum of the hashes of its games, over
  the columns that the worker reads. It is a function of exactly these games. Remainders modulo a prime
  below 2^53 keep the sum of up to a thousand games within 64 bits.
#}
{% macro window_hash(games) -%}
    {%- set window -%}
        (
            partition by player_id, season_year
            order by game_number
            rows between {{ games.window - 1 }} preceding and current row
        )
    {%- endset -%}
    {{- int_sum("mod(" ~ hash_of(games.columns) ~ ", 9007199254740881)", window) -}}
{%- endmacro %}
