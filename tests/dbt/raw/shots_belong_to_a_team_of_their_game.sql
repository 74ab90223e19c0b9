-- Every shot is of a game on the schedule and of one of its two teams.

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding in ('shot_of_unknown_game', 'shot_of_another_team')
