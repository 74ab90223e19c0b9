"""Raw files as people deliver them: each is read to the letter, or refused by name."""

from __future__ import annotations

import codecs
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from raw_factories import OPENING_GAME, Row, game, line, player, shot, write_rows

from python_workers import raw_reading
from python_workers.errors import BackcourtError
from python_workers.raw_reading import read_raw_table
from python_workers.raw_schema import (
    GAMES,
    PLAYER_BOX_SCORES,
    PLAYERS,
    RAW_TABLES,
    SHOTS,
    RawTable,
)
from python_workers.raw_tables import collapse_duplicates

CASES = Path(__file__).parents[3] / "shared" / "cases"
FORMATS = ("parquet", "csv", "jsonl")

Rows = list[dict[str, Any]]


def read(raw: Path, schema: RawTable, scratch: Path) -> Rows:
    stored = read_raw_table(raw, schema, scratch).rows
    rows: Rows = stored.select(stored.column_names).to_pylist()
    return rows


@pytest.fixture
def read_rows(tmp_path: Path) -> Callable[..., Rows]:
    """Write rows to a file and read them back."""

    def write_and_read(schema: RawTable, rows: Sequence[Row], suffix: str = "parquet") -> Rows:
        write_rows(tmp_path / schema.name / f"a.{suffix}", rows)
        return read(tmp_path, schema, tmp_path)

    return write_and_read


@pytest.fixture
def read_text(tmp_path: Path) -> Callable[..., Rows]:
    """Write a file of players and read it back."""

    def write_and_read(name: str, content: str | bytes, schema: RawTable = PLAYERS) -> Rows:
        path = tmp_path / schema.name / name
        path.parent.mkdir(exist_ok=True)
        path.write_bytes(content if isinstance(content, bytes) else content.encode())
        return read(tmp_path, schema, tmp_path)

    return write_and_read


def refusal(call: Callable[..., Rows], *args: Any) -> str:
    with pytest.raises(BackcourtError) as caught:
        call(*args)
    return caught.value.render()


def names(rows: Rows) -> list[str]:
    return [row["player_name"] for row in rows]


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
        monkeypatch.setattr("python_workers.raw_text.BLOCK_BYTES", 64)
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
    def test_what_is_no_name_is_refused_where_a_name_belongs(
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
        message = refusal(read_text, "a.jsonl", json.dumps(line(points=True)), PLAYER_BOX_SCORES)
        assert "True is a flag, not a number" in message

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
    def test_another_encoding_is_named_by_its_line(self, tmp_path: Path, suffix: str) -> None:
        rows = [player(1), player(2, player_name="Dončić")]
        path = write_rows(tmp_path / "players" / f"a.{suffix}", rows)
        path.write_bytes(path.read_text().encode("cp1250"))
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert f"line {3 if suffix == 'csv' else 2} is not UTF-8 text (byte 0xe8)" in message

    def test_a_nul_byte_is_named_by_its_line(self, read_text: Callable[..., Rows]) -> None:
        message = refusal(read_text, "a.csv", "player_id,player_name\n1,A\n2,B\0\n" + "3,C\n" * 99)
        assert "line 3 holds a NUL byte" in message


class TestTypedValues:
    """What Parquet can hold and Python, or a raw column, cannot."""

    @pytest.mark.parametrize(
        ("name", "schema", "expected"),
        [
            ("parquet_latin1", PLAYER_BOX_SCORES, ["player_name", "is not UTF-8 text"]),
            ("ts_ns1", GAMES, ["game_date", "000000001 has a time of day"]),
        ],
    )
    def test_a_case_is_refused_with_file_column_and_row(
        self, tmp_path: Path, name: str, schema: RawTable, expected: list[str]
    ) -> None:
        if not CASES.exists():
            pytest.skip("the shared cases are not beside this clone")
        message = refusal(read, CASES / name / "raw", schema, tmp_path)
        for part in [f"{schema.name}/{schema.name}.parquet: column", "row ", *expected]:
            assert part in message

    @pytest.mark.parametrize(
        ("column", "reason"),
        [
            (pa.array([0, 1], pa.timestamp("ns")), "00.000000001 has a time of day"),
            (pa.array([0, 86_400_000], pa.timestamp("ms", "UTC")), "is an instant"),
            (
                pa.array([0, 86_400], pa.timestamp("s", "Mars/Olympus")),
                "Mars/Olympus is an instant",
            ),
            (pa.array([0, 2_932_897], pa.date32()), "10000-01-01 is outside the years 1 to 9999"),
            (pa.array([0, -10_000_000]).cast(pa.int32()).view(pa.date32()), "outside the years"),
            (pa.array([0, 86_400_000 * 3_000_000], pa.timestamp("ms")), "is outside the years"),
            (pa.array([None, "2021-10-20T00:00Z"]), "is an instant"),
            (pa.array([None, "2021-10-20 00:00:00+00:00"]), "is an instant"),
            (pa.array([None, "2021-10-19T19:30:00"]), "has a time of day"),
            (pa.array([None, 20_211_019]), "is not a date like"),
            (pa.array([None, 1], pa.time64("ns")), "is not a date like"),
            (pa.array([None, 1], pa.duration("ns")), "1"),
        ],
        ids=str,
    )
    def test_what_is_no_plain_date_is_refused_by_row(
        self, tmp_path: Path, column: pa.Array, reason: str
    ) -> None:
        table = pa.table({"player_id": [1, 2], "player_name": ["A", "B"], "birth_date": column})
        (tmp_path / "players").mkdir()
        pq.write_table(table, tmp_path / "players" / "a.parquet", store_schema=True)
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/a.parquet: column birth_date has an unusable value" in message
        assert reason in message

    @pytest.mark.parametrize(
        "column",
        [
            pa.array([0], pa.timestamp("ns")),
            pa.array([0], pa.timestamp("s")),
            pa.array([0], pa.date64()),
            pa.array(["1970-01-01"]),
            pa.array(["1970-01-01T00:00:00.000"]),
        ],
        ids=str,
    )
    def test_midnight_without_a_time_zone_is_a_date(self, tmp_path: Path, column: pa.Array) -> None:
        table = pa.table({"player_id": [1], "player_name": ["A"], "birth_date": column})
        (tmp_path / "players").mkdir()
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        assert str(read(tmp_path, PLAYERS, tmp_path)[0]["birth_date"]) == "1970-01-01"

    @pytest.mark.parametrize(
        ("column", "kind"),
        [
            (pa.array([b"0" * 16], pa.binary(16)).cast(pa.uuid()), "uuid"),
            (pa.array([["A"]]), "list"),
            (pa.array([{"a": 1}]), "struct"),
        ],
        ids=str,
    )
    def test_a_column_of_an_unusable_type_is_named(
        self, tmp_path: Path, column: pa.Array, kind: str
    ) -> None:
        (tmp_path / "players").mkdir()
        table = pa.table({"player_id": [1], "player_name": column})
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        message = refusal(read, tmp_path, PLAYERS, tmp_path)
        assert "players/a.parquet: column player_name has the unusable type" in message
        assert kind in message

    @pytest.mark.parametrize("kind", [pa.binary(), pa.large_string(), pa.string_view()])
    def test_text_of_every_type_is_text(self, tmp_path: Path, kind: pa.DataType) -> None:
        (tmp_path / "players").mkdir()
        column = pa.array(["Dončić"]).cast(kind)
        table = pa.table({"player_id": pa.array([1], pa.uint8()), "player_name": column})
        pq.write_table(table, tmp_path / "players" / "a.parquet")
        assert names(read(tmp_path, PLAYERS, tmp_path)) == ["Dončić"]

    def test_half_precision_numbers_are_numbers(self, tmp_path: Path) -> None:
        (tmp_path / "shots").mkdir()
        row = {name: [value] for name, value in shot().items()}
        table = pa.table(row | {"clock_seconds": pa.array([702.5], pa.float16())})
        pq.write_table(table, tmp_path / "shots" / "a.parquet")
        assert read(tmp_path, SHOTS, tmp_path)[0]["clock_seconds"] == 702.5


class TestMissing:
    @pytest.mark.parametrize("word", ["", " ", "NA", "N/A", "NaN", "nan", "null", "NULL", "None"])
    def test_a_word_for_missing_is_missing_in_every_column_that_may_be_empty(
        self, read_rows: Callable[..., Rows], word: str
    ) -> None:
        for schema, row in ((PLAYER_BOX_SCORES, line()), (SHOTS, shot()), (GAMES, game())):
            empty = [column.name for column in schema.columns if column.is_nullable]
            for suffix in FORMATS:
                found = read_rows(schema, [row | dict.fromkeys(empty, word)], suffix)
                assert {name: found[0][name] for name in empty} == dict.fromkeys(empty)

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_it_is_no_name(self, read_rows: Callable[..., Rows], suffix: str) -> None:
        rows = [player(1), player(2, player_name="N/A")]
        message = refusal(read_rows, PLAYERS, rows, suffix)
        assert f"players/a.{suffix}: column player_name must not be empty" in message
        assert "row 2: no value" in message

    def test_the_case_with_na_is_read(self, tmp_path: Path) -> None:
        if not CASES.exists():
            pytest.skip("the shared cases are not beside this clone")
        raw = CASES / "csv_na_text" / "raw"
        assert "NA" in "".join(path.read_text() for path in raw.rglob("*.csv"))
        for schema in RAW_TABLES:
            assert read(raw, schema, tmp_path)

    @pytest.mark.parametrize("suffix", FORMATS)
    def test_empty_counts_are_zero_of_who_did_not_play_alone(
        self, read_rows: Callable[..., Rows], suffix: str
    ) -> None:
        counts: Row = dict.fromkeys(("points", "fga", "pf"))
        absent = line(1, is_dnp=True, minutes=None, **counts)
        found = read_rows(PLAYER_BOX_SCORES, [absent, line(2)], suffix)
        assert [found[0][name] for name in counts] == [0, 0, 0]
        assert found[0]["minutes"] is None
        assert found[1]["points"] == 11
        message = refusal(read_rows, PLAYER_BOX_SCORES, [absent, line(2, points=None)], suffix)
        assert "column points must not be empty" in message
        assert "row 2: no value" in message
        assert "row 1" not in message


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

    def test_a_folder_that_cannot_be_read_is_refused(
        self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        # Root reads what nobody may, so that the answer of the system is put in.
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


@pytest.mark.parametrize("suffix", FORMATS)
def test_event_numbers_go_up_to_the_largest_integer(
    read_rows: Callable[..., Rows], suffix: str
) -> None:
    found = read_rows(SHOTS, [shot(2**63 - 1), shot(2**53 + 1)], suffix)
    assert [row["event_number"] for row in found] == [2**63 - 1, 2**53 + 1]
    text = [{name: str(value) for name, value in shot(2**63).items()}]
    assert "is above" in refusal(read_rows, SHOTS, text, suffix)


@pytest.mark.parametrize("parsed_rows", [1, 7, 1 << 16])
@pytest.mark.parametrize("suffix", FORMATS)
def test_rows_do_not_depend_on_how_many_are_parsed_at_a_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, parsed_rows: int, suffix: str
) -> None:
    monkeypatch.setattr(raw_reading, "_PARSED_ROWS", parsed_rows)
    monkeypatch.setattr("python_workers.raw_json._BATCH_ROWS", 5)
    monkeypatch.setattr("python_workers.stored_rows._BATCH_ROWS", 4)
    rows = [shot(n, player_id=1 + n % 7) for n in range(20)]
    for number in range(3):
        # The files overlap, so that rows are there twice.
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
