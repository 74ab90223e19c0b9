"""Checks raw rows for contradictions between values, before the load writes."""

from __future__ import annotations

import datetime as dt

import pyarrow as pa
import pyarrow.compute as pc

from python_workers.raw.files import scratch_database
from python_workers.raw.rules import (
    games_unknown,
    problem_of_another_team,
    rows_of_another_team,
    rules_of,
)
from python_workers.raw.tables import RawRows
from python_workers.warehouse.stored_rows import StoredRows


def check_rows(raw: RawRows) -> None:
    """Check the rows of one table for contradictions within a row.

    Raises
    ------
    BackcourtError
        If it finds some; it names the file, the columns and the first rows.
    """
    rules = rules_of(raw.schema)
    if not rules:
        return
    rows = raw.rows.sql(numbered=True)
    with scratch_database() as connection:
        for rule in rules:
            found = connection.execute(
                f"select file_row_number as position from {rows} "  # noqa: S608 a file of this load
                f"where {rule.condition} order by position"
            ).to_arrow_table()
            if found.num_rows:
                positions = found.column("position").to_numpy()
                raise raw.refuse(positions, rule.problem, rule.columns, rule.advice)


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
        connection.register("known_games", games)
        found = connection.execute(
            rows_of_another_team(lines, "known_games", ["file_row_number"])
        ).to_arrow_table()
        unknown = connection.execute(games_unknown(lines, "known_games")).fetchall()
    if found.num_rows:
        raise raw.refuse(
            found.column("file_row_number").to_numpy(),
            problem_of_another_team(found.column("teams")[0].as_py()),
            [*raw.schema.key, "team_abbr"],
            "Use the abbreviations of the games table.",
        )
    return len(unknown)


def future_finals(games: StoredRows, today: dt.date) -> int:
    """Count final games that are dated after today: a clock or a feed is wrong.

    The load reports them but does not refuse them: they are harmless, since rows of a date use only
    earlier games.
    """
    final = pc.equal(games.column("status"), "final")
    later = pc.greater(games.column("game_date"), pa.scalar(today, pa.date32()))
    return int(pc.sum(pc.and_(final, later)).as_py() or 0)
