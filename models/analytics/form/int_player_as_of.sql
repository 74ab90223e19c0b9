with

player_games as (

    select * from {{ ref('int_player_games') }}
    where {{ in_seasons() }}

),

game_dates as (

    select * from {{ ref('game_dates') }}
    where {{ in_seasons() }}

),

-- A player's values on D are those after his last game before D: each game is valid for the dates
-- up to and including his next one.
as_of as (

    select
        player_games.player_id,
        player_games.season_year,
        player_games.game_number as actual_game_count,
        player_games.games_played,
        player_games.known_games,
        player_games.points_so_far,
        player_games.usage_e4_so_far,
        player_games.usage_games_so_far,
        game_dates.game_date as analysis_date,
        player_games.last_played_date,
    from player_games
    inner join game_dates
        on
            player_games.season_year = game_dates.season_year
            and game_dates.game_date > player_games.game_date
            and (
                player_games.next_game_date is null
                or game_dates.game_date <= player_games.next_game_date
            )

)

-- Order by date, so that tables made from these rows lie by date and a range reads few blocks.
select * from as_of
order by analysis_date, player_id
