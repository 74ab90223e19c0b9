from __future__ import annotations

import datetime as dt
import os
import signal
import subprocess
import sys
import textwrap
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.load import LoadReport, load_directory
from python_workers.raw.schema import RAW_TABLES
from python_workers.warehouse.base import UpsertCounts
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.raw_factories import (
    Format,
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


def counts(report: LoadReport) -> dict[str, UpsertCounts]:
    return {each.table: each.counts for each in report.tables}


class TestFormats:
    def test_the_stored_columns_are_the_contract(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load()
        for schema in RAW_TABLES:
            assert warehouse.columns(schema.spec.name) == schema.spec.columns
        row = warehouse.query("select * from nba_raw.player_box_scores").to_pylist()[0]
        assert row["minutes"] == 34.2
        assert row["is_starter"] is True
        assert row["dnp_reason"] is None
        assert row["plus_minus"] == -4
        assert column(warehouse, "games", "game_date") == [dt.date(2021, 10, 19)]
        assert column(warehouse, "games", "game_id") == ["0022100001"]

    def test_every_format_gives_the_same_rows(self, tmp_path: Path) -> None:
        states = set()
        for format_ in ("parquet", "csv", "jsonl"):
            raw = write_league(tmp_path / format_, league(), format_)
            with DuckDBWarehouse(tmp_path / f"{format_}.duckdb") as warehouse:
                load_directory(warehouse, raw)
                states.add(warehouse.content_state([*RAW, "nba_raw.player_registry"]))
        assert len(states) == 1

    def test_typed_and_textual_parquet_columns_give_the_same_rows(
        self, load: Callable[..., LoadReport]
    ) -> None:
        load()
        typed = game(game_date=dt.date(2021, 10, 19))
        stamped = game(game_date=dt.datetime(2021, 10, 19))  # noqa: DTZ001 as pandas writes it
        textual = {name: None if value is None else str(value) for name, value in shot().items()}
        floats = line(points=11.0, fga=9.0, minutes=34.2, is_starter=1)
        for tables in (
            {"games": [typed]},
            {"games": [stamped]},
            {"shots": [textual]},
            {"player_box_scores": [floats]},
        ):
            report = load(**tables)
            assert not report.has_changes

    def test_extra_columns_are_kept_out_and_missing_optional_ones_are_null(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        bare = {
            name: value
            for name, value in line().items()
            if name not in ("position", "dnp_reason", "plus_minus")
        }
        load(player_box_scores=[bare | {"shoe_size": 48, "nested": [1, 2]}])
        assert column(warehouse, "player_box_scores", "plus_minus") == [None]
        names = [each.name for each in warehouse.columns("nba_raw.player_box_scores")]
        assert "shoe_size" not in names

    def test_many_files_in_subfolders_and_mixed_formats_are_one_table(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        raw = write_league(tmp_path / "raw", league())
        write_rows(raw / "games" / "more" / "late.csv", [game("0022100002")])
        write_rows(raw / "games" / "later.jsonl", [game("0022100003")])
        (raw / "games" / "README.md").write_text("About these files")
        (raw / "games" / "_SUCCESS").write_text("")
        report = load_directory(warehouse, raw)
        assert report.tables[0].files == 3
        assert counts(report)["games"].inserted == 3

    def test_empty_optional_text_is_null(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(player_box_scores=[line(position="", dnp_reason="  ")])
        assert column(warehouse, "player_box_scores", "position") == [None]
        assert column(warehouse, "player_box_scores", "dnp_reason") == [None]

    def test_minutes_of_four_notations_live_in_one_file(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        written = ["34:12", "PT34M12.00S", "34.2", "34", "", "00"]
        load(player_box_scores=[line(n + 1, minutes=text) for n, text in enumerate(written)])
        found = warehouse.query(
            "select minutes from nba_raw.player_box_scores order by player_id"
        ).column("minutes")
        assert found.to_pylist() == [34.2, 34.2, 34.2, 34.0, None, 0.0]

    def test_fractional_coordinates_are_rounded_half_even(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(shots=[shot(loc_x=2.5, loc_y=-3.5, shot_distance_ft=1.51)])
        row = warehouse.query("select loc_x, loc_y, shot_distance_ft from nba_raw.shots")
        assert row.to_pylist() == [{"loc_x": 2, "loc_y": -4, "shot_distance_ft": 2}]

    def test_a_dnp_with_points_is_loaded_as_it_is(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(player_box_scores=[line(is_dnp=True, minutes=None)])
        assert column(warehouse, "player_box_scores", "points") == [11]
        assert column(warehouse, "player_box_scores", "is_dnp") == [True]

    def test_a_scheduled_game_needs_no_score(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        coming = game("0022100009", status="scheduled", home_score=None, away_score=None)
        load(games=[game(), coming])
        assert column(warehouse, "games", "home_score") == [127, None]


class TestUpsert:
    def test_the_same_files_twice_change_nothing(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        first = load()
        state = warehouse.content_state([*RAW, "nba_raw.player_registry"])
        second = load()
        assert first.has_changes
        assert not second.has_changes
        assert counts(second)["shots"] == UpsertCounts(0, 0, 1)
        assert warehouse.content_state([*RAW, "nba_raw.player_registry"]) == state

    def test_a_corrected_file_updates_only_the_changed_rows(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(player_box_scores=[line(1), line(2), line(3)])
        report = load(player_box_scores=[line(1), line(2, points=13), line(4)])
        assert counts(report)["player_box_scores"] == UpsertCounts(1, 1, 1)
        assert column(warehouse, "player_box_scores", "points") == [11, 11, 11, 13]

    def test_equal_rows_collapse_also_across_files_and_notations(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        raw = write_league(tmp_path / "raw", league(player_box_scores=[line(), line()]))
        write_rows(raw / "player_box_scores" / "again.csv", [line(minutes="PT34M12.00S")])
        report = load_directory(warehouse, raw)
        loaded = report.tables[2]
        assert (loaded.rows_read, loaded.duplicates, loaded.counts.inserted) == (3, 2, 1)

    def test_some_tables_can_be_loaded_alone(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        load()
        correction = tmp_path / "correction"
        write_rows(correction / "player_box_scores" / "fix.csv", [line(points=12)])
        report = load_directory(warehouse, correction, tables=["player_box_scores"])
        assert counts(report) == {"player_box_scores": UpsertCounts(0, 1, 0)}
        with pytest.raises(BackcourtError, match="'plays' is not a raw table"):
            load_directory(warehouse, correction, tables=["plays"])

    def test_each_load_is_logged_per_table(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load()
        load()
        logged = warehouse.query(
            "select table_name, count(*) as loads, sum(inserted) as inserted, "
            "sum(unchanged) as unchanged, count(distinct load_id) as ids "
            "from nba_raw.loads group by 1 order by 1"
        ).to_pylist()
        assert logged[0] == {
            "table_name": "games",
            "loads": 2,
            "inserted": 1,
            "unchanged": 1,
            "ids": 2,
        }
        assert len(logged) == 4

    @pytest.mark.slow
    def test_a_load_that_is_killed_is_completed_by_the_next(self, tmp_path: Path) -> None:
        lines = [line(n, minutes=str(n % 48)) for n in range(1, 3001)]
        shots = [shot(n, player_id=1 + n % 3000) for n in range(1, 30_001)]
        raw = write_league(tmp_path / "raw", league(player_box_scores=lines, shots=shots))
        with DuckDBWarehouse(tmp_path / "whole.duckdb") as whole:
            load_directory(whole, raw)
            expected = whole.content_state([*RAW, "nba_raw.player_registry"])
        file = tmp_path / "killed.duckdb"
        code = """
            import os, signal, sys
            from pathlib import Path
            from python_workers.raw.load import load_directory
            from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
            steps = []
            def stop(step):
                steps.append(step)
                if len(steps) == int(sys.argv[3]):
                    os.kill(os.getpid(), signal.SIGKILL)
            load_directory(DuckDBWarehouse(sys.argv[1]), Path(sys.argv[2]), on_progress=stop)
        """
        for step in (5, 7, 8):
            arguments = [sys.executable, "-c", textwrap.dedent(code), str(file), str(raw)]
            killed = subprocess.run([*arguments, str(step)], check=False, timeout=120)
            assert killed.returncode == -signal.SIGKILL
        process = subprocess.Popen([*arguments, "99"])
        time.sleep(1.2)
        os.kill(process.pid, signal.SIGKILL)
        process.wait()
        with DuckDBWarehouse(file) as warehouse:
            load_directory(warehouse, raw)
            assert warehouse.content_state([*RAW, "nba_raw.player_registry"]) == expected


class TestRegistry:
    def test_players_of_one_name_get_a_suffix_in_order_of_debut(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        games = [game(), game("0022100002", game_date="2021-10-20")]
        lines = [
            line(5, "0022100002", player_name="John Smith"),
            line(9, player_name="Jóhn Smith"),
            line(7, player_name="John Smith"),
            line(8, player_name="John-Smith 2"),
        ]
        report = load(games=games, player_box_scores=lines)
        assert report.new_players == 4
        found = warehouse.query("select * from nba_raw.player_registry order by player_id")
        lookups = {row["player_id"]: row["player_lookup"] for row in found.to_pylist()}
        assert lookups == {7: "johnsmith", 8: "johnsmith2", 9: "johnsmith3", 5: "johnsmith4"}
        assert {row["universal_player_id"] for row in found.to_pylist()} >= {"johnsmith_7"}

    def test_a_lookup_never_changes(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(player_box_scores=[line(9, player_name="John Smith")])
        earlier = game("0022100000", game_date="2021-10-18")
        load(
            games=[game(), earlier],
            player_box_scores=[
                line(9, player_name="Johnny Smith"),
                line(1, "0022100000", player_name="John Smith"),
            ],
            players=[player(9, player_name="Johnny B. Smith")],
        )
        found = warehouse.query("select player_id, player_lookup from nba_raw.player_registry")
        assert {row["player_id"]: row["player_lookup"] for row in found.to_pylist()} == {
            9: "johnsmith",
            1: "johnsmith2",
        }

    def test_the_players_table_has_the_full_name(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load(
            players=[player(player_name="Giannis Antetokounmpo")],
            player_box_scores=[line(player_name="G. Antetokounmpo")],
        )
        assert column(warehouse, "player_registry", "player_lookup") == ["giannisantetokounmpo"]

    @pytest.mark.parametrize("format_", ["parquet", "csv", "jsonl"])
    def test_strange_names_are_kept_exactly(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse, format_: Format
    ) -> None:
        names = [
            "Shaquille O'Neal",
            'Robert "Bob"; drop table nba_raw.games; --',
            "姚明",
            "Luka Dončić, Jr.",
            "$1 @name {{ jinja }} \\ %s",
            # In CSV, a line break inside a value looks like a quote that is not closed.
            "one line" if format_ == "csv" else "two\nlines",
            "x" * 10_240,
        ]
        lines = [line(n + 1, player_name=name) for n, name in enumerate(names)]
        load(format_, player_box_scores=lines)
        found = warehouse.query(
            "select player_name from nba_raw.player_box_scores order by player_id"
        )
        assert found.column("player_name").to_pylist() == names
        lookups = (
            warehouse.query("select player_lookup from nba_raw.player_registry order by player_id")
            .column("player_lookup")
            .to_pylist()
        )
        assert lookups[0] == "shaquilleoneal"
        assert lookups[2] == "player3"
        assert lookups[3] == "lukadoncicjr"
        assert len(lookups[6]) == 10_240


class TestAcrossTables:
    def test_missing_places_are_named(self, warehouse: DuckDBWarehouse, tmp_path: Path) -> None:
        with pytest.raises(BackcourtError, match="is missing") as caught:
            load_directory(warehouse, tmp_path / "nowhere")
        assert caught.value.exit_code == 3
        (tmp_path / "file").write_text("")
        with pytest.raises(BackcourtError, match="is not a folder"):
            load_directory(warehouse, tmp_path / "file")
        with pytest.raises(
            BackcourtError, match="no folder games, players, player_box_scores, shots"
        ):
            load_directory(warehouse, tmp_path)
        (tmp_path / "games").mkdir()
        with pytest.raises(BackcourtError, match="no data files"):
            load_directory(warehouse, tmp_path)

    def test_the_folders_that_are_there_are_loaded_and_the_others_named(
        self, warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        for table in ("games", "players"):
            write_rows(tmp_path / table / "all.parquet", league()[table])
        report = load_directory(warehouse, tmp_path)
        assert [loaded.table for loaded in report.tables] == ["games", "players"]
        assert [warning.partition(" in ")[0] for warning in report.warnings] == [
            "no folder player_box_scores",
            "no folder shots",
        ]
        with pytest.raises(BackcourtError, match="no folder shots"):
            load_directory(warehouse, tmp_path, tables=["games", "shots"])

    def test_one_bad_table_keeps_all_others_out(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        load()
        state = warehouse.content_state(RAW)
        error_of(
            load,
            games=[game(home_score=130)],
            player_box_scores=[line(points=13)],
            shots=[shot(shot_value=5)],
        )
        assert warehouse.content_state(RAW) == state

    def test_rows_of_an_unknown_game_are_loaded_with_a_warning(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse
    ) -> None:
        report = load(player_box_scores=[line(), line(1, "0022199999")])
        assert "player_box_scores has rows of 1 game " in report.warnings[0]
        assert column(warehouse, "player_registry", "player_id") == [203507]
        known = load(games=[game(), game("0022199999")], player_box_scores=[line()])
        assert known.warnings == ()
        assert known.new_players == 1

    def test_a_final_game_in_the_future_is_reported(self, load: Callable[..., LoadReport]) -> None:
        later = dt.datetime.now(dt.UTC).date() + dt.timedelta(days=2)
        season = f"{later.year}-{(later.year + 1) % 100:02d}"
        report = load(
            games=[
                game(),
                game(f"002{season[2:4]}99999", season=season, game_date=later.isoformat()),
            ]
        )
        assert report.warnings == ("1 final games are dated after today",)

    def test_teams_are_checked_against_games_of_earlier_loads(
        self, load: Callable[..., LoadReport], warehouse: DuckDBWarehouse, tmp_path: Path
    ) -> None:
        load()
        write_rows(tmp_path / "fix" / "shots" / "fix.csv", [shot(team_abbr="LAL")])
        with pytest.raises(BackcourtError, match="does not play in the game"):
            load_directory(warehouse, tmp_path / "fix", tables=["shots"])
