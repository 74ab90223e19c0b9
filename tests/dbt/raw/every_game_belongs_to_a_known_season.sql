-- Every game on the schedule belongs to a season in the seasons seed; models omit all others.

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding = 'game_of_unknown_season'
