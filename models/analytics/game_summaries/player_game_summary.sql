with

lines as (

    select * from {{ ref('stg_player_box_scores') }}

),

games as (

    select * from {{ ref('int_games') }}
    where {{ in_seasons() }}

),

game_teams as (

    select * from {{ ref('int_game_teams') }}
    where {{ in_seasons() }}

),

players as (

    select * from {{ ref('stg_players') }}

),

registry as (

    select * from {{ ref('stg_player_registry') }}

),

shots_by_player as (

    select
        game_id,
        player_id,
        cast(count(*) as int64) as shots_taken,
        cast(countif(shot_zone = 'paint' and is_made) as int64) as paint_makes,
        cast(countif(shot_zone = 'paint') as int64) as paint_attempts,
        cast(countif(shot_zone = 'mid_range' and is_made) as int64) as mid_range_makes,
        cast(countif(shot_zone = 'mid_range') as int64) as mid_range_attempts,
        cast(countif(shot_zone = 'three' and is_made) as int64) as three_makes_pbp,
        cast(countif(shot_zone = 'three') as int64) as three_attempts_pbp,
        -- Both are unknown unless the feed says for each make whether it was assisted.
        case
            when countif(is_made and is_assisted is null) = 0
                then cast(countif(is_made and is_assisted) as int64)
        end as assisted_fg_makes,
        case
            when countif(is_made and is_assisted is null) = 0
                then cast(countif(is_made and not is_assisted) as int64)
        end as unassisted_fg_makes,
    from {{ ref('int_shot_zones') }}
    where {{ in_seasons() }}
    group by game_id, player_id

),

joined as (

    select
        lines.game_id,
        lines.player_id,
        registry.player_lookup,
        registry.universal_player_id,
        coalesce(players.player_full_name, lines.player_full_name) as player_full_name,
        coalesce(nullif(players.player_position, ''), nullif(lines.player_position, ''))
            as player_position,
        lines.team_abbr,
        game_teams.opponent_team_abbr,
        games.season_type,
        lines.dnp_reason,
        games.season_year,
        lines.points,
        lines.fg_makes,
        lines.fg_attempts,
        lines.three_pt_makes,
        lines.three_pt_attempts,
        lines.ft_makes,
        lines.ft_attempts,
        lines.offensive_rebounds,
        lines.defensive_rebounds,
        lines.assists,
        lines.steals,
        lines.blocks,
        lines.turnovers,
        lines.personal_fouls,
        lines.plus_minus,
        lines.seconds_played,
        shots.shots_taken,
        case when game_teams.has_shots then coalesce(shots.paint_makes, 0) end as paint_makes,
        case when game_teams.has_shots then coalesce(shots.paint_attempts, 0) end as paint_attempts,
        case when game_teams.has_shots then coalesce(shots.mid_range_makes, 0) end
            as mid_range_makes,
        case when game_teams.has_shots then coalesce(shots.mid_range_attempts, 0) end
            as mid_range_attempts,
        case when game_teams.has_shots then coalesce(shots.three_makes_pbp, 0) end
            as three_makes_pbp,
        case when game_teams.has_shots then coalesce(shots.three_attempts_pbp, 0) end
            as three_attempts_pbp,
        case
            when game_teams.has_shots
                then case when shots.shots_taken is null then 0 else shots.assisted_fg_makes end
        end as assisted_fg_makes,
        case
            when game_teams.has_shots
                then case when shots.shots_taken is null then 0 else shots.unassisted_fg_makes end
        end as unassisted_fg_makes,
        game_teams.periods,
        game_teams.shots_taken as team_shots_taken,
        case when game_teams.is_final then game_teams.team_points end as final_score,
        game_teams.is_home,
        lines.is_starter,
        lines.is_dnp,
        game_teams.win_flag,
        games.game_date,
    from lines
    inner join games on lines.game_id = games.game_id
    left join game_teams
        on
            lines.game_id = game_teams.game_id
            and lines.team_abbr = game_teams.team_abbr
    left join players on lines.player_id = players.player_id
    left join registry on lines.player_id = registry.player_id
    left join shots_by_player as shots
        on
            lines.game_id = shots.game_id
            and lines.player_id = shots.player_id

),

judged as (

    select
        *,
        {{ line_contradiction('seconds_played', 'shots_taken') }} as contradiction,
    from joined

),

team_totals as (

    select
        game_id,
        team_abbr,
        {{ int_sum('seconds_played') }} as team_seconds,
        {{ int_sum('100 * fg_attempts + 44 * ft_attempts + 100 * turnovers') }} as team_plays_e2,
        {{ int_sum(box_score_counts() | join(' + ')) }} as team_counts,
        {{ int_sum('points') }} as listed_points,
        {{ int_sum('fg_attempts') }} as team_fg_attempts,
        count(contradiction) as contradictions,
    from judged
    group by game_id, team_abbr

),

longer_and_shorter_sides as (

    select
        game_id,
        max(team_seconds) as longer_side_seconds,
        min(team_seconds) as shorter_side_seconds,
    from team_totals
    group by game_id

),

-- Join the teams' sums: a window function would sort the lines with all their columns.
with_team_totals as (

    select
        judged.*,
        100 * judged.fg_attempts + 44 * judged.ft_attempts + 100 * judged.turnovers as plays_e2,
        team_totals.team_seconds,
        team_totals.team_plays_e2,
        team_totals.team_counts,
        team_totals.listed_points,
        team_totals.team_fg_attempts,
        team_totals.contradictions,
        sides.longer_side_seconds,
        sides.shorter_side_seconds,
    from judged
    inner join team_totals
        on
            judged.game_id = team_totals.game_id
            and judged.team_abbr = team_totals.team_abbr
    inner join longer_and_shorter_sides as sides on judged.game_id = sides.game_id

),

with_whole_teams as (

    select
        *,
        contradictions = 0
        and {{ lines_are_whole(
            'team_seconds',
            'longer_side_seconds',
            'shorter_side_seconds',
            overtimes('periods', 'longer_side_seconds'),
            'team_counts',
            'listed_points',
            'final_score',
            'team_fg_attempts',
            'team_shots_taken'
        ) }} as has_whole_team,
    from with_team_totals

),

-- Ratios of integers: usage = 100 * plays * (team minutes / 5) / (minutes * team plays). The next
-- step bounds it to 100: a shot within a few seconds gives several hundred percent.
ratios as (

    select
        *,
        case when seconds_played > 0 and has_whole_team then 100 * plays_e2 * team_seconds end
            as usage_num,
        case when seconds_played > 0 and has_whole_team then 5 * seconds_played * team_plays_e2 end
            as usage_den,
        case when contradiction is null then 100 * points end as ts_num,
        200 * fg_attempts + 88 * ft_attempts as ts_den,
        case when contradiction is null then 2 * fg_makes + three_pt_makes end as efg_num,
        2 * fg_attempts as efg_den,
    from with_whole_teams

),

final as (

    select
        game_id,
        player_id,
        player_lookup,
        universal_player_id,
        player_full_name,
        player_position,
        team_abbr,
        opponent_team_abbr,
        season_type,
        dnp_reason,
        contradiction,
        season_year,
        points,
        fg_makes,
        fg_attempts,
        three_pt_makes,
        three_pt_attempts,
        ft_makes,
        ft_attempts,
        offensive_rebounds,
        defensive_rebounds,
        assists,
        steals,
        blocks,
        turnovers,
        personal_fouls,
        plus_minus,
        seconds_played,
        seconds_played / 60 as minutes_played,
        cast(null as {{ type_float64() }}) as fourth_quarter_minutes,
        case
            when usage_num > 100 * usage_den then 100
            else {{ ratio('usage_num', 'usage_den', 4) }}
        end as usage_rate,
        {{ ratio('ts_num', 'ts_den', 4) }} as ts_pct,
        {{ ratio('efg_num', 'efg_den', 4) }} as efg_pct,
        paint_makes,
        paint_attempts,
        mid_range_makes,
        mid_range_attempts,
        three_makes_pbp,
        three_attempts_pbp,
        assisted_fg_makes,
        unassisted_fg_makes,
        is_home,
        is_starter,
        is_dnp,
        win_flag,
        coalesce(seconds_played > 0, false) or contradiction is not null as is_played,
        has_whole_team,
        coalesce(
            abs(paint_attempts + mid_range_attempts + three_attempts_pbp - fg_attempts) <= 1,
            false
        ) as has_complete_shot_zones,
        game_date,
    from ratios

)

select * from final
