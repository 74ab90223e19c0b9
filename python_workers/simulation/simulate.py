"""``backcourt simulate``: a made-up but realistic league in the raw format."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.parquet as pq

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.schema import BOX_COUNTS
from python_workers.raw.values import parse_season
from python_workers.runtime.writing import check_folder, replaced, write_text
from python_workers.simulation.games import (
    HURT,
    PLAYED,
    RESERVE,
    Season,
    play_season,
)
from python_workers.simulation.league import (
    TEAMS,
    Players,
    fill_rosters,
    season_rosters,
)
from python_workers.simulation.schedule import (
    FULL_SEASON_GAMES,
    Schedule,
    build_schedule,
    season_bounds,
)
from python_workers.simulation.shots import LABELS, LEFT_CORNER, MID_RANGE

DEFAULT_SEASONS = ("2021-22", "2022-23")
DEFAULT_SEED = 20211019
MARKER = "SIMULATED.md"

_MARKER_TEXT = """# Simulated data

Created by `backcourt simulate`: no player, game or number in this folder is real.

- seasons: {seasons}
- seed: {seed}
- teams: {teams}, games of each: {games}
"""
_STARTERS = 5
_INJURIES = ("Ankle", "Knee", "Hamstring", "Back", "Illness", "Calf", "Shoulder", "Concussion")
_UNLABELLED_SHARE, _UNPLACED_SHARE = 0.003, 0.0005

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class SimulatedLeague:
    """The written folder and its numbers of rows by table."""

    directory: Path
    rows: dict[str, int]


def simulate(
    out: Path,
    seasons: Sequence[str] = DEFAULT_SEASONS,
    seed: int = DEFAULT_SEED,
    *,
    teams: int = len(TEAMS),
    games_per_team: int = FULL_SEASON_GAMES,
) -> SimulatedLeague:
    """Write a made-up league as Parquet files of all four raw tables, the same bytes per seed.

    Parameters
    ----------
    out
        Folder to create; files of an earlier simulation in it are replaced.
    seasons
        Seasons such as ``2021-22``, in order; each season's rosters follow from the previous one.
    seed
        Determines all random choices.
    teams, games_per_team
        Smaller numbers make a smaller league; the number of teams must be even.

    Raises
    ------
    BackcourtError
        If a season is not valid, or the folder contains other files than a simulation.
    """
    years = _season_years(seasons)
    _clear_folder(out)
    league: tuple[Players, Integers] | None = None
    rows = dict.fromkeys(("games", "player_box_scores", "shots", "players"), 0)
    tables: dict[str, pa.Table] = {}
    for season, year in zip(seasons, years, strict=True):
        rng = np.random.default_rng([seed, year])
        schedule = build_schedule(rng, year, teams, games_per_team)
        players, opening = fill_rosters(rng, league, teams, year)
        _, length = season_bounds(year, games_per_team)
        players, rosters = season_rosters(rng, players, opening, year, length)
        played = play_season(rng, schedule, players, rosters)
        league = (players, rosters.slots[-1])
        ids = _game_ids(year, len(schedule.dates))
        file = season.replace("-", "_")
        tables[f"games/{file}"] = _games_table(season, schedule, ids, played)
        tables[f"player_box_scores/{file}"] = _box_table(rng, players, ids, played, year)
        tables[f"shots/{file}"] = _shots_table(rng, players, ids, played)
    if league is not None:
        tables["players/players"] = _players_table(league[0])
    for name, table in tables.items():
        path = out / f"{name}.parquet"
        with replaced(path) as unfinished:
            pq.write_table(table, unfinished, compression="zstd")
        rows[path.parent.name] += table.num_rows
    write_text(
        out / MARKER,
        _MARKER_TEXT.format(
            seasons=", ".join(seasons), seed=seed, teams=teams, games=games_per_team
        ),
    )
    return SimulatedLeague(out, rows)


def _season_years(seasons: Sequence[str]) -> list[int]:
    years: list[int] = []
    for season in seasons:
        try:
            parsed = parse_season(season)
        except ValueError as error:
            raise BackcourtError(f"{season!r} {error}", exit_code=ExitCode.USAGE) from error
        if int(parsed[:4]) in years:
            raise BackcourtError(f"season {season!r} is named twice", exit_code=ExitCode.USAGE)
        years.append(int(parsed[:4]))
    if not years:
        raise BackcourtError(
            "no season to simulate", "Name some: --seasons 2021-22,2022-23", ExitCode.USAGE
        )
    return years


def _clear_folder(out: Path) -> None:
    """Refuse to mix made-up files with others, and delete those of an earlier simulation."""
    check_folder(out)
    if not out.exists() or not any(out.iterdir()):
        return
    if not (out / MARKER).exists():
        raise BackcourtError(
            f"{out} contains files that are no simulation",
            "Name an empty or a new folder, so that real and made-up data never mix.",
            ExitCode.USAGE,
        )
    for table in ("games", "player_box_scores", "shots", "players"):
        for path in sorted((out / table).glob("*.parquet")):
            path.unlink()


def _game_ids(year: int, count: int) -> npt.NDArray[np.str_]:
    return np.array([f"002{year % 100:02d}{number:05d}" for number in range(1, count + 1)])


def _games_table(
    season: str, schedule: Schedule, ids: npt.NDArray[np.str_], played: Season
) -> pa.Table:
    names, scores = np.array(TEAMS), played.scores.reshape(-1, 2)
    return pa.table(
        {
            "game_id": pa.array(ids, pa.string()),
            "season": pa.array([season] * len(ids), pa.string()),
            "season_type": pa.array(["regular"] * len(ids), pa.string()),
            "game_date": pa.array(schedule.dates, pa.date32()),
            "home_team_abbr": pa.array(names[schedule.home], pa.string()),
            "away_team_abbr": pa.array(names[schedule.away], pa.string()),
            "home_score": pa.array(scores[:, 0], pa.int32()),
            "away_score": pa.array(scores[:, 1], pa.int32()),
            "status": pa.array(["final"] * len(ids), pa.string()),
        }
    )


def _box_table(
    rng: np.random.Generator,
    players: Players,
    ids: npt.NDArray[np.str_],
    played: Season,
    year: int,
) -> pa.Table:
    side, slot = (played.rosters >= 0).nonzero()
    order = np.lexsort((played.order[side, slot], side))
    side, slot = side[order], slot[order]
    number, status = played.rosters[side, slot], played.status[side, slot]
    injuries = np.array(_INJURIES)[rng.integers(0, len(_INJURIES), len(side))]
    reasons = np.select(
        [status == RESERVE, status == HURT],
        ["DNP - Coach's Decision", np.char.add("DND - Injury/Illness - ", injuries)],
        "DND - Rest",
    )
    is_dnp = status != PLAYED
    counts = {
        name: pa.array(played.counts[name][side, slot], pa.int32())
        for name in (*BOX_COUNTS, "plus_minus")
    }
    plus_minus = counts.pop("plus_minus")
    return pa.table(
        {
            "game_id": pa.array(ids[side // 2], pa.string()),
            "player_id": pa.array(players.ids[number], pa.int64()),
            "player_name": pa.array(players.names[number], pa.string()),
            "team_abbr": pa.array(np.array(TEAMS)[played.teams[side]], pa.string()),
            "position": pa.array(players.positions[number], pa.string()),
            "is_starter": pa.array(~is_dnp & (played.order[side, slot] < _STARTERS)),
            "is_dnp": pa.array(is_dnp),
            "dnp_reason": pa.array(reasons, pa.string(), mask=~is_dnp),
            "minutes": _minutes(played.seconds[side, slot], status, year),
            **counts,
            "plus_minus": plus_minus,
        }
    )


def _minutes(seconds: Integers, status: Integers, year: int) -> pa.Array:
    """Write minutes as the feeds do: as a clock in odd years, in ISO notation in even ones."""
    form = "{}:{:02d}" if year % 2 else "PT{:02d}M{:02d}.00S"
    texts = [form.format(*divmod(value, 60)) for value in seconds.tolist()]
    return pa.array(texts, pa.string(), mask=(status != PLAYED) & (status != RESERVE))


def _shots_table(
    rng: np.random.Generator, players: Players, ids: npt.NDArray[np.str_], played: Season
) -> pa.Table:
    shots, rosters = played.shots, played.rosters
    game = shots.side // 2
    # Other events happen between shots: numbers rise by one to five, and restart in each game.
    steps = np.cumsum(rng.integers(1, 6, len(game)))
    first = np.searchsorted(game, np.arange(len(ids)))
    events = steps - (steps[first] - 7)[game]
    unplaced = rng.random(len(game)) < _UNPLACED_SHARE
    unlabelled = unplaced | (rng.random(len(game)) < _UNLABELLED_SHARE)
    table = pa.table(
        {
            "game_id": pa.array(ids[game], pa.string()),
            "event_number": pa.array(events, pa.int32()),
            "period": pa.array(shots.period, pa.int32()),
            "clock_seconds": pa.array(shots.clock_seconds, pa.float64()),
            "player_id": pa.array(players.ids[rosters[shots.side, shots.slot]], pa.int64()),
            "team_abbr": pa.array(np.array(TEAMS)[played.teams[shots.side]], pa.string()),
            "shot_value": pa.array(np.where(shots.zone >= LEFT_CORNER, 3, 2), pa.int32()),
            "is_made": pa.array(shots.is_made),
            "is_assisted": pa.array(shots.assist_slot >= 0),
            "assist_player_id": _helpers(players, rosters, shots.side, shots.assist_slot),
            "block_player_id": _helpers(players, rosters, shots.side ^ 1, shots.block_slot),
            "zone_basic": pa.array(LABELS[shots.zone], pa.string(), mask=unlabelled),
            "loc_x": pa.array(shots.x, pa.int32(), mask=unplaced),
            "loc_y": pa.array(shots.y, pa.int32(), mask=unplaced),
            "shot_distance_ft": pa.array(np.hypot(shots.x, shots.y) // 10, pa.int32()),
            "is_paint": pa.array(shots.zone < MID_RANGE),
        }
    )
    return table.filter(pa.array(played.is_recorded))


def _helpers(players: Players, rosters: Integers, side: Integers, slot: Integers) -> pa.Array:
    """Return the ids of the players who assisted or blocked, NULL if none did."""
    return pa.array(players.ids[rosters[side, slot]], pa.int64(), mask=slot < 0)


def _players_table(players: Players) -> pa.Table:
    return pa.table(
        {
            "player_id": pa.array(players.ids, pa.int64()),
            "player_name": pa.array(players.names, pa.string()),
            "birth_date": pa.array(players.births, pa.date32()),
            "position": pa.array(players.positions, pa.string()),
        }
    )
