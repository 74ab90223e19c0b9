with

found as (

    select
        whole(PERSON_ID) as player_id,
        DISPLAY_FIRST_LAST as player_name,
        left(BIRTHDATE, 10)::date as birth_date,
        nullif(POSITION, '') as position,
        file_number,
        2 as rank
    from player_info
    union all by name
    select
        whole(PERSON_ID) as player_id,
        full_name(PLAYER_FIRST_NAME, PLAYER_LAST_NAME) as player_name,
        nullif(POSITION, '') as position,
        file_number,
        1 as rank
    from player_index
    union all by name
    select player_id, player_name, position, file_number, 0 as rank from player_box_scores
    union all by name
    select whole(PLAYER_ID) as player_id, PLAYER_NAME as player_name, file_number, 0 as rank
    from shot_chart
    union all by name
    select whole(PLAYER_ID) as player_id, PLAYER_NAME as player_name, file_number, 0 as rank
    from shot_dump

)

-- The best source that knows a fact gives it; the latest of equal ones.
select
    player_id,
    arg_max(player_name, (rank, file_number)) as player_name,
    arg_max(birth_date, (rank, file_number)) filter (where birth_date is not null) as birth_date,
    arg_max(position, (rank, file_number)) filter (where position is not null) as position
from found
where player_id > 0
group by player_id
