-- A line marked as not playing has neither minutes nor points; one that has counts as played.
{{ config(severity='warn') }}

select
    game_id,
    player_id,
    game_date,
    minutes_played,
    points,
from {{ ref('player_game_summary') }}
where
    {{ in_date_range('game_date') }}
    and is_dnp
    and (minutes_played > 0 or points > 0)
