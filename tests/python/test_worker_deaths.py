"""Workers that die or hang under the command: one player pays, everybody else has his row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from contextlib import suppress

import numpy as np
import psutil
import pyarrow as pa
import pytest
from engine import Engine
from factories import DAY, shooter, shot_zone_tables, zone_game
from pool_tasks import halves, lost_player, score_or_die
from terminal import Ended, Terminal, differences
from test_crashes import forget_outputs

from python_workers import pool
from python_workers.chunks import Chunk
from python_workers.errors import BackcourtError
from python_workers.isolation import set_apart
from python_workers.pool import run_chunks
from python_workers.processors import BY_SHORT

pytestmark = pytest.mark.slow

Victim = tuple[int, str, dt.date, dt.date]


@pytest.fixture
def victim(terminal: Terminal, simulated: Engine) -> Victim:
    """Return a player with rows of every processor, and the last two dates that he plays on."""
    terminal.put(simulated.path)
    ((player, lookup, (last, first)),) = terminal.query(
        "select player_id, player_lookup, list(analysis_date order by analysis_date desc)[:2] "
        "from nba_precompute.player_daily_cache "
        "inner join nba_precompute.player_shot_zone_analysis "
        "using (analysis_date, player_id, player_lookup) "
        "group by player_id, player_lookup having count(*) > 1 "
        "order by max(analysis_date) desc, player_id limit 1"
    )
    return player, lookup, first, last


def compute(terminal: Terminal, victim: Victim, fault: str, *options: str, **limits: str) -> Ended:
    """Compute his two dates anew while he brings a fault with him."""
    player, _, first, last = victim
    arguments = ("--start", str(first), "--end", str(last), "--force")
    command = terminal.start(
        "compute", *arguments, *options, faults={fault: [player]}, environment=limits
    )
    ended = command.wait()
    assert ended.code == 0, ended.text
    assert "Traceback" not in ended.text
    command.assert_nothing_is_left()
    return ended


def assert_only_he_is_lost(
    terminal: Terminal,
    simulated: Engine,
    victim: Victim,
    reason: str,
    shorts: tuple[str, ...] = ("psza", "pcf", "pdc"),
) -> None:
    player, lookup, first, last = victim
    for short in shorts:
        processor = BY_SHORT[short]
        dates = f"analysis_date between date '{first}' and date '{last}'"
        failures = terminal.query(
            f"select failure_category, failure_reason like '%{reason}%', can_retry, count(*) "
            f"from nba_processing.precompute_failures where {dates} and not is_expected "
            f"and processor_name = '{processor.name}' group by all"
        )
        (mine,) = terminal.query(
            f"select count(*) from nba_processing.precompute_failures where {dates} "
            f"and processor_name = '{processor.name}' and entity_id = '{lookup}'"
        )[0]
        assert mine >= 2
        assert failures == [("PROCESSING_ERROR", True, False, mine)]
        columns = "* exclude (run_id, created_at, processed_at)"
        others = f"select {columns} from {{}}{processor.table} where player_id != {player}"
        assert (
            terminal.query(
                f"attach '{simulated.path}' as clean (read_only); "
                f"({others.format('')} except all {others.format('clean.')}) union all "
                f"({others.format('clean.')} except all {others.format('')})"
            )
            == []
        )
        assert (
            terminal.query(
                f"select * from {processor.table} where player_id = {player} and {dates}"
            )
            == []
        )


def test_workers_killed_in_the_middle_cost_nothing(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    forget_outputs(terminal.file)
    command = terminal.start("compute", "--all")
    for point in ("before-commit:1", "after-commit:2"):
        command.wait_for_point(point)
        command.wait_until(lambda: bool(command.workers()))
        for worker in command.workers():
            with suppress(psutil.NoSuchProcess):
                worker.kill()
    ended = command.wait()
    assert ended.code == 0, ended.text
    command.assert_nothing_is_left()
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


@pytest.mark.parametrize(
    ("fault", "reason", "shorts"),
    [
        ("sigkill", "killed by SIGKILL", ("psza", "pcf", "pdc")),
        ("exit", "exited with code 7", ("pdc",)),
        ("abort", "killed by SIGABRT", ("pdc",)),
        ("raise", "RuntimeError: a fault on purpose", ("psza", "pcf", "pdc")),
    ],
)
def test_a_player_who_ends_his_worker_each_time_is_one_failure_a_date(
    terminal: Terminal,
    simulated: Engine,
    victim: Victim,
    fault: str,
    reason: str,
    shorts: tuple[str, ...],
) -> None:
    compute(terminal, victim, fault, "--processors", ",".join(shorts))
    assert_only_he_is_lost(terminal, simulated, victim, reason, shorts)


def test_a_player_who_hangs_is_one_failure_too(terminal: Terminal, victim: Victim) -> None:
    player, lookup, _, last = victim
    few = f"select {player} union all select min(player_id) from nba_precompute.player_daily_cache"
    terminal.query(
        f"delete from nba_precompute.player_daily_cache_inputs where player_id not in ({few})"
    )
    compute(
        terminal,
        (player, lookup, last, last),
        "hang",
        *("--processors", "pdc"),
        BACKCOURT_HANG_SECONDS="2",
    )
    assert terminal.query(
        "select failure_category, failure_reason from nba_processing.precompute_failures "
        f"where processor_name = '{BY_SHORT['pdc'].name}' and analysis_date = date '{last}' "
        f"and player_id = {player}"
    ) == [("PROCESSING_ERROR", "its worker process was still busy after 2 s")]


# ---- the same player on many dates


def team_chunks(count: int, deadly: AbstractSet[int], size: int = 40) -> Iterator[Chunk]:
    """Give chunks of one player of each of `size` teams; some teams' players are deadly."""
    teams = np.arange(size)
    for number in range(count):
        players = teams + number * size
        games = pa.table({"player": players, "points": players * 3 + 1, "team": teams})
        at = [number * size + team for team in sorted(deadly)]
        yield Chunk(f"chunk {number}", {"games": games}, {"fate": "killed", "at": at})


def team_of(chunk: Chunk) -> int:
    team: int = chunk.tables["games"]["team"][0].as_py()
    return team


def teams_apart(chunk: Chunk, teams: AbstractSet[object]) -> list[Chunk]:
    games = chunk.tables["games"]
    named = np.isin(games["team"].to_numpy(), [each for each in teams if isinstance(each, int)])
    rest = [games.filter(pa.array(~named))] if not named.all() else []
    parts = [*rest, *(games.slice(int(at), 1) for at in np.flatnonzero(named))]
    return [
        Chunk(f"{chunk.key}.{number}", {"games": part}, chunk.params)
        for number, part in enumerate(parts)
    ]


def test_who_killed_a_worker_before_is_not_searched_for_again() -> None:
    halved: list[str] = []

    def noting(chunk: Chunk) -> list[Chunk]:
        if chunk.tables["games"].num_rows > 1:
            halved.append(chunk.key.split(".")[0])
        return halves(chunk)

    results = run_chunks(
        team_chunks(3, {7}),
        score_or_die,
        n_jobs=1,
        split=noting,
        on_lost_entity=lost_player,
        merge=pa.concat_tables,
        name_entity=team_of,
        set_apart=teams_apart,
    )
    found = pa.concat_tables([result for _, result in results]).sort_by("player")
    assert found["player"].to_pylist() == list(range(120))
    assert [each is not None for each in found["lost"].to_pylist()] == [
        player % 40 == 7 for player in range(120)
    ]
    assert set(halved) == {"chunk 0"}


def test_one_player_may_be_lost_on_more_dates_than_there_may_be_lost_players(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(pool, "MAX_LOST_ENTITIES", 1)

    def losses(deadly: AbstractSet[int]) -> int:
        results = run_chunks(
            team_chunks(3, deadly, size=8),
            score_or_die,
            n_jobs=1,
            split=halves,
            on_lost_entity=lost_player,
            name_entity=team_of,
            set_apart=teams_apart,
        )
        return sum(result.num_rows - result["lost"].null_count for _, result in results)

    assert losses({5}) == 3
    with pytest.raises(BackcourtError, match="more than 1 entities killed their worker"):
        losses({5, 6})


def test_setting_players_apart_loses_and_repeats_nobody() -> None:
    days = [DAY, DAY + dt.timedelta(days=1)]
    tables = shot_zone_tables(
        shooter([zone_game()] * 10, player, day) for day in days for player in (1, 2, 3)
    )
    tables["tdza"] = pa.table({"analysis_date": days, "team_abbr": ["BOS", "BOS"]})

    rest, *singles = set_apart(tables, {2, 99})

    assert set(rest["players"]["player_id"].to_pylist()) == {1, 3}
    assert [single["players"]["player_id"].to_pylist() for single in singles] == [[2], [2]]
    assert [single["tdza"]["analysis_date"].to_pylist() for single in singles] == [
        [day] for day in days
    ]
    for name, last_key in (("players", "season_year"), ("games", "game_rank")):
        order = [(key, "ascending") for key in ("analysis_date", "player_id", last_key)]
        parts = pa.concat_tables([part[name] for part in (rest, *singles)])
        assert parts.sort_by(order) == tables[name].sort_by(order)
    assert set_apart(tables, {99}) == [tables]
    assert len(set_apart(tables, {1, 2, 3})) == 6
