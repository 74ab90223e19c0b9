"""The folders of a conversion: files of one feed in, raw files of one conversion out."""

from __future__ import annotations

import gzip
import json
import re
import shlex
from pathlib import Path

import pandas as pd
import pytest

from python_workers.errors import BackcourtError
from python_workers.feeds.convert import Conversion, convert
from python_workers.feeds.feed import find_feed
from tests.python.support.command import CommandLine
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
from tests.python.support.raw_factories import leave_marks, refusal

GAME = schedule(scheduled_game("0022100732"))
V3 = play_by_play(action(7))
LIVE_ACTION = action(7, orderNumber=70000, actionType="2pt")
LIVE_ACTION.pop("actionId")
LIVE = play_by_play(LIVE_ACTION)
BOX = result_sets(PlayerStats=(BOX_V2, [box_line_v2(1, "28:12")]))
LIVE_BOX = {
    "game": {
        "gameId": "0022100732",
        "gameEt": "2022-01-26T22:00:00-05:00",
        "gameStatus": 3,
        "homeTeam": {"teamTricode": "POR", "players": []},
        "awayTeam": {"teamTricode": "DAL", "players": []},
    }
}


class Folders:
    """A folder of answers, and one for raw files."""

    def __init__(self, path: Path) -> None:
        self.files, self.raw = path / "files", path / "raw"
        write_json(self.files / "schedule.json", GAME)

    def convert(self, feed: str = "nba_api", out: Path | None = None) -> Conversion:
        return convert(find_feed(feed), self.files, out or self.raw)

    def written(self) -> list[str]:
        paths = self.raw.rglob("*")
        return sorted(path.relative_to(self.raw).as_posix() for path in paths if path.is_file())


@pytest.fixture
def folders(tmp_path: Path) -> Folders:
    return Folders(tmp_path)


def usage(folders: Folders, feed: str, out: Path) -> str:
    with pytest.raises(BackcourtError) as caught:
        folders.convert(feed, out)
    assert caught.value.exit_code == 2
    return caught.value.message


def test_a_conversion_replaces_only_its_own(folders: Folders) -> None:
    write_json(folders.files / "plays.json", V3)
    folders.convert()
    assert folders.written() == ["games/nba_api.parquet", "shots/nba_api.parquet"]
    (folders.files / "plays.json").unlink()
    (folders.raw / "games" / "nba_api.parquet.17.tmp").write_text("of a conversion that died")
    folders.convert()
    assert folders.written() == ["games/nba_api.parquet"]
    assert "raw has other files than a conversion of nba_live: games/nba_api.parquet" in usage(
        folders, "nba_live", folders.raw
    )
    assert folders.written() == ["games/nba_api.parquet"]
    said = refusal(convert, find_feed("nba_live"), folders.raw, folders.files.parent / "other")
    assert "It looks like a raw folder: backcourt load DIR reads it without a feed." in said


def test_the_raw_folder_is_no_file_and_not_among_the_answers(folders: Folders) -> None:
    for out in (folders.files, folders.files / "raw", folders.files.parent):
        assert "are one folder, or one is in the other" in usage(folders, "nba_api", out)
    file = folders.files.parent / "file"
    file.write_text("")
    assert f"{file} is a file, not a folder" in usage(folders, "nba_api", file / "raw")


@pytest.mark.parametrize(
    ("feed", "answers", "expected"),
    [
        (
            "nba_api",
            {"plays": LIVE},
            ["plays.json", "no actionId", "The feed nba_live reads such files."],
        ),
        (
            "nba_live",
            {"plays": V3, "box": BOX},
            ["no orderNumber", "The feed nba_api reads such files."],
        ),
        (
            "nba_api",
            {"box": LIVE_BOX},
            ["nba_api does not read box.json", "nba_live reads such files."],
        ),
        (
            "nba_dump",
            {"plays": V3, "box": BOX},
            ["nba_dump does not read box", "nba_api reads such files."],
        ),
        (
            "sportsdataverse",
            {"box": BOX},
            ["no file that the feed sports", "nba_api reads such files."],
        ),
    ],
)
def test_the_feed_that_fits_is_named(
    folders: Folders, feed: str, answers: dict[str, object], expected: list[str]
) -> None:
    for name, answer in answers.items():
        write_json(folders.files / f"{name}.json", answer)
    said = refusal(folders.convert, feed)
    assert all(part in said for part in expected), said
    assert not folders.raw.exists()


def test_a_file_that_is_not_read_is_named(folders: Folders) -> None:
    write_json(folders.files / "plays.txt", V3)
    write_json(folders.files / "README.md", "notes")
    pd.DataFrame([chart_line(7)], columns=CHART).assign(E=1).to_csv(folders.files / "a.csv")
    pd.DataFrame([{"game_id": 1}]).to_csv(folders.files / "b.csv")
    assert folders.convert().warnings == (
        "of no kind that nba_api reads: b.csv",
        "not read, since a name ends in .json, .csv or .parquet: plays.txt",
    )
    (folders.files / "b.csv").write_text("")
    assert "b.csv is empty (0 bytes)" in refusal(folders.convert)


@pytest.mark.parametrize("name", ["_b", ".b", "_more/b", ".more/b", "a/_more/deep/b"])
def test_a_hidden_data_file_is_named(folders: Folders, name: str) -> None:
    leave_marks(folders.files)
    assert folders.convert().warnings == ()
    hidden = [f"{name}.{suffix}" for suffix in ("json", "csv", "parquet", "json.gz", "csv.gz")]
    for file in hidden:
        write_json(folders.files / file, GAME)
    expected = ", ".join(sorted(hidden)[:3])
    said = f"not read, since a name or folder begins with _ or .: {expected} and 2 more"
    assert folders.convert().warnings == (said,)
    (folders.files / "schedule.json").unlink()
    assert said in refusal(folders.convert)


def chart_csv(*lines: list[object]) -> bytes:
    return pd.DataFrame(list(lines), columns=list(CHART)).to_csv(index=False).encode()


def test_a_csv_file_is_read_whole_and_by_its_own_name(folders: Folders) -> None:
    (folders.files / "a[1].csv").write_bytes(chart_csv(chart_line(7)))
    (folders.files / "a1.csv").write_bytes(chart_csv(chart_line(8), chart_line(9)))
    done = folders.convert()
    assert [table.rows for table in done.tables if table.table == "shots"] == [3]


def test_na_in_a_csv_file_is_a_missing_value(folders: Folders) -> None:
    lines = [chart_line(7, GAME_ID="0022100731", HTM="NA", VTM="n/a", SHOT_DISTANCE="NA")]
    (folders.files / "a.csv").write_bytes(chart_csv(*lines))
    done = folders.convert()
    assert [table.rows for table in done.tables if table.table == "games"] == [1]
    assert {table.table: table for table in done.tables}["shots"].empty_columns[-2:] == (
        "shot_distance_ft",
        "is_paint",
    )


CHART_CSV = chart_csv(*(chart_line(event) for event in range(1, 2000)))


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("a.csv.gz", gzip.compress(CHART_CSV, mtime=0)[:-5000], "Compressed file ended before"),
        (
            "a.json.gz",
            gzip.compress(b"{}" * 9999, mtime=0)[:-9],
            "cannot be read: Compressed file ended",
        ),
        ("a.csv", CHART_CSV[:-20], "a.csv cannot be read as CSV"),
        ("a.csv", CHART_CSV.replace(b"Player 1,", b"Player 1,,", 1), "got"),
        ("a.csv", CHART_CSV.replace(b"Player 1,", b"Player \xc9,", 1), "line 2 is not UTF-8"),
        ("a.csv", CHART_CSV.replace(b",", b";"), "separated by semicolons"),
        ("a.csv", CHART_CSV.replace(b"GAME_ID", b"game_id"), "differ in case or white space"),
    ],
    ids=["gzip", "json", "cut", "long row", "bytes", "semicolons", "upper case"],
)
def test_a_damaged_table_is_named_and_never_read_in_part(
    folders: Folders, name: str, content: bytes, expected: str
) -> None:
    (folders.files / name).write_bytes(content)
    said = refusal(folders.convert)
    assert expected in said
    assert name in said
    assert "Nothing was converted." in said


def with_rows(rows: object, headers: object = CHART) -> object:
    chart = {"name": "Shot_Chart_Detail", "headers": headers, "rowSet": rows}
    return {"resultSets": [chart]}


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (with_rows({"0": chart_line(7)}), "Shot_Chart_Detail has no list rowSet"),
        (with_rows([chart_line(7), []]), "a row with another number of values than its headers"),
        (with_rows([chart_line(7), None]), "a row with another number of values than its headers"),
        (with_rows([chart_line(7)], None), "Shot_Chart_Detail has no list of headers"),
        (
            {"game": {"gameId": "0022100732", "actions": [action(7), None]}},
            "game.actions has an element that is no object",
        ),
        (
            {"boxScoreTraditional": {"homeTeam": {"players": []}, "awayTeam": None}},
            "no list boxScoreTraditional.awayTeam.players",
        ),
        ({"leagueSchedule": []}, "no list leagueSchedule.gameDates"),
    ],
)
def test_a_damaged_answer_is_named_and_never_read_in_part(
    folders: Folders, answer: object, expected: str
) -> None:
    write_json(folders.files / "damaged.json", answer)
    said = refusal(folders.convert)
    assert "error: damaged.json: " in said
    assert expected in said


@pytest.mark.parametrize("name", ["twice.json", "twice.json.gz"])
@pytest.mark.parametrize(
    ("given", "twice", "key"),
    [
        ('"game"', '"game": {"gameId": "0022100733", "actions": []}, "game"', "game"),
        ('"period": 1', '"period": 1, "period": 2', "period"),
        ('"period": 1', '"period": 1, "period": 1', "period"),
        ('"period": 1', '"period": 1, "other": {"note": [1, {"a": 1, "a": 2}]}', "a"),
    ],
    ids=["top", "action", "one value", "not read"],
)
def test_an_answer_with_a_key_twice_is_named(
    folders: Folders, name: str, given: str, twice: str, key: str
) -> None:
    text = json.dumps(V3)
    assert given in text
    damaged = text.replace(given, twice).encode()
    write_json(folders.files / "right.json", V3)
    (folders.files / name).write_bytes(
        gzip.compress(damaged, mtime=0) if name.endswith(".gz") else damaged
    )
    said = refusal(folders.convert)
    assert f"error: {name} gives {key} two values" in said
    assert "Nothing was converted." in said
    assert not folders.raw.exists()


def test_a_result_set_with_a_column_twice_is_named(folders: Folders) -> None:
    # The feed reads no column E.
    extra = with_rows([[*chart_line(7), 1, 2]], [*CHART, "E", "E"])
    write_json(folders.files / "chart.json", extra)
    assert folders.convert().warnings == ()
    write_json(folders.files / "chart.json", with_rows([[*chart_line(7), 9]], [*CHART, "PERIOD"]))
    assert "chart.json: Shot_Chart_Detail has PERIOD twice" in refusal(folders.convert)


def test_a_live_box_score_without_players_is_named(folders: Folders) -> None:
    sides = {"homeTeam": {"teamTricode": "POR"}, "awayTeam": {"teamTricode": "DAL", "players": []}}
    write_json(folders.files / "box.json", {"game": {**LIVE_BOX["game"], **sides}})
    said = refusal(lambda: folders.convert("nba_live"))
    assert "box.json: no list game.homeTeam.players" in said


def test_files_without_rows_are_named(folders: Folders) -> None:
    write_json(folders.files / "chart.json", with_rows([]))
    write_json(folders.files / "plays.json", play_by_play())
    assert folders.convert().warnings == ("without any row: chart.json, plays.json",)


@pytest.mark.parametrize(
    ("answer", "expected"),
    [
        (
            result_sets(PlayerStats=(BOX_V2, [box_line_v2(1, "28:12", PTS=12.6)])),
            "'12.6 (not a whole number)'",
        ),
        (
            result_sets(PlayerStats=(BOX_V2, [box_line_v2(1, "28:12", PTS="NaN")])),
            "'NaN (not a whole number)'",
        ),
        (
            result_sets(Shot_Chart_Detail=(CHART, [chart_line(7, GAME_ID="00221007321")])),
            "game_id = '00221007321'",
        ),
        (
            result_sets(Shot_Chart_Detail=(CHART, [chart_line(7, SHOT_MADE_FLAG=2)])),
            "2 (neither made nor missed)",
        ),
        (
            result_sets(Shot_Chart_Detail=(CHART, [chart_line(7, GAME_ID="GAME_ID")])),
            "Could not convert string",
        ),
    ],
)
def test_a_value_is_not_changed_to_fit(folders: Folders, answer: object, expected: str) -> None:
    write_json(folders.files / "right.json", BOX)
    write_json(folders.files / "wrong.json", answer)
    said = refusal(folders.convert)
    assert expected in said
    assert "wrong.json" in said


def test_a_link_that_leads_nowhere_is_named(folders: Folders, tmp_path: Path) -> None:
    write_json(tmp_path / "elsewhere" / "plays.json", V3)
    (folders.files / "link").symlink_to(tmp_path / "elsewhere")
    assert [table.table for table in folders.convert().tables] == ["games", "shots"]
    (folders.files / "plays.json").symlink_to("nowhere")
    assert "the link plays.json leads nowhere" in refusal(folders.convert)


def test_rows_that_a_load_refuses_are_named_with_their_file(folders: Folders) -> None:
    write_json(folders.files / "plays.json", play_by_play(action(7, period=99)))
    said = refusal(folders.convert)
    assert "plays.json: shots: column period has an unusable value" in said
    assert "game_id = '0022100732', event_number = 7, period = 99" in said
    write_json(folders.files / "plays.json", play_by_play(action(7, teamTricode="LAL")))
    said = refusal(folders.convert)
    assert "plays.json: shots: column team_abbr names a team that does not play in the game" in said
    write_json(folders.files / "plays.json", play_by_play(action(7, period="first")))
    assert "It fails with the rows of plays.json." in refusal(folders.convert)
    tied = {"teamTricode": "POR", "score": 132}
    write_json(
        folders.files / "schedule.json", schedule(scheduled_game("0022100732", homeTeam=tied))
    )
    assert "schedule.json: games: home_score and away_score" in refusal(folders.convert)


@pytest.mark.parametrize(
    ("status", "expected"),
    [(None, "column status must not be empty"), (4, "'4' is none of final, in_progress")],
)
def test_a_game_without_a_known_status_is_not_final(
    folders: Folders, status: int | None, expected: str
) -> None:
    game = scheduled_game("0022100732", gameStatus=status)
    write_json(folders.files / "schedule.json", schedule(scheduled_game("0022100733"), game))
    assert expected in refusal(folders.convert)


def test_shots_of_a_game_that_is_in_no_file_are_told(folders: Folders) -> None:
    write_json(folders.files / "plays.json", play_by_play(action(7), game_id="0022100099"))
    assert folders.convert().warnings == (
        "shots has rows of 1 game that no file has as a game: 0022100099",
    )


def test_the_next_command_can_be_pasted_into_a_shell(
    backcourt: CommandLine, folders: Folders, tmp_path: Path
) -> None:
    write_json(folders.files / "plays.json", V3)
    raw = tmp_path / "it's [raw] data"
    said = backcourt.ok("convert", "nba_api", folders.files, "--out", raw).out
    (command,) = re.findall(r"Load them with: (.*)", said)
    assert shlex.split(command) == ["backcourt", "load", str(raw)]


def test_the_command_line_refuses_before_it_converts(
    backcourt: CommandLine, folders: Folders
) -> None:
    files = ["convert", "nba_api", folders.files]
    load = ["load", folders.files]
    for arguments, expected in (
        ([*files, "--out", ""], "the value of --out is empty"),
        ([*files, "--out="], "the value of --out is empty"),
        (["convert", "nba_api", "", "--out", "raw"], "an argument is empty"),
        ([*load, "--feed", "nba_api", "--tables", "foo"], "'foo' is not a raw table"),
    ):
        ended = backcourt(*arguments)
        assert (ended.code, expected in ended.err) == (2, True), ended
    ended = backcourt(*load)
    assert "backcourt load DIR --feed FEED" in ended.err
    ended = backcourt(*load, "--feed", "nba_api", "--tables", "shots")
    assert (ended.code, "these files give no rows of shots" in ended.err) == (1, True), ended
