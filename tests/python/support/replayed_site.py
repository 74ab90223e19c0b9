"""A replay of stats.nba.com: made-up answers, with faults before the right ones."""

from __future__ import annotations

import json
import threading
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

from python_workers.feeds.feed import find_feed
from python_workers.feeds.site import Answer
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

FINAL, LATER = "0022100732", "0022100733"
SEASON = "2021-22"


def box_score(game_id: str) -> dict[str, object]:
    counts = {
        name: 2
        for source in find_feed("nba_api").sources
        if source.name == "box_score_v3"
        for name in source.columns[source.columns.index("minutes") + 1 :]
    }

    def line(player: int) -> dict[str, object]:
        facts = {"personId": player, "firstName": "A", "familyName": f"P{player}", "position": "F"}
        return {**facts, "comment": "", "statistics": {"minutes": "34:12", **counts}}

    def team(code: str, *players: int) -> dict[str, object]:
        return {"teamTricode": code, "players": [line(player) for player in players]}

    game = {
        "gameId": game_id,
        "homeTeam": team("POR", 8, 80, 81, 82, 83),
        "awayTeam": team("DAL", 1, 10, 11, 12, 13),
    }
    return {"boxScoreTraditional": game}


class Replay:
    """The site's answers; `faults` holds the answers that come before the right one."""

    def __init__(self) -> None:
        self.faults: dict[str, list[Answer | OSError]] = {}
        self.asked: Counter[str] = Counter()
        self.games = [scheduled_game(FINAL), scheduled_game(LATER, gameStatus=1)]

    def __call__(self, endpoint: str, parameters: Mapping[str, object]) -> Answer:
        self.asked[endpoint] += 1
        if waiting := self.faults.get(endpoint):
            fault = waiting.pop(0)
            if isinstance(fault, OSError):
                raise fault
            return fault
        return Answer(200, json.dumps(self.right(endpoint, parameters)))

    def right(self, endpoint: str, parameters: Mapping[str, Any]) -> object:
        game = str(parameters.get("GameID", ""))
        player = int(parameters.get("PlayerID") or 0)
        index = ["PERSON_ID", "PLAYER_LAST_NAME", "PLAYER_FIRST_NAME", "POSITION"]
        info = ["PERSON_ID", "DISPLAY_FIRST_LAST", "BIRTHDATE", "POSITION"]
        facts = [player, f"A P{player}", "1996-09-07T00:00:00", "Guard"]
        chart = [chart_line(7, GAME_ID=game)]
        answers: dict[str, object] = {
            "scheduleleaguev2": schedule(*self.games),
            "boxscoretraditionalv3": box_score(game),
            "boxscoresummaryv3": {
                "boxScoreSummary": {
                    "gameId": game,
                    "homeTeam": {
                        "teamTricode": "POR",
                        "inactives": [{"personId": 9, "firstName": "A", "familyName": "P9"}],
                    },
                    "awayTeam": {"teamTricode": "DAL", "inactives": []},
                }
            },
            "playbyplayv3": play_by_play(action(7), end_of_period(4, 112, 132), game_id=game),
            "playerindex": result_sets(
                PlayerIndex=(index, [[1, "P1", "A", "F"], [8, "P8", "A", "F"]])
            ),
            "commonplayerinfo": result_sets(CommonPlayerInfo=(info, [facts])),
        }
        if parameters.get("ContextMeasure") == "FGA":
            answers["shotchartdetail"] = result_sets(Shot_Chart_Detail=(CHART, chart))
        return answers[endpoint]


@contextmanager
def served(
    replay: Replay, on_request: Callable[[int], None] = lambda _number: None
) -> Iterator[str]:
    """Yield the address of a server of this machine that gives the answers of a replay.

    Parameters
    ----------
    replay
        The answers.
    on_request
        Receives the number of each request before its answer.
    """

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            parts = urlsplit(self.path)
            parameters = {
                name: values[0]
                for name, values in parse_qs(parts.query, keep_blank_values=True).items()
            }
            answer = replay(parts.path.strip("/"), parameters)
            on_request(replay.asked.total())
            self.send_response(answer.status)
            if answer.retry_after is not None:
                self.send_header("Retry-After", str(answer.retry_after))
            self.end_headers()
            self.wfile.write(answer.text.encode())

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}/{{endpoint}}"
    finally:
        server.shutdown()
        server.server_close()
