select
    player_id,
    arg_max(player_name, file_number) as player_name,
    arg_max(position, file_number) filter (where position is not null) as position
from player_box_scores
group by player_id
