"""Reports the progress of a run: lines and a progress bar on a terminal, or JSON lines."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from typing import IO, TYPE_CHECKING, Any, Literal, cast

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


out = _console("stdout", None if sys.stdout.isatty() else 200)
err = _console("stderr")


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
    title: str, columns: Iterable[tuple[str, str]], rows: Iterable[Iterable[Any]]
) -> None:
    """Print a table; a column is its heading and ``left`` or ``right``."""
    table = Table(title=title, title_justify="left", box=None, pad_edge=False, header_style="bold")
    for heading, justify in columns:
        table.add_column(heading, justify="right" if justify == "right" else "left")
    for row in rows:
        table.add_row(*map(_cell, row))
    out.print(table)


def _cell(value: object) -> str:
    return f"{value:,}" if isinstance(value, int) else str(value).replace("\n", "\\u000a")
