"""A week day by day: a day's results arrive after its run, one box score three days late."""

from __future__ import annotations

import datetime as dt
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from python_workers.daily.breaker import open_breakers
from python_workers.processors.catalogue import BY_KEY, BY_NAME
from python_workers.settings import resolve_project_dir
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import SHORTS, Engine, Texts, assert_same, outcomes
from tests.python.support.folders import ALSO_ON_REAL_GAMES
from tests.python.support.mornings import Mornings

DAYS = 7
# Positions of the day whose box score is late, of the next one, which needs it, and of the day on
# which it arrives.
LATE, NEXT, ARRIVAL = 2, 3, 5

# A morning cannot know these either, but no score comes near its threshold in this week.
THRESHOLDS = {"has_warnings", "warning_details", "is_quality_ready"}


@dataclass(frozen=True)
class Season:
    """A week after the first 30 days of a season and before its last 14.

    Parameters
    ----------
    raw
        Fixture with the raw tables up to its end.
    first
        Its first day.
    locked
        How many players of a processor the breaker locks on the day after the late box score.
    gaps
        How many of them lack data of other games, too, which the late box score does not bring.
    corrected
        Rows (inserted, updated, unchanged, deleted) of that day's run once it is there.
    compared
        Rows of a processor that the mornings and a backfill both have.
    """

    raw: str
    first: dt.date
    locked: dict[str, int]
    gaps: dict[str, int]
    corrected: dict[str, tuple[int, int, int, int]]
    compared: dict[str, int]


SEASONS = {
    "simulated": Season(
        "simulated_raw",
        dt.date(2021, 11, 19),
        {"psza": 19},
        {},
        {
            "tdza": (0, 10, 0, 0),
            "psza": (18, 0, 74, 0),
            "pcf": (0, 63, 0, 1),
            "pdc": (0, 48, 0, 0),
            "mlfs": (0, 63, 0, 1),
        },
        {"tdza": 70, "psza": 654, "pcf": 509, "pdc": 376, "mlfs": 509},
    ),
    "real": Season(
        "real_spring",
        dt.date(2022, 3, 13),
        {"psza": 32, "pdc": 18},
        {"psza": 3, "pdc": 3},
        {
            "tdza": (0, 30, 0, 0),
            "psza": (29, 0, 450, 0),
            "pcf": (0, 297, 0, 97),
            "pdc": (12, 277, 0, 52),
            "mlfs": (0, 297, 0, 97),
        },
        {"tdza": 210, "psza": 3355, "pcf": 1272, "pdc": 1227, "mlfs": 1272},
    ),
}


@dataclass
class Week:
    """The results of a week.

    Parameters
    ----------
    season, days
        Which one.
    mornings, whole
        The warehouse of the daily runs, and that of one backfill.
    before
        What the days before it held when it began.
    attempts
        After each of the four runs of the day without the box score, its players by processor,
        status of their attempts and category of their failure.
    breakers
        How many locks were open then, and once the box score was there.
    """

    season: Season
    days: list[dt.date]
    mornings: Engine
    whole: Engine
    before: dict[str, Texts]
    attempts: list[Counter[tuple[str, str, str]]] = field(default_factory=list)
    breakers: list[int] = field(default_factory=list)

    @property
    def next_day(self) -> dt.date:
        """Return the day after the one with the late box score."""
        return self.days[NEXT]

    def note(self) -> None:
        """Record the attempts of the day that needs the late box score, and the open locks."""
        found = self.mornings.query(
            """
            select a.processor_name, a.status, f.failure_category
            from nba_processing.reprocess_attempts as a
            left join nba_processing.precompute_failures as f
                using (processor_name, analysis_date, entity_id)
            where analysis_date = ?
            """,
            [self.next_day],
        )
        self.attempts.append(
            Counter(
                (BY_NAME[row["processor_name"]].key, row["status"], row["failure_category"])
                for row in found
            )
        )
        with DuckDBWarehouse(self.mornings.path) as warehouse:
            self.breakers.append(len(open_breakers(warehouse)))


@pytest.fixture(
    scope="module", params=[pytest.param("simulated", marks=ALSO_ON_REAL_GAMES), "real"]
)
def week(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Week:
    """Play a week."""
    season = SEASONS[request.param]
    known: Engine = request.getfixturevalue(season.raw)
    return play(season, known, tmp_path_factory.mktemp("week"))


def play(season: Season, known: Engine, folder: Path) -> Week:
    found = known.query(
        "select distinct game_date from nba_raw.games where game_date >= ? order by 1 limit ?",
        [season.first, DAYS],
    )
    days = [row["game_date"] for row in found]
    # If there is one, a game whose teams play on the day after, too: their caches lack it there.
    late = known.query(
        """
        select a.game_id
        from nba_raw.games as a
        left join nba_raw.games as b
            on b.game_date = ?
            and (
                b.home_team_abbr in (a.home_team_abbr, a.away_team_abbr)
                or b.away_team_abbr in (a.home_team_abbr, a.away_team_abbr)
            )
        where a.game_date = ?
        order by b.game_id is null, a.game_id
        limit 1
        """,
        [days[NEXT], days[LATE]],
    )[0]["game_id"]
    mornings = Mornings(known, folder / "mornings", days[0])
    mornings.engine.backfill(days[0] - dt.timedelta(days=2), days[0] - dt.timedelta(days=1))
    whole = known.copy(folder / "whole")
    whole.backfill(days[0], days[-1])
    played = Week(season, days, mornings.engine, whole, mornings.engine.everything())
    for number, day in enumerate(days):
        mornings.daily(day, allow_incomplete=NEXT <= number <= ARRIVAL)
        if number == NEXT:
            played.note()
            for _ in range(3):
                mornings.daily(day, allow_incomplete=True, skip_downstream=True)
                played.note()
        if number == ARRIVAL:
            mornings.deliver_box_score(late)
            # The daily run of a locked day opens its locks, a backfill corrects the others.
            mornings.daily(played.next_day)
            played.note()
            mornings.engine.backfill(days[NEXT + 1], days[ARRIVAL])
        mornings.deliver(day, without_box_score=[late] if number == LATE else ())
    return played


def test_the_third_unsuccessful_attempt_locks_until_the_box_score_arrives(
    week: Week,
) -> None:
    locked = week.season.locked

    def everyone(status: str, category: str | None) -> dict[tuple[str, str, str | None], int]:
        return {(short, status, category): count for short, count in locked.items()}

    first, second, third, fourth, corrected = week.attempts
    assert first == second == everyone("counting", "INCOMPLETE_UPSTREAM")
    assert third == everyone("locked", "INCOMPLETE_UPSTREAM")
    assert fourth == everyone("locked", "CIRCUIT_BREAKER_ACTIVE")
    # Players who turn out not to have played in it may have too few games.
    gaps = week.season.gaps
    assert {
        (short, category): count
        for (short, status, category), count in corrected.items()
        if status != "released"
    } == {(short, "INCOMPLETE_UPSTREAM"): count for short, count in gaps.items()}
    released: Counter[str] = Counter()
    for (short, status, category), count in corrected.items():
        if status == "released":
            assert category in {None, "EXPECTED_INCOMPLETE"}
            released[short] += count
    assert released == {short: count - gaps.get(short, 0) for short, count in locked.items()}
    assert week.breakers == [0, 0, *[sum(locked.values())] * 2, 0]


def test_the_run_records_show_attempts_lock_and_correction(week: Week) -> None:
    runs = week.mornings.query(
        "select * from nba_processing.processor_runs where analysis_date = ? order by finished_at",
        [week.next_day],
    )
    for short, count in week.season.locked.items():
        history = [run for run in runs if run["processor_name"] == BY_KEY[short].name]
        gaps = week.season.gaps.get(short, 0)
        assert [
            (run["mode"], run["status"], run["incomplete_upstream"], run["circuit_breaker_active"])
            for run in history
        ] == [
            *[("daily_incomplete", "investigate", count, 0)] * 3,
            ("daily_incomplete", "investigate", 0, count),
            ("daily", "investigate" if gaps else "complete_with_expected_gaps", gaps, 0),
        ]
        assert [run["inserted"] for run in history[1:-1]] == [0, 0, 0]
        assert history[0]["input_fingerprint"] == history[2]["input_fingerprint"]
        assert len({run["input_fingerprint"] for run in history}) == 3
    last = {BY_NAME[run["processor_name"]].key: run for run in runs}
    assert week.season.corrected == {
        short: tuple(last[short][name] for name in ("inserted", "updated", "unchanged", "deleted"))
        for short in SHORTS
    }


def test_days_run_again_with_their_results_equal_a_backfill(week: Week) -> None:
    first, last = week.next_day, week.days[ARRIVAL - 1]
    assert_same(week.mornings.everything(first, last), week.whole.everything(first, last))


def test_a_week_equals_its_backfill_except_the_columns_that_a_morning_cannot_know(
    week: Week,
) -> None:
    compared = {}
    for short, unknowable in documented_differences().items():
        rows, theirs = week.mornings.rows(short), week.whole.rows(short)
        ours = {key: row for key, row in rows.items() if key[0] >= week.days[0]}
        both = [key for key in ours.keys() & theirs.keys() if same_team(ours[key], theirs[key])]
        compared[short] = len(both)
        assert {
            name for key in both for name, value in ours[key].items() if theirs[key][name] != value
        } == unknowable - THRESHOLDS, short

        failures = {
            key: failure
            for key, failure in week.mornings.failures(short).items()
            if key[0] >= week.days[0]
        }
        ours_fate = outcomes(ours, failures)
        theirs_fate = outcomes(theirs, week.whole.failures(short))
        for key in ours_fate.keys() & theirs_fate.keys():
            assert ours_fate[key] == theirs_fate[key], (short, key)
        if not unknowable:
            assert ours_fate.keys() == theirs_fate.keys()
    assert compared == week.season.compared


def test_the_days_before_stay_as_they_were(week: Week) -> None:
    last = week.days[0] - dt.timedelta(days=1)
    assert any(week.before.values())
    assert_same(week.mornings.everything(end=last), week.before)


def documented_differences() -> dict[str, set[str]]:
    """Return the columns by processor that docs/daily.md says a morning cannot know."""
    text = (resolve_project_dir() / "docs" / "daily.md").read_text(encoding="utf-8")
    shorts = {processor.table.split(".")[1]: short for short, processor in BY_KEY.items()}
    found: dict[str, set[str]] = {}
    for tables, columns in re.findall(r"^\| (.+?) \| (.+?) \|$", text, re.MULTILINE):
        for table in re.findall(r"`(\w+)`", tables):
            if table in shorts:
                found[shorts[table]] = set(re.findall(r"`(\w+)`", columns))
    assert found.keys() == set(SHORTS)
    return found


def same_team(ours: dict[str, Any], theirs: dict[str, Any]) -> bool:
    """Tell whether a player is listed for his former team, since his game depends on it."""
    return ours.get("team_abbr") == theirs.get("team_abbr")
