-- Each line of known_source_gaps stands for data that is still missing; other lines can go.
{{ config(severity='warn') }}

select
    game_id,
    player_id,
    mismatch,
    reason,
from {{ ref('unmatched_known_gaps') }}
where game_date is null or {{ in_date_range('game_date') }}
