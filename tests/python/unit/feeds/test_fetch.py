"""A season is fetched from a replay of the site: retried after faults, and never twice."""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.convert import convert
from python_workers.feeds.feed import find_feed
from python_workers.feeds.fetch import Fetched, fetch_birth_dates, fetch_season
from python_workers.feeds.site import ATTEMPTS, Answer, Site
from tests.python.support.command import CommandLine
from tests.python.support.feed_answers import CHART, chart_line, result_sets, scheduled_game
from tests.python.support.replayed_site import FINAL, LATER, SEASON, Replay, served


class Fetching:
    """A fetch into a folder, on a clock that moves only in pauses."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.replay, self.now = folder, Replay(), 0.0
        self.pauses: list[float] = []

    def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)
        self.now += seconds

    @property
    def site(self) -> Site:
        return Site(self.replay, pace_seconds=0.5, pause=self.pause, clock=lambda: self.now)

    def fetch(self, since: dt.date | None = None) -> Fetched:
        return fetch_season(self.site, SEASON, self.folder, since=since)

    def files(self) -> set[str]:
        return {path.name for path in self.folder.rglob("*.json")}


@pytest.fixture
def fetching(tmp_path: Path) -> Fetching:
    return Fetching(tmp_path / "answers")


ALL = {
    "schedule.json",
    "players.json",
    *(f"{kind}_{FINAL}.json" for kind in ("box_score", "summary", "play_by_play", "shot_chart")),
}


def test_a_second_fetch_asks_for_the_schedule_alone(fetching: Fetching) -> None:
    assert fetching.fetch().final_games == 1
    assert fetching.files() == ALL
    fetching.replay.asked.clear()
    assert fetching.fetch().missing == {}
    assert fetching.replay.asked == {"scheduleleaguev2": 1}
    # The other game is final by now.
    fetching.replay.games = [scheduled_game(FINAL), scheduled_game(LATER)]
    fetching.fetch()
    assert fetching.replay.asked["boxscoretraditionalv3"] == 1
    assert f"box_score_{LATER}.json" in fetching.files()


def test_requests_keep_their_distance(fetching: Fetching) -> None:
    fetching.fetch()
    assert fetching.pauses == [0.5] * (len(ALL) - 1)


@pytest.mark.parametrize(
    "fault",
    [
        Answer(429, "slow down"),
        Answer(500, "oops"),
        Answer(200, "<html>Access denied</html>"),
        Answer(200, '{"cut": '),
        TimeoutError("read timed out"),
    ],
    ids=["429", "500", "HTML", "cut off", "time-out"],
)
def test_a_request_is_repeated_after_a_passing_fault(
    fetching: Fetching, fault: Answer | OSError
) -> None:
    fetching.replay.faults["boxscoretraditionalv3"] = [fault, fault]
    assert fetching.fetch().missing == {}
    assert fetching.files() == ALL
    assert [seconds for seconds in fetching.pauses if seconds >= 1] == [1, 2]


def test_the_site_says_how_long_to_wait(fetching: Fetching) -> None:
    fetching.replay.faults["boxscoretraditionalv3"] = [Answer(429, "", retry_after=33)]
    fetching.fetch()
    assert max(fetching.pauses) == 33


@pytest.mark.parametrize(
    ("endpoint", "fault", "said"),
    [
        ("scheduleleaguev2", Answer(403, "no"), "It blocks the addresses of clouds"),
        ("scheduleleaguev2", Answer(200, "<html>"), "HTML instead of JSON"),
        ("scheduleleaguev2", TimeoutError("x"), "It blocks the addresses of clouds"),
        ("scheduleleaguev2", Answer(503, ""), "Try again later"),
    ],
)
def test_a_site_that_stays_silent_ends_the_fetch(
    fetching: Fetching, endpoint: str, fault: Answer | OSError, said: str
) -> None:
    fetching.replay.faults[endpoint] = [fault] * ATTEMPTS
    with pytest.raises(BackcourtError) as caught:
        fetching.fetch()
    assert said in caught.value.render()
    assert fetching.files() == set()


def test_three_requests_without_answer_end_the_fetch_and_answers_are_kept(
    fetching: Fetching,
) -> None:
    down: list[Answer | OSError] = [Answer(503, "")] * ATTEMPTS
    for endpoint in ("boxscoresummaryv3", "playbyplayv3", "shotchartdetail"):
        fetching.replay.faults[endpoint] = list(down)
    with pytest.raises(BackcourtError, match="gives no answer: HTTP status 503"):
        fetching.fetch()
    assert fetching.files() == {"schedule.json", "players.json", f"box_score_{FINAL}.json"}
    assert fetching.fetch().missing == {}
    assert fetching.files() == ALL


def test_one_missing_answer_is_named_and_asked_for_again(fetching: Fetching) -> None:
    fetching.replay.faults["playbyplayv3"] = [Answer(500, "")] * ATTEMPTS
    missing = fetching.fetch().missing
    assert {path.name: reason for path, reason in missing.items()} == {
        f"play_by_play_{FINAL}.json": "HTTP status 500"
    }
    assert fetching.fetch().missing == {}


def test_an_empty_answer_is_not_kept(fetching: Fetching) -> None:
    empty = Answer(200, json.dumps(result_sets(Shot_Chart_Detail=(CHART, []))))
    fetching.replay.faults["shotchartdetail"] = [empty]
    assert list(fetching.fetch().missing.values()) == ["an empty answer"]
    assert fetching.files() == ALL - {f"shot_chart_{FINAL}.json"}


def test_a_changed_column_is_named(fetching: Fetching) -> None:
    headers = [name.replace("LOC_X", "X") for name in CHART]
    other = Answer(200, json.dumps(result_sets(Shot_Chart_Detail=(headers, [chart_line(7)]))))
    fetching.replay.faults["shotchartdetail"] = [other]
    with pytest.raises(BackcourtError, match=r"shotchartdetail has another form.*no LOC_X"):
        fetching.fetch()


class Killed(BaseException):
    """A kill at this moment."""


def test_a_fetch_killed_at_any_request_goes_on(fetching: Fetching) -> None:
    fetching.fetch()
    whole = {path: path.read_bytes() for path in fetching.folder.rglob("*.json")}
    for at in range(len(ALL)):
        for path in whole:
            path.unlink()
        left = at

        def killed(endpoint: str, parameters: Mapping[str, object]) -> Answer:
            nonlocal left
            if left == 0:
                raise Killed
            left -= 1
            return fetching.replay(endpoint, parameters)

        with pytest.raises(Killed):
            fetch_season(Site(killed, pace_seconds=0), SEASON, fetching.folder)
        fetching.replay.asked.clear()
        fetching.fetch()
        assert {path: path.read_bytes() for path in fetching.folder.rglob("*.json")} == whole
        # Besides the missing answers, the next call asks again only for the schedule.
        assert fetching.replay.asked.total() == len(ALL) - max(at, 1) + 1


def test_birth_dates_are_asked_for_once_a_player(fetching: Fetching) -> None:
    fetch_birth_dates(fetching.site, [1, 8], fetching.folder)
    fetch_birth_dates(fetching.site, [1, 8, 9], fetching.folder)
    assert fetching.replay.asked == {"commonplayerinfo": 3}


@pytest.fixture
def address(monkeypatch: pytest.MonkeyPatch) -> Iterator[Replay]:
    """Replay the answers through a server of this machine, which nba_api asks."""
    pytest.importorskip("nba_api", reason="the extra nba is not installed")
    replay = Replay()
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with served(replay) as address:
        monkeypatch.setenv("BACKCOURT_STATS_ADDRESS", address)
        yield replay


def test_the_command_fetches_through_nba_api_what_convert_reads(
    address: Replay, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    replay = address
    replay.faults["playbyplayv3"] = [Answer(500, "")]
    command = ["fetch", "--season", SEASON, "--out", str(tmp_path / "answers"), "--pace", "0"]
    done = CommandLine(capsys)(*command)
    assert done.code == 0, done
    assert "final games: 1; answers written: 8; requests: 9" in done.out
    conversion = convert(find_feed("nba_api"), tmp_path / "answers", tmp_path / "raw")
    assert {table.table: table.rows for table in conversion.tables} == {
        "games": 2,
        "player_box_scores": 2,
        "players": 2,
        "shots": 1,
    }
    assert conversion.warnings == ()


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--season", "1995-96"], "'1995-96' is not a known season"),
        (["--season", "2030-31"], "Known: 1996-97 to "),
        (["--season", "2023-2024"], "'2023-2024' is not a known season"),
        (["--season", SEASON, "--since", "2030-01-01"], f"is after the season {SEASON}"),
        (["--season", SEASON, "--out", __file__], "is a file, not a folder"),
    ],
)
def test_what_can_bring_no_answer_is_not_asked(
    address: Replay, backcourt: CommandLine, tmp_path: Path, options: list[str], expected: str
) -> None:
    done = backcourt("fetch", "--out", tmp_path / "answers", *options)
    assert (done.code, expected in done.err) == (2, True), done
    assert not address.asked
