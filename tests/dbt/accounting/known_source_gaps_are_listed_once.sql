-- known_source_gaps names each pair of game and player once, and each whole game once.
select
    game_id,
    player_id,
    count(*) as lines,
from {{ ref('known_source_gaps') }}
group by game_id, player_id
having count(*) > 1 or game_id is null
