from __future__ import annotations

import datetime as dt
import hashlib
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import duckdb
import numpy as np
import pyarrow.parquet as pq
import pytest

from python_workers.errors import BackcourtError
from python_workers.raw.load import load_directory
from python_workers.raw.schema import RAW_TABLES, ZONE_LABELS
from python_workers.simulation.schedule import build_schedule, season_bounds
from python_workers.simulation.shots import label_numbers
from python_workers.simulation.simulate import MARKER, simulate
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse

SMALL = {"teams": 6, "games_per_team": 25}


def digests(directory: Path) -> dict[str, str]:
    return {
        path.relative_to(directory).as_posix(): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(directory.rglob("*"))
        if path.is_file()
    }


@pytest.fixture(scope="module")
def league(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return simulate(tmp_path_factory.mktemp("league") / "raw").directory


@pytest.fixture(scope="module")
def db(league: Path) -> Iterator[duckdb.DuckDBPyConnection]:
    with duckdb.connect() as connection:
        for schema in RAW_TABLES:
            files = (league / schema.name / "*.parquet").as_posix()
            connection.execute(
                f"create view {schema.name} as select * from read_parquet('{files}')"
            )
        yield connection


def one(db: duckdb.DuckDBPyConnection, sql: str) -> float:
    row = db.execute(sql).fetchone()
    assert row is not None
    return float(row[0])


def test_the_same_seed_gives_the_same_bytes_also_in_another_process(tmp_path: Path) -> None:
    simulate(tmp_path / "here", ["2021-22", "2022-23"], 7, teams=6, games_per_team=25)
    code = (
        "import sys; from pathlib import Path; "
        "from python_workers.simulation.simulate import simulate; "
        "simulate(Path(sys.argv[1]), ['2021-22', '2022-23'], 7, teams=6, games_per_team=25)"
    )
    subprocess.run([sys.executable, "-c", code, str(tmp_path / "there")], check=True, timeout=60)
    assert digests(tmp_path / "here") == digests(tmp_path / "there")
    simulate(tmp_path / "other", ["2021-22", "2022-23"], 8, teams=6, games_per_team=25)
    here, other = digests(tmp_path / "here"), digests(tmp_path / "other")
    assert all(here[name] != other[name] for name in here)


def test_a_small_league_has_the_teams_and_games_asked_for(tmp_path: Path) -> None:
    made = simulate(tmp_path / "raw", ["2024-25"], 1, teams=6, games_per_team=25)
    assert made.rows["games"] == 6 * 25 / 2
    games = pq.read_table(made.directory / "games" / "2024_25.parquet")
    teams = games.column("home_team_abbr").to_pylist() + games.column("away_team_abbr").to_pylist()
    assert {teams.count(team) for team in set(teams)} == {25}
    assert len(set(teams)) == 6
    assert games.column("game_id")[0].as_py() == "0022400001"


def test_it_is_labelled_as_simulated(league: Path) -> None:
    text = (league / MARKER).read_text()
    assert "no player, game or number in this folder is real" in text
    assert "2021-22, 2022-23" in text


@pytest.mark.slow
def test_it_loads_without_a_complaint_and_twice_without_a_change(
    league: Path, tmp_path: Path
) -> None:
    with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as warehouse:
        first = load_directory(warehouse, league)
        assert first.warnings == ()
        assert not load_directory(warehouse, league).has_changes
        lookups = warehouse.query("select player_lookup from nba_raw.player_registry")
    names = lookups.column("player_lookup").to_pylist()
    assert len(set(names)) == len(names)
    assert sum(name.endswith("2") for name in names) == 1


class TestSchedule:
    @pytest.mark.parametrize(
        ("year", "first", "last"),
        [
            (2021, dt.date(2021, 10, 19), dt.date(2022, 4, 10)),
            (2022, dt.date(2022, 10, 18), dt.date(2023, 4, 9)),
            (2023, dt.date(2023, 10, 24), dt.date(2024, 4, 14)),
            (2024, dt.date(2024, 10, 22), dt.date(2025, 4, 13)),
        ],
    )
    def test_seasons_have_the_real_dates(self, year: int, first: dt.date, last: dt.date) -> None:
        opening, days = season_bounds(year)
        assert opening == first
        assert opening + dt.timedelta(days=days - 1) == last

    @pytest.mark.parametrize(
        ("teams", "games"), [(30, 82), (30, 41), (6, 25), (4, 1), (4, 82), (10, 9), (28, 77)]
    )
    def test_every_team_plays_its_games_and_never_twice_a_day(self, teams: int, games: int) -> None:
        schedule = build_schedule(np.random.default_rng(3), 2021, teams, games)
        both = np.concatenate([schedule.home, schedule.away])
        assert (np.bincount(both, minlength=teams) == games).all()
        assert (schedule.home != schedule.away).all()
        days = np.concatenate([schedule.dates, schedule.dates]).astype(np.int64)
        assert len(set(zip(both.tolist(), days.tolist(), strict=True))) == len(both)
        homes = np.bincount(schedule.home, minlength=teams)
        assert abs(homes - games / 2).max() <= max(2, games // 10)
        first, length = season_bounds(2021, games)
        assert schedule.dates.min() >= np.datetime64(first)
        assert schedule.dates.max() < np.datetime64(first) + np.timedelta64(length, "D")

    def test_nobody_plays_three_days_in_a_row(self, db: duckdb.DuckDBPyConnection) -> None:
        assert (
            one(
                db,
                """
                select count(*)
                from (
                    select game_date - lag(game_date, 2) over (
                        partition by team order by game_date
                    ) as days
                    from (
                        select game_date, home_team_abbr as team from games
                        union all
                        select game_date, away_team_abbr from games
                    )
                )
                where days <= 2
                """,
            )
            == 0
        )

    @pytest.mark.parametrize(("teams", "games"), [(5, 10), (2, 10), (32, 82), (6, 0), (6, 83)])
    def test_impossible_schedules_are_refused(self, teams: int, games: int, tmp_path: Path) -> None:
        with pytest.raises(BackcourtError, match="no schedule for"):
            simulate(tmp_path / "raw", ["2021-22"], 1, teams=teams, games_per_team=games)


class TestPlausibility:
    @pytest.mark.parametrize(
        ("what", "sql", "low", "high"),
        [
            ("three-point share", "select avg((shot_value = 3)::int) from shots", 0.38, 0.43),
            ("paint share", "select avg(is_paint::int) from shots", 0.46, 0.50),
            ("assisted share", "select avg(is_assisted::int) from shots where is_made", 0.59, 0.65),
            ("field-goal share", "select avg(is_made::int) from shots", 0.44, 0.49),
            ("score", "select avg(home_score + away_score) / 2 from games", 108, 118),
            ("margin", "select avg(abs(home_score - away_score)) from games", 10, 16),
            ("home wins", "select avg((home_score > away_score)::int) from games", 0.5, 0.6),
            ("dates", "select count(distinct game_date) from games", 310, 345),
            ("best score", "select max(points) from player_box_scores", 40, 85),
            ("listed", "select count(*) / count(distinct game_id) from player_box_scores", 29, 35),
            (
                "played share",
                "select avg((not is_dnp)::int) from player_box_scores",
                0.55,
                0.75,
            ),
            (
                "traded players",
                """
                select count(*) from (
                    select player_id from player_box_scores where game_id < '00222'
                    group by 1 having count(distinct team_abbr) > 1
                )
                """,
                8,
                60,
            ),
            (
                "injured share",
                """
                select avg((dnp_reason like '%Injury%')::int) from player_box_scores
                where dnp_reason is not null
                """,
                0.2,
                0.5,
            ),
            (
                "missing labels",
                "select avg((zone_basic is null)::int) from shots",
                0.001,
                0.01,
            ),
        ],
    )
    def test_figures_lie_where_real_ones_do(
        self, db: duckdb.DuckDBPyConnection, what: str, sql: str, low: float, high: float
    ) -> None:
        assert low <= one(db, sql) <= high, what

    @pytest.mark.parametrize(
        ("invariant", "violations"),
        [
            (
                "points are made of baskets and free throws",
                "select count(*) from player_box_scores where points <> 2 * fgm + fg3m + ftm",
            ),
            (
                "the players' points sum to the score",
                """
                select count(*) from games inner join (
                    select game_id, team_abbr, sum(points) as points
                    from player_box_scores group by all
                ) using (game_id)
                where points <> if(team_abbr = home_team_abbr, home_score, away_score)
                """,
            ),
            (
                "five players are on court at every moment",
                """
                select count(*) from (
                    select sum(minutes) as total, max(minutes) as longest from (
                        select game_id, team_abbr, coalesce(
                            try_cast(regexp_extract(minutes, '(\\d+)(:|M)', 1) as double)
                            + try_cast(regexp_extract(minutes, '(:|M)(\\d+)', 2) as double) / 60,
                            0
                        ) as minutes
                        from player_box_scores
                    ) group by game_id, team_abbr
                )
                where round(total * 60) % 1500 <> 900 or longest > 58
                """,
            ),
            (
                "each team has five starters",
                """
                select count(*) from (
                    select sum(is_starter::int) as starters from player_box_scores
                    group by game_id, team_abbr
                )
                where starters <> 5
                """,
            ),
            (
                "who does not play has a reason and no numbers",
                """
                select count(*) from player_box_scores
                where is_dnp <> (dnp_reason is not null)
                    or (is_dnp and (points + fga + fta + oreb + dreb + ast + pf > 0))
                    or (is_dnp and is_starter)
                """,
            ),
            (
                "an assist belongs to a basket and another player",
                """
                select count(*) from shots
                where is_assisted <> (assist_player_id is not null)
                    or (is_assisted and not is_made)
                    or assist_player_id = player_id
                """,
            ),
            (
                "a blocked shot is missed, and no teammate blocks it",
                """
                select count(*) from shots
                left join player_box_scores as blocker
                    on shots.game_id = blocker.game_id
                    and shots.block_player_id = blocker.player_id
                where block_player_id is not null
                    and (is_made or blocker.team_abbr is null
                        or blocker.team_abbr = shots.team_abbr)
                """,
            ),
            (
                "threes carry the labels of threes",
                """
                select count(*) from shots
                where (shot_value = 3) <> (zone_basic in
                    ('Left Corner 3', 'Right Corner 3', 'Above the Break 3', 'Backcourt'))
                """,
            ),
            (
                "event numbers rise with the clock",
                """
                select count(*) from (
                    select
                        period * 1000 - clock_seconds as moment,
                        lag(moment) over (partition by game_id order by event_number) as before,
                    from shots
                )
                where moment < before
                """,
            ),
        ],
    )
    def test_invariants_hold(
        self, db: duckdb.DuckDBPyConnection, invariant: str, violations: str
    ) -> None:
        assert one(db, violations) == 0, invariant

    def test_box_scores_equal_the_shots_but_for_a_few_lines(
        self, db: duckdb.DuckDBPyConnection
    ) -> None:
        found = db.execute(
            """
            select box.fga - count(shots.event_number) as off, count(*) over () as lines
            from player_box_scores as box
            left join shots on box.game_id = shots.game_id and box.player_id = shots.player_id
            where not box.is_dnp
            group by box.game_id, box.player_id, box.fga
            """
        ).to_arrow_table()
        off = found.column("off").to_numpy()
        assert off.min() == 0
        assert off.max() <= 2
        assert 0.001 < (off > 0).mean() < 0.006
        made = one(
            db,
            """
            select count(*) from (
                select box.fgm - count(*) filter (where shots.is_made) as off
                from player_box_scores as box
                left join shots
                    on box.game_id = shots.game_id and box.player_id = shots.player_id
                group by box.game_id, box.player_id, box.fgm
            )
            where off <> 0
            """,
        )
        assert made == 0

    def test_coordinates_imply_the_label_they_carry(self, db: duckdb.DuckDBPyConnection) -> None:
        shots = db.execute(
            "select loc_x, loc_y, shot_value, zone_basic from shots where zone_basic is not null"
        ).to_arrow_table()
        x, y, value = (shots.column(name).to_numpy() for name in shots.column_names[:3])
        implied = label_numbers(x.astype(np.int64), y.astype(np.int64), value == 3)
        assert np.array(ZONE_LABELS)[implied].tolist() == shots.column("zone_basic").to_pylist()

    def test_two_people_share_a_name(self, db: duckdb.DuckDBPyConnection) -> None:
        found = db.execute(
            "select count(*) from players group by player_name having count(*) > 1"
        ).fetchall()
        assert found == [(2,)]

    def test_rosters_go_on_from_one_season_to_the_next(self, db: duckdb.DuckDBPyConnection) -> None:
        share = one(
            db,
            """
            select avg((player_id in (
                select player_id from player_box_scores where game_id < '00222'
            ))::int)
            from (select distinct player_id from player_box_scores where game_id > '00222')
            """,
        )
        assert 0.6 < share < 0.95


class TestFolder:
    def test_a_folder_with_other_files_is_left_alone(self, tmp_path: Path) -> None:
        (tmp_path / "games").mkdir()
        (tmp_path / "games" / "real.parquet").write_bytes(b"PAR1")
        with pytest.raises(BackcourtError, match="no simulation") as caught:
            simulate(tmp_path, ["2021-22"], 1, **SMALL)
        assert caught.value.exit_code == 2
        assert (tmp_path / "games" / "real.parquet").exists()

    def test_an_earlier_simulation_is_replaced(self, tmp_path: Path) -> None:
        simulate(tmp_path / "raw", ["2021-22", "2022-23"], 1, **SMALL)
        simulate(tmp_path / "raw", ["2022-23"], 2, **SMALL)
        simulate(tmp_path / "fresh", ["2022-23"], 2, **SMALL)
        assert digests(tmp_path / "raw") == digests(tmp_path / "fresh")

    @pytest.mark.parametrize("seasons", [["2021"], ["2021-23"], ["2021-22", "2021-22"], [], [""]])
    def test_a_text_that_is_no_season_is_refused(self, tmp_path: Path, seasons: list[str]) -> None:
        with pytest.raises(BackcourtError) as caught:
            simulate(tmp_path / "raw", seasons, 1)
        assert caught.value.exit_code == 2
        assert not (tmp_path / "raw").exists()
