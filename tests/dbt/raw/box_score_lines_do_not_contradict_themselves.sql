-- A line with counts or shots has minutes, one with minutes is not marked as not playing, and its
-- points are those of its makes; the lines of a team hold no more than a game does.
{{ config(severity='warn') }}

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding in (
        'count_missing',
        'counts_without_minutes',
        'shots_without_minutes',
        'dnp_with_minutes',
        'points_unlike_makes',
        'team_beyond_any_game'
    )
