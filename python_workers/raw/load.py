"""``backcourt load``: loads raw files into ``nba_raw``; checks all files before it writes."""

from __future__ import annotations

import datetime as dt
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from python_workers import table_names
from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.adoption import refuse_adopted
from python_workers.raw.agreement import check_franchises, check_stored_teams, rows_left
from python_workers.raw.changed_games import ChangedGame, games_changed_by, note_of_changes
from python_workers.raw.checks import (
    check_rows,
    check_teams,
    future_finals,
)
from python_workers.raw.descriptions import models_folder, with_descriptions
from python_workers.raw.folders import present_tables
from python_workers.raw.player_registry import register_players
from python_workers.raw.reading import read_raw_table
from python_workers.raw.rules import has_teams
from python_workers.raw.schema import (
    GAMES,
    LOADS,
    RAW_SPECS,
    RAW_TABLES,
    RawTable,
)
from python_workers.raw.tables import RawRows, collapse_duplicates
from python_workers.runtime.scratch import scratch_folder
from python_workers.warehouse.base import TableChange, UpsertCounts, Warehouse
from python_workers.warehouse.stored_rows import StoredRows
from python_workers.wording import counted

_TEAMS_OF_GAMES = f"""
select game_id, home_team_abbr, away_team_abbr
from {table_names.GAMES}
where game_id in unnest(@game_ids)
"""  # noqa: S608 our own names


@dataclass(frozen=True)
class TableLoad:
    """The result of loading one table.

    Parameters
    ----------
    table
        Folder and table name, for example ``games``.
    files, rows_read
        Numbers of files, and of rows in them.
    duplicates
        Number of rows that equal another row in all columns and count once.
    counts
        Inserted, updated, unchanged and deleted rows.
    left
        Keys of stored rows of these games that the files lack; the load keeps them.
    """

    table: str
    files: int
    rows_read: int
    duplicates: int
    counts: UpsertCounts
    left: tuple[Mapping[str, object], ...] = ()


@dataclass(frozen=True)
class LoadReport:
    """The result of a load.

    Parameters
    ----------
    load_id
        Key of its rows in ``nba_raw.loads``.
    tables
        One entry per table, in order of loading.
    new_players
        Number of players who got a lookup.
    warnings
        Sentences about loaded data that the user should check.
    changed_games
        Games with changed rows, in order of their dates.
    """

    load_id: str
    tables: tuple[TableLoad, ...]
    new_players: int
    warnings: tuple[str, ...]
    changed_games: tuple[ChangedGame, ...] = ()

    @property
    def has_changes(self) -> bool:
        """Whether any row was written."""
        written = sum(table.counts.changed for table in self.tables)
        return bool(written or self.new_players)


def load_directory(
    warehouse: Warehouse,
    directory: Path,
    *,
    tables: Sequence[str] | None = None,
    replace_games: bool = False,
    on_progress: Callable[[str], None] = lambda _: None,
) -> LoadReport:
    """Load raw files: an upsert by key, so that loading the same files again changes nothing.

    Read and check all tables completely before writing the first row; then write each table in one
    transaction. After a crash the same call completes the rest.

    Parameters
    ----------
    warehouse
        The warehouse with the tables; missing tables are created.
    directory
        One folder per table, with Parquet, CSV or JSON-lines files.
    tables
        Names of the tables to load; by default those that have a folder, and a warning names the
        others.
    replace_games
        Whether the files are complete for their games: if so, delete stored rows of these games
        that the files lack. By default keep them.
    on_progress
        Receives a line of text for each step.

    Raises
    ------
    BackcourtError
        If the data is wrong; it names the file, the column and the first rows.
    """
    if not directory.is_dir():
        raise BackcourtError(
            f"{directory} is {'not a folder' if directory.exists() else 'missing'}",
            "Name the folder that holds games/, players/, player_box_scores/ and shots/.",
            ExitCode.ENVIRONMENT,
        )
    chosen = raw_tables(tables)
    absent: list[str] = []
    if tables is None:
        names = [schema.name for schema in chosen]
        present = present_tables(directory, names)
        absent = [name for name in names if name not in present]
        chosen = [schema for schema in chosen if schema.name in present]
    with scratch_folder() as scratch:
        report = _load(warehouse, directory, chosen, scratch, replace_games, on_progress)
    told = [f"no folder {name} in {directory}: its rows stay as they are" for name in absent]
    return replace(report, warnings=(*told, *report.warnings))


def _load(
    warehouse: Warehouse,
    directory: Path,
    wanted: Sequence[RawTable],
    scratch: Path,
    replace_games: bool,  # noqa: FBT001 passed on
    on_progress: Callable[[str], None],
) -> LoadReport:
    read: list[tuple[RawRows, StoredRows]] = []
    for schema in wanted:
        on_progress(f"reading {schema.name}")
        raw = read_raw_table(directory, schema, scratch)
        check_rows(raw)
        read.append((raw, collapse_duplicates(raw)))
    refuse_adopted(warehouse, list(wanted))
    warehouse.ensure_tables(with_descriptions(RAW_SPECS, models_folder()))
    warnings = _check_across_tables(warehouse, read, replace_games=replace_games)

    load_id, now = uuid.uuid4().hex, dt.datetime.now(dt.UTC)
    done: list[TableLoad] = []
    while read:
        raw, rows = read.pop(0)
        on_progress(f"writing {raw.schema.name}: {counted(rows.num_rows, 'row')}")
        note = note_of_changes(raw.schema, load_id, now)
        whole = "game_id" if replace_games and "game_id" in raw.schema.key else None
        counts = warehouse.upsert(raw.schema.spec, rows, whole=whole, note=note)
        done.append(
            TableLoad(
                raw.schema.name,
                len(raw.origin.labels),
                raw.rows.num_rows,
                raw.rows.num_rows - rows.num_rows,
                counts,
                tuple(rows_left(warehouse, raw.schema, rows)),
            )
        )
    new_players = register_players(warehouse)
    warehouse.commit([TableChange(LOADS.name, LOADS.key, _load_rows(load_id, done, now))])
    changed = games_changed_by(warehouse, load_id)
    return LoadReport(load_id, tuple(done), new_players, tuple(warnings), changed)


def raw_tables(names: Sequence[str] | None) -> list[RawTable]:
    """Return the tables of these names, in the order of loading; all for None.

    Raises
    ------
    BackcourtError
        With exit code 2, for an unknown name or none at all.
    """
    known = {schema.name: schema for schema in RAW_TABLES}
    unknown = [name for name in names or () if name not in known]
    if unknown:
        raise BackcourtError(
            f"{unknown[0]!r} is not a raw table",
            f"Known: {', '.join(known)}.",
            ExitCode.USAGE,
        )
    if names is not None and not names:
        raise BackcourtError(
            "no raw table is named", f"Name some of {', '.join(known)}.", ExitCode.USAGE
        )
    return [schema for name, schema in known.items() if names is None or name in names]


def _check_across_tables(
    warehouse: Warehouse, read: Sequence[tuple[RawRows, StoredRows]], *, replace_games: bool
) -> list[str]:
    """Check rows against the games of this load and of earlier ones; return warnings."""
    warnings: list[str] = []
    loaded = {raw.schema.name: rows for raw, rows in read}
    columns = ["game_id", "home_team_abbr", "away_team_abbr"]
    games = loaded[GAMES.name].select(columns) if GAMES.name in loaded else None
    if GAMES.name in loaded:
        later = future_finals(loaded[GAMES.name], dt.datetime.now(dt.UTC).date())
        if later:
            warnings.append(f"{later} final games are dated after today")
        given = loaded[GAMES.name].select([*columns, "season"]).to_pylist()
        check_franchises(given, warehouse, "Nothing was loaded.")
        check_stored_teams(
            warehouse,
            loaded[GAMES.name],
            {schema: loaded.get(schema.name) for schema in RAW_TABLES if has_teams(schema)},
            replace_games=replace_games,
        )
    for raw, rows in read:
        if not has_teams(raw.schema):
            continue
        named = pc.unique(rows.column("game_id"))
        known = games
        missing = (
            named
            if known is None
            else named.filter(pc.invert(pc.is_in(named, value_set=known.column("game_id"))))
        )
        if len(missing):
            earlier = warehouse.query(_TEAMS_OF_GAMES, {"game_ids": missing.to_pylist()})
            known = earlier if known is None else pa.concat_tables([known, earlier])
        unknown = check_teams(raw, known)
        if unknown:
            warnings.append(
                f"{raw.schema.name} has rows of {counted(unknown, 'game')} not in games; "
                "they are loaded but not used until these games are loaded, too"
            )
    return warnings


def _load_rows(load_id: str, done: Sequence[TableLoad], now: dt.datetime) -> pa.Table:
    return pa.table(
        {
            "load_id": [load_id] * len(done),
            "table_name": [table.table for table in done],
            "files": [table.files for table in done],
            "rows_read": [table.rows_read for table in done],
            "inserted": [table.counts.inserted for table in done],
            "updated": [table.counts.updated for table in done],
            "unchanged": [table.counts.unchanged for table in done],
            "deleted": [table.counts.deleted for table in done],
            "loaded_at": pa.array([now] * len(done), pa.timestamp("us", tz="UTC")),
        }
    )
