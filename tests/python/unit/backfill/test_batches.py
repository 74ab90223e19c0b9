"""Chunks are committed together in batches of the set size; no date is split over commits."""

from __future__ import annotations

import datetime as dt
import weakref
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pyarrow as pa
import pytest

from python_workers.accounting.commits import Commit
from python_workers.accounting.run_records import Run
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, POOL_PROCESSORS
from tests.python.support.engine import Engine, Quiet, assert_same

pytestmark = pytest.mark.slow

CHUNK_DATES = 5


class Recorder(Quiet):
    """A reporter that keeps what each commit held."""

    def __init__(self) -> None:
        self.commits: dict[str, list[tuple[list[dt.date], int]]] = {}
        self._last: weakref.ref[pa.Table] | None = None
        self.is_last_kept = False

    def committed(self, run: Run, processor: Processor, commit: Commit) -> None:  # noqa: ARG002
        self.is_last_kept |= self._last is not None and self._last() is not None
        self._last = weakref.ref(commit.changes[0].rows)
        rows = sum(counts.expected for counts in commit.counts.values())
        self.commits.setdefault(processor.key, []).append((sorted(commit.records), rows))


@contextmanager
def recorded(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    with monkeypatch.context() as patch:
        patch.setattr("tests.python.support.engine.Quiet", lambda: recorder)
        yield recorder


def compute(
    simulated: Engine, folder: Path, monkeypatch: pytest.MonkeyPatch, **options: float
) -> dict[str, list[tuple[list[dt.date], int]]]:
    """Compute a league again and return the dates and rows of each commit by processor."""
    engine = simulated.copy(folder)
    engine.forget(*(processor.key for processor in POOL_PROCESSORS))
    pool = PoolOptions(n_jobs=2, backend="threading", chunk_dates=CHUNK_DATES, **options)  # type: ignore[arg-type]
    with recorded(monkeypatch) as recorder:
        engine.backfill(processors=POOL_PROCESSORS, pool=pool)
    assert_same(simulated.everything(), engine.everything())
    assert not recorder.is_last_kept  # Its tables are the largest.
    for commits in recorder.commits.values():
        days = [day for of_commit, _ in commits for day in of_commit]
        assert len(days) == len(set(days))
    return recorder.commits


def dates(simulated: Engine) -> int:
    (found,) = simulated.query("select count(distinct game_date) as n from nba_raw.games")
    return int(found["n"])


@pytest.mark.parametrize(
    "options", [{"commit_rows": 1}, {"commit_rows": 10**9, "commit_seconds": 0}]
)
def test_each_chunk_is_committed_by_itself(
    simulated: Engine,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    options: dict[str, float],
) -> None:
    commits = compute(simulated, tmp_path, monkeypatch, **options)
    chunks = -(-dates(simulated) // CHUNK_DATES)
    assert {short: len(each) for short, each in commits.items()} == dict.fromkeys(
        ("psza", "pcf", "pdc"), chunks
    )


def test_all_chunks_of_a_processor_are_committed_at_once(
    simulated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = compute(simulated, tmp_path, monkeypatch, commit_rows=10**9)
    assert {short: [len(days) for days, _ in each] for short, each in commits.items()} == (
        {short: [dates(simulated)] for short in ("psza", "pcf", "pdc")}
    )


def test_chunks_are_committed_once_they_have_enough_rows(
    simulated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    commits = compute(simulated, tmp_path, monkeypatch, commit_rows=1_000)
    for short, each in commits.items():
        total = len(simulated.rows(short)) + len(simulated.failures(short))
        assert sum(rows for _, rows in each) == total
        assert 2 <= len(each) <= total / 1_000, short
        assert all(rows >= 1_000 for _, rows in each[:-1]), short
    assert commits.keys() == BY_KEY.keys() - {"tdza", "mlfs"}


def test_no_small_rest_is_left_for_a_commit_of_its_own(
    simulated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    records = len(simulated.rows("pcf"))
    commits = compute(simulated, tmp_path, monkeypatch, commit_rows=records * 3 // 5)
    assert len(commits["pcf"]) == 1
