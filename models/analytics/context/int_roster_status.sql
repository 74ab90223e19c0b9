with

listings as (

    select * from {{ ref('int_player_listings') }}
    where {{ in_seasons() }}

),

date_games as (

    select * from {{ ref('int_date_games') }}
    where {{ in_seasons() }}

),

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

listed as (

    select
        game_date,
        player_id,
        team_abbr,
        max(case when is_played or not is_dnp then 1 else 0 end) = 1 as is_active,
    from lines
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

team_games as (

    select * from {{ ref('int_team_games') }}
    where {{ in_seasons() }} and has_box_score

),

-- The players on the roster on the morning of the game; is_on_roster() has the rule.
listed_before as (

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

-- Join the team's number of games here, before the played games: a plan that joins it to these
-- first pairs each date with the games of all players of the team.
rosters as (

    select
        listed_before.*,
        team_as_of.available_games,
    from listed_before
    left join team_as_of
        on
            listed_before.analysis_date = team_as_of.analysis_date
            and listed_before.team_abbr = team_as_of.team_abbr

),

played as (

    select
        lines.player_id,
        lines.team_abbr,
        lines.season_year,
        team_games.available_games as team_game_number,
    from lines
    inner join team_games
        on
            lines.game_id = team_games.game_id
            and lines.team_abbr = team_games.team_abbr
    where lines.is_played

),

games_of_last_10 as (

    select
        rosters.analysis_date,
        rosters.team_abbr,
        rosters.player_id,
        cast(count(*) as int64) as games_of_team_last_10,
    from rosters
    inner join played
        on
            rosters.player_id = played.player_id
            and rosters.team_abbr = played.team_abbr
            and rosters.season_year = played.season_year
            and played.team_game_number > rosters.available_games - 10
            and played.team_game_number <= rosters.available_games
    group by rosters.analysis_date, rosters.team_abbr, rosters.player_id

),

with_form as (

    select
        rosters.analysis_date,
        rosters.team_abbr,
        rosters.game_id,
        rosters.season_year,
        rosters.has_player_list,
        rosters.player_id,
        coalesce(games_of_last_10.games_of_team_last_10, 0) as games_of_team_last_10,
        least(coalesce(rosters.available_games, 0), 10) as team_games_last_10,
        listed.player_id is not null as is_listed,
        coalesce(listed.is_active, false) as is_active,
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
    left join games_of_last_10
        on
            rosters.analysis_date = games_of_last_10.analysis_date
            and rosters.team_abbr = games_of_last_10.team_abbr
            and rosters.player_id = games_of_last_10.player_id

),

-- Star: 10 games, and 18 points a game or (28 minutes and 12 points) over the season so far.
-- Rotation: half of the team's last 10 games (of all its games before it has played ten).
judged as (

    select
        *,
        usage_e4_last_7 * {{ mean_of_7('usage_games_last_7') }}
        * seconds_last_7 * {{ mean_of_7('minutes_games_last_7') }} as usage_load,
        games_of_team_last_10 > 0
        and 2 * games_of_team_last_10 >= team_games_last_10 as is_rotation,
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
    from with_form

),

final as (

    select
        team_abbr,
        game_id,
        player_id,
        season_year,
        usage_load,
        games_of_team_last_10,
        team_games_last_10,
        case
            when is_rotation and is_active then team_games_last_10
            when is_rotation then 0
            else games_of_team_last_10
        end as load_weight,
        has_player_list,
        is_listed,
        is_active,
        is_rotation,
        is_star,
        is_star and not is_active and games_of_team_last_10 > 0 as is_star_out,
        analysis_date,
    from judged

)

select * from final
