"""Computing times: a table of last runs, and a timeline of the largest run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_NAME, PROCESSORS
from python_workers.report.coverage_charts import WIDTH
from python_workers.report.queries import ReportData, Run
from python_workers.report.rows import Row
from python_workers.report.scales import Linear, ticks
from python_workers.report.svg import bar, group, image, line, text

LEFT = 150.0
ROW = 26.0
TOP = 6.0
BAR = 14.0


@dataclass(frozen=True)
class ProcessorTimes:
    """A processor's last run, and the last runs of all its dates together.

    Parameters
    ----------
    processor
        The processor.
    run_id, mode, finished_at
        Its last run.
    dates, written, unchanged, deleted
        Numbers of dates of the last run; of rows inserted or updated, unchanged, and deleted.
    milliseconds
        Computing time per date of the last run.
    all_dates, all_records, all_seconds
        Dates, rows and computing time, each date counted by its last run.
    share
        Share of the computing time of all processors, 0 to 1.
    """

    processor: Processor
    run_id: str
    mode: str
    finished_at: datetime
    dates: int
    written: int
    unchanged: int
    deleted: int
    milliseconds: float
    all_dates: int
    all_records: int
    all_seconds: float
    share: float

    @property
    def all_milliseconds(self) -> float:
        """Computing time per date, each date counted by its last run."""
        return 1000 * self.all_seconds / self.all_dates

    @property
    def records_per_second(self) -> float | None:
        """Rows per second of computing time."""
        return self.all_records / self.all_seconds if self.all_seconds else None


def processor_times(data: ReportData) -> list[ProcessorTimes]:
    """Return the times of each processor that has run."""
    seconds = sum(row["seconds"] for row in data.last_runs.values())
    found = []
    for processor in PROCESSORS:
        run = next((run for run in data.runs if processor in run.by_processor), None)
        if run is None or processor not in data.last_runs:
            continue
        last, every = run.by_processor[processor], data.last_runs[processor]
        found.append(
            ProcessorTimes(
                processor,
                run.run_id,
                run.mode,
                last["finished_at"],
                last["dates"],
                last["inserted"] + last["updated"],
                last["unchanged"],
                last["deleted"],
                1000 * last["seconds"] / last["dates"],
                every["dates"],
                every["records"],
                every["seconds"],
                every["seconds"] / seconds if seconds else 0.0,
            )
        )
    return found


def timeline(run: Run, commits: Sequence[Row]) -> Markup:
    """Draw when each processor computed and committed in a run.

    A bar starts at the first chunk's commit time minus the computing time of its dates; the records
    have no exact start.
    """
    began = run.started_at

    def after(at: datetime) -> float:
        return (at - began).total_seconds()

    by_processor: dict[Processor, list[Row]] = {}
    for row in commits:
        by_processor.setdefault(BY_NAME[row["processor_name"]], []).append(row)
    starts = {
        processor: max(after(own[0]["finished_at"]) - own[0]["seconds"], 0.0)
        for processor, own in by_processor.items()
    }
    values = ticks(after(run.finished_at), 8)
    scale = Linear(0, values[-1], LEFT, WIDTH - 12)
    bottom = TOP + ROW * (1 + len(run.by_processor))
    parts = [line(scale(value), TOP, scale(value), bottom + 4, "grid") for value in values]
    parts += [
        text(f"{value:,.10g} s", scale(value), bottom + 16, "tick", "middle") for value in values
    ]
    first_start = min(starts.values())
    tip = f"{first_start:,.1f} s until the first processor began"
    parts.append(_row(0, "Start-up and inputs", 0.0, first_start, scale, "mark e-before", tip))
    for index, processor in enumerate(run.by_processor, start=1):
        own = by_processor[processor]
        start, last = starts[processor], after(own[-1]["finished_at"])
        dates = sum(row["dates"] for row in own)
        records = sum(row["records"] for row in own)
        chunks = f"{len(own)} commit{'s' if len(own) != 1 else ''}"
        tip = (
            f"{processor.name}\n{dates:,} dates, {records:,} rows in {chunks}\n"
            f"{start:,.1f} s to {last:,.1f} s after the start"
        )
        class_ = f"mark e-{processor.engine}"
        parts.append(_row(index, processor.title, start, last, scale, class_, tip))
        y = _row_top(index)
        parts += [
            line(at, y, at, y + BAR, "commit")
            for at in (scale(after(row["finished_at"])) for row in own)
        ]
    return image(WIDTH, bottom + 24, f"Timeline of run {run.run_id}", *parts, class_="wide")


def _row(
    index: int, name: str, start: float, end: float, scale: Linear, class_: str, tip: str
) -> Markup:
    y = _row_top(index)
    width = max(scale(end) - scale(start), 2.0)
    return group(
        text(name, LEFT - 10, y + 11, "label", "end"),
        bar(scale(start), y, width, BAR, class_, tip),
    )


def _row_top(index: int) -> float:
    return TOP + ROW * index + (ROW - BAR) / 2
