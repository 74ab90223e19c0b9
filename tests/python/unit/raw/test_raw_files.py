"""Raw files as people deliver them are read exactly, or refused by name."""

from __future__ import annotations

import codecs
import gzip
import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import IO

import pyarrow as pa
import pytest

from python_workers.errors import BackcourtError
from python_workers.raw import csv_files, text_files
from python_workers.raw import reading as raw_reading
from python_workers.raw.reading import read_raw_table
from python_workers.raw.schema import (
    GAMES,
    PLAYER_BOX_SCORES,
    PLAYERS,
    SHOTS,
    RawTable,
)
from python_workers.raw.tables import collapse_duplicates
from python_workers.raw.text_files import open_bytes
from tests.python.support.raw_factories import (
    FORMATS,
    OPENING_GAME,
    Rows,
    game,
    leave_marks,
    line,
    player,
    read,
    refusal,
    shot,
    write_rows,
)


def names(rows: Rows) -> list[str]:
    return [row["player_name"] for row in rows]


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., Rows]:
    """Write a file of players and read it back."""

    def write_and_read(name: str, content: str | bytes, schema: RawTable = PLAYERS) -> Rows:
        path = tmp_path / schema.name / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(tmp_path, schema, tmp_path)

    return write_and_read


class TestQuotes:
    @pytest.mark.parametrize(
        "stray",
        [
            '2,"Bob,1994-12-06,F',
            '2,Bob,1994-12-06,"F',
            '2,"Bob "B" Smith",1994-12-06,F',
            '2,"two\nlines",1994-12-06,F',
            '2,"two\rlines",1994-12-06,F',
        ],
    )
    @pytest.mark.parametrize("later", ["", '"'])
    def test_a_quote_that_is_not_closed_on_its_line_is_refused_by_line(
        self, read_text: Callable[..., Rows], stray: str, later: str
    ) -> None:
        lines = [f"{n},Player {n},1994-12-06,F" for n in range(3, 80)]
        text = "\n".join(
            [
                "player_id,player_name,birth_date,position",
                "1,A,1994-12-06,F",
                stray,
                *lines,
                f"80,{later}Z{later},1994-12-06,F",
            ]
        )
        message = refusal(read_text, "a.csv", text)
        assert "players/a.csv cannot be read as CSV: the quotes of line 3" in message
        assert 'Write a quote inside a value as "".' in message

    def test_the_line_is_found_among_lines_of_many_blocks(
        self, read_text: Callable[..., Rows], monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr("python_workers.raw.text_files.BLOCK_BYTES", 64)
        lines = [f'{n},"Player {n}"' for n in range(1, 50)]
        assert len(read_text("a.csv", "\r\n".join(["player_id,player_name", *lines]))) == 49
        lines[30] = '31,"Player 31'
        message = refusal(read_text, "a.csv", "\r\n".join(["player_id,player_name", *lines]))
        assert "line 32" in message

    @pytest.mark.parametrize(
        ("written", "name"),
        [
            ('"Robert ""Bob"" Smith"', 'Robert "Bob" Smith'),
            (r'"Robert \"Bob\" Smith"', 'Robert "Bob" Smith'),
            (r'"Smith, \"Bob\""', 'Smith, "Bob"'),
            ('Robert "Bob" Smith', 'Robert "Bob" Smith'),
            ("6'10\" Bob", "6'10\" Bob"),
            (r'"back\slash"', "back\\slash"),
            (r'"ends so\"', "ends so\\"),
            ('""', None),
        ],
    )
    def test_quotes_are_doubled_or_escaped_or_plain(
        self, read_text: Callable[..., Rows], written: str, name: str | None
    ) -> None:
        text = f"player_id,player_name,position\n1,A,F\n2,A,{written}\n3,A,G\n"
        found = read_text("a.csv", text)
        assert [row["position"] for row in found] == ["F", name, "G"]

    def test_a_line_with_too_few_values_is_refused(self, read_text: Callable[..., Rows]) -> None:
        message = refusal(read_text, "a.csv", "player_id,player_name\n1,A\n2\n3,C\n")
        assert "players/a.csv cannot be read as CSV" in message
        assert "Row #3" in message


class TestJsonLines:
    @pytest.mark.parametrize(
        ("text", "expected"),
        [
            (
                '{"player_id": 1}\n{"player_id": 2, "player_na{"player_id": 3}\n',
                "line 2 is not JSON",
            ),
            (
                '{"player_id": 1, "player_name": "A", "player_id": 2, "player_name": "B"}\n',
                "line 1 gives player_id two values",
            ),
            ('{"player_id": 1, "player_name": "A"} {"player_id": 2}\n', "line 1 is not JSON"),
            ('\n\n["A"]\n', "line 3 is not a JSON object"),
            ("[" * 100_000 + "\n", "line 1 is not JSON: it is nested too deeply"),
            ('{"player_id": ' + "9" * 5000 + "}\n", "line 1 is not JSON"),
        ],
    )
    def test_a_torn_line_is_refused(
        self, read_text: Callable[..., Rows], text: str, expected: str
    ) -> None:
        assert f"players/a.jsonl cannot be read as JSON lines: {expected}" in refusal(
            read_text, "a.jsonl", text
        )

    @pytest.mark.parametrize(
        ("value", "reason"),
        [
            (["A"], "is an array; one value belongs here"),
            ({"first": "A"}, "is an object; one value belongs here"),
            (True, "True is not text"),
            (7, "7 is not text"),
            (7.5, "7.5 is not text"),
            ("\ud83d", "is not Unicode text"),
            ("A\0", "holds a NUL character"),
        ],
    )
    def test_values_that_are_no_text_are_refused_as_names(
        self, read_text: Callable[..., Rows], value: object, reason: str
    ) -> None:
        rows = [{"player_id": 1, "player_name": "A"}, {"player_id": 2, "player_name": value}]
        message = refusal(read_text, "a.jsonl", "\n".join(map(json.dumps, rows)))
        assert "players/a.jsonl: column player_name has an unusable value" in message
        assert "row 2: " in message
        assert reason in message

    def test_true_is_no_number_and_one_is_a_flag(self, read_text: Callable[..., Rows]) -> None:
        flags = [line(n, is_starter=value) for n, value in enumerate((True, 1, 1.0, "t"), 1)]
        text = "\n".join(map(json.dumps, flags))
        found = read_text("a.jsonl", text, PLAYER_BOX_SCORES)
        assert [row["is_starter"] for row in found] == [True] * 4
        mixed = "\n".join(json.dumps(line(n, pf=pf)) for n, pf in enumerate((1, True), 1))
        message = refusal(read_text, "a.jsonl", mixed, PLAYER_BOX_SCORES)
        assert "row 2: True is a flag, not a number" in message

    def test_keys_may_be_left_out_where_the_column_may_be_empty(
        self, read_text: Callable[..., Rows]
    ) -> None:
        rows = [player(1), {"player_id": 2, "player_name": "B"}]
        found = read_text("a.jsonl", "\r\n".join(map(json.dumps, rows)))
        assert [row["position"] for row in found] == ["F", None]
        message = refusal(read_text, "a.jsonl", "\n".join(map(json.dumps, [{"player_id": 1}])))
        assert "players/a.jsonl has no column player_name" in message


class TestEncodings:
    @pytest.mark.parametrize("suffix", ["csv", "jsonl"])
    def test_a_byte_order_mark_is_no_part_of_the_first_name(
        self, tmp_path: Path, suffix: str
    ) -> None:
        path = write_rows(tmp_path / "players" / f"a.{suffix}", [player(player_name="Dončić")])
        path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
        assert names(read(tmp_path, PLAYERS, tmp_path)) == ["Dončić"]

    @pytest.mark.parametrize("suffix", ["csv", "jsonl"])
    @pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be", "utf-32"])
    def test_utf_16_is_named_as_such(self, tmp_path: Path, suffix: str, encoding: str) -> None:
        path = write_rows(tmp_path / "players" / f"a.{suffix}", [player()])
        path.write_bytes(path.read_text().encode(encoding))
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        name = encoding[:6].upper()
        assert f"players/a.{suffix} cannot be read as" in message
        assert f"it is {name} text" in message
        assert f"iconv -f {name} -t UTF-8" in message

    @pytest.mark.parametrize("suffix", ["csv", "jsonl"])
    def test_an_invalid_encoding_is_named_with_its_line(self, tmp_path: Path, suffix: str) -> None:
        rows = [player(1), player(2, player_name="Dončić")]
        path = write_rows(tmp_path / "players" / f"a.{suffix}", rows)
        path.write_bytes(path.read_text().encode("cp1250"))
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert f"line {3 if suffix == 'csv' else 2} is not UTF-8 text (byte 0xe8)" in message

    def test_a_nul_byte_is_named_by_its_line(self, read_text: Callable[..., Rows]) -> None:
        message = refusal(read_text, "a.csv", "player_id,player_name\n1,A\n2,B\0\n" + "3,C\n" * 99)
        assert "line 3 holds a NUL byte" in message


class TestFolders:
    def test_folders_and_files_behind_links_are_read(self, tmp_path: Path) -> None:
        elsewhere = tmp_path / "elsewhere"
        write_rows(elsewhere / "more" / "a.csv", [player(1)])
        write_rows(elsewhere / "b.csv", [player(2)])
        raw = tmp_path / "raw"
        (raw / "players").mkdir(parents=True)
        (raw / "players" / "folder").symlink_to(elsewhere / "more")
        (raw / "players" / "file.csv").symlink_to(elsewhere / "b.csv")
        assert {row["player_id"] for row in read(raw, PLAYERS, tmp_path)} == {1, 2}
        linked = tmp_path / "linked"
        linked.mkdir()
        (linked / "players").symlink_to(raw / "players")
        assert len(read(linked, PLAYERS, tmp_path)) == 2

    def test_a_link_that_leads_nowhere_or_back_is_refused(self, tmp_path: Path) -> None:
        write_rows(tmp_path / "players" / "a.csv", [player()])
        link = tmp_path / "players" / "b.csv"
        link.symlink_to(tmp_path / "gone.csv")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "the link players/b.csv leads nowhere" in message
        assert "gone.csv" in message
        link.unlink()
        link.symlink_to(tmp_path / "players")
        assert "players/b.csv leads back" in refusal(read, tmp_path, PLAYERS, tmp_path)

    @pytest.mark.parametrize("suffix", [*FORMATS, "CSV", "csv.gz", "json", "ndjson"])
    @pytest.mark.parametrize("name", ["_b", ".b", "_more/b", ".more/b", "a/_more/deep/b"])
    def test_a_hidden_data_file_is_refused_by_name(
        self, tmp_path: Path, name: str, suffix: str
    ) -> None:
        write_rows(tmp_path / "players" / "a.csv", [player(1)])
        leave_marks(tmp_path / "players")
        assert len(read(tmp_path, PLAYERS, tmp_path)) == 1
        path = tmp_path / "players" / f"{name}.{suffix}"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("rows")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert f"players/{name}.{suffix}: a name or folder begins with _ or ." in message
        assert "Rename them, or move them out of the folder. Nothing was loaded." in message

    def test_a_folder_that_cannot_be_read_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Root may read everything, so the test injects the system's refusal.
        write_rows(tmp_path / "players" / "a.csv", [player(1)])
        write_rows(tmp_path / "players" / "closed" / "b.csv", [player(2)])
        look = os.scandir

        def refuse(path: Path) -> object:
            if path.name == "closed":
                raise PermissionError(13, "Permission denied", str(path))
            return look(path)

        monkeypatch.setattr(os, "scandir", refuse)
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "the folder players/closed cannot be read: Permission denied" in message

    def test_a_pipe_is_refused_instead_of_waited_for(self, tmp_path: Path) -> None:
        write_rows(tmp_path / "players" / "a.csv", [player()])
        os.mkfifo(tmp_path / "players" / "b.csv")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/b.csv is neither a file nor a folder" in message

    def test_control_characters_of_a_file_name_are_written_out(self, tmp_path: Path) -> None:
        (tmp_path / "players").mkdir()
        (tmp_path / "players" / "a\x1b[2J\udce8.csv").write_text("")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert r"players/a\x1b[2J\udce8.csv is empty" in message

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_a_hive_folder_gives_its_column(self, tmp_path: Path, suffix: str) -> None:
        for number, season in enumerate(("2021-22", "2022-23"), 1):
            row = game(f"002{number:07}")
            del row["season"], row["season_type"]
            folder = tmp_path / "games" / f"season={season}" / "season_type=play%5Fin"
            write_rows(folder / f"a.{suffix}", [row | {"game_date": f"{season[:4]}-11-01"}])
        found = read(tmp_path, GAMES, tmp_path)
        assert [row["season"] for row in found] == ["2021-22", "2022-23"]
        assert {row["season_type"] for row in found} == {"play_in"}

    def test_a_hive_folder_may_repeat_but_not_contradict_its_files(self, tmp_path: Path) -> None:
        write_rows(tmp_path / "games" / "season=2021-22" / "a.csv", [game()])
        assert len(read(tmp_path, GAMES, tmp_path)) == 1
        write_rows(tmp_path / "games" / "season=2022-23" / "b.csv", [game()])
        message = refusal(read, tmp_path, GAMES, tmp_path)
        assert "games/season=2022-23/b.csv: column season contradicts" in message
        assert "row 1: '2021-22'" in message

    def test_the_columns_that_a_file_has_are_listed(self, tmp_path: Path) -> None:
        for suffix in FORMATS:
            row = {"player_id": 1, "Player": "A", " position": "F"}
            path = write_rows(tmp_path / "players" / f"a.{suffix}", [row])
            message = refusal(read, tmp_path, PLAYERS, tmp_path)
            assert f"players/a.{suffix} has no column player_name" in message
            assert "it has: player_id, Player, ' position'" in message
            path.unlink()

    def test_rows_are_named_by_file_where_files_are_parsed_together(self, tmp_path: Path) -> None:
        for number in range(5):
            rows = [player(10 * number + n) for n in range(1, 4)]
            write_rows(tmp_path / "players" / f"{number}.csv", rows)
        assert len(read(tmp_path, PLAYERS, tmp_path)) == 15
        bad = [player(31), player(32, birth_date="1994"), player(33, birth_date="1995")]
        write_rows(tmp_path / "players" / "3.csv", bad)
        write_rows(tmp_path / "players" / "4.csv", [player(41, birth_date="1996")])
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/3.csv: column birth_date has an unusable value" in message
        assert "row 2: '1994'" in message
        assert "row 3: '1995'" in message
        assert "1996" not in message


@pytest.mark.parametrize("parsed_rows", [1, 7, 1 << 16])
@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_do_not_depend_on_how_many_are_parsed_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed_rows: int, suffix: str
) -> None:
    monkeypatch.setattr(raw_reading, "_PARSED_ROWS", parsed_rows)
    monkeypatch.setattr("python_workers.raw.json_lines._BATCH_ROWS", 5)
    monkeypatch.setattr("python_workers.warehouse.stored_rows._BATCH_ROWS", 4)
    rows = [shot(n, player_id=1 + n % 7) for n in range(20)]
    for number in range(3):
        # The files overlap, so some rows occur twice.
        write_rows(tmp_path / "shots" / f"{number}.{suffix}", rows[5 * number : 5 * number + 10])
    raw = read_raw_table(tmp_path, SHOTS, tmp_path)
    assert raw.rows.num_rows == 30
    assert raw.origin.file(29) == f"shots/2.{suffix}"
    assert raw.origin.row(29) == 10
    kept = collapse_duplicates(raw)
    assert kept.column("event_number").to_pylist() == list(range(20))
    assert set(kept.column("game_id").to_pylist()) == {OPENING_GAME}
    write_rows(tmp_path / "shots" / f"3.{suffix}", [shot(1), shot(3, player_id=99)])
    with pytest.raises(BackcourtError) as caught:
        collapse_duplicates(read_raw_table(tmp_path, SHOTS, tmp_path))
    assert "player_id 4 / 99" in caught.value.render()
    assert f"shots/0.{suffix} row 4 and shots/3.{suffix} row 2" in caught.value.render()


def test_compressed_csv_is_read_and_a_truncated_one_refused(tmp_path: Path) -> None:
    plain = write_rows(tmp_path / "plain.csv", [game()]).read_bytes()
    path = tmp_path / "raw" / "games" / "all.CSV.gz"
    path.parent.mkdir(parents=True)
    path.write_bytes(gzip.compress(plain))
    (row,) = read(tmp_path / "raw", GAMES, tmp_path)
    assert row["game_id"] == OPENING_GAME
    path.write_bytes(gzip.compress(plain)[:-20])
    told = refusal(read, tmp_path / "raw", GAMES, tmp_path)
    assert "games/all.CSV.gz cannot be read as CSV; it may be truncated" in told


@pytest.mark.parametrize(
    ("change", "seen"),
    [
        (lambda text: text.replace(",", ";"), "separated by semicolons"),
        (lambda text: text.replace(",", "\t"), "separated by tabs"),
        (str.upper, "Its names differ in case or white space: write "),
    ],
)
def test_a_nearly_right_header_is_named_and_not_guessed(
    tmp_path: Path, change: Callable[[str], str], seen: str
) -> None:
    path = write_rows(tmp_path / "games" / "all.csv", [game()])
    header, _, rows = path.read_text().partition("\n")
    path.write_text(f"{change(header)}\n{rows}")
    told = refusal(read, tmp_path, GAMES, tmp_path)
    assert "has no column game_id" in told
    assert seen in told


@pytest.mark.parametrize("name", ["a.csv", "a.csv.gz"])
def test_a_small_csv_file_is_opened_once_and_a_large_one_read_in_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    path = tmp_path / name
    with gzip.open(path, "wb") if name.endswith("gz") else path.open("wb") as file:
        file.write(b"\xef\xbb\xbfa,b\n" + b"".join(b"%03d,x\n" % row for row in range(500)))
    opened: list[Path] = []

    def open_and_note(path: Path) -> IO[bytes]:
        opened.append(path)
        return open_bytes(path)

    monkeypatch.setattr(text_files, "open_bytes", open_and_note)
    monkeypatch.setattr(pa, "input_stream", None)
    (whole,) = [batch for _, batch in csv_files.read_csv(path, ["a"])]
    assert len(opened) == 1
    monkeypatch.undo()
    monkeypatch.setattr(csv_files, "BLOCK_BYTES", 1000)
    parts = [batch for _, batch in csv_files.read_csv(path, ["a"])]
    assert len(parts) > 1
    values = [value for part in parts for value in part.column("a").to_pylist()]
    assert values == whole.column("a").to_pylist() == [f"{row:03d}" for row in range(500)]
