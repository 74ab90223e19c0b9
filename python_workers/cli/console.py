"""Reports the progress of a run: lines and a progress bar on a terminal, or JSON lines."""

from __future__ import annotations

import json
import sys
import textwrap
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Literal, cast

from rich.cells import cell_len
from rich.console import Console
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    Progress,
    TaskID,
    TextColumn,
    TimeElapsedColumn,
    TimeRemainingColumn,
)
from rich.table import Table
from rich.text import Text

from python_workers.runtime.streams import Stream, shown, write_line
from python_workers.wording import counted

if TYPE_CHECKING:
    from python_workers.accounting.commits import Commit
    from python_workers.accounting.run_records import Run
    from python_workers.accounting.schedule import Schedule
    from python_workers.processors.base import Processor


class _DataConsole(Console):
    """A console that treats all text as data: no control characters, markup or emoji codes."""

    def render_str(self, text: str, **options: Any) -> Text:  # noqa: ANN401 -- rich's own options
        return super().render_str(shown(text), **options)


def _console(name: Literal["stdout", "stderr"], width: int | None = None) -> Console:
    return _DataConsole(
        file=cast("IO[str]", Stream(name)),
        markup=False,
        emoji=False,
        highlight=False,
        soft_wrap=True,
        width=width,
    )


TABLE_WIDTH = 80
"""Width of tables where the output is no terminal."""
_NARROW_TEXT = 18
_GAP = 2

out = _console("stdout", None if sys.stdout.isatty() else 200)
err = _console("stderr")


def say_copied() -> None:
    """Say that a command reads a copy, since a run holds the warehouse."""
    err.print("another process holds the warehouse: this is what it has committed so far")


class TextReporter:
    """Prints a line per stage; on a terminal, bars show the progress of the pool's stages.

    Parameters
    ----------
    total_dates
        Dates of the range, the length of a bar.
    """

    def __init__(self, total_dates: int) -> None:
        self._total = total_dates
        self._progress: Progress | None = None
        self._tasks: dict[str, TaskID] = {}
        self._rows: dict[str, int] = {}

    def stage(self, name: str, detail: str) -> None:
        """Print the start of a stage."""
        if err.is_terminal:
            err.print(f"{name}: {detail} …", style="dim")

    def advance(self, processor: Processor, dates: int, rows: int) -> None:
        """Advance the bar of a processor."""
        if not err.is_terminal:
            return
        if self._progress is None:
            self._progress = Progress(
                TextColumn("  {task.description:<5}"),
                BarColumn(),
                MofNCompleteColumn(),
                TextColumn("dates  {task.fields[rows]:>9,} rows"),
                TimeElapsedColumn(),
                TextColumn("left"),
                TimeRemainingColumn(),
                console=err,
                transient=True,
            )
            self._progress.start()
        if processor.key not in self._tasks:
            self._tasks[processor.key] = self._progress.add_task(
                processor.key, total=self._total, rows=0
            )
        self._rows[processor.key] = self._rows.get(processor.key, 0) + rows
        self._progress.update(
            self._tasks[processor.key], advance=dates, rows=self._rows[processor.key]
        )

    def stage_done(self, name: str, seconds: float, detail: str) -> None:
        """Print the end of a stage."""
        self.close()
        out.print(f"{name:<18}{seconds:>7.1f} s  {detail}")

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None:
        """Print nothing: the stage's line has the sums."""

    def close(self) -> None:
        """Remove the bars."""
        if self._progress is not None:
            self._progress.stop()
            self._progress = None
            self._tasks.clear()
            self._rows.clear()


class JsonReporter:
    """Writes one JSON object per line to standard output, for log-based alerts."""

    def __init__(self) -> None:
        self.run_id: str | None = None

    def event(self, name: str, **fields: Any) -> None:  # noqa: ANN401 -- any JSON value
        """Write an event with its fields."""
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "severity": fields.pop("severity", "INFO"),
            "event": name,
            **({"run_id": self.run_id} if self.run_id else {}),
            **fields,
        }
        write_line(json.dumps(line, default=str))

    def stage(self, name: str, detail: str) -> None:
        """Write an event for the start of a stage."""
        self.event("stage_started", stage=name, detail=detail)

    def advance(self, processor: Processor, dates: int, rows: int) -> None:
        """Write nothing: each commit has its own event."""

    def stage_done(self, name: str, seconds: float, detail: str) -> None:
        """Write an event for the end of a stage."""
        self.event("stage_finished", stage=name, seconds=round(seconds, 3), detail=detail)

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None:
        """Write an event for each date of a commit."""
        for day, counts in sorted(commit.counts.items()):
            self.event(
                "date_committed",
                mode=run.mode,
                processor=processor.name,
                date=day.isoformat(),
                status=counts.status,
                expected=counts.expected,
                records=counts.records,
                inserted=counts.inserted,
                updated=counts.updated,
                unchanged=counts.unchanged,
                deleted=counts.deleted,
                failures=dict(counts.failures or {}),
                severity="WARNING" if counts.investigate else "INFO",
            )

    def close(self) -> None:
        """Do nothing: there is no bar."""


def wrapped(text: str, indent: int = 0, hanging: int = 4) -> str:
    """Break a text into lines of at most 80 columns, the later ones indented further."""
    if len(text) + indent <= TABLE_WIDTH:
        return " " * indent + text
    lines = textwrap.wrap(
        text,
        TABLE_WIDTH,
        initial_indent=" " * indent,
        subsequent_indent=" " * (indent + hanging),
        break_long_words=False,
        break_on_hyphens=False,
    )
    return "\n".join(lines)


def echo_range(schedule: Schedule, *, as_json: bool) -> TextReporter | JsonReporter:
    """Report the dates of a command, and return the reporter for its progress."""
    if as_json:
        reporter = JsonReporter()
        reporter.event(
            "range_resolved",
            start_date=schedule.start.isoformat(),
            end_date=schedule.end.isoformat(),
            game_dates=len(schedule.dates),
        )
        return reporter
    out.print(
        f"range {schedule.start} to {schedule.end}, both included: "
        f"{counted(len(schedule.dates), 'game date')}"
    )
    return TextReporter(len(schedule.dates))


def print_table(
    title: str,
    columns: Iterable[tuple[str, str]],
    rows: Iterable[Iterable[Any]],
    *,
    every_column: bool = False,
) -> None:
    """Print a table that fits the terminal, or else 80 columns, and cuts no number.

    Long texts wrap, and columns that do not fit follow in a second table below.

    Parameters
    ----------
    title
        The line above it.
    columns
        Heading and ``left`` (text) or ``right`` (numbers) of each; the first one names the rows.
    rows
        The cells.
    every_column
        Whether to also print columns of numbers that are all 0.
    """
    listed = [list(row) for row in rows]
    shown_columns = [
        _Column(heading, justify == "right", [_cell(row[at]) for row in listed])
        for at, (heading, justify) in enumerate(columns)
        if every_column or justify != "right" or any(row[at] != 0 for row in listed)
    ]
    width = out.width if out.is_terminal else TABLE_WIDTH
    # A title of the table would wrap at the table's own width.
    if title:
        out.print(title)
    for part in _fitting(shown_columns, width):
        table = Table(box=None, pad_edge=False, header_style="bold")
        for column in part:
            table.add_column(
                column.heading,
                justify="right" if column.is_number else "left",
                width=column.width,
                overflow="fold",
            )
        for cells in zip(*(column.cells for column in part), strict=True):
            table.add_row(*cells)
        out.print(table, width=width, soft_wrap=False)


class _Column:
    """A column of a table and its width."""

    def __init__(self, heading: str, is_number: bool, cells: list[str]) -> None:
        self.heading = heading
        self.is_number = is_number
        self.cells = cells
        longest = max(map(cell_len, cells), default=0)
        words = max(map(cell_len, heading.split()), default=0)
        self.narrowest = max(longest, words)
        # Only headings of numbers break: a number's column is narrower than its name.
        self.width = self.narrowest if is_number else max(longest, cell_len(heading))
        if not is_number:
            self.narrowest = min(self.width, max(words, _NARROW_TEXT))


def _fitting(columns: list[_Column], width: int) -> Iterator[list[_Column]]:
    """Split columns into tables that fit; each repeats the first column."""
    if not columns:
        return
    first, *others = columns
    part = [first]
    for column in others:
        if len(part) > 1 and _needed(c.narrowest for c in [*part, column]) > width:
            yield _narrowed(part, width)
            part = [first]
        part.append(column)
    yield _narrowed(part, width)


def _narrowed(part: list[_Column], width: int) -> list[_Column]:
    """Take the width that a table has too much from its widest texts."""
    texts = [column for column in part if not column.is_number]
    while _needed(column.width for column in part) > width:
        widest = max(texts, key=lambda column: column.width - column.narrowest, default=None)
        if widest is None or widest.width <= widest.narrowest:
            break
        widest.width -= 1
    return part


def _needed(widths: Iterable[int]) -> int:
    each = list(widths)
    return sum(each) + _GAP * (len(each) - 1)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else shown(str(value).replace("\n", "\\u000a"))
