"""Failures: the reasons why a player has no row, their categories, and the failure rows."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
import pyarrow as pa

from python_workers.columnar.columns import Integers, decoded, one_array
from python_workers.columnar.rounding import BoolArray, FloatArray, IntArray


@dataclass(frozen=True)
class FailureCategory:
    """One reason for a missing row, with all its properties and texts.

    Parameters
    ----------
    name
        Name stored in ``failure_category``.
    is_expected
        Whether the data explain it, so that nobody needs to investigate it.
    can_retry
        Whether the same run may succeed later, once data has arrived.
    needs_attention
        Whether a user must act before there can be a row. True for a locked entity: the lock itself
        is expected, but the data behind it is still missing.
    meaning, action
        What it means and what to do about it, for the report and the runbook.
    heading
        Its column on the command line.
    colour
        Its colour in the report, a variable of ``style.css``.
    """

    name: str
    is_expected: bool
    can_retry: bool
    needs_attention: bool
    meaning: str
    action: str
    heading: str
    colour: str

    @property
    def column(self) -> str:
        """The column that counts it, as in ``processor_runs`` and ``backfill_coverage``."""
        return self.name.lower()

    @property
    def page(self) -> str:
        """Where the docs explain it."""
        return f"docs/runbook.md#{self.column}"


EXPECTED_INCOMPLETE = FailureCategory(
    "EXPECTED_INCOMPLETE",
    is_expected=True,
    can_retry=False,
    needs_attention=False,
    meaning="fewer actual games than the processor needs: season start, call-ups",
    action="nothing; it ends by itself",
    heading="expected incomplete",
    colour="waiting",
)
STALE_DATA = FailureCategory(
    "STALE_DATA",
    is_expected=True,
    can_retry=False,
    needs_attention=False,
    meaning="has games, but none in the last 30 days: injured or out of the rotation",
    action="nothing",
    heading="stale",
    colour="stale",
)
KNOWN_SOURCE_GAP = FailureCategory(
    "KNOWN_SOURCE_GAP",
    is_expected=True,
    can_retry=False,
    needs_attention=False,
    meaning="enough actual games, but data of some is missing, and `known_source_gaps` lists all "
    "of these",
    action="nothing; coverage says when the source has delivered and the line can go",
    heading="known gap",
    colour="known",
)
CIRCUIT_BREAKER_ACTIVE = FailureCategory(
    "CIRCUIT_BREAKER_ACTIVE",
    is_expected=True,
    can_retry=False,
    needs_attention=True,
    meaning="daily mode: three unsuccessful attempts on the same inputs, locked for 7 days",
    action="deliver the data that is still missing, which opens the lock, "
    "or run `backcourt breaker reset`",
    heading="breaker",
    colour="breaker",
)
INCOMPLETE_UPSTREAM = FailureCategory(
    "INCOMPLETE_UPSTREAM",
    is_expected=False,
    can_retry=True,
    needs_attention=True,
    meaning="enough actual games, but data of some is missing",
    action="load the corrected games and run the backfill again; see below",
    heading="incomplete upstream",
    colour="investigate",
)
PROCESSING_ERROR = FailureCategory(
    "PROCESSING_ERROR",
    is_expected=False,
    can_retry=False,
    needs_attention=True,
    meaning="the computation raised, a value is out of range, or the worker died",
    action="correct the raw value and run the backfill again; see below",
    heading="error",
    colour="incomplete",
)

CATEGORIES: dict[str, FailureCategory] = {
    category.name: category
    for category in (
        EXPECTED_INCOMPLETE,
        STALE_DATA,
        KNOWN_SOURCE_GAP,
        CIRCUIT_BREAKER_ACTIVE,
        INCOMPLETE_UPSTREAM,
        PROCESSING_ERROR,
    )
}

UNKNOWN_CATEGORY = "unknown_category"
"""The column that counts failures of any other category; they need attention, too."""

# Condition on failure rows; an unknown category needs attention, too.
NEEDS_ATTENTION = "coalesce(failure_category, '') not in ({})".format(
    ", ".join(
        f"'{category.name}'" for category in CATEGORIES.values() if not category.needs_attention
    )
)

FAILURE_SCHEMA = pa.schema(
    [
        ("analysis_date", pa.date32()),
        ("entity_id", pa.string()),
        ("player_id", pa.int64()),
        ("failure_category", pa.string()),
        ("failure_reason", pa.string()),
        ("can_retry", pa.bool_()),
        ("is_expected", pa.bool_()),
        ("expected_game_count", pa.int64()),
        ("actual_game_count", pa.int64()),
        ("missing_game_dates", pa.string()),
    ]
)
"""Failure rows as a worker returns them; the parent adds processor, run and time."""


@dataclass(frozen=True)
class ChunkResult:
    """What a worker returns for a chunk: every player-date in exactly one of the two.

    Parameters
    ----------
    rows
        Output rows with their hash, sorted by (analysis_date, player_id).
    failures
        Rows of `FAILURE_SCHEMA`, sorted the same way.
    digests
        Output digest of each date, whose rows and failures are all here; None if not made yet.
    """

    rows: pa.Table
    failures: pa.Table
    digests: Mapping[date, str] | None = None


@dataclass(frozen=True)
class Failed:
    """Players of a chunk that fail for one category.

    Parameters
    ----------
    at
        Positions of the failed players.
    category
        Why.
    reasons
        One sentence each.
    missing_dates
        ISO dates of the games missing, one list each; None if no game is.
    """

    at: IntArray
    category: FailureCategory
    reasons: Sequence[str] | pa.Array
    missing_dates: Sequence[Sequence[str]] | None = None


def failure_rows(
    players: pa.Table, failed: Sequence[Failed], required_games: int | None = None
) -> pa.Table:
    """Make the failure rows of a chunk.

    Parameters
    ----------
    players
        Rows of (analysis_date, player_id, player_lookup, ...), ``actual_game_count`` if known.
    failed
        The failed players by category; each player at most once.
    required_games
        Number of games that the processor requires; None if it requires none.

    Returns
    -------
    pyarrow.Table
        Rows of `FAILURE_SCHEMA` in the order of `players`.
    """
    parts = [part for part in failed if len(part.at)]
    if not parts:
        return FAILURE_SCHEMA.empty_table()
    table = pa.concat_tables([_category_rows(players, part, required_games) for part in parts])
    order = np.argsort(np.concatenate([part.at for part in parts]), kind="stable")
    return table.take(pa.array(order)).combine_chunks()


def _category_rows(players: pa.Table, part: Failed, required_games: int | None) -> pa.Table:
    count = len(part.at)
    rows = players.take(pa.array(part.at))
    actual = pa.nulls(count, pa.int64())
    if "actual_game_count" in rows.column_names:
        actual = rows.column("actual_game_count").cast(pa.int64())
    missing = part.missing_dates
    columns = [
        rows.column("analysis_date").cast(pa.date32()),
        decoded(one_array(rows, "player_lookup")),
        rows.column("player_id").cast(pa.int64()),
        pa.repeat(part.category.name, count),
        part.reasons if isinstance(part.reasons, pa.Array) else pa.array(part.reasons, pa.string()),
        pa.repeat(part.category.can_retry, count),
        pa.repeat(part.category.is_expected, count),
        pa.repeat(pa.scalar(required_games, pa.int64()), count),
        actual,
        pa.repeat("[]", count) if missing is None else pa.array(map(json.dumps, missing)),
    ]
    return pa.table(columns, schema=FAILURE_SCHEMA)


def error_reason(error: BaseException) -> str:
    """Return an exception as the reason of a failure row: its type and message."""
    return f"{type(error).__name__}: {error}"


class Rejections:
    """Players whose values cannot be right, each with the first reason found.

    Parameters
    ----------
    players
        How many players the chunk has.
    """

    def __init__(self, players: int) -> None:
        self._mask = np.zeros(players, dtype=np.bool_)
        self._reasons: dict[int, str] = {}

    @property
    def mask(self) -> BoolArray:
        """True for each player rejected."""
        return self._mask

    def reasons(self, at: IntArray) -> list[str]:
        """Return the reasons of the given players."""
        return [self._reasons[int(player)] for player in at]

    def reject(self, players: IntArray, message: Callable[[int], str]) -> None:
        """Reject players.

        Parameters
        ----------
        players
            Their positions; one may appear several times.
        message
            The reason, by position in `players`.
        """
        for position, player in enumerate(players.tolist()):
            if player not in self._reasons:
                self._reasons[player] = f"ValueError: {message(position)}"
                self._mask[player] = True

    def require_range(
        self, name: str, column: Integers, low: int, high: int, unit: int = 1
    ) -> None:
        """Reject players whose value of a column lies outside `low` to `high`, unless missing.

        All three are shown in a message divided by `unit`.
        """
        at = outside(column.values, column.valid, low, high)
        self.reject(
            at,
            lambda i: (
                f"{name} is {column.values[at[i]] / unit:.12g}, "
                f"outside {low / unit:g} to {high / unit:g}"
            ),
        )


def outside(
    values: IntArray | FloatArray, valid: BoolArray | None, low: float, high: float
) -> IntArray:
    """Return the positions of known values that do not lie in `low` to `high`."""
    if not values.size or (values.min() >= low and values.max() <= high):
        return np.zeros(0, dtype=np.int64)
    # Negated, so that NaN counts as outside.
    beyond = ~((values >= low) & (values <= high))
    if valid is not None:
        beyond &= valid
    return np.flatnonzero(beyond)
