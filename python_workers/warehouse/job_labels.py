"""Labels for a warehouse's jobs, by which users can analyse their costs."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar

LABELS_VARIABLE = "BACKCOURT_JOB_LABELS"
"""The variable from which dbt's query comment reads the labels, as JSON."""

RUN_VARIABLE = "BACKCOURT_RUN_ID"
"""The variable from which dbt reads the run, for its entries in the log of restated rows."""

EVERY_JOB = {"app": "backcourt"}
_LABELS: ContextVar[Mapping[str, str]] = ContextVar("job_labels")


def job_labels() -> dict[str, str]:
    """Return the labels for a job that starts now, in the characters that BigQuery allows."""
    return {name: label_value(text) for name, text in _LABELS.get(EVERY_JOB).items()}


def current_run() -> str:
    """Return the id of the run that is going on; an empty text outside of one."""
    return _LABELS.get(EVERY_JOB).get("run_id", "")


@contextmanager
def labelling(**labels: str) -> Iterator[None]:
    """Add labels to the jobs that start in a block.

    Examples
    --------
    >>> with labelling(stage="shot zones"):
    ...     job_labels()
    {'app': 'backcourt', 'stage': 'shot_zones'}
    """
    token = _LABELS.set({**_LABELS.get(EVERY_JOB), **labels})
    try:
        yield
    finally:
        _LABELS.reset(token)


def label_value(text: str) -> str:
    """Replace all characters that BigQuery does not allow in a label's value.

    Examples
    --------
    >>> label_value("PlayerDailyCacheProcessor 2021-12-01")
    'playerdailycacheprocessor_2021-12-01'
    """
    return re.sub(r"[^a-z0-9_-]", "_", text.lower())[:63]
