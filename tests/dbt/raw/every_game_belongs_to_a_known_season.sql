-- Every game on the schedule is of a season in the seasons seed; others are left out of everything.

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding = 'game_of_unknown_season'
