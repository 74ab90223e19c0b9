with

plays as (

    select
        espn_game_id(game_id) as game_id,
        *,
        whole(athlete_id_1) as shooter,
        -- Free throws are shooting plays, too.
        whole(score_value) = 1 or type_text ilike '%free throw%' as is_free_throw,
        flag(scoring_play) as is_made,
        -- Feet from the centre of the court, which both teams' halves are folded onto; what lies
        -- off the court stands for an unknown place.
        case when abs(measure(coordinate_x)) <= 47 and abs(measure(coordinate_y)) <= 25
            then 10 * (41.75 - abs(measure(coordinate_x))) end as from_basket,
        case when abs(measure(coordinate_x)) <= 47 and abs(measure(coordinate_y)) <= 25
            then 10 * measure(coordinate_y) * -sign(measure(coordinate_x)) end as across
    from pbp
    where flag(shooting_play)

)

select
    plays.game_id,
    whole(id) as event_number,
    whole(period_number) as period,
    case when clock_display_value like '%:%'
        then 60 * split_part(clock_display_value, ':', 1)::double
            + split_part(clock_display_value, ':', 2)::double
        else clock_display_value::double end as clock_seconds,
    shooter as player_id,
    lines.team_abbr,
    case when whole(score_value) = 3 or text ilike '%three point%' then 3 else 2 end as shot_value,
    is_made,
    is_made and text ilike '%assists)%' as is_assisted,
    case when is_made and text ilike '%assists)%' then whole(athlete_id_2) end as assist_player_id,
    case when not is_made and text ilike '% blocks %' then whole(athlete_id_2) end
        as block_player_id,
    across as loc_x,
    from_basket as loc_y,
    coalesce(
        nullif(regexp_extract(text, '(\d+)-foot', 1), '')::double,
        floor(sqrt(across ** 2 + from_basket ** 2) / 10)
    ) as shot_distance_ft,
    plays.file_number
from plays
left join player_box_scores as lines
    on plays.game_id = lines.game_id and plays.shooter = lines.player_id
where not coalesce(is_free_throw, false)
