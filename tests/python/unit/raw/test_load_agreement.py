"""`load` names the rows that it changes and leaves, and refuses facts that disagree."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any

import pytest

from python_workers.cli import console
from python_workers.errors import BackcourtError
from python_workers.raw.load import LoadReport, load_directory
from python_workers.raw.removal import remove_games
from python_workers.raw.schema import BOX_COUNTS
from python_workers.warehouse.base import UpsertCounts
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.command import CommandLine
from tests.python.support.folders import REPOSITORY
from tests.python.support.raw_factories import (
    OPENING_GAME,
    Row,
    game,
    league,
    line,
    player,
    shot,
    write_league,
)

DAY, NEXT_DAY = dt.date(2021, 10, 19), dt.date(2021, 10, 20)
SECOND_GAME = "0022100002"
CASES = REPOSITORY.parent / "shared" / "cases"

Load = Callable[..., LoadReport]


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as opened:
        yield opened


@pytest.fixture
def load(warehouse: DuckDBWarehouse, tmp_path: Path) -> Load:
    """Write tables into a folder of their own and load them; `whole` replaces their games."""
    folders = iter(range(100))

    def write_and_load(*, whole: bool = False, **tables: Sequence[Row]) -> LoadReport:
        folder = write_league(tmp_path / f"raw{next(folders)}", tables)
        return load_directory(warehouse, folder, tables=list(tables), replace_games=whole)

    return write_and_load


def error_of(load: Load, **tables: Any) -> str:
    with pytest.raises(BackcourtError) as caught:
        load(**tables)
    return caught.value.render()


def stored(warehouse: DuckDBWarehouse, sql: str) -> list[tuple[Any, ...]]:
    return [tuple(row.values()) for row in warehouse.query(sql).to_pylist()]


class TestWhatIsNotInTheFiles:
    def test_a_shot_with_another_number_leaves_the_old_one_which_is_named(
        self, load: Load, warehouse: DuckDBWarehouse
    ) -> None:
        load(**league(shots=[shot(1), shot(2), shot(3)]))
        renumbered = [shot(9001), shot(2), shot(3)]
        for inserted in (1, 0):
            (table,) = load(shots=renumbered).tables
            assert table.counts == UpsertCounts(inserted, 0, 3 - inserted)
            assert list(table.left) == [{"game_id": OPENING_GAME, "event_number": 1}]
        (table,) = load(shots=renumbered, whole=True).tables
        assert (table.counts, table.left) == (UpsertCounts(0, 0, 3, 1), ())
        assert stored(warehouse, "select event_number from nba_raw.shots order by 1") == [
            (2,),
            (3,),
            (9001,),
        ]

    def test_other_games_are_neither_named_nor_replaced(self, load: Load) -> None:
        games = [game(), game(SECOND_GAME, game_date="2021-10-20")]
        load(**league(games=games, player_box_scores=[line(1), line(2, SECOND_GAME)]))
        for whole in (False, True):
            (table,) = load(player_box_scores=[line(1)], whole=whole).tables
            assert (table.counts, table.left) == (UpsertCounts(0, 0, 1), ())

    @pytest.mark.parametrize(("fix", "rows"), [("fix1", 100), ("fixall", 100), ("fixbox", 10)])
    def test_a_corrected_game_is_whole_again(
        self, warehouse: DuckDBWarehouse, fix: str, rows: int
    ) -> None:
        if not CASES.exists():
            pytest.skip(f"no {CASES}")
        load_directory(warehouse, CASES / "renumbered" / "raw")
        folder = CASES / "renumbered" / fix
        (table,) = [each.name for each in folder.iterdir()]
        of_game = f"select count(*) from nba_raw.{table} where game_id = '0022100023'"
        (left,) = [
            len(each.left) for each in load_directory(warehouse, folder, tables=[table]).tables
        ]
        assert stored(warehouse, of_game) == [(rows + left,)]
        assert left == {"fix1": 1, "fixall": 100, "fixbox": 1}[fix]
        load_directory(warehouse, folder, tables=[table], replace_games=True)
        assert stored(warehouse, of_game) == [(rows,)]


class TestChangedGames:
    def test_each_table_notes_its_games_with_their_dates(
        self, load: Load, warehouse: DuckDBWarehouse
    ) -> None:
        first = load(**league())
        load(**league())
        moved = load(games=[game(game_date="2021-10-20")], players=[player(position="C")])
        columns = "table_name, game_id, season, inserted, updated, deleted, game_date, "
        noted = f"select {columns} former_game_date from nba_raw.changed_games where load_id = "
        assert stored(warehouse, f"{noted} '{first.load_id}' order by 1") == [
            ("games", OPENING_GAME, "2021-22", 1, 0, 0, DAY, None),
            ("player_box_scores", OPENING_GAME, "2021-22", 1, 0, 0, DAY, None),
            ("shots", OPENING_GAME, "2021-22", 1, 0, 0, DAY, None),
        ]
        assert stored(warehouse, f"{noted} '{moved.load_id}' order by 1") == [
            ("games", OPENING_GAME, "2021-22", 0, 1, 0, NEXT_DAY, DAY),
            # A player's row concerns the dates from his first game of a season on.
            ("players", None, "2021-22", 0, 1, 0, NEXT_DAY, None),
        ]
        assert stored(warehouse, "select count(*) from nba_raw.changed_games") == [(5,)]
        assert [(each.game_date, each.former_game_date) for each in moved.changed_games] == [
            (NEXT_DAY, DAY)
        ]

    def test_a_removed_game_leaves_its_date_behind(
        self, load: Load, warehouse: DuckDBWarehouse
    ) -> None:
        games = [game(), game(SECOND_GAME, game_date="2021-10-20")]
        load(**league(games=games, player_box_scores=[line(1), line(1, SECOND_GAME)]))
        with pytest.raises(BackcourtError, match="no raw table has game 0022100003"):
            remove_games(warehouse, [SECOND_GAME, "0022100003"])
        totals, changed = remove_games(warehouse, [SECOND_GAME], dry_run=True)
        assert totals == {"games": 1, "player_box_scores": 1, "shots": 0}
        assert stored(warehouse, "select count(*) from nba_raw.games") == [(2,)]
        totals, changed = remove_games(warehouse, [SECOND_GAME])
        assert totals == {"games": 1, "player_box_scores": 1, "shots": 0}
        (gone,) = changed
        assert (gone.deleted, gone.game_date, gone.former_game_date) == (2, None, NEXT_DAY)
        for table in ("games", "player_box_scores"):
            assert stored(warehouse, f"select game_id from nba_raw.{table}") == [(OPENING_GAME,)]


class TestFactsThatDisagree:
    @pytest.mark.parametrize(
        ("row", "expected"),
        [
            (game("0032100001"), "an All-Star game"),
            (game("0012100001"), "a preseason game"),
            (game("0062100001"), "the final of the NBA Cup"),
            (game("0042100001"), "season_type disagree"),
            (game("0022100001", season_type="play_in"), "season_type disagree"),
            (game("0022200001"), "disagree on the season"),
            (game("X" * 10, season="0001-02", game_date="0001-10-19"), "no season of the league"),
            (game("X" * 10, season="9999-00", game_date="9999-10-19"), "no season of the league"),
            (game("X" * 10, game_date="9999-10-19"), "game_date lies outside the season"),
        ],
    )
    def test_a_game_whose_labels_contradict_each_other_is_refused(
        self, load: Load, warehouse: DuckDBWarehouse, row: Row, expected: str
    ) -> None:
        message = error_of(load, games=[game("0022100009"), row])
        assert expected in message
        assert "games/games.parquet" in message
        assert f"row 2: game_id = '{row['game_id']}'" in message
        assert not warehouse.has_table("nba_raw.games")

    def test_playoffs_and_ids_of_another_league_pass(self, load: Load) -> None:
        rows = [
            game("0042100101", season_type="playoffs"),
            game("0052100101", season_type="play_in"),
            game("20211019MB"),
        ]
        assert load(games=rows).tables[0].counts.inserted == 3

    def test_a_franchise_has_one_code_in_a_season(self, load: Load) -> None:
        load(games=[game(home_team_abbr="PHX")])
        other = game(SECOND_GAME, game_date="2021-10-20", home_team_abbr="PHO")
        message = error_of(load, games=[other])
        assert "PHO and PHX in 2021-22" in message
        assert "PHO in these games (0022100002), PHX in the stored games (0022100001)" in message
        # Another code for the whole season, or in another season, is no contradiction.
        assert load(games=[game(home_team_abbr="PHO"), other]).has_changes
        of_next_season = game("0022200001", season="2022-23", game_date="2022-10-19")
        assert load(games=[of_next_season | {"home_team_abbr": "PHX"}]).has_changes

    @pytest.mark.parametrize("table", ["player_box_scores", "shots"])
    def test_a_game_does_not_change_its_team_under_stored_rows(
        self, load: Load, warehouse: DuckDBWarehouse, table: str
    ) -> None:
        row: Callable[..., Row] = line if table == "player_box_scores" else shot
        load(games=[game()], **{table: [row(), row(2)]})
        changed = {"games": [game(home_team_abbr="LAL")]}
        message = error_of(load, **changed)
        assert f"{OPENING_GAME} is BKN - LAL here, but {table} has stored rows" in message
        assert "team_abbr MIL" in message
        # Correcting half of the rows is not enough, unless they replace the whole game.
        corrected = {table: [row(team_abbr="LAL")]}
        assert "stored rows" in error_of(load, **changed, **corrected)
        assert load(**changed, **corrected, whole=True).tables[-1].counts.deleted == 1
        assert stored(warehouse, f"select team_abbr from nba_raw.{table}") == [("LAL",)]


@pytest.mark.slow
def test_the_command_says_what_changed_what_stays_and_what_comes_next(
    backcourt: CommandLine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Wide enough that no cell wraps.
    monkeypatch.setattr(console, "TABLE_WIDTH", 400)
    games = [game(), game("0022200001", season="2022-23", game_date="2022-10-19")]
    lines = [
        line(1, points=12),
        line(2, minutes=None),
        line(3, minutes=None, is_dnp=True) | dict.fromkeys(BOX_COUNTS, 0),
        line(1, "0022200001"),
    ]
    whole = league(games=games, player_box_scores=lines, shots=[shot(n, 3) for n in (1, 2)])
    shown = backcourt.ok("load", write_league(tmp_path / "raw", whole)).out
    assert "changed 2 games on 2 dates, 2021-10-19 to 2022-10-19:" in shown
    for told in (
        (
            "lines whose points are not 2 FGM + 3PM + FTM  1 0 "
            "2021-10-19 0022100001 player 1: 12 points, 11 by makes"
        ),
        "lines with points, shots or other counts and no minutes  1 0 2021-10-19 0022100001",
        (
            "lines without minutes of players with shots  1 0 "
            "2021-10-19 0022100001 player 3: 2 shots in the play-by-play, no minutes"
        ),
    ):
        assert "".join(told.split()) in "".join(shown.split())
    assert shown.rstrip().endswith("next: backcourt backfill --all")

    fix = write_league(tmp_path / "fix", {"shots": [shot(9, 3), shot(2, 3)]})
    left = backcourt("load", fix, "--tables", "shots")
    assert left.code == 0
    assert (
        "1 stored row of 1 game is not in these files and stays in shots: "
        f"game_id {OPENING_GAME}, event_number 1." in left.err
    )
    assert left.out.rstrip().endswith("next: backcourt backfill --season 2021-22")
    replaced = backcourt.ok("load", fix, "--tables", "shots", "--replace-games", "--verbose").out
    assert f"{OPENING_GAME} 2021-10-19: 1 row deleted" in replaced
    assert backcourt.ok("load", fix, "--tables", "shots").out.count("next:") == 0
    events = backcourt.ok("remove", OPENING_GAME).out
    assert "removed 1 row of games, 3 rows of player_box_scores, 2 rows of shots" in events
    assert "before: 2021-10-19" in events
