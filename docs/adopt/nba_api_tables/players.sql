-- players: a table with the frames of CommonPlayerInfo.
select
    PERSON_ID as player_id,
    DISPLAY_FIRST_LAST as player_name,
    cast(substr(BIRTHDATE, 1, 10) as date) as birth_date,
    POSITION as position
from nba.common_player_info
