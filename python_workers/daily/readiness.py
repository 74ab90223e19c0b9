"""Checks that daily mode makes before it computes: schedule, box scores, shots, fresh loads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from typing import Any

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.warehouse.base import Warehouse
from python_workers.wording import counted

SHOWN_GAMES = 10

# Schedule and results arrive every day; a players file may stay the same for months.
FRESH_TABLES = ("games", "player_box_scores", "shots")

# A feed may deliver only one team's data of a game.
_LACKING_GAMES = f"""
with boxes as (
    select distinct game_id, team_abbr from {table_names.PLAYER_BOX_SCORES}
),

shots as (
    select distinct game_id, team_abbr from {table_names.SHOTS}
),

season as (
    select max(season) as season from {table_names.GAMES} where game_date = @day
)

select
    games.game_id, games.game_date, games.away_team_abbr, games.home_team_abbr, games.status,
    away_box.game_id is not null as has_away_box,
    home_box.game_id is not null as has_home_box,
    away_shots.game_id is not null as has_away_shots,
    home_shots.game_id is not null as has_home_shots
from {table_names.GAMES} as games
inner join season on games.season = season.season
left join boxes as away_box
    on games.game_id = away_box.game_id and games.away_team_abbr = away_box.team_abbr
left join boxes as home_box
    on games.game_id = home_box.game_id and games.home_team_abbr = home_box.team_abbr
left join shots as away_shots
    on games.game_id = away_shots.game_id and games.away_team_abbr = away_shots.team_abbr
left join shots as home_shots
    on games.game_id = home_shots.game_id and games.home_team_abbr = home_shots.team_abbr
where games.game_date < @day
    and games.status != 'postponed'
    and (
        games.status != 'final'
        or away_box.game_id is null
        or home_box.game_id is null
        or away_shots.game_id is null
        or home_shots.game_id is null
    )
order by games.game_date, games.game_id
"""  # noqa: S608 our own names

# After a clock was set back, earlier loads lie in the future: ignore them if there are others.
_LAST_LOADS = f"""
select table_name, coalesce(
    max(case when loaded_at <= @now then loaded_at end), min(loaded_at)
) as loaded_at
from {table_names.LOADS}
group by table_name
"""  # noqa: S608 our own name


@dataclass(frozen=True)
class Dependencies:
    """Sentences about missing and stale data; both are empty if all dependencies are met."""

    missing: tuple[str, ...]
    stale: tuple[str, ...]

    @property
    def are_met(self) -> bool:
        """Whether a daily run can rely on its inputs."""
        return not self.missing and not self.stale

    def error(self, day: date) -> BackcourtError:
        """Return the error that states what is missing and what to do."""
        lines = [*self.missing[:SHOWN_GAMES]]
        if len(self.missing) > SHOWN_GAMES:
            lines.append(f"… and {len(self.missing) - SHOWN_GAMES} more games")
        lines += self.stale
        lines += [
            "Load what is missing with: backcourt load DIR",
            f"or continue without it: backcourt daily --date {day} --allow-incomplete",
        ]
        what = (
            f"{counted(len(self.missing), 'game')} incomplete"
            if self.missing
            else "raw data is old"
        )
        return BackcourtError(f"not ready for {day}: {what}", lines, ExitCode.ENVIRONMENT)


def check_dependencies(warehouse: Warehouse, day: date, fresh_hours: float) -> Dependencies:
    """Check that all data for a date's features is loaded.

    Every earlier game of the season must be final, with box score and shots of both teams, and the
    raw tables must have been loaded within the last `fresh_hours` hours.
    """
    missing = tuple(
        f"{row['game_id']} {row['game_date']} {row['away_team_abbr']} at {row['home_team_abbr']}: "
        + _lack(row)
        for row in warehouse.query(_LACKING_GAMES, {"day": day}).to_pylist()
    )
    return Dependencies(missing, tuple(stale_loads(warehouse, fresh_hours)))


def last_loads(warehouse: Warehouse, now: datetime) -> dict[str, datetime]:
    """Return each raw table's last load; a time in the future only if there is no earlier load."""
    if not warehouse.has_table(table_names.LOADS):
        return {}
    found = warehouse.query(_LAST_LOADS, {"now": now}).to_pylist()
    return {row["table_name"]: row["loaded_at"] for row in found}


def _lack(row: Mapping[str, Any]) -> str:
    if row["status"] != "final":
        return f"still {row['status']}"
    lacks = []
    for what, column in (("box score", "box"), ("shots", "shots")):
        lacking = [side for side in ("away", "home") if not row[f"has_{side}_{column}"]]
        if lacking:
            of_team = f" of {row[f'{lacking[0]}_team_abbr']}" if len(lacking) == 1 else ""
            lacks.append(f"no {what}{of_team}")
    return " and ".join(lacks)


def stale_loads(warehouse: Warehouse, fresh_hours: float) -> Sequence[str]:
    """Return a sentence for each raw table that was not loaded within the last `fresh_hours`."""
    now = datetime.now(UTC)
    loads = last_loads(warehouse, now)
    oldest = now - timedelta(hours=fresh_hours)
    lines = []
    for name in FRESH_TABLES:
        loaded_at, table = loads.get(name), f"{table_names.RAW}.{name}"
        if loaded_at is None:
            lines.append(f"{table} has never been loaded by backcourt load.")
        elif loaded_at > now:
            lines.append(
                f"{table} was last loaded on {loaded_at:%Y-%m-%d %H:%M} UTC, in the "
                "future: the clock was set back since. Load it again."
            )
        elif loaded_at < oldest:
            lines.append(
                f"{table} was last loaded on {loaded_at:%Y-%m-%d %H:%M} UTC, more than "
                f"{fresh_hours:g} hours ago (BACKCOURT_FRESH_HOURS)."
            )
    return lines
