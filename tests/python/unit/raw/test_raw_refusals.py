"""Values, rows and files that are no raw data are named, and nothing is loaded."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.load import LoadReport, load_directory
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.raw_factories import (
    OPENING_GAME,
    Format,
    Row,
    column,
    error_of,
    game,
    league,
    line,
    player,
    shot,
    write_league,
    write_rows,
)

RAW = [schema.spec.name for schema in RAW_TABLES]


BAD_VALUES: list[tuple[str, Row, list[str]]] = [
    ("games", game(game_id="22100001"), ["game_id", "row 1: '22100001'", "10 letters or digits"]),
    ("games", game() | {"game_id": 22100001}, ["game_id", "22100001", "number"]),
    ("games", game(game_date="19.10.2021"), ["game_date", "'19.10.2021'", "2021-10-19"]),
    ("games", game(game_date="2021-02-30"), ["game_date", "'2021-02-30'", "calendar"]),
    ("games", game(game_date="2031-10-19"), ["game_date", "outside the season"]),
    ("games", game(season="2021-23"), ["season", "'2021-23'"]),
    ("games", game(season_type="summer"), ["season_type", "'summer'", "playoffs"]),
    ("games", game(status="done"), ["status", "'done'", "final"]),
    ("games", game(home_score=None), ["home_score", "final", "None"]),
    ("games", game(home_score=104), ["equal", "104"]),
    ("games", game(home_score=-1), ["home_score", "-1", "negative"]),
    ("games", game(home_team_abbr="BKN"), ["same team", "'BKN'"]),
    ("games", game(home_team_abbr=""), ["home_team_abbr", "must not be empty", "row 1"]),
    ("player_box_scores", line(minutes="-5"), ["minutes", "'-5'", "negative"]),
    ("player_box_scores", line(minutes="71:00"), ["minutes", "'71:00'", "more than 70"]),
    ("player_box_scores", line(minutes="twelve"), ["minutes", "'twelve'"]),
    ("player_box_scores", line(fgm=10), ["fgm is above fga", "fgm = 10", "fga = 9"]),
    ("player_box_scores", line(fg3m=2), ["fg3m is above fg3a"]),
    ("player_box_scores", line(ftm=4), ["ftm is above fta"]),
    ("player_box_scores", line(fg3m=5, fg3a=6), ["fg3m is above fgm"]),
    ("player_box_scores", line(fg3a=10), ["fg3a is above fga"]),
    ("player_box_scores", line(points="many"), ["points", "'many'", "not a number"]),
    ("player_box_scores", line(points=11.5), ["points", "11.5", "whole number"]),
    ("player_box_scores", line(points=float("inf")), ["points", "infinite"]),
    ("player_box_scores", line(points=None), ["points", "must not be empty"]),
    ("player_box_scores", line(points=2052), ["points", "2052", "above 200"]),
    ("player_box_scores", line(is_dnp="maybe"), ["is_dnp", "'maybe'", "neither true nor false"]),
    ("player_box_scores", line(player_name=" "), ["player_name", "must not be empty"]),
    ("player_box_scores", line(player_id=-4), ["player_id", "-4"]),
    ("player_box_scores", line(team_abbr="MLW"), ["team_abbr", "'MLW'", "MIL - BKN"]),
    ("shots", shot(shot_value=4), ["shot_value", "4"]),
    ("shots", shot(zone_basic="The moon"), ["zone_basic", "'The moon'", "Restricted Area"]),
    ("shots", shot(clock_seconds=-1.0), ["clock_seconds", "-1.0", "negative"]),
    ("shots", shot(loc_x=25_000), ["loc_x", "25000"]),
    ("shots", shot(team_abbr="LAL"), ["team_abbr", "'LAL'"]),
    ("players", player(birth_date="1994"), ["birth_date", "'1994'"]),
]


class TestBadInput:
    @pytest.mark.parametrize(
        ("table", "row", "expected"), BAD_VALUES, ids=[f"{e[0]}-{e[2][0]}" for e in BAD_VALUES]
    )
    def test_a_bad_value_is_named_with_its_file_column_and_row(
        self,
        load: Callable[..., LoadReport],
        warehouse: DuckDBWarehouse,
        table: str,
        row: Row,
        expected: list[str],
    ) -> None:
        message = error_of(load, **{table: [row]})
        for part in [f"{table}/{table}.parquet", "Nothing was loaded", *expected]:
            assert part in message
        for name in RAW:
            if warehouse.has_table(name):
                assert warehouse.query(f"select * from {name}").num_rows == 0

    @pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
    def test_bad_rows_are_counted_and_the_first_shown(
        self, load: Callable[..., LoadReport], format_: Format
    ) -> None:
        lines = [line(n, minutes="abc" if n % 2 else "12:00") for n in range(1, 11)]
        message = error_of(load, format_, player_box_scores=lines)
        assert f"player_box_scores/player_box_scores.{format_}: column minutes" in message
        assert "row 1: 'abc'" in message
        assert "row 5: 'abc'" in message
        assert "row 7" not in message
        assert "and 2 more rows" in message

    def test_a_long_value_is_shortened_in_the_message(
        self, load: Callable[..., LoadReport]
    ) -> None:
        message = error_of(load, player_box_scores=[line(minutes="y" * 10_240)])
        assert max(len(text) for text in message.splitlines()) < 120

    def test_rows_of_one_key_that_differ_are_shown_side_by_side(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        raw = write_league(tmp_path / "raw", league(player_box_scores=[line(1), line(2)]))
        other = [line(3), line(1, points=13, minutes="35:00")]
        write_rows(raw / "player_box_scores" / "second.csv", other)
        with pytest.raises(BackcourtError) as caught:
            load_directory(warehouse, raw)
        message = caught.value.render()
        assert "player_box_scores/second.csv" in message
        assert f"game_id {OPENING_GAME}, player_id 1" in message
        assert "points 11 / 13" in message
        assert "minutes 34.2 / 35.0" in message
        assert "player_box_scores.parquet row 1 and player_box_scores/second.csv row 2" in message

    def test_a_missing_required_column_is_named(self, load: Callable[..., LoadReport]) -> None:
        for format_ in ("parquet", "csv", "jsonl"):
            rows = [{name: value for name, value in shot().items() if name != "is_made"}]
            message = error_of(load, format_, shots=rows)
            assert f"shots/shots.{format_} has no column is_made" in message
            assert "clock_seconds" in message

    @pytest.mark.parametrize(
        ("name", "content", "expected"),
        [
            ("shots.parquet", b"", "is empty (0 bytes)"),
            ("shots.csv", b"", "is empty (0 bytes)"),
            ("shots.csv", b"game_id,event_number\n", "has no rows"),
            ("shots.parquet", b"PAR1 but not really PAR1", "cannot be read as Parquet"),
            ("shots.csv", b"game_id,event_number\n1,2,3\n", "cannot be read as CSV"),
            ("shots.csv", b"game_id,event_number\n\xff\xfe,1\n", "cannot be read as CSV"),
            ("shots.csv", b"game_id,game_id\n1,2\n", "column game_id appears 2 times"),
            ("shots.jsonl", b'{"game_id": "0022', "cannot be read as JSON lines"),
            ("shots.jsonl", b"[1, 2]\n", "is not a JSON object"),
            ("shots.xlsx", b"PK", "is not a Parquet, CSV or JSON-lines file"),
        ],
    )
    def test_a_file_that_cannot_be_read_is_named(
        self,
        warehouse: DuckDBWarehouse,
        tmp_path: Path,
        name: str,
        content: bytes,
        expected: str,
    ) -> None:
        raw = write_league(tmp_path / "raw", league())
        (raw / "shots" / "shots.parquet").unlink()
        (raw / "shots" / name).write_bytes(content)
        with pytest.raises(BackcourtError) as caught:
            load_directory(warehouse, raw)
        message = caught.value.render()
        assert expected in message
        assert f"shots/{name}" in message
        assert str(tmp_path) not in message

    def test_a_truncated_parquet_file_is_named(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        raw = write_league(tmp_path / "raw", league())
        file = raw / "shots" / "shots.parquet"
        file.write_bytes(file.read_bytes()[:-200])
        with pytest.raises(BackcourtError, match=r"shots/shots\.parquet cannot be read") as caught:
            load_directory(warehouse, raw)
        assert "truncated" in caught.value.render()
        assert not warehouse.path.exists()

    def test_a_parquet_file_without_rows_is_named(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        raw = write_league(tmp_path / "raw", league())
        file = raw / "games" / "games.parquet"
        pq.write_table(pq.read_table(file).slice(0, 0), file)
        with pytest.raises(BackcourtError, match="has no rows"):
            load_directory(warehouse, raw)

    def test_a_column_of_lists_is_named(self, load: Callable[..., LoadReport]) -> None:
        message = error_of(load, shots=[shot(period=[1, 2])])
        assert "column period has the unusable type list" in message


def test_the_columns_of_a_binary_parquet_file_are_text(
    warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    raw = write_league(tmp_path / "raw", league())
    file = raw / "games" / "games.parquet"
    table = pq.read_table(file)
    ids = table.column("game_id").cast(pa.binary())
    teams = table.column("home_team_abbr").dictionary_encode()
    table = table.set_column(0, "game_id", ids)
    table = table.set_column(4, "home_team_abbr", teams)
    pq.write_table(table, file)
    load_directory(warehouse, raw)
    assert column(warehouse, "games", "game_id") == [OPENING_GAME]
