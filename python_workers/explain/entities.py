"""Finds the player or team that a user names."""

from __future__ import annotations

import re
from dataclasses import dataclass

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.base import Warehouse

SHOWN_CANDIDATES = 12

_PLAYERS = f"""
select player_id, player_lookup, player_name
from {table_names.PLAYER_REGISTRY}
"""  # noqa: S608 our own name

_TEAMS = f"""
select distinct home_team_abbr as team_abbr from {table_names.GAMES}
"""  # noqa: S608 our own name


@dataclass(frozen=True)
class Who:
    """A player, or a team if `player_id` is None."""

    name: str
    lookup: str
    player_id: int | None = None

    @property
    def entity(self) -> int | str:
        """The value that identifies his rows: a player's id, a team's abbreviation."""
        return self.lookup if self.player_id is None else self.player_id


def find(warehouse: Warehouse, named: str) -> Who:
    """Find a player by id, lookup or (part of a) name, or a team by its abbreviation.

    Raises
    ------
    BackcourtError
        With exit code 2 if nobody or several have the name; it lists them.
    """
    if not warehouse.has_table(table_names.PLAYER_REGISTRY):
        raise BackcourtError(
            "no player has been registered yet",
            "Load raw data and compute features: backcourt load DIR, backcourt backfill --all",
            ExitCode.ENVIRONMENT,
        )
    teams = {row["team_abbr"] for row in warehouse.query(_TEAMS).to_pylist()}
    if named.upper() in teams:
        return Who(named.upper(), named.upper())
    players = [
        Who(row["player_name"] or row["player_lookup"], row["player_lookup"], row["player_id"])
        for row in warehouse.query(_PLAYERS).to_pylist()
    ]
    wanted = _plain(named)
    for same in (
        [who for who in players if str(who.player_id) == named.strip()],
        [who for who in players if who.lookup == named],
        [who for who in players if wanted == _plain(who.name)],
        [who for who in players if wanted and wanted in _plain(who.name)],
        [who for who in players if wanted and wanted in who.lookup],
    ):
        if len(same) == 1:
            return same[0]
        if same:
            raise _ambiguous(named, same)
    raise BackcourtError(
        f"no player and no team is called {named!r}",
        "Give an id, a lookup such as lebronjames, a name, or a team's abbreviation.",
        ExitCode.USAGE,
    )


def _ambiguous(named: str, candidates: list[Who]) -> BackcourtError:
    ordered = sorted(candidates, key=lambda who: (who.name, who.player_id or 0))
    lines = [f"{who.player_id}  {who.name} ({who.lookup})" for who in ordered[:SHOWN_CANDIDATES]]
    if len(ordered) > SHOWN_CANDIDATES:
        lines.append(f"… and {len(ordered) - SHOWN_CANDIDATES:,} more")
    return BackcourtError(
        f"{named!r} may be one of {len(ordered):,} players",
        [*lines, "Give the id or the lookup."],
        ExitCode.USAGE,
    )


def _plain(name: str) -> str:
    """Return a name in lower case, without anything but letters and digits."""
    return re.sub(r"[\W_]", "", name.casefold())
