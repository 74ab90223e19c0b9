-- No input of a date comes from a game on that date or after it. The last game of a window is its
-- latest one, since games are numbered in order of date.
with

used_games as (
    {% for processor in processors().values() if processor.past_dates %}
    select
        '{{ processor.inputs_model }}' as table_name,
        analysis_date,
        {{ processor.entity }} as entity,
        greatest(
            {%- for column in processor.past_dates %}
            coalesce({{ column }}, date '1900-01-01'){{ ',' if not loop.last }}
            {%- endfor %}
        ) as used_date,
    from {{ ref(processor.inputs_model) }}
    where {{ in_date_range('analysis_date') }}

    union all
    {% endfor %}
    {% for processor in processors().values() if processor.games %}
    select
        '{{ processor.inputs_model }}' as table_name,
        inputs.analysis_date,
        inputs.player_id as entity,
        games.game_date as used_date,
    from {{ ref(processor.inputs_model) }} as inputs
    inner join {{ ref(processor.games.model) }} as games
        on
            inputs.player_id = games.player_id
            and inputs.season_year = games.season_year
            and inputs.actual_game_count = games.game_number
    where {{ in_date_range('inputs.analysis_date') }}

    union all
    {% endfor %}
    select
        'upcoming_player_game_context' as table_name,
        game_date as analysis_date,
        player_id as entity,
        last_played_date as used_date,
    from {{ ref('upcoming_player_game_context') }}
    where {{ in_date_range('game_date') }}

)

select * from used_games
where used_date >= analysis_date
