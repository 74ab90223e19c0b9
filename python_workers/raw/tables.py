"""The typed rows of a raw table: on disk, one per key, each with its place in the files."""

from __future__ import annotations

import bisect
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from python_workers.errors import BackcourtError
from python_workers.raw.files import scratch_database
from python_workers.raw.schema import RawTable
from python_workers.warehouse.stored_rows import StoredRows

ROWS_SHOWN = 3
_VALUE_WIDTH = 60
NOTHING_LOADED = "Correct the file and load again. Nothing was loaded."
Positions = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Origin:
    """The files that the rows of a table came from.

    Parameters
    ----------
    labels
        The files, relative to the raw folder.
    starts
        Position of each file's first row.
    """

    labels: tuple[str, ...]
    starts: tuple[int, ...]

    def file(self, position: int) -> str:
        """Return the label of the file that contains the row at this position."""
        return self.labels[bisect.bisect_right(self.starts, position) - 1]

    def row(self, position: int) -> int:
        """Return the row's number in its file: 1 is the first row of data."""
        return position - self.starts[bisect.bisect_right(self.starts, position) - 1] + 1


@dataclass(frozen=True)
class RawRows:
    """A raw table as read: typed, possibly with duplicates; `origin` locates each row."""

    schema: RawTable
    rows: StoredRows
    origin: Origin

    def refuse(
        self, positions: Positions, problem: str, columns: Sequence[str], advice: str
    ) -> BackcourtError:
        """Return the error for wrong rows; it names the file and shows the first rows.

        Parameters
        ----------
        positions
            Positions of the wrong rows, ascending, at least one.
        problem
            What is wrong, for example ``fgm is above fga``.
        columns
            Columns whose values to show.
        advice
            What to do.
        """
        first = positions[:ROWS_SHOWN].tolist()
        shown = [
            f"row {self.origin.row(position)}{self._elsewhere(position, positions)}: "
            + ", ".join(f"{name} = {shorten(row[name])}" for name in columns)
            for position, row in zip(first, self.rows.at(first), strict=True)
        ]
        if len(positions) > ROWS_SHOWN:
            shown.append(f"and {len(positions) - ROWS_SHOWN} more rows")
        file = self.origin.file(int(positions[0]))
        return BackcourtError(f"{file}: {problem}", [*shown, advice, NOTHING_LOADED])

    def _elsewhere(self, position: int, positions: Positions) -> str:
        file = self.origin.file(position)
        return "" if file == self.origin.file(int(positions[0])) else f" of {file}"


def collapse_duplicates(raw: RawRows) -> StoredRows:
    """Return one row per key: keep one of several rows that are equal in all columns.

    Raises
    ------
    BackcourtError
        If rows of one key differ.
    """
    key = ", ".join(f'"{name}"' for name in raw.schema.key)
    numbered = raw.rows.sql(numbered=True)
    with scratch_database() as connection:
        first = connection.execute(
            f"select min(file_row_number) as first from {numbered} group by {key}"  # noqa: S608 own
        ).to_arrow_table()
        if first.num_rows == raw.rows.num_rows:
            return raw.rows
        clash = connection.execute(
            f"""
            select {key}, list(row_number order by row_number) as positions
            from (
                select * exclude (file_row_number), min(file_row_number) as row_number
                from {numbered}
                group by all
            )
            group by {key}
            having count(*) > 1
            order by min(row_number)
            limit {ROWS_SHOWN + 1}
            """  # noqa: S608 own schema
        ).fetchall()
    if clash:
        raise _clash_error(raw, [row[-1] for row in clash])
    return raw.rows.keep(np.sort(first.column("first").to_numpy()))


def shorten(value: object) -> str:
    """Format a value for messages: quoted if text, and never longer than a line."""
    text = repr(value) if isinstance(value, str) else str(value)
    return text if len(text) <= _VALUE_WIDTH else f"{text[: _VALUE_WIDTH - 4]}... ({len(text)})"


def _clash_error(raw: RawRows, groups: list[list[int]]) -> BackcourtError:
    key = raw.schema.key
    lines: list[str] = []
    for group in groups[:ROWS_SHOWN]:
        one, two = raw.rows.at(group[:2])
        differing = ", ".join(
            f"{name} {shorten(one[name])} / {shorten(two[name])}"
            for name in raw.rows.column_names
            if one[name] != two[name]
        )
        places = " and ".join(
            f"{raw.origin.file(position)} row {raw.origin.row(position)}" for position in group[:2]
        )
        lines.append(f"{', '.join(f'{name} {one[name]}' for name in key)}: {differing} ({places})")
    if len(groups) > ROWS_SHOWN:
        lines.append("and more")
    return BackcourtError(
        f"{raw.origin.file(groups[0][1])}: rows of one key ({', '.join(key)}) differ",
        [
            *lines,
            "Keep the right row for each key. Rows that are equal in all columns do no harm.",
            NOTHING_LOADED,
        ],
    )
