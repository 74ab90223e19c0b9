"""Checks a chunk's game rows; rejects players with impossible rows and states the reason."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import Integers, iso_date, labels_of
from python_workers.columnar.rounding import BoolArray, IntArray
from python_workers.columnar.windows import GameWindows
from python_workers.processors.failures import (
    INCOMPLETE_UPSTREAM,
    KNOWN_SOURCE_GAP,
    Failed,
    Rejections,
    outside,
)


def reject_wrong_games(
    rejected: Rejections, games: GameWindows, actual: Integers, dates: IntArray, deepest: int
) -> None:
    """Reject players whose game rows are not exactly their most recent actual games.

    Parameters
    ----------
    rejected
        Collects the rejections, by player and date.
    games
        The games and the windows of the players.
    actual
        Actual games this season, by player and date.
    dates
        The analysis date as a day number, by player and date.
    deepest
        The greatest number of games that a window holds.
    """
    window = games.of_entity
    unknown = np.flatnonzero(~actual.known() | (actual.values < 0))
    rejected.reject(unknown, lambda i: f"actual_game_count is {_text(actual, unknown[i])}")
    expected = np.minimum(actual.values, deepest)
    found = games.counts[window]
    wrong = np.flatnonzero(found != expected)
    rejected.reject(wrong, lambda i: f"{found[wrong[i]]} game rows, {expected[wrong[i]]} expected")
    reject_games(
        rejected,
        games,
        games.repeated,
        lambda game: f"two games have the number of {games.described(game)}",
    )
    reject_games(
        rejected,
        games,
        games.disordered,
        lambda game: f"{games.described(game)} is before the game before it",
        beyond_first=True,
    )
    late = np.flatnonzero(games.last_dates()[window] >= dates)

    def too_late(i: int) -> str:
        last = int(games.ends[window[late[i]]]) - 1
        return f"{games.described(last)} is not before {iso_date(dates[late[i]])}"

    rejected.reject(late, too_late)


def reject_values(
    rejected: Rejections,
    games: GameWindows,
    name: str,
    column: Integers,
    *,
    used: BoolArray | None,
    high: int,
) -> None:
    """Reject players with a used value of a game column outside 0 to `high`."""
    rows = outside(column.values, column.valid, 0, high)
    rows = rows if used is None else rows[used[rows]]
    reject_games(
        rejected,
        games,
        rows,
        lambda row: (
            f"{name} is {column.values[row]} in {games.described(row)}, outside 0 to {high}"
        ),
    )


def reject_excess(
    rejected: Rejections,
    games: GameWindows,
    made: tuple[str, IntArray],
    tried: tuple[str, IntArray],
) -> None:
    """Reject players with more makes than attempts in a game."""
    reject_games(
        rejected,
        games,
        np.flatnonzero(made[1] > tried[1]),
        lambda row: (
            f"{made[0]} is {made[1][row]} in {games.described(row)}, "
            f"more than the {tried[1][row]} {tried[0]}"
        ),
    )


def reject_games(
    rejected: Rejections,
    games: GameWindows,
    at: IntArray,
    message: Callable[[int], str],
    *,
    beyond_first: bool = False,
) -> None:
    """Reject the players whose windows hold one of the given games.

    Parameters
    ----------
    rejected
        Collects the rejections, by player and date.
    games
        The games and the windows of the players.
    at
        Sorted positions of games.
    message
        The reason, by the position of the most recent of these games in a window.
    beyond_first
        Whether the first, oldest game of a window does not count.
    """
    if not len(at):
        return
    held = games.most_recent(at)
    inside = held.known()
    if beyond_first:
        inside &= held.values > games.ends - games.counts
    players = np.flatnonzero(inside[games.of_entity])
    rejected.reject(players, lambda i: message(int(held.values[games.of_entity[players[i]]])))


def missing_games(
    games: GameWindows, available: BoolArray, at: IntArray, deepest: int, what: str
) -> list[Failed]:
    """Return the failures of players whose most recent games are not all available.

    A failure is a known gap if each of its missing games is one.

    Parameters
    ----------
    games
        The games, with ``game_date`` and ``is_known_gap``, and the windows of the players.
    available
        Per sorted game, whether it is usable.
    at
        The players and dates; each lacks at least one game.
    deepest
        Number of most recent games to check.
    what
        The data that an unavailable game lacks, for the message.

    Returns
    -------
    list of Failed
        Failures of `INCOMPLETE_UPSTREAM` and of `KNOWN_SOURCE_GAP`, each with a sentence and the
        missing dates (ISO, ascending) of every player.
    """
    is_known_gap = games.flags("is_known_gap")
    reasons: list[str] = []
    dates: list[list[str]] = []
    known = np.zeros(len(at), dtype=np.bool_)
    for number, window in enumerate(games.of_entity[at].tolist()):
        end = int(games.ends[window])
        checked = min(int(games.counts[window]), deepest)
        gone = end - checked + np.flatnonzero(~available[end - checked : end])
        missing = sorted({str(date) for date in games.cells("game_date", gone)})
        reasons.append(
            f"{len(gone)} of the {checked} most recent games without {what}: {', '.join(missing)}"
        )
        dates.append(missing)
        known[number] = is_known_gap[gone].all()
    return [
        Failed(
            at[chosen],
            category,
            [reasons[number] for number in np.flatnonzero(chosen)],
            [dates[number] for number in np.flatnonzero(chosen)],
        )
        for category, chosen in ((INCOMPLETE_UPSTREAM, ~known), (KNOWN_SOURCE_GAP, known))
    ]


def too_few_reasons(actual: IntArray, required: int) -> pa.Array:
    """State for each player how many games he has and needs."""
    counts, codes = np.unique(actual, return_inverse=True)
    return labels_of(
        codes, [f"{games} actual games this season, {required} required" for games in counts]
    )


def _text(column: Integers, position: int) -> str:
    return str(column.values[position]) if column.known()[position] else "missing"
