"""Backfills end to end: any way gives the same rows, and no work is done twice."""

from __future__ import annotations

import datetime as dt
import itertools
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.backfill import run as backfill
from python_workers.backfill.outcome import BackfillResult
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.bench.sql_aggregate import inputs_with_games
from python_workers.hashing import HASH_FIELDS, data_hash
from python_workers.processors.catalogue import BY_KEY, POOL_PROCESSORS
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.shot_zones import SHOT_ZONES
from tests.python.support.engine import (
    SHORTS,
    Engine,
    Rows,
    Texts,
    assert_accounted_for,
    assert_same,
)
from tests.python.support.leagues import did_not_play
from tests.python.support.raw_factories import Row

POOL_SHORTS = ("psza", "pcf", "pdc")
RAW = ("games", "players", "player_box_scores", "shots")
# Two pieces of the made-up season tell as much as more.
PIECE_DATES = 26


def game_dates(engine: Engine) -> list[dt.date]:
    found = engine.query("select distinct game_date from nba_raw.games order by game_date")
    return [row["game_date"] for row in found]


def computed(engine: Engine, result: BackfillResult) -> set[tuple[str, dt.date]]:
    """Return the (processor, date) pairs that a run computed."""
    found = engine.query(
        "select processor_name, analysis_date from nba_processing.processor_runs where run_id = ?",
        [result.run.run_id],
    )
    shorts = {processor.name: short for short, processor in BY_KEY.items()}
    return {(shorts[row["processor_name"]], row["analysis_date"]) for row in found}


class TestDeterminism:
    @pytest.mark.parametrize(
        "pool",
        [
            PoolOptions(n_jobs=1, backend="threading", chunk_dates=1),
            PoolOptions(n_jobs=2, backend="loky", chunk_dates=7),
            PoolOptions(n_jobs=2, backend="threading", chunk_dates=50),
            PoolOptions(n_jobs=1, backend="loky", chunk_dates=50),
        ],
        ids=lambda pool: f"{pool.backend}-{pool.n_jobs}-jobs-{pool.chunk_dates}-dates",
    )
    def test_neither_chunks_nor_jobs_nor_backend_change_a_row(
        self, simulated: Engine, tmp_path: Path, pool: PoolOptions
    ) -> None:
        again = simulated.copy(tmp_path)
        again.forget(*POOL_SHORTS)
        result = again.backfill(processors=POOL_PROCESSORS, pool=pool)
        assert result.counts["psza"].inserted == len(simulated.rows("psza")) > 2_000
        assert_same(simulated.everything(), again.everything())


def test_every_stored_hash_recomputes_from_the_stored_row(simulated: Engine) -> None:
    for short in POOL_SHORTS:
        rows = simulated.rows(short)
        assert len(rows) > 1_500
        for key, row in rows.items():
            assert data_hash(row, HASH_FIELDS[short]) == row["data_hash"], key


def test_no_row_has_a_value_that_is_no_number(simulated: Engine) -> None:
    for short in SHORTS:
        for key, row in simulated.rows(short).items():
            for name, value in row.items():
                if isinstance(value, float):
                    assert abs(value) < 1e9, (key, name)
                    assert str(value) != "-0.0", (key, name)


class TestNothingTwice:
    def test_a_second_run_computes_and_writes_nothing(
        self, simulated: Engine, tmp_path: Path
    ) -> None:
        again = simulated.copy(tmp_path)
        before = {short: again.rows(short, bookkeeping=True) for short in SHORTS}
        result = again.backfill()
        assert (result.written, result.inputs_rebuilt) == (0, False)
        assert computed(again, result) == set()
        assert {short: again.rows(short, bookkeeping=True) for short in SHORTS} == before

    def test_all_computes_everything_and_writes_no_row(
        self, simulated: Engine, tmp_path: Path
    ) -> None:
        again = simulated.copy(tmp_path)
        chosen = (SHOT_ZONES, DAILY_CACHE)
        before = {each.key: again.rows(each.key, bookkeeping=True) for each in chosen}
        result = again.backfill(processors=chosen, reprocess="all")
        for short, rows in before.items():
            counts = result.counts[short]
            assert (counts.records, counts.unchanged) == (len(rows), len(rows))
            assert again.rows(short, bookkeeping=True) == rows
        assert result.written == 0
        assert computed(again, result) == {
            (each.key, day) for each in chosen for day in game_dates(again)
        }


@dataclass(frozen=True)
class Correction:
    """A league whose raw data has been corrected after it was backfilled.

    A scorer got five more free throws in mid-season, somebody's tenth game turned out to be one he
    sat out, and the date to come was called off. `before` is the first state, `engine` the second
    one after a backfill of the season, `whole` a league that was right from the start: its raw
    rows lie in another order, and it was built in pieces.
    """

    engine: Engine
    whole: Engine
    result: BackfillResult
    before: dict[str, Rows]
    after: dict[str, Rows]
    scorer: str
    scorer_day: dt.date
    tenth: tuple[dt.date, str]
    called_off: dt.date


@pytest.fixture(scope="module")
def correction(
    simulated: Engine, simulated_files: Path, tmp_path_factory: pytest.TempPathFactory
) -> Correction:
    scorer_day = game_dates(simulated)[20]
    scorer = simulated.query(
        "select lines.*, player_lookup from nba_raw.player_box_scores as lines "
        "inner join nba_analytics.player_game_summary as summary using (game_id, player_id) "
        "where game_date = ? order by points desc, player_id limit 1",
        [scorer_day],
    )[0]
    called_off = game_dates(simulated)[-1]
    tenth = simulated.query(
        """
        select
            inputs.analysis_date, summary.game_id, summary.player_id, summary.player_lookup,
            (
                select min(mate.player_id) from nba_analytics.player_game_summary as mate
                where mate.game_id = summary.game_id and mate.team_abbr = summary.team_abbr
                    and mate.is_played and mate.player_id != summary.player_id
            ) as teammate_id,
            (
                select count(*) from nba_raw.shots
                where shots.game_id = summary.game_id and shots.player_id = summary.player_id
            ) as shots
        from nba_precompute.player_shot_zone_inputs as inputs
        inner join nba_analytics.int_player_games as games
            on inputs.player_id = games.player_id and inputs.season_year = games.season_year
            and inputs.actual_game_count = games.game_number
        inner join nba_analytics.player_game_summary as summary
            on games.player_id = summary.player_id and games.game_id = summary.game_id
        where inputs.actual_game_count = 10
            and games.game_date >= inputs.analysis_date - 3 and inputs.analysis_date < ?
        order by inputs.analysis_date desc, summary.player_id limit 1
        """,
        [game_dates(simulated)[-9]],
    )[0]
    files = tmp_path_factory.mktemp("corrected") / "raw"
    shutil.copytree(simulated_files, files)
    edit(
        files / "player_box_scores" / "2021_22.parquet",
        {
            (scorer["game_id"], scorer["player_id"]): {
                name: scorer[name] + 5 for name in ("points", "ftm", "fta")
            },
            (tenth["game_id"], tenth["player_id"]): dict(did_not_play()),
        },
    )
    # A player who did not play took no shots: give them to a teammate.
    edit(
        files / "shots" / "2021_22.parquet",
        {(tenth["game_id"], tenth["player_id"]): {"player_id": tenth["teammate_id"]}},
    )
    edit(files / "games" / "to_come.parquet", {}, status="postponed")

    engine = simulated.copy(tmp_path_factory.mktemp("incremental"))
    before = {short: engine.rows(short, bookkeeping=True) for short in SHORTS}
    report = engine.load(files)
    assert {each.table: each.counts.updated for each in report.tables} == {
        "games": 2,
        "players": 0,
        "player_box_scores": 2,
        "shots": tenth["shots"],
    }
    result = engine.backfill(seasons=["2021-22"])
    whole = Engine(tmp_path_factory.mktemp("whole"))
    whole.load(files)
    whole.execute(
        "select setseed(0.7)",
        *(
            f"create or replace table nba_raw.{table} as "
            f"select * from nba_raw.{table} order by random()"
            for table in RAW
        ),
    )
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(backfill, "STATEMENT_DATES", PIECE_DATES)
        whole.backfill(pool=PoolOptions(n_jobs=2, backend="loky", chunk_dates=9))
    return Correction(
        engine,
        whole,
        result,
        before,
        {short: engine.rows(short, bookkeeping=True) for short in SHORTS},
        scorer["player_lookup"],
        scorer_day,
        (tenth["analysis_date"], tenth["player_lookup"]),
        called_off,
    )


def edit(path: Path, changes: dict[tuple[str, int], Row], **everywhere: Any) -> None:
    """Replace values of some lines of a Parquet file, and of all of its rows."""
    table = pq.read_table(path)
    rows = [
        row | changes.get((row["game_id"], row.get("player_id", 0)), {}) | everywhere
        for row in table.to_pylist()
    ]
    pq.write_table(pa.Table.from_pylist(rows, table.schema), path)


def inputs_by_date(engine: Engine, short: str) -> dict[dt.date, list[str]]:
    found: dict[dt.date, list[str]] = {}
    for row in engine.query(
        "select analysis_date, cast(t as varchar) as text "
        f"from {inputs_with_games(BY_KEY[short])} as t order by all"
    ):
        found.setdefault(row["analysis_date"], []).append(row["text"])
    return found


def outputs_by_date(
    everything: Mapping[str, Texts], short: str
) -> dict[dt.date, list[tuple[str, str]]]:
    found: dict[dt.date, list[tuple[str, str]]] = {}
    for kind in ("rows", "failures"):
        for key, text in sorted(everything[f"{short} {kind}"].items()):
            found.setdefault(key[0], []).append((kind, text))
    return found


def dates_that_differ(
    one: Mapping[dt.date, object], other: Mapping[dt.date, object]
) -> set[dt.date]:
    return {day for day in {*one, *other} if one.get(day) != other.get(day)}


class TestCorrections:
    def test_a_correction_gives_the_rows_of_right_data_in_any_order_and_in_pieces(
        self, correction: Correction
    ) -> None:
        assert_same(correction.whole.everything(), correction.engine.everything())
        assert_accounted_for(correction.engine)

    def test_exactly_the_dates_whose_inputs_changed_are_computed(
        self, simulated: Engine, correction: Correction
    ) -> None:
        dates = game_dates(simulated)
        before, after = simulated.everything(), correction.whole.everything()
        outputs = {
            short: dates_that_differ(outputs_by_date(before, short), outputs_by_date(after, short))
            for short in SHORTS
        }
        changed = {
            short: dates_that_differ(
                inputs_by_date(simulated, short), inputs_by_date(correction.whole, short)
            ).union(*(outputs[each] for each in BY_KEY[short].upstream))
            for short in SHORTS
        }
        expected = {(short, day) for short in SHORTS for day in changed[short]}
        assert computed(correction.engine, correction.result) == expected
        # The test is only worth something if each processor computes some dates, and not all.
        assert all(1 < len(changed[short]) < len(dates) - 15 for short in SHORTS)
        assert len(changed["psza"]) + 5 < len(changed["pdc"])

    def test_only_changed_rows_are_written_and_keep_their_time_of_creation(
        self, correction: Correction
    ) -> None:
        run = correction.result.run
        for short in POOL_SHORTS:
            before, after = correction.before[short], correction.after[short]
            kept = before.keys() & after.keys()
            changed = {key for key in kept if before[key] != after[key]}
            assert changed
            for key in kept:
                assert after[key]["created_at"] == before[key]["created_at"]
                same = without(before[key], BOOKKEEPING) == without(after[key], BOOKKEEPING)
                assert same == (after[key]["processed_at"] == before[key]["processed_at"])
                assert same == (after[key]["run_id"] == before[key]["run_id"])
                if key in changed:
                    assert after[key]["processed_at"] >= run.started_at
                    assert after[key]["run_id"] == run.run_id
            counts = correction.result.counts[short]
            assert counts.updated == len(changed)
            assert counts.inserted == len(after.keys() - before.keys())
            assert counts.deleted == len(before.keys() - after.keys())

    def test_the_scorer_has_more_points_from_his_next_game_on(self, correction: Correction) -> None:
        before, after = correction.before["pdc"], correction.after["pdc"]
        changed = {
            key[0]
            for key in before.keys() & after.keys()
            if key[1] == correction.scorer
            and before[key]["points_avg_season"] != after[key]["points_avg_season"]
        }
        his = {key[0] for key in after if key[1] == correction.scorer}
        assert changed == {day for day in his if day > correction.scorer_day}
        assert len(changed) > 5
        assert his - changed

    def test_rows_that_are_no_longer_computed_are_deleted(self, correction: Correction) -> None:
        assert correction.tenth in correction.before["psza"]
        assert correction.tenth not in correction.after["psza"]
        failure = correction.engine.failures("psza")[correction.tenth]
        assert failure["failure_category"] == "EXPECTED_INCOMPLETE"
        assert failure["actual_game_count"] == 9
        assert correction.result.counts["psza"].deleted >= 1

    def test_a_date_called_off_leaves_nothing_behind(self, correction: Correction) -> None:
        for short in SHORTS:
            assert any(key[0] == correction.called_off for key in correction.before[short])
            assert not any(key[0] == correction.called_off for key in correction.after[short])


def without(row: Row, names: Iterable[str]) -> Row:
    return {name: value for name, value in row.items() if name not in set(names)}


def test_a_long_range_is_cut_into_pieces_without_gaps(
    simulated: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(backfill, "STATEMENT_DATES", PIECE_DATES)
    dates = game_dates(simulated)
    cut = backfill.split_range(dates[0], dates[-1], dates)
    assert (cut[0][0], cut[-1][1]) == (dates[0], dates[-1])
    numbers = [sum(first <= day <= last for day in dates) for first, last in cut]
    assert len(numbers) > 1
    assert numbers[:-1] == [PIECE_DATES] * (len(cut) - 1)
    for (_, last), (first, _) in itertools.pairwise(cut):
        assert first - last == dt.timedelta(days=1)
