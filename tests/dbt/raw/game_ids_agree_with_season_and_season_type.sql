-- The id of a game says the season and the kind of game that its labels say.

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding = 'game_id_unlike_labels'
