"""Settings and fixtures that all Python tests share."""

from __future__ import annotations

import datetime as dt
import fcntl
import os
import shutil
import signal
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, settings

from python_workers.raw.load import LoadReport, load_directory
from python_workers.raw.schema import RawTable
from python_workers.settings import Settings
from python_workers.simulation.simulate import simulate
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support import parsed_project
from tests.python.support.command import CommandLine
from tests.python.support.engine import Engine
from tests.python.support.folders import PLAIN, PLAIN_DATES, has_real_files, raw_folder
from tests.python.support.leagues import League, random_league, write_tables
from tests.python.support.raw_factories import (
    Format,
    Row,
    Rows,
    league,
    read,
    write_league,
    write_rows,
)
from tests.python.support.terminal import Terminal

# Times vary on a shared machine, so no property test has a deadline.
settings.register_profile(
    "backcourt", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("backcourt")

# The example of docs/extending.md is tested in a copy of the project.
collect_ignore = ["support/sixth_processor"]

FIRST_DATES = {
    "2021-22": dt.date(2021, 10, 19),
    "2022-23": dt.date(2022, 10, 18),
    "2023-24": dt.date(2023, 10, 24),
    "2024-25": dt.date(2024, 10, 22),
}


@pytest.fixture(scope="session", autouse=True)
def a_place_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the warehouse, the settings and the dbt output of the user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields.keys() - {"raw_dir"}:
            patch.delenv(f"BACKCOURT_{name.upper()}", raising=False)
        for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield


@pytest.fixture(scope="session", autouse=True)
def interrupts_are_heard() -> None:
    """Undo what a shell does to its background jobs: they, and their children, ignore Ctrl-C."""
    if signal.getsignal(signal.SIGINT) == signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


# Returns the folder of a name, which a function has filled.
Once = Callable[[str, Callable[[Path], object]], Path]


@pytest.fixture(scope="session")
def once(tmp_path_factory: pytest.TempPathFactory) -> Once:
    """Fill folders that the parallel processes of the tests share.

    The process that needs a folder first fills it, and the others wait. DuckDB locks a file to one
    process, so each works on its own copy of a warehouse.
    """
    own = tmp_path_factory.getbasetemp()
    shared = (own.parent if "PYTEST_XDIST_WORKER" in os.environ else own) / "shared"
    shared.mkdir(exist_ok=True)

    def fill_once(name: str, fill: Callable[[Path], object]) -> Path:
        folder, done = shared / name, shared / f"{name}.done"
        with (shared / f"{name}.lock").open("w") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            if not done.exists():
                shutil.rmtree(folder, ignore_errors=True)
                folder.mkdir()
                fill(folder)
                done.touch()
        return folder

    return fill_once


@pytest.fixture(scope="session", autouse=True)
def parsed_once(once: Once) -> None:
    """Let the first of the parallel processes parse the dbt project for all."""
    parsed_project.use(lambda: once("parsed", parsed_project.parse))


@pytest.fixture(scope="session")
def parsed(parsed_once: None) -> None:  # noqa: ARG001 -- made before
    """Let the commands of this process find the project parsed."""
    parsed_project.put_into(Path(os.environ["DBT_TARGET_PATH"]))


@pytest.fixture(scope="session")
def simulated_files(once: Once) -> Path:
    """Return the raw files of a made-up league: ten teams, seven weeks, and one date to come."""
    return once("simulated_files", write_simulated) / "raw"


def write_simulated(into: Path) -> None:
    folder = into / "raw"
    simulate(folder, ["2021-22"], 7, teams=10, games_per_team=22)
    games = pq.read_table(folder / "games" / "2021_22.parquet")
    last = pc.max(games.column("game_date")).as_py()
    to_come = [
        {
            **game,
            "game_id": f"00221{90_000 + number}",
            "game_date": last + dt.timedelta(days=2),
            "home_score": None,
            "away_score": None,
            "status": "scheduled",
        }
        for number, game in enumerate(games.slice(0, 2).to_pylist())
    ]
    pq.write_table(
        pa.Table.from_pylist(to_come, games.schema), folder / "games" / "to_come.parquet"
    )


@pytest.fixture(scope="session")
def simulated_raw(
    simulated_files: Path, once: Once, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """Return an engine on that league, loaded and nothing else. Work on copies of it."""
    filled = once("simulated_raw", lambda folder: Engine(folder).load(simulated_files))
    return Engine(filled).copy(tmp_path_factory.mktemp("loaded"))


@pytest.fixture(scope="session")
def simulated(
    simulated_raw: Engine, once: Once, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """Return an engine on that league, backfilled. Work on copies of it."""
    filled = once("simulated", lambda folder: simulated_raw.copy(folder).backfill())
    return Engine(filled).copy(tmp_path_factory.mktemp("backfilled"))


@pytest.fixture(scope="session")
def random_leagues() -> list[League]:
    """Return four leagues of one season each, which contain every irregularity of the data."""
    return [
        random_league(seed, season, first, 1000 * seed)
        for seed, (season, first) in enumerate(FIRST_DATES.items(), start=1)
    ]


@pytest.fixture(scope="session")
def four_seasons(
    random_leagues: list[League], once: Once, tmp_path_factory: pytest.TempPathFactory
) -> Engine:
    """Return an engine on the four leagues, backfilled. Work on copies of it."""

    def fill(folder: Path) -> None:
        engine = Engine(folder)
        engine.load(write_tables(folder / "raw", random_leagues))
        engine.backfill()

    return Engine(once("four_seasons", fill)).copy(tmp_path_factory.mktemp("random"))


@pytest.fixture(scope="session")
def plain(once: Once, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on the plain league, its last two dates backfilled. Work on copies of it."""
    if not PLAIN.exists():
        pytest.skip(f"no {PLAIN}")

    def fill(folder: Path) -> None:
        engine = Engine(folder)
        engine.load(PLAIN / "raw")
        engine.backfill(*PLAIN_DATES)

    return Engine(once("plain", fill)).copy(tmp_path_factory.mktemp("plain"))


@pytest.fixture(scope="session")
def real_files() -> Path:
    """Return the folder of real raw files, where there is one."""
    folder = raw_folder()
    if not has_real_files():
        pytest.skip(f"no real data in {folder}; BACKCOURT_RAW_DIR names another folder")
    return folder


@pytest.fixture(scope="session")
def season_files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the raw files of 2021-22: real, or else of ten made-up teams until Christmas."""
    if has_real_files():
        return raw_folder()
    made_up = tmp_path_factory.mktemp("season") / "raw"
    simulate(made_up, ["2021-22"], 7, teams=10, games_per_team=30)
    return made_up


@pytest.fixture(scope="session")
def real_raw(real_files: Path, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on the real season 2021-22 as it stood at the end of January, loaded."""
    filled = once("real", lambda folder: real_season(real_files, folder, dt.date(2022, 1, 31)))
    return Engine(filled).copy(tmp_path_factory.mktemp("real"))


@pytest.fixture(scope="session")
def real_spring(real_files: Path, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on that season as it stood before its last two weeks, loaded."""
    filled = once("spring", lambda folder: real_season(real_files, folder, dt.date(2022, 3, 26)))
    return Engine(filled).copy(tmp_path_factory.mktemp("spring"))


def real_season(real_files: Path, folder: Path, last: dt.date, season: str = "2021_22") -> Engine:
    """Load a real season up to a date."""
    with duckdb.connect() as connection:
        for table in ("games", "player_box_scores", "shots", "players"):
            of_season = "players" if table == "players" else season
            source = real_files / table / f"{of_season}.parquet"
            known = f"""where game_id in (
                select game_id from '{real_files}/games/{season}.parquet'
                where game_date <= date '{last}'
            )"""
            path = folder / "raw" / table / f"{of_season}.parquet"
            path.parent.mkdir(parents=True)
            connection.execute(
                f"copy (select * from '{source}' {'' if table == 'players' else known}) "
                f"to '{path}' (format parquet)"
            )
    engine = Engine(folder)
    engine.load(folder / "raw")
    return engine


@pytest.fixture(scope="session")
def real_2023(real_files: Path, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return an engine on the real season 2023-24, loaded."""
    folder = tmp_path_factory.mktemp("real_2023")
    return real_season(real_files, folder, dt.date(2024, 6, 30), "2023_24")


@pytest.fixture(scope="session")
def real(real_raw: Engine, once: Once, tmp_path_factory: pytest.TempPathFactory) -> Engine:
    """Return `real_raw` with the first half of January backfilled. Work on copies of it."""

    def fill(folder: Path) -> None:
        real_raw.copy(folder).backfill(dt.date(2022, 1, 1), dt.date(2022, 1, 15))

    return Engine(once("january", fill)).copy(tmp_path_factory.mktemp("backfilled"))


@pytest.fixture(scope="session")
def command_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder of the warehouse of all commands."""
    return tmp_path_factory.mktemp("commands")


@pytest.fixture
def cli_folder(command_folder: Path) -> Path:
    """Return the folder of the commands without a warehouse."""
    Engine(command_folder).path.unlink(missing_ok=True)
    return command_folder


@pytest.fixture
def backcourt(
    cli_folder: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> CommandLine:
    """Return the command line on the warehouse of `cli_folder`."""
    monkeypatch.setenv("BACKCOURT_DUCKDB_PATH", str(Engine(cli_folder).path))
    monkeypatch.setenv("BACKCOURT_BACKEND", "threading")
    monkeypatch.setenv("BACKCOURT_N_JOBS", "1")
    return CommandLine(capsys)


@pytest.fixture
def loaded(
    simulated_raw: Engine,
    cli_folder: Path,
    backcourt: CommandLine,
    parsed: None,  # noqa: ARG001 -- done before
) -> CommandLine:
    """Return the command line on a league that has been loaded and nothing else."""
    simulated_raw.copy(cli_folder)
    return backcourt


@pytest.fixture
def backfilled(
    simulated: Engine,
    cli_folder: Path,
    backcourt: CommandLine,
    parsed: None,  # noqa: ARG001 -- done before
) -> CommandLine:
    """Return the command line on a league that has been backfilled."""
    simulated.copy(cli_folder)
    return backcourt


@pytest.fixture
def engine(cli_folder: Path) -> Engine:
    """Return an engine on the warehouse of the command line."""
    return Engine(cli_folder)


@pytest.fixture(scope="session")
def terminal_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return the folder that the processes of `terminal` work in."""
    folder = tmp_path_factory.mktemp("terminal")
    parsed_project.put_into(folder / "target")
    return folder


@pytest.fixture
def terminal(terminal_folder: Path) -> Iterator[Terminal]:
    """Return a place to run the command as a process of its own, without a warehouse file yet."""
    terminal = Terminal(terminal_folder)
    terminal.clear()
    yield terminal
    terminal.clear()


@pytest.fixture
def warehouse(tmp_path: Path) -> Iterator[DuckDBWarehouse]:
    """Open an empty warehouse."""
    with DuckDBWarehouse(tmp_path / "backcourt.duckdb") as opened:
        yield opened


@pytest.fixture
def load(warehouse: DuckDBWarehouse, tmp_path: Path) -> Callable[..., LoadReport]:
    """Write a league into a folder of its own and load it."""
    folders = iter(range(100))

    def write_and_load(format_: Format = "parquet", **tables: Sequence[Row]) -> LoadReport:
        folder = tmp_path / f"raw{next(folders)}"
        return load_directory(warehouse, write_league(folder, league(**tables), format_))

    return write_and_load


@pytest.fixture
def read_rows(tmp_path: Path) -> Callable[..., Rows]:
    """Write rows to a file and read them back."""

    def write_and_read(schema: RawTable, rows: Sequence[Row], suffix: Format = "parquet") -> Rows:
        write_rows(tmp_path / schema.name / f"a.{suffix}", rows)
        return read(tmp_path, schema, tmp_path)

    return write_and_read
