"""If workers die or hang under the command, only the player who causes it loses his row."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pytest

from python_workers.errors import BackcourtError
from python_workers.pool import run_chunks as pool
from python_workers.pool.chunk import Chunk
from python_workers.pool.run_chunks import run_chunks
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY
from python_workers.processors.daily_cache import DAILY_CACHE
from python_workers.processors.isolation import set_apart
from tests.python.support.engine import Engine
from tests.python.support.factories import DAY, on_dates, shooter, shot_zone_tables, zone_game
from tests.python.support.pool_tasks import halves, lost_player, score_or_die
from tests.python.support.terminal import Terminal, differences

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Victims:
    """Two players with rows of every processor, and the last two dates on which both play."""

    players: tuple[int, int]
    lookups: tuple[str, str]
    first: dt.date
    last: dt.date

    @property
    def range(self) -> tuple[str, ...]:
        return ("--start", str(self.first), "--end", str(self.last))


@pytest.fixture
def victims(terminal: Terminal, simulated: Engine) -> Victims:
    terminal.put(simulated.path)
    ((team, (last, first)),) = terminal.query(
        "select team_abbr, list(distinct analysis_date order by analysis_date desc)[:2] "
        "from nba_precompute.player_daily_cache group by team_abbr order by all desc limit 1"
    )
    (one, _), (other, _) = found = terminal.query(
        "select player_id, player_lookup from nba_precompute.player_daily_cache as cache "
        "inner join nba_precompute.player_shot_zone_analysis as zones "
        "using (analysis_date, player_id, player_lookup) "
        f"where team_abbr = '{team}' and analysis_date in (date '{first}', date '{last}') "
        "group by player_id, player_lookup having count(*) = 2 order by player_id limit 2"
    )
    return Victims((one, other), (found[0][1], found[1][1]), first, last)


def compute(
    terminal: Terminal, *arguments: str, faults: dict[str, list[int]], **limits: str
) -> None:
    command = terminal.start("compute", *arguments, "--force", faults=faults, environment=limits)
    ended = command.wait()
    assert ended.code == int("to investigate, " in ended.out or "to investigate: " in ended.out)
    assert "Traceback" not in ended.text
    command.assert_nothing_is_left()


def lost(terminal: Terminal, processor: Processor) -> set[tuple[str, dt.date, str, str, bool]]:
    return set(
        terminal.query(
            "select entity_id, analysis_date, failure_category, failure_reason, can_retry "
            "from nba_processing.precompute_failures "
            f"where processor_name = '{processor.name}' and not is_expected"
        )
    )


def rows_but_those_of(terminal: Terminal, simulated: Engine, processor: Processor, who: str) -> int:
    """Return the number of other players' rows, which must equal those of a clean run."""
    columns = "* exclude (run_id, created_at, processed_at)"
    ours, clean = (
        f"select {columns} from {database}{processor.table} where not ({who})"
        for database in ("", "clean.")
    )
    attach = f"attach '{simulated.path}' as clean (read_only); "
    differing = f"({ours} except all {clean}) union all ({clean} except all {ours})"
    assert terminal.query(attach + differing) == []
    assert terminal.query(f"select * from {processor.table} where {who}") == []
    return len(terminal.query(ours))


def test_workers_killed_in_the_middle_cost_nothing(terminal: Terminal, simulated: Engine) -> None:
    terminal.put(simulated.path)
    terminal.forget_outputs()
    command = terminal.start("compute", "--all")
    for point in ("before-commit:1", "after-commit:2"):
        command.wait_for_point(point)
        command.kill_workers()
    ended = command.wait()
    assert ended.code == 0, ended.text
    command.assert_nothing_is_left()
    assert differences(terminal.file, simulated.path) == {}
    assert terminal.repeated_runs() == []


@pytest.mark.parametrize(
    ("reasons", "shorts"),
    [
        ({"sigkill": "its worker process was killed by SIGKILL"}, ("psza", "pcf", "pdc")),
        ({"raise": "RuntimeError: an injected fault"}, ("psza", "pcf", "pdc")),
        (
            {
                "exit": "its worker process exited with code 7",
                "abort": "its worker process was killed by SIGABRT",
            },
            ("pdc",),
        ),
    ],
)
def test_a_player_who_ends_his_worker_each_time_is_one_failure_a_date(
    terminal: Terminal,
    simulated: Engine,
    victims: Victims,
    reasons: dict[str, str],
    shorts: tuple[str, ...],
) -> None:
    faults = {name: [player] for name, player in zip(reasons, victims.players, strict=False)}
    compute(terminal, *victims.range, "--processors", ",".join(shorts), faults=faults)
    for short in shorts:
        processor = BY_KEY[short]
        dates = {
            day
            for (day,) in terminal.query(
                f"select distinct analysis_date from {processor.inputs} where player_id = "
                f"{victims.players[0]} and analysis_date between '{victims.first}' "
                f"and '{victims.last}'"
            )
        }
        assert lost(terminal, processor) == {
            (lookup, day, "PROCESSING_ERROR", reason, False)
            for lookup, reason in zip(victims.lookups, reasons.values(), strict=False)
            for day in dates
        }
        players = ", ".join(str(player) for (player,) in faults.values())
        who = (
            f"player_id in ({players}) and analysis_date between '{victims.first}' "
            f"and '{victims.last}'"
        )
        assert rows_but_those_of(terminal, simulated, processor, who) > 1000


def test_a_player_who_hangs_is_one_failure_too(terminal: Terminal, victims: Victims) -> None:
    terminal.query(
        "delete from nba_precompute.player_daily_cache_inputs "
        f"where player_id not in {victims.players}"
    )
    compute(
        terminal,
        *("--start", str(victims.last), "--end", str(victims.last), "--processors", "pdc"),
        faults={"hang": [victims.players[1]]},
        BACKCOURT_HANG_SECONDS="2",
    )
    reason = "its worker process was still busy after 2 s"
    assert lost(terminal, DAILY_CACHE) == {
        (victims.lookups[1], victims.last, "PROCESSING_ERROR", reason, False)
    }


# The same player on many dates


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


def test_a_player_who_has_killed_a_worker_is_not_searched_for_again() -> None:
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


def test_setting_players_apart_keeps_each_player_once() -> None:
    days = [DAY, DAY + dt.timedelta(days=1)]
    tables = shot_zone_tables(
        row
        for player in (1, 2, 3)
        for row in on_dates(shooter, [zone_game()] * 11, player, {days[0]: 10, days[1]: 11})
    )
    tables["tdza"] = pa.table({"analysis_date": days, "team_abbr": ["BOS", "BOS"]})

    rest, *singles = set_apart(tables, {2, 99})

    assert set(rest["players"]["player_id"].to_pylist()) == {1, 3}
    assert [single["players"]["player_id"].to_pylist() for single in singles] == [[2], [2]]
    assert [single["tdza"]["analysis_date"].to_pylist() for single in singles] == [
        [day] for day in days
    ]
    order = [("analysis_date", "ascending"), ("player_id", "ascending")]
    players = pa.concat_tables([part["players"] for part in (rest, *singles)])
    assert players.sort_by(order) == tables["players"].sort_by(order)
    held = [rest["games"].num_rows, *(single["games"].num_rows for single in singles)]
    assert held == [22, 10, 11]
    assert set_apart(tables, {99}) == [tables]
    assert len(set_apart(tables, {1, 2, 3})) == 6
