"""Checks a chunk's game rows; rejects players with impossible rows and states the reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import Integers, iso_date, labels_of
from python_workers.columnar.rounding import BoolArray, IntArray
from python_workers.columnar.segments import GameSegments
from python_workers.processors.failures import Rejections, outside


def reject_wrong_games(
    rejected: Rejections, games: GameSegments, actual: Integers, deepest_rank: int
) -> None:
    """Reject players whose game rows are not exactly their most recent actual games.

    Parameters
    ----------
    rejected
        Collects the rejections.
    games
        The game rows.
    actual
        Actual games of each player this season.
    deepest_rank
        The highest rank, that is the oldest game, in the input.
    """
    unknown = np.flatnonzero(~actual.known() | (actual.values < 0))
    rejected.reject(unknown, lambda i: f"actual_game_count is {_text(actual, unknown[i])}")
    expected = np.minimum(actual.values, deepest_rank)
    wrong = np.flatnonzero(games.counts != expected)
    rejected.reject(
        wrong, lambda i: f"{games.counts[wrong[i]]} game rows, {expected[wrong[i]]} expected"
    )
    gaps = np.flatnonzero(~games.ranks_are_gapless)
    rejected.reject(gaps, lambda _: "game ranks have gaps or repetitions")
    played = games.days("game_date")
    late = np.flatnonzero(~played.known() | (played.values >= games.dates))
    reject_rows(
        rejected,
        games,
        late,
        lambda row: f"{games.described(row)} is not before {iso_date(games.dates[row])}",
    )


def reject_values(
    rejected: Rejections,
    games: GameSegments,
    name: str,
    column: Integers,
    *,
    used: BoolArray | None,
    high: int,
) -> None:
    """Reject players with a used value of a game column outside 0 to `high`."""
    rows = outside(column.values, column.valid, 0, high)
    rows = rows if used is None else rows[used[rows]]
    reject_rows(
        rejected,
        games,
        rows,
        lambda row: (
            f"{name} is {column.values[row]} in {games.described(row)}, outside 0 to {high}"
        ),
    )


def reject_excess(
    rejected: Rejections,
    games: GameSegments,
    made: tuple[str, IntArray],
    tried: tuple[str, IntArray],
) -> None:
    """Reject players with more makes than attempts in a game."""
    reject_rows(
        rejected,
        games,
        np.flatnonzero(made[1] > tried[1]),
        lambda row: (
            f"{made[0]} is {made[1][row]} in {games.described(row)}, "
            f"more than the {tried[1][row]} {tried[0]}"
        ),
    )


def reject_rows(
    rejected: Rejections, games: GameSegments, rows: IntArray, message: Callable[[int], str]
) -> None:
    """Reject the players of the given game rows; `message` takes a row."""
    if len(rows):
        rejected.reject(games.owners(rows), lambda i: message(int(rows[i])))


def missing_games(
    games: GameSegments, available: BoolArray, at: IntArray, ranks: int, what: str
) -> tuple[list[str], list[list[str]]]:
    """State which of the players' most recent games are unavailable.

    Parameters
    ----------
    games
        The game rows.
    available
        Per sorted game row, whether it is usable.
    at
        The players.
    ranks
        Number of most recent games to check.
    what
        The data that an unavailable game lacks, for the message.

    Returns
    -------
    tuple
        A sentence per player, and his missing dates (ISO, ascending).
    """
    reasons, dates = [], []
    for player in at.tolist():
        first = int(games.starts[player])
        checked = min(int(games.counts[player]), ranks)
        gone = first + np.flatnonzero(~available[first : first + checked])
        missing = sorted({str(date) for date in games.cells("game_date", gone)})
        reasons.append(
            f"{len(gone)} of the {checked} most recent games without {what}: {', '.join(missing)}"
        )
        dates.append(missing)
    return reasons, dates


def too_few_reasons(actual: IntArray, required: int) -> pa.Array:
    """State for each player how many games he has and needs."""
    counts, codes = np.unique(actual, return_inverse=True)
    return labels_of(
        codes, [f"{games} actual games this season, {required} required" for games in counts]
    )


def _text(column: Integers, position: int) -> str:
    return str(column.values[position]) if column.known()[position] else "missing"
