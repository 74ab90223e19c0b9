"""Checks raw rows for contradictions between values, before the load writes."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.raw.agreement import check_game_ids
from python_workers.raw.files import scratch_database
from python_workers.raw.schema import GAMES, PLAYER_BOX_SCORES, RawTable
from python_workers.raw.tables import RawRows
from python_workers.warehouse.stored_rows import StoredRows

Mask = npt.NDArray[np.bool_]

_WITHIN = (
    ("fgm", "fga"),
    ("fg3m", "fg3a"),
    ("ftm", "fta"),
    ("fg3m", "fgm"),
    ("fg3a", "fga"),
)


def check_rows(raw: RawRows) -> None:
    """Check the rows of one table for contradictions within a row.

    Raises
    ------
    BackcourtError
        If it finds some; it names the file, the columns and the first rows.
    """
    check = _CHECKS.get(raw.schema.name)
    if check is not None:
        check(raw)


def check_teams(raw: RawRows, games: pa.Table) -> int:
    """Check that every row's team plays in its game.

    Parameters
    ----------
    raw
        Rows with ``game_id`` and ``team_abbr``.
    games
        Known games: ``game_id``, ``home_team_abbr``, ``away_team_abbr``, one row each.

    Returns
    -------
    int
        Number of games in `raw` that `games` lacks.

    Raises
    ------
    BackcourtError
        If a team does not play in its game; it names the file and the first rows.
    """
    lines = raw.rows.sql(numbered=True)
    with scratch_database() as connection:
        connection.register("games", games)
        found = connection.execute(
            f"""
            select
                lines.file_row_number as position,
                games.home_team_abbr || ' - ' || games.away_team_abbr as teams,
            from {lines} as lines
            inner join games on lines.game_id = games.game_id
            where lines.team_abbr not in (games.home_team_abbr, games.away_team_abbr)
            order by position
            """  # noqa: S608 a file of this load
        ).to_arrow_table()
        unknown = connection.execute(
            f"select count(distinct game_id) from {lines} "  # noqa: S608 as above
            "where game_id not in (select game_id from games)"
        ).fetchone()
    if found.num_rows:
        positions = found.column("position").to_numpy()
        raise raw.refuse(
            positions,
            "column team_abbr names a team that does not play in the game "
            f"({found.column('teams')[0].as_py()})",
            [*raw.schema.key, "team_abbr"],
            "Use the abbreviations of the games table.",
        )
    return int(unknown[0]) if unknown else 0


def _check_games(raw: RawRows) -> None:
    rows = raw.rows
    check_game_ids(raw)
    final = pc.equal(rows.column("status"), "final")
    unscored = pc.or_(pc.is_null(rows.column("home_score")), pc.is_null(rows.column("away_score")))
    tied = pc.fill_null(pc.equal(rows.column("home_score"), rows.column("away_score")), False)  # noqa: FBT003 Arrow's own signature
    same = pc.equal(rows.column("home_team_abbr"), rows.column("away_team_abbr"))
    _refuse_where(
        raw,
        _mask(same),
        "home_team_abbr and away_team_abbr are the same team",
        ["game_id", "home_team_abbr"],
        "A team does not play itself.",
    )
    _refuse_where(
        raw,
        _mask(pc.and_(final, unscored)),
        "column home_score or away_score is empty though the status is final",
        ["game_id", "home_score", "away_score"],
        "Give both scores, or the status that the game really has.",
    )
    _refuse_where(
        raw,
        _mask(pc.and_(final, tied)),
        "home_score and away_score of a final game are equal",
        ["game_id", "home_score", "away_score"],
        "A finished game has a winner.",
    )
    first_year = rows.column("season").to_pylist()
    years = pc.year(rows.column("game_date")).to_numpy()
    first = np.array([int(season[:4]) for season in first_year], dtype=np.int64)
    _refuse_where(
        raw,
        (years < first) | (years > first + 1),
        "column game_date lies outside the season",
        ["game_id", "season", "game_date"],
        "A season 2021-22 is played in 2021 and 2022.",
    )


def _check_box_scores(raw: RawRows) -> None:
    counts = {name: raw.rows.column(name).to_numpy() for pair in _WITHIN for name in pair}
    for part, whole in _WITHIN:
        _refuse_where(
            raw,
            counts[part] > counts[whole],
            f"column {part} is above {whole}",
            [*raw.schema.key, "player_name", part, whole],
            "Makes cannot exceed attempts, and threes cannot exceed field goals.",
        )


def future_finals(games: StoredRows, today: dt.date) -> int:
    """Count final games that are dated after today: a clock or a feed is wrong.

    The load reports them but does not refuse them: they are harmless, since rows of a date use only
    earlier games.
    """
    final = pc.equal(games.column("status"), "final")
    later = pc.greater(games.column("game_date"), pa.scalar(today, pa.date32()))
    return int(pc.sum(pc.and_(final, later)).as_py() or 0)


def _refuse_where(raw: RawRows, mask: Mask, problem: str, columns: list[str], advice: str) -> None:
    if mask.any():
        raise raw.refuse(np.flatnonzero(mask), problem, columns, advice)


def _mask(values: pa.ChunkedArray) -> Mask:
    mask: Mask = values.to_numpy().astype(np.bool_)
    return mask


_CHECKS: dict[str, Callable[[RawRows], None]] = {
    GAMES.name: _check_games,
    PLAYER_BOX_SCORES.name: _check_box_scores,
}


def has_teams(schema: RawTable) -> bool:
    """Tell whether the table's rows belong to a team of a game."""
    names = {column.name for column in schema.columns}
    return {"game_id", "team_abbr"} <= names
