from __future__ import annotations

import datetime as dt

from python_workers.pool.chunk import Chunk
from python_workers.processors.failures import ChunkResult
from python_workers.processors.output_digests import NOTHING_DIGEST, output_digests
from python_workers.processors.worker import compute_task, merge_results, split_chunk
from tests.python.support.factories import DAY, on_dates, shooter, shot_zone_tables, zone_game

TOMORROW = DAY + dt.timedelta(days=1)


def chunk_of(*players: int) -> Chunk:
    rows = [
        row
        for player in players
        for row in on_dates(shooter, [zone_game()] * 12, player, {DAY: 9 + player, TOMORROW: 12})
    ]
    return Chunk("a chunk", shot_zone_tables(rows), {"processor": "psza"})


def digests_of(result: ChunkResult, *days: dt.date) -> dict[dt.date, str]:
    rows = result.rows
    return output_digests(
        days, rows.column("analysis_date"), rows.column("data_hash"), result.failures
    )


def test_a_worker_makes_the_digests_of_its_dates() -> None:
    result = compute_task(chunk_of(0, 1))
    assert result.digests == digests_of(result, DAY, TOMORROW)
    assert len(set(result.digests.values()) | {NOTHING_DIGEST}) == 3
    nothing = compute_task(chunk_of())
    assert nothing.digests == {}
    assert digests_of(nothing, DAY) == {DAY: NOTHING_DIGEST}


def test_parts_of_a_date_leave_its_digest_to_the_parent() -> None:
    chunk = chunk_of(0, 1, 2)
    whole, parts = compute_task(chunk), [compute_task(part) for part in split_chunk(chunk)]
    merged = merge_results(parts)
    assert merged.digests is None
    assert merged.rows.equals(whole.rows)
    assert digests_of(merged, DAY, TOMORROW) == whole.digests
