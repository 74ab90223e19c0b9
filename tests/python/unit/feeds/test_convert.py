"""Feeds convert files of public sources to the raw format, or a message says why not."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import duckdb
import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.feed import find_feed, shipped_feeds
from tests.python.support.feed_answers import (
    BOX_V2,
    CHART,
    action,
    box_line_v2,
    chart_line,
    play_by_play,
    result_sets,
    schedule,
    scheduled_game,
    write_json,
)
from tests.python.support.feed_folder import Folder, refusal
from tests.python.support.folders import REPOSITORY, SAMPLES

REAL = REPOSITORY.parent / "shared" / "data" / "nba"


needs_samples = pytest.mark.skipif(not SAMPLES.is_dir(), reason="no recorded answers here")


@needs_samples
@pytest.mark.parametrize(
    ("feed", "sample", "game", "points", "attempts"),
    [
        ("nba_live", "nba_live", "0022000001", {"BKN": 125, "GSW": 99}, 191),
        ("nba_api", "nba_api_v2", "0022100732", {"DAL": 132, "POR": 112}, 170),
        ("nba_api", "nba_api_v3", "0022200552", {"CLE": 145, "CHI": 134}, 187),
    ],
)
def test_points_of_shots_and_free_throws_are_those_of_the_box_score(
    tmp_path: Path, feed: str, sample: str, game: str, points: dict[str, int], attempts: int
) -> None:
    folder = Folder(tmp_path, feed)
    folder.convert(SAMPLES / sample)
    of_game = f"where game_id = '{game}'"
    box = folder.rows("player_box_scores", "team_abbr, sum(points)", f"{of_game} group by all")
    assert dict(box) == points
    shots = folder.rows(
        "shots", "team_abbr, sum(shot_value) filter (where is_made)", f"{of_game} group by all"
    )
    free_throws = folder.rows("player_box_scores", "team_abbr, sum(ftm)", f"{of_game} group by all")
    assert {team: dict(shots)[team] + dict(free_throws)[team] for team in points} == points
    assert folder.rows("shots", "count(*)", of_game) == [(attempts,)]
    assert folder.rows("player_box_scores", "sum(fga)", of_game) == [(attempts,)]


@needs_samples
@pytest.mark.skipif(not REAL.is_dir(), reason="no real seasons here")
def test_a_real_box_score_equals_that_of_the_season(tmp_path: Path) -> None:
    folder = Folder(tmp_path)
    folder.convert(SAMPLES / "nba_api_v3")
    columns = (
        "player_id, team_abbr, is_starter, is_dnp, points, fgm, fga, fg3m, fg3a, ftm, fta, oreb, "
        "dreb, ast, stl, blk, tov, pf"
    )
    mine = folder.rows("player_box_scores", columns, "order by player_id")
    dressed = ", ".join(str(row[0]) for row in mine)
    assert len(mine) == 23
    assert (
        mine
        == duckdb.sql(
            f"select {columns} from '{REAL}/player_box_scores/2022_23.parquet' "
            f"where game_id = '0022200552' and player_id in ({dressed}) order by player_id"
        ).fetchall()
    )
    assisted = "count(*) filter (where is_assisted), count(*) filter (where is_made)"
    assert folder.rows("shots", assisted, "where game_id = '0022200552'") == [(49, 95)]


def test_the_later_file_counts_and_a_warning_says_so(folder: Folder) -> None:
    write_json(folder.files / "2.json", schedule(scheduled_game("0022100732")))
    other = {"teamTricode": "POR", "score": 113}
    write_json(folder.files / "10.json", schedule(scheduled_game("0022100732", homeTeam=other)))
    write_json(folder.files / "99.json", schedule(scheduled_game("0022100732", gameStatus=1)))
    done = folder.convert()
    assert folder.rows("games", "home_score, status") == [(112, "final")]
    assert done.warnings == (
        (
            "games: rows on which files contradict each other: 1; the later file counts "
            "(0022100732: 10.json, 2.json)"
        ),
    )


def test_two_rows_of_one_file_that_contradict_each_other_end_the_conversion(
    folder: Folder,
) -> None:
    folder.game()
    lines = [box_line_v2(1, "28:12", AST=2), box_line_v2(1, "28:12", AST=3)]
    box = result_sets(PlayerStats=(BOX_V2, lines))
    write_json(folder.files / "box.json", box)
    assert "box.json: player_box_scores: rows share their key (game_id, player_id)" in refusal(
        folder
    )
    # The same row twice is one.
    write_json(folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, lines[:1] * 2)))
    chart = [chart_line(7, LOC_X=10), chart_line(7, LOC_X=11)]
    write_json(folder.files / "chart.json", result_sets(Shot_Chart_Detail=(CHART, chart)))
    assert "chart.json: shots: rows share their key (game_id, event_number)" in refusal(folder)


def test_the_same_answers_in_two_files_are_one(folder: Folder) -> None:
    folder.game()
    for name in ("1", "2"):
        write_json(folder.files / name / "plays.json", play_by_play(action(7), action(8)))
        chart = result_sets(Shot_Chart_Detail=(CHART, [chart_line(7), chart_line(8)]))
        write_json(folder.files / name / "chart.json", chart)
    assert folder.convert().warnings == ()
    assert folder.rows("shots", "event_number, is_assisted", "order by 1") == [
        (7, False),
        (8, False),
    ]
    other = result_sets(Shot_Chart_Detail=(CHART, [chart_line(7, LOC_X=11), chart_line(8)]))
    write_json(folder.files / "3.json", other)
    assert folder.convert().warnings == (
        (
            "shots: rows on which files contradict each other: 1; the later file counts "
            "(0022100732, 7: 1/chart.json, 2/chart.json, 3.json)"
        ),
    )
    assert folder.rows("shots", "loc_x", "order by event_number") == [(11.0,), (10.0,)]


def test_long_play_by_plays_fit_the_memory(folder: Folder) -> None:
    plays = [action(number, description=f"{'x' * 600} (2 PTS)") for number in range(600)]
    for game in range(8):
        write_json(folder.files / f"{game}.json", play_by_play(*plays, game_id=f"002210000{game}"))
    folder.convert()
    assert folder.rows("shots", "count(*), count(distinct game_id)") == [(8 * 600, 8)]


@pytest.mark.parametrize(
    ("name", "text", "expected"),
    [
        ("a.json", "<html>Access denied</html>", "a.json is HTML"),
        ("a.json", '{"game": {"gameId"', "a.json is no JSON"),
        ("a.json", b"\xff\xfe{\x00", "a.json is not UTF-8 text"),
        ("a.parquet", "no Parquet", "a.parquet cannot be read"),
        ("a.json", "{}", "no file that the feed nba_api reads"),
        ("a.txt", "nothing", "no file that the feed nba_api reads"),
    ],
)
def test_a_file_that_is_no_answer_is_named(
    folder: Folder, name: str, text: str | bytes, expected: str
) -> None:
    content = text if isinstance(text, bytes) else text.encode()
    (folder.files / name).write_bytes(content)
    assert expected in refusal(folder)


def test_a_changed_column_is_named(folder: Folder) -> None:
    headers = ["MINUTES" if name == "MIN" else name for name in BOX_V2]
    write_json(
        folder.files / "box.json", result_sets(PlayerStats=(headers, [box_line_v2(1, "28:12")]))
    )
    assert "box.json: PlayerStats has no MIN" in refusal(folder)
    renamed = [
        {("person" if key == "personId" else key): value for key, value in action(7).items()}
    ]
    write_json(folder.files / "box.json", play_by_play(*renamed))
    assert "box.json: game.actions has no personId" in refusal(folder)


def test_a_play_by_play_of_another_feed_is_named(tmp_path: Path) -> None:
    folder = Folder(tmp_path, "nba_live")
    write_json(folder.files / "plays.json", play_by_play(action(7, actionType="Made Shot")))
    said = refusal(folder)
    assert "plays.json: game.actions has no orderNumber" in said
    assert "One of the feeds nba_api, nba_dump may read such files." in said
    # No dump has box scores.
    write_json(
        folder.files / "box.json", result_sets(PlayerStats=(BOX_V2, [box_line_v2(1, "1:00")]))
    )
    assert "The feed nba_api reads such files." in refusal(folder)


def test_unknown_and_hidden_files_are_named(folder: Folder) -> None:
    folder.game()
    write_json(folder.files / "other.json", {"players": []})
    write_json(folder.files / ".hidden" / "other.json", {"players": []})
    assert folder.convert().warnings == (
        "of no kind that nba_api reads: other.json",
        "not read, since a name or folder begins with _ or .: .hidden/other.json",
    )


def test_every_shipped_feed_says_what_it_lacks() -> None:
    names = [feed.name for feed in shipped_feeds()]
    assert names == ["nba_api", "nba_dump", "nba_live", "sportsdataverse"]
    feeds: Sequence[Path] = [REPOSITORY / "python_workers" / "feeds" / name for name in names]
    assert all("lacks" in (path / "README.md").read_text() for path in feeds)
    with pytest.raises(BackcourtError, match="is not a feed"):
        find_feed("nothing")


def test_the_same_files_give_the_same_bytes(folder: Folder) -> None:
    folder.game()
    shots = [action(number) for number in range(1, 400)]
    (folder.files / "pbp.json").write_text(json.dumps(play_by_play(*shots)))
    folder.convert()
    first = [path.read_bytes() for path in sorted(folder.raw.rglob("*.parquet"))]
    folder.convert()
    assert [path.read_bytes() for path in sorted(folder.raw.rglob("*.parquet"))] == first
