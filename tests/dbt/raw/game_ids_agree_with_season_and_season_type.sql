-- The id of a game agrees with its labels on the season and the kind of game.

select * from {{ ref('raw_findings') }}
where
    ({{ in_date_range('game_date') }} or game_date is null)
    and finding = 'game_id_unlike_labels'
