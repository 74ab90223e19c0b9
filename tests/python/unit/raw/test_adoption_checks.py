"""An adoption refuses the rows that a load refuses, and a SELECT that later commands cannot run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.adoption import Adoption, adopt
from python_workers.raw.selects import read_selects
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.raw_factories import (
    Row,
    game,
    league,
    line,
    player,
    refusal,
    shot,
    write_league,
)
from tests.python.unit.raw.test_raw_refusals import BAD_VALUES


class Own:
    """The user's own tables, as Parquet files that SELECTs read."""

    def __init__(self, folder: Path, warehouse: DuckDBWarehouse) -> None:
        self.folder, self._warehouse = folder, warehouse

    def adopt(
        self, selects: Mapping[str, str] | None = None, /, **tables: Sequence[Row]
    ) -> Adoption:
        lines = {"player_box_scores": [line(minutes=34.2)]}
        write_league(self.folder, league(**{**lines, **tables}))
        texts = {
            path.parent.name: f"select * from read_parquet('{path}')"
            for path in self.folder.glob("*/*.parquet")
        }
        return adopt(self._warehouse, {**texts, **(selects or {})})


@pytest.fixture
def own(tmp_path: Path, warehouse: DuckDBWarehouse) -> Own:
    return Own(tmp_path / "own", warehouse)


ODD = [
    ("shots", shot(period=99), "column period has an unusable value"),
    ("shots", shot(shot_value=7), "7 is above 3"),
    ("shots", shot(clock_seconds=-5.0), "-5.0 is negative"),
    ("shots", shot(clock_seconds=float("nan")), "nan stands for no value"),
    ("games", game(season="2099-00"), "the game_id and the column season disagree"),
    ("games", game("A000000001", season="2099-00"), "game_date lies outside the season"),
    ("games", game(game_id="1"), "'1' is not 10 letters or digits"),
    ("games", game(season_type="Regular"), "'Regular' is to be written as 'regular'"),
    ("games", game(game_date="2021-10-19 23:00:00"), "has a time of day"),
    ("player_box_scores", line(minutes=34.2, points=None), "column points must not be empty"),
    ("players", player(position="n/a"), "'n/a' stands for no value"),
]


@pytest.mark.parametrize(
    ("table", "row", "expected"),
    [*ODD, *((table, row, expected[0]) for table, row, expected in BAD_VALUES)],
)
def test_what_a_load_refuses_is_not_adopted(own: Own, table: str, row: Row, expected: str) -> None:
    if row.get("minutes") == "34:12":
        row = row | {"minutes": 34.2}
    said = refusal(lambda: own.adopt(**{table: [row]}))
    assert said.startswith(f"error: {table}.sql: ")
    assert expected in said
    assert "Nothing was adopted." in said


def test_rows_are_stored_as_a_load_stores_them(own: Own, warehouse: DuckDBWarehouse) -> None:
    absent = line(2, minutes=None, is_dnp=True, team_abbr=" MIL ", dnp_reason="")
    counts = dict.fromkeys(("points", "fgm", "fga", "fg3m", "fg3a", "ftm", "fta", "oreb"))
    lines = [line(minutes=34.2), absent | counts]
    adopted = own.adopt(player_box_scores=lines, shots=[shot(), shot(9, game_id="0022100099")])
    assert adopted.rows == {"games": 1, "players": 1, "player_box_scores": 2, "shots": 2}
    assert adopted.warnings == ("shots has rows of 1 game not in games; they are not used",)
    found = warehouse.query(
        "select team_abbr, dnp_reason, points, oreb from nba_raw.player_box_scores "
        "where player_id = 2"
    ).to_pylist()
    assert found == [{"team_abbr": "MIL", "dnp_reason": None, "points": 0, "oreb": 0}]


def test_a_select_without_rows_and_two_codes_of_a_franchise_are_refused(own: Own) -> None:
    nothing = {
        "games": f"select * from read_parquet('{own.folder}/games/games.parquet') where false"
    }
    assert "games.sql: the SELECT gives no rows" in refusal(lambda: own.adopt(nothing))
    other = game("0022100002", home_team_abbr="NJN")
    assert "BKN and NJN in 2021-22" in refusal(lambda: own.adopt(games=[game(), other]))


@pytest.mark.parametrize(
    ("table", "column", "value", "expected"),
    [
        ("games", "home_score", "9223372036854775808", "9223372036854775808 is above 400"),
        ("players", "player_id", f"{2**64}::hugeint", f"player_id = {2**64}"),
        ("games", "game_date", "'infinity'::date", "'infinity' is not"),
    ],
)
def test_a_value_beyond_the_type_of_its_column_is_named(
    own: Own, table: str, column: str, value: str, expected: str
) -> None:
    path = own.folder / table / f"{table}.parquet"
    wrong = {table: f"select * replace ({value} as {column}) from read_parquet('{path}')"}
    said = refusal(lambda: own.adopt(wrong))
    assert said.startswith(f"error: {table}.sql: column {column} has an unusable value")
    assert expected in said


def test_a_comment_ends_a_select_and_a_missing_table_is_told(
    own: Own, warehouse: DuckDBWarehouse, tmp_path: Path
) -> None:
    folder = tmp_path / "selects"
    folder.mkdir()
    path = own.folder / "games" / "games.parquet"
    for end in ("-- all of them", "; -- all of them\n", ";\n/* all; of them */"):
        (folder / "games.sql").write_text(f"select * from read_parquet('{path}') {end}")
        own.adopt()
        selects = read_selects(folder)
    adopted = adopt(warehouse, selects)
    assert adopted.rows == {"games": 1}
    assert adopted.warnings == (
        "no SELECT for players, player_box_scores, shots: these tables stay as they are",
    )


def test_a_table_for_which_there_was_no_select_is_adopted_later(
    own: Own, warehouse: DuckDBWarehouse
) -> None:
    path = own.folder / "games" / "games.parquet"
    own.adopt()
    warehouse.execute("drop schema nba_raw cascade")
    adopt(warehouse, {"games": f"select game_id as GAME_ID, * from read_parquet('{path}')"})
    assert not warehouse.is_view("nba_raw.players")
    assert own.adopt().rows["players"] == 1
    assert warehouse.is_view("nba_raw.players")
    said = refusal(lambda: own.adopt({"games": "select * from nba_raw.games"}))
    assert "games.sql reads nba_raw.games, and an adoption makes a view of that" in said
    assert warehouse.query("select game_id from nba_raw.games").num_rows == 1


def test_a_relative_path_is_refused_and_a_lost_file_is_named(
    own: Own, warehouse: DuckDBWarehouse, monkeypatch: pytest.MonkeyPatch
) -> None:
    own.folder.mkdir()
    monkeypatch.chdir(own.folder)
    relative = {"games": "select * from read_parquet('games/games.parquet')"}
    said = refusal(lambda: own.adopt(relative))
    assert "games.sql: " in said
    assert '"games/games.parquet"' in said
    assert "from the root" in said
    own.adopt()
    (own.folder / "games" / "games.parquet").unlink()
    with pytest.raises(BackcourtError) as caught:
        warehouse.query("select * from nba_raw.games")
    assert caught.value.message == (
        f"a statement or a view reads {own.folder}/games/games.parquet, and the file cannot be read"
    )


@pytest.mark.parametrize(
    ("name", "content", "expected"),
    [
        ("shot.sql", b"select 1", "shot.sql is named after no raw table"),
        ("_shots.sql", b"select 1", "_shots.sql is named after no raw table"),
        ("._shots.sql", b"of a Mac", "has no SELECT for a raw table"),
        ("shots.sql", b"select '\n\xff'", "shots.sql is not UTF-8 text: byte 0xff in line 2"),
        ("shots.sql", b" -- nothing\n;", "shots.sql is empty"),
        ("shots.sql", b"select 1; select 2", "shots.sql has several statements"),
        ("notes.md", b"nothing", "has no SELECT for a raw table"),
    ],
)
def test_a_file_that_is_no_select_is_named(
    tmp_path: Path, name: str, content: bytes, expected: str
) -> None:
    (tmp_path / name).write_bytes(content)
    assert expected in refusal(read_selects, tmp_path)
    assert "is missing" in refusal(read_selects, tmp_path / "elsewhere")
