{{ config(pre_hook="{{ load_missing_seed('known_source_gaps') }}") }}

with

lines as (

    select * from {{ ref('player_game_summary') }}
    where {{ in_seasons() }}

),

listings as (

    select * from {{ ref('int_player_listings') }}
    where {{ in_seasons() }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

known as (

    select
        player_id,
        game_id,
        team_abbr,
        season_year,
        points,
        seconds_played,
        {{ fixed_point('usage_rate', 4) }} as usage_e4,
        {{ fixed_point('ts_pct', 4) }} as ts_e4,
        paint_makes,
        paint_attempts,
        mid_range_makes,
        mid_range_attempts,
        three_makes_pbp as three_makes,
        three_attempts_pbp as three_attempts,
        assisted_fg_makes,
        unassisted_fg_makes,
        true as is_played,
        true as has_box_score,
        has_complete_shot_zones,
        game_date,
    from lines
    where is_played and contradiction is null

),

-- He played, but his line contradicts itself.
contradictory as (

    select
        player_id,
        game_id,
        team_abbr,
        season_year,
        true as is_played,
        game_date,
    from lines
    where is_played and contradiction is not null

),

-- Finished games without lines of the team: every player on its roster on the eve of the game may
-- have played.
missing as (

    select
        listings.player_id,
        game_teams.game_id,
        game_teams.team_abbr,
        game_teams.season_year,
        false as is_played,
        game_teams.game_date,
    from game_teams
    inner join listings on {{ is_on_roster('listings', 'game_teams') }}
    where
        game_teams.is_final
        and not game_teams.has_box_score
        and coalesce(listings.next_listing_date != game_teams.game_date, true)

),

unknown as (

    select * from contradictory

    union all

    select * from missing

),

actual as (

    select * from known

    union all

    select
        player_id,
        game_id,
        team_abbr,
        season_year,
        cast(null as int64) as points,
        cast(null as int64) as seconds_played,
        cast(null as int64) as usage_e4,
        cast(null as int64) as ts_e4,
        cast(null as int64) as paint_makes,
        cast(null as int64) as paint_attempts,
        cast(null as int64) as mid_range_makes,
        cast(null as int64) as mid_range_attempts,
        cast(null as int64) as three_makes,
        cast(null as int64) as three_attempts,
        cast(null as int64) as assisted_fg_makes,
        cast(null as int64) as unassisted_fg_makes,
        is_played,
        false as has_box_score,
        false as has_complete_shot_zones,
        game_date,
    from unknown

),

gaps as (

    select * from {{ ref('known_source_gaps') }}

),

gaps_of_games as (

    select distinct game_id from gaps
    where player_id is null

),

gaps_of_players as (

    select distinct
        game_id,
        player_id,
    from gaps

),

known_gaps as (

    select
        actual.*,
        (of_game.game_id is not null or of_player.game_id is not null)
        and not (actual.has_box_score and actual.has_complete_shot_zones) as is_known_gap,
    from actual
    left join gaps_of_games as of_game
        on actual.game_id = of_game.game_id
    left join gaps_of_players as of_player
        on
            actual.game_id = of_player.game_id
            and actual.player_id = of_player.player_id

),

numbered as (

    select
        *,
        row_number() over in_order as game_number,
        {{ int_sum('case when is_played then 1 else 0 end', 'so_far') }} as games_played,
        {{ int_sum('case when has_box_score then 1 else 0 end', 'so_far') }} as known_games,
        {{ int_sum('coalesce(points, 0)', 'so_far') }} as points_so_far,
        {{ int_sum('coalesce(usage_e4, 0)', 'so_far') }} as usage_e4_so_far,
        {{ int_sum('case when usage_e4 is null then 0 else 1 end', 'so_far') }}
            as usage_games_so_far,
        max(case when is_played then game_date end) over so_far as last_played_date,
        max(case when is_played then game_date end) over before_it as previous_played_date,
        lead(game_date) over in_order as next_game_date,
    from known_gaps
    window
        in_order as (
            partition by player_id, season_year
            order by game_date, game_id
        ),
        so_far as (
            partition by player_id, season_year
            order by game_date, game_id
            rows between unbounded preceding and current row
        ),
        before_it as (
            partition by player_id, season_year
            order by game_date, game_id
            rows between unbounded preceding and 1 preceding
        )

)

select * from numbered
