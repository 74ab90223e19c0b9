"""A season is fetched from a replay of the site: retried after faults, and never twice."""

from __future__ import annotations

import datetime as dt
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.convert import convert
from python_workers.feeds.feed import find_feed
from python_workers.feeds.fetch import Fetched, fetch_birth_dates, fetch_season
from python_workers.feeds.site import ATTEMPTS, Answer, Site, nba_api_ask, seconds_to_wait
from tests.python.support.command import CommandLine
from tests.python.support.feed_answers import (
    CHART,
    action,
    chart_line,
    end_of_period,
    play_by_play,
    result_sets,
    schedule,
    scheduled_game,
)
from tests.python.support.replayed_site import FINAL, LATER, SEASON, Replay, box_score, served


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
        Answer(200, "[" * 100_000 + "]" * 100_000),
        TimeoutError("read timed out"),
    ],
    ids=["429", "500", "HTML", "cut off", "deep", "time-out"],
)
def test_a_request_is_repeated_after_a_passing_fault(
    fetching: Fetching, fault: Answer | OSError
) -> None:
    fetching.replay.faults["boxscoretraditionalv3"] = [fault, fault]
    assert fetching.fetch().missing == {}
    assert fetching.files() == ALL
    assert [seconds for seconds in fetching.pauses if seconds >= 1] == [1, 2]


@pytest.mark.parametrize("status", [429, 503])
def test_the_site_says_how_long_to_wait(fetching: Fetching, status: int) -> None:
    fetching.replay.faults["boxscoretraditionalv3"] = [Answer(status, "", retry_after=33)]
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


def _other(replay: Replay, endpoint: str) -> object:
    """Return the right answer to the request for another game."""
    return replay.right(endpoint, {"GameID": LATER, "ContextMeasure": "FGA"})


@pytest.mark.parametrize(
    ("endpoint", "file"),
    [
        ("boxscoretraditionalv3", "box_score"),
        ("boxscoresummaryv3", "summary"),
        ("playbyplayv3", "play_by_play"),
        ("shotchartdetail", "shot_chart"),
    ],
)
def test_an_answer_for_another_game_is_not_kept(
    fetching: Fetching, endpoint: str, file: str
) -> None:
    other = _other(fetching.replay, endpoint)
    if isinstance(other, dict) and "boxScoreSummary" in other:
        other["boxScoreSummary"]["homeTeam"]["inactives"] = []
    fetching.replay.faults[endpoint] = [Answer(200, json.dumps(other))]
    assert {path.name: why for path, why in fetching.fetch().missing.items()} == {
        f"{file}_{FINAL}.json": f"an answer for another game: {LATER}"
    }
    assert fetching.fetch().missing == {}
    assert fetching.files() == ALL


def test_facts_of_another_player_are_not_kept(fetching: Fetching) -> None:
    other = fetching.replay.right("commonplayerinfo", {"PlayerID": 8})
    fetching.replay.faults["commonplayerinfo"] = [Answer(200, json.dumps(other))]
    fetched = fetch_birth_dates(fetching.site, [1], fetching.folder)
    assert list(fetched.missing.values()) == ["an answer for another player: 8"]
    assert fetching.files() == set()


def test_the_schedule_of_another_season_is_refused(fetching: Fetching) -> None:
    fetching.replay.games = [scheduled_game("0021800001", gameStatus=1)]
    with pytest.raises(
        BackcourtError, match=r"another season than 2021-22: .*0021800001"
    ) as caught:
        fetching.fetch()
    assert caught.value.exit_code == 3
    assert fetching.files() == set()


def test_the_players_of_another_season_are_not_kept(fetching: Fetching) -> None:
    other = {**_player_index(1), "parameters": {"Season": "2018-19"}}
    fetching.replay.faults["playerindex"] = [Answer(200, json.dumps(other))]
    assert list(fetching.fetch().missing.values()) == ["an answer for another season: 2018-19"]
    assert fetching.fetch().players == [1, 8]


def _box_score_of(players: int, minutes: str) -> dict[str, object]:
    """Return a box score in which the home team has so many players with minutes."""
    answer = json.loads(json.dumps(box_score(FINAL)))
    home = answer["boxScoreTraditional"]["homeTeam"]["players"]
    for line in home[players:]:
        line["statistics"]["minutes"] = minutes
    return dict(answer)


@pytest.mark.parametrize(
    ("endpoint", "answer", "why"),
    [
        ("boxscoretraditionalv3", _box_score_of(4, ""), "POR has minutes of 4 players"),
        ("playbyplayv3", play_by_play(action(7)), "no end of the game"),
        ("playbyplayv3", play_by_play(end_of_period(3, 90, 80)), "no end of the game"),
        # Overtime follows.
        ("playbyplayv3", play_by_play(end_of_period(4, 90, 90)), "no end of the game"),
    ],
    ids=["box score", "first actions", "three quarters", "before overtime"],
)
def test_half_an_answer_is_not_kept(
    fetching: Fetching, endpoint: str, answer: object, why: str
) -> None:
    fetching.replay.faults[endpoint] = [Answer(200, json.dumps(answer))]
    assert list(fetching.fetch().missing.values()) == [f"half an answer: {why}"]
    assert fetching.fetch().missing == {}
    assert fetching.files() == ALL


@pytest.mark.parametrize(
    "end",
    [end_of_period(5, 99, 98), end_of_period(4, 99, 99) | {"actionType": "game"}],
    ids=["overtime", "game end"],
)
def test_a_play_by_play_with_its_end_is_kept(fetching: Fetching, end: dict[str, object]) -> None:
    fetching.replay.faults["playbyplayv3"] = [Answer(200, json.dumps(play_by_play(end)))]
    assert fetching.fetch().missing == {}


def _player_index(*person_ids: object) -> dict[str, object]:
    headers = ["PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "POSITION"]
    return result_sets(PlayerIndex=(headers, [[each, "P1", "A", "F"] for each in person_ids]))


@pytest.mark.parametrize(
    ("endpoint", "answer", "said"),
    [
        ("scheduleleaguev2", {"leagueSchedule": {}}, "no list leagueSchedule.gameDates"),
        ("scheduleleaguev2", {"leagueSchedule": None}, "no list leagueSchedule.gameDates"),
        ("scheduleleaguev2", {"x": 1}, "it has no leagueSchedule"),
        (
            "scheduleleaguev2",
            {"leagueSchedule": {"gameDates": [None]}},
            "leagueSchedule.gameDates has an element that is no object",
        ),
        (
            "scheduleleaguev2",
            {"leagueSchedule": {"gameDates": [{"games": []}, {"games": None}]}},
            "no list leagueSchedule.gameDates[*].games",
        ),
        (
            "scheduleleaguev2",
            schedule(scheduled_game(FINAL), scheduled_game(LATER, gameStatus=None)),
            f"gameStatus = None where gameId = '{LATER}'",
        ),
        (
            "scheduleleaguev2",
            schedule(scheduled_game(FINAL, gameDateEst=None), scheduled_game(LATER)),
            f"gameDateEst = None where gameId = '{FINAL}'",
        ),
        (
            "scheduleleaguev2",
            schedule(scheduled_game(FINAL), scheduled_game("002../../../../escaped")),
            "gameId = '002../../../../escaped'",
        ),
        ("playerindex", {"resultSets": None}, "it has no PlayerIndex"),
        ("playerindex", {"resultSets": [1]}, "it has no PlayerIndex"),
        (
            "playerindex",
            {"resultSets": [{"name": "PlayerIndex"}]},
            "PlayerIndex has no list of headers",
        ),
        ("playerindex", _player_index(None), "PERSON_ID = None"),
        ("playerindex", _player_index("../1"), "PERSON_ID = '../1'"),
        (
            "boxscoretraditionalv3",
            {"boxScoreTraditional": None},
            "no list boxScoreTraditional.homeTeam.players",
        ),
        (
            "boxscoretraditionalv3",
            {"boxScoreTraditional": {"homeTeam": None, "awayTeam": None}},
            "no list boxScoreTraditional.homeTeam.players",
        ),
        ("boxscoresummaryv3", {"boxScoreSummary": {"x": 1}}, "no list boxScoreSummary.homeTeam"),
        ("playbyplayv3", {"game": {"actions": [{"x": 1}]}}, "game.actions has no gameId"),
    ],
)
def test_an_answer_of_another_form_ends_the_fetch_and_is_not_kept(
    fetching: Fetching, endpoint: str, answer: object, said: str
) -> None:
    fetching.replay.faults[endpoint] = [Answer(200, json.dumps(answer))]
    with pytest.raises(BackcourtError) as caught:
        fetching.fetch()
    assert f"the answer of {endpoint} has another form: " in caught.value.message
    assert said in caught.value.message
    assert caught.value.exit_code == 3
    kept = fetching.files()
    # The same command asks for it again.
    assert fetching.fetch().missing == {}
    assert kept < fetching.files() == ALL
    assert all(
        path.is_relative_to(fetching.folder) for path in fetching.folder.parent.rglob("*.json")
    )


def test_a_damaged_index_of_players_is_asked_for_again(fetching: Fetching) -> None:
    fetching.fetch()
    index = fetching.folder / SEASON / "players.json"
    whole = index.read_bytes()
    index.write_bytes(whole[:40])
    assert fetching.fetch().players == [1, 8]
    assert index.read_bytes() == whole


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
        "player_box_scores": 11,
        "players": 11,
        "shots": 1,
    }
    assert conversion.warnings == ()


def test_the_command_names_each_missing_answer(
    address: Replay, backcourt: CommandLine, tmp_path: Path
) -> None:
    games = [f"00221007{number}" for number in range(32, 38)]
    address.games = [scheduled_game(game) for game in games]
    address.faults["playerindex"] = [Answer(200, json.dumps(_player_index()))]
    empty = Answer(200, json.dumps(result_sets(Shot_Chart_Detail=(CHART, []))))
    address.faults["shotchartdetail"] = [empty] * len(games)
    done = backcourt("fetch", "--season", SEASON, "--out", tmp_path / "answers", "--pace", "0")
    assert done.code == 1, done
    assert sorted(line for line in done.out.splitlines() if line.startswith("missing: ")) == [
        *(
            f"missing: {SEASON}/2022-01-26/shot_chart_{game}.json (an empty answer)"
            for game in games
        ),
        f"missing: {SEASON}/players.json (an empty answer)",
    ]


def test_the_wait_that_the_site_asks_for_comes_through_nba_api(address: Replay) -> None:
    address.faults["playerindex"] = [Answer(503, "", retry_after=33)]
    ask = nba_api_ask(base_url=os.environ["BACKCOURT_STATS_ADDRESS"])
    assert ask("playerindex", {}).retry_after == 33
    assert ask("scheduleleaguev2", {}).retry_after is None


@pytest.mark.parametrize(
    ("header", "seconds"),
    [
        ("120", 120),
        ("Wed, 26 Jan 2022 03:00:09 GMT", 9),
        ("Wed, 26 Jan 2022 02:00:00 GMT", 0),
        ("soon", None),
        (None, None),
    ],
)
def test_a_retry_after_is_a_number_or_a_time(header: str | None, seconds: float | None) -> None:
    now = dt.datetime(2022, 1, 26, 3, tzinfo=dt.UTC)
    assert seconds_to_wait(header, now) == seconds


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
