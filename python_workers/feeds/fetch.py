"""``backcourt fetch``: keeps the site's answers of a season in a folder, as they came.

The files are those of the feed ``nba_api``. An answer is asked for once: a later call asks for what
is missing, and for the schedule, which says what is final by now.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from python_workers.errors import BackcourtError, ExitCode
from python_workers.feeds.site import Site, UnansweredError
from python_workers.feeds.usable import (
    Request,
    matching,
    other_form,
    player_ids,
    rows_of,
    why_unusable,
)
from python_workers.runtime.writing import check_folder, write_text

# Kinds of games that count for a season, by the third digit of their ids.
_COUNTED = ("002", "004", "005")
_SEASON_TYPES = {"002": "Regular Season", "004": "Playoffs", "005": "PlayIn"}
_FINAL = "3"
# So many requests in a row without an answer mean the site, not the game.
_GIVE_UP_AFTER = 3
# Parameters that the endpoint wants, and that stay empty.
_CHART_FILTERS = (
    *("AheadBehind", "ClutchTime", "ContextFilter", "DateFrom", "DateTo", "EndPeriod", "EndRange"),
    *("GameSegment", "Location", "Outcome", "PlayerPosition", "PointDiff", "Position", "RangeType"),
    *("RookieYear", "SeasonSegment", "StartPeriod", "StartRange", "VsConference", "VsDivision"),
)


@dataclass
class Fetched:
    """The result of a fetch.

    Parameters
    ----------
    final_games
        Games of the season that are final by now.
    files
        Answers that this call has written.
    missing
        For each request without a usable answer, its file and the reason.
    players
        Ids of the season's players, as the site's index has them.
    """

    final_games: int = 0
    files: list[Path] = field(default_factory=list)
    missing: dict[Path, str] = field(default_factory=dict)
    players: list[int] = field(default_factory=list)


def fetch_season(
    site: Site,
    season: str,
    directory: Path,
    *,
    since: dt.date | None = None,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Fetched:
    """Ask for all answers of a season's final games that are not in the folder yet.

    Parameters
    ----------
    site
        The site.
    season
        For example ``2023-24``.
    directory
        The folder; the season gets a subfolder, and each date one in it.
    since
        Only games from this date on.
    on_progress
        Receives the numbers of requests done and of all.

    Raises
    ------
    BackcourtError
        If the site gives no answer at all or blocks this address, or an answer has another form:
        what was fetched is kept. With exit code 2, if the folder is a file.
    """
    check_folder(directory)
    folder, fetched = directory / season, Fetched()
    schedule = Request(
        "scheduleleaguev2",
        {"LeagueID": "00", "Season": season},
        folder / "schedule.json",
        "schedule",
    )
    try:
        text = site.answer(schedule.endpoint, schedule.parameters)
    except UnansweredError as error:
        raise _no_site(error, fetched) from error
    final = list(_final_games(schedule, text, season))
    write_text(schedule.file, text)
    fetched.files.append(schedule.file)
    games = [game for game in final if since is None or game[1] >= since]
    fetched.final_games = len(games)
    index = _player_index(season, folder)
    if _kept_players(index) is None:
        index.file.unlink(missing_ok=True)
    _fetch(site, [index, *_requests(games, season, folder)], fetched, on_progress)
    fetched.players = _kept_players(index) or []
    return fetched


def fetch_birth_dates(
    site: Site,
    players: list[int],
    directory: Path,
    *,
    on_progress: Callable[[int, int], None] = lambda _done, _all: None,
) -> Fetched:
    """Ask for the facts of each player who has no file yet; birth dates stand nowhere else.

    Raises
    ------
    BackcourtError
        As `fetch_season`.
    """
    fetched = Fetched()
    requests = [
        Request(
            "commonplayerinfo",
            {"PlayerID": player, "LeagueID": ""},
            directory / "players" / f"{player}.json",
            "player_info",
        )
        for player in players
    ]
    _fetch(site, requests, fetched, on_progress)
    return fetched


def _fetch(
    site: Site,
    requests: Iterable[Request],
    fetched: Fetched,
    on_progress: Callable[[int, int], None],
) -> None:
    """Keep the answer of each request that has no file yet."""
    waiting = [request for request in requests if not request.file.exists()]
    failures = 0
    for done, request in enumerate(waiting):
        on_progress(done, len(waiting))
        try:
            text = site.answer(request.endpoint, request.parameters)
        except UnansweredError as error:
            fetched.missing[request.file] = error.reason
            failures += 1
            if failures == _GIVE_UP_AFTER:
                raise _no_site(error, fetched) from error
            continue
        failures = 0
        unusable = why_unusable(request, text)
        if unusable is not None:
            fetched.missing[request.file] = unusable
            continue
        write_text(request.file, text)
        fetched.files.append(request.file)
    on_progress(len(waiting), len(waiting))


def _final_games(schedule: Request, text: str, season: str) -> Iterator[tuple[str, dt.date]]:
    """Yield id and date of each final game that counts for the season.

    Raises
    ------
    BackcourtError
        If the schedule is not of the source's form, or is that of another season.
    """
    # An id's digits 4 and 5 are those of the season's first year.
    of_season = season[2:4]
    for row in rows_of(schedule, text):
        # An id becomes the name of a file.
        game_id = matching(schedule, row, "gameId", r"\d{10}")
        if game_id.startswith(_COUNTED) and game_id[3:5] != of_season:
            raise BackcourtError(
                f"the answer of {schedule.endpoint} is of another season than {season}: "
                f"it has the game {game_id}",
                "Try again later. Nothing was written.",
                ExitCode.ENVIRONMENT,
            )
        is_final = matching(schedule, row, "gameStatus", r"\d") == _FINAL
        if is_final and game_id.startswith(_COUNTED):
            date = matching(schedule, row, "gameDateEst", r"\d{4}-\d\d-\d\d.*")
            try:
                yield game_id, dt.date.fromisoformat(date[:10])
            except ValueError:
                raise other_form(schedule, f"gameDateEst = {date!r}") from None


def _kept_players(index: Request) -> list[int] | None:
    """Return the ids in the kept answer of PlayerIndex; None without a usable one."""
    try:
        return player_ids(index, index.file.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, BackcourtError):
        return None


def _player_index(season: str, folder: Path) -> Request:
    empty = dict.fromkeys(
        "Active AllStar College Country DraftPick DraftYear Height PlayerPosition Weight".split(),  # noqa: SIM905 -- nine names
        "",
    )
    return Request(
        "playerindex",
        {**empty, "Historical": "", "LeagueID": "00", "Season": season, "TeamID": ""},
        folder / "players.json",
        "player_index",
    )


def _requests(games: list[tuple[str, dt.date]], season: str, folder: Path) -> Iterator[Request]:
    for game_id, date in games:
        of_day = folder / date.isoformat()
        yield Request(
            "boxscoretraditionalv3",
            {
                "GameID": game_id,
                "StartPeriod": 0,
                "EndPeriod": 0,
                "RangeType": 0,
                "StartRange": 0,
                "EndRange": 0,
            },
            of_day / f"box_score_{game_id}.json",
            "box_score_v3",
        )
        yield Request(
            "boxscoresummaryv3",
            {"GameID": game_id},
            of_day / f"summary_{game_id}.json",
            "inactive_players_v3",
        )
        yield Request(
            "playbyplayv3",
            {"GameID": game_id, "StartPeriod": 0, "EndPeriod": 0},
            of_day / f"play_by_play_{game_id}.json",
            "play_by_play",
        )
        yield Request(
            "shotchartdetail",
            {
                **dict.fromkeys(_CHART_FILTERS, ""),
                "TeamID": 0,
                "PlayerID": 0,
                "GameID": game_id,
                "LeagueID": "00",
                # The default measure leaves out the missed shots.
                "ContextMeasure": "FGA",
                "LastNGames": 0,
                "Month": 0,
                "OpponentTeamID": 0,
                "Period": 0,
                "Season": season,
                "SeasonType": _SEASON_TYPES[game_id[:3]],
            },
            of_day / f"shot_chart_{game_id}.json",
            "shot_chart",
        )


def _no_site(error: UnansweredError, fetched: Fetched) -> BackcourtError:
    return BackcourtError(
        f"stats.nba.com gives no answer: {error.reason}",
        [
            "It blocks the addresses of clouds and of many VPNs: try from another network."
            if error.is_blocked
            else "Try again later.",
            f"Answers written by this call: {len(fetched.files)}; the same command goes on there.",
        ],
        ExitCode.ENVIRONMENT,
    )
