with

listings as (

    select * from {{ ref('int_player_listings') }}
    where {{ in_seasons() }}

),

date_games as (

    select * from {{ ref('int_date_games') }}
    where {{ in_seasons() }}

),

listed as (

    select
        game_date,
        player_id,
        team_abbr,
        max(case when is_played or not is_dnp then 1 else 0 end) = 1 as is_active,
    from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}
    group by game_date, player_id, team_abbr

),

as_of as (

    select * from {{ ref('int_player_as_of') }}
    where {{ in_seasons() }}

),

form as (

    select * from {{ ref('int_player_form') }}
    where {{ in_seasons() }}

),

team_as_of as (

    select * from {{ ref('int_team_as_of') }}
    where {{ in_seasons() }}

),

team_form as (

    select * from {{ ref('int_team_form') }}
    where {{ in_seasons() }}

),

-- Who is on the roster on the morning of the game: latest listing within the roster window.
rosters as (

    select
        date_games.game_date as analysis_date,
        date_games.team_abbr,
        date_games.game_id,
        date_games.season_year,
        date_games.has_box_score as has_player_list,
        listings.player_id,
    from date_games
    inner join listings on {{ is_on_roster('listings', 'date_games') }}

),

with_form as (

    select
        rosters.*,
        listed.player_id is not null as is_listed,
        coalesce(listed.is_active, false) as is_active,
        form.team_abbr as last_played_team_abbr,
        form.game_date as last_played_date,
        team_form.last_10_since,
        form.played_number,
        form.points_so_far,
        form.seconds_so_far,
        form.minutes_games_so_far,
        form.usage_e4_last_7,
        form.usage_games_last_7,
        form.seconds_last_7,
        form.minutes_games_last_7,
    from rosters
    left join listed
        on
            rosters.analysis_date = listed.game_date
            and rosters.player_id = listed.player_id
            and rosters.team_abbr = listed.team_abbr
    left join as_of
        on
            rosters.analysis_date = as_of.analysis_date
            and rosters.player_id = as_of.player_id
    left join form
        on
            rosters.player_id = form.player_id
            and rosters.season_year = form.season_year
            and as_of.known_games = form.played_number
    left join team_as_of
        on
            rosters.analysis_date = team_as_of.analysis_date
            and rosters.team_abbr = team_as_of.team_abbr
    left join team_form
        on
            rosters.team_abbr = team_form.team_abbr
            and rosters.season_year = team_form.season_year
            and team_as_of.available_games = team_form.available_games

),

-- Star: 10 games, and 18 points a game or (28 minutes and 12 points) over the season so far.
-- Rotation: played in one of the team's last 10 games.
final as (

    select
        team_abbr,
        game_id,
        player_id,
        season_year,
        case
            when last_played_team_abbr = team_abbr and last_played_date >= last_10_since
                then
                    {{ half_even('usage_e4_last_7', 'usage_games_last_7', 0) }}
                    * {{ half_even('5 * seconds_last_7', '3 * minutes_games_last_7', 0) }}
        end as rotation_load,
        has_player_list,
        is_listed,
        is_active,
        coalesce(
            played_number >= 10
            and (
                points_so_far >= 18 * played_number
                or (
                    seconds_so_far >= 28 * 60 * minutes_games_so_far
                    and minutes_games_so_far > 0
                    and points_so_far >= 12 * played_number
                )
            ),
            false
        ) as is_star,
        analysis_date,
    from with_form

)

select * from final
