with

shots as (

    select * from {{ ref('stg_shots') }}

),

games as (

    select * from {{ ref('int_games') }}

),

labelled as (

    select
        shots.*,
        games.season_year,
        coalesce(
            nullif(zone_basic, ''),
            {{ zone_label_from_coordinates('loc_x', 'loc_y', 'shot_value') }}
        ) as zone_label,
    from shots
    inner join games on shots.game_id = games.game_id

),

-- The feed's shot value, not its label, decides whether a shot is a three.
zoned as (

    select
        game_id,
        event_number,
        player_id,
        team_abbr,
        season_year,
        zone_label,
        case
            when shot_value = 3 then 'three'
            when zone_label in {{ paint_labels() }} then 'paint'
            when zone_label is not null then 'mid_range'
            when is_paint then 'paint'
            when is_paint is not null then 'mid_range'
            when shot_distance_ft < 8 then 'paint'
            when shot_distance_ft is not null then 'mid_range'
        end as shot_zone,
        is_made,
        is_assisted,
    from labelled

)

select * from zoned
