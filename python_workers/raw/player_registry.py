"""The player registry: one readable key per player, assigned once and never changed."""

from __future__ import annotations

import unicodedata
from collections.abc import Iterable

import pyarrow as pa

from python_workers import table_names
from python_workers.raw.schema import PLAYER_REGISTRY
from python_workers.warehouse.base import Warehouse

# Players in box scores who have no key yet, in order of debut. The players table has the full name;
# a feed's box scores may abbreviate it.
_NEW_PLAYERS = f"""
with

listings as (

    select
        box.player_id,
        box.player_name,
        games.game_date,
        row_number() over (
            partition by box.player_id
            order by games.game_date, games.game_id
        ) as listing
    from {table_names.PLAYER_BOX_SCORES} as box
    inner join {table_names.GAMES} as games on box.game_id = games.game_id

)

select
    listings.player_id,
    coalesce(players.player_name, listings.player_name) as player_name,
    listings.game_date as first_game_date
from listings
left join {table_names.PLAYERS} as players on listings.player_id = players.player_id
left join {table_names.PLAYER_REGISTRY} as registry on listings.player_id = registry.player_id
where listings.listing = 1 and registry.player_id is null
order by listings.game_date, listings.player_id
"""  # noqa: S608 our own names


def fold_name(name: str) -> str:
    """Return a name as a lookup: NFKD-folded to ASCII, lower case, letters and digits only.

    Examples
    --------
    >>> fold_name("Luka Dončić"), fold_name("Jaren Jackson Jr."), fold_name("姚明")
    ('lukadoncic', 'jarenjacksonjr', '')
    """
    ascii_name = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode("ascii")
    return "".join(sign for sign in ascii_name.lower() if sign.isalnum())


def assign_lookups(new: Iterable[tuple[int, str]], taken: Iterable[str]) -> dict[int, str]:
    """Give every new player a unique lookup.

    Parameters
    ----------
    new
        (player_id, name) in order of debut: of two players with the same name, the later one gets a
        number.
    taken
        Lookups assigned earlier, which stay with their players.

    Returns
    -------
    dict
        Lookup per player_id; a name without Latin letters or digits gives ``player<id>``.

    Examples
    --------
    >>> assign_lookups([(7, "John Smith"), (9, "Jóhn Smith"), (5, "姚明")], ["someoneelse"])
    {7: 'johnsmith', 9: 'johnsmith2', 5: 'player5'}
    """
    used = set(taken)
    lookups: dict[int, str] = {}
    for player_id, name in new:
        folded = fold_name(name) or f"player{player_id}"
        lookup, suffix = folded, 1
        while lookup in used:
            suffix += 1
            lookup = f"{folded}{suffix}"
        used.add(lookup)
        lookups[player_id] = lookup
    return lookups


def register_players(warehouse: Warehouse) -> int:
    """Add every player in a box score who has no lookup yet; change no existing lookup.

    Returns
    -------
    int
        Number of players added.
    """
    new = warehouse.query(_NEW_PLAYERS)
    if not new.num_rows:
        return 0
    taken = warehouse.query(f"select player_lookup from {table_names.PLAYER_REGISTRY}")  # noqa: S608 our own names
    ids, names = new.column("player_id").to_pylist(), new.column("player_name").to_pylist()
    lookups = assign_lookups(
        zip(ids, names, strict=True), taken.column("player_lookup").to_pylist()
    )
    rows = pa.table(
        {
            "player_id": new.column("player_id"),
            "player_lookup": pa.array([lookups[player_id] for player_id in ids], pa.string()),
            "universal_player_id": pa.array(
                [f"{lookups[player_id]}_{player_id}" for player_id in ids], pa.string()
            ),
            "player_name": new.column("player_name"),
            "first_game_date": new.column("first_game_date"),
        }
    )
    return warehouse.upsert(PLAYER_REGISTRY, rows).inserted
