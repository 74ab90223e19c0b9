"""Checks facts that raw files and stored rows state more than once, and that must agree."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from python_workers.errors import BackcourtError
from python_workers.franchises import FRANCHISES
from python_workers.raw.schema import GAMES, RawTable
from python_workers.raw.tables import RawRows, shorten
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.stored_rows import StoredRows

# The first season of the league; and the last year that the date range of a run may have.
FIRST_SEASON, LAST_SEASON = 1946, 2198

# The league's game ids: two zeros, the kind of game, the season's first year, the game's number.
_LEAGUE_ID = re.compile(r"00([1-6])(\d{2})\d{5}", re.ASCII)
_SEASON_TYPES = {"2": "regular", "4": "playoffs", "5": "play_in"}
_OTHER_KINDS = {"1": "a preseason game", "3": "an All-Star game", "6": "the final of the NBA Cup"}

_FRANCHISE = {code: codes[0] for codes in FRANCHISES for code in codes}

_SHOWN = 3
_TEAMS_OF_SEASONS = f"""
select distinct season, home_team_abbr, away_team_abbr, game_id
from {GAMES.spec.name}
where season in unnest(@seasons)
"""  # noqa: S608 our own names
_TEAMS_OF_GAMES = f"""
select game_id, home_team_abbr, away_team_abbr
from {GAMES.spec.name}
where game_id in unnest(@game_ids)
"""  # noqa: S608 as above


def check_game_ids(raw: RawRows) -> None:
    """Compare the kind and season in a game's id with the game's labels.

    Skip ids that are not in the league's form.

    Raises
    ------
    BackcourtError
        If they differ; it names the file and the first rows.
    """
    names = ("game_id", "season", "season_type")
    games = zip(*(raw.rows.column(name).to_pylist() for name in names), strict=True)
    wrong: dict[str, list[int]] = {}
    for row, (game_id, season, season_type) in enumerate(games):
        year = int(season[:4])
        if not FIRST_SEASON <= year <= LAST_SEASON:
            wrong.setdefault("column season is no season of the league", []).append(row)
        found = _LEAGUE_ID.fullmatch(game_id)
        if found is None:
            continue
        kind, first_year = found.groups()
        if kind in _OTHER_KINDS:
            problem = f"the game_id is that of {_OTHER_KINDS[kind]}, which counts for no season"
            wrong.setdefault(problem, []).append(row)
        elif _SEASON_TYPES.get(kind) != season_type:
            problem = "the game_id and the column season_type disagree on the kind of the game"
            wrong.setdefault(problem, []).append(row)
        elif first_year != season[2:4]:
            problem = "the game_id and the column season disagree on the season"
            wrong.setdefault(problem, []).append(row)
    for problem, rows in wrong.items():
        raise raw.refuse(
            np.array(rows),
            problem,
            ["game_id", "season", "season_type"],
            "An id like 0022100001 belongs to season 2021-22; its third digit is 2 for the regular "
            "season, 4 for the playoffs, 5 for the play-in. Leave out all other games.",
        )


def check_franchises(warehouse: Warehouse, games: StoredRows) -> None:
    """Check that no franchise has two codes in a season, in the files and the stored games.

    Raises
    ------
    BackcourtError
        If one has two; it names the season and both codes.
    """
    names = ("season", "home_team_abbr", "away_team_abbr", "game_id")
    given = games.select(names).to_pylist()
    seasons = sorted({row["season"] for row in given})
    replaced = {row["game_id"] for row in given}
    stored = [
        row
        for row in warehouse.query(_TEAMS_OF_SEASONS, {"seasons": seasons}).to_pylist()
        if row["game_id"] not in replaced
    ]
    codes: dict[tuple[str, str], dict[str, str]] = {}
    for rows, where in ((stored, "the stored games"), (given, "these files")):
        for row in rows:
            for code in (row["home_team_abbr"], row["away_team_abbr"]):
                if code in _FRANCHISE:
                    of_franchise = codes.setdefault((row["season"], _FRANCHISE[code]), {})
                    of_franchise[code] = where
    for (season, _), found in sorted(codes.items()):
        if len(found) > 1:
            uses = ", ".join(f"{code} in {where}" for code, where in sorted(found.items()))
            raise BackcourtError(
                f"games: one franchise has the codes {' and '.join(sorted(found))} in {season}",
                [
                    f"{uses}.",
                    "Its form would be split between two teams: use one code for the whole season.",
                    "Nothing was loaded.",
                ],
            )


def check_stored_teams(
    warehouse: Warehouse,
    games: StoredRows,
    loaded: Mapping[RawTable, StoredRows | None],
    *,
    replace_games: bool,
) -> None:
    """Check that a game whose teams change has no stored rows of a team that no longer plays in it.

    Parameters
    ----------
    warehouse
        The warehouse with the stored games and rows.
    games
        The games in the files.
    loaded
        For each table with a team column, its rows in the files, which replace stored rows; None
        if the table is not loaded.
    replace_games
        Whether the files are complete for their games.

    Raises
    ------
    BackcourtError
        If it has; it names the game, its teams and the first of the rows.
    """
    columns = ["game_id", "home_team_abbr", "away_team_abbr"]
    given = {row[0]: {str(team) for team in row[1:]} for row in _tuples(games.select(columns))}
    stored = warehouse.query(_TEAMS_OF_GAMES, {"game_ids": list(given)})
    changed = [row[0] for row in _tuples(stored) if set(row[1:]) != given[row[0]]]
    if not changed:
        return
    for schema, rows in loaded.items():
        key = ", ".join(schema.key)
        of_games = warehouse.query(
            f"select {key}, team_abbr from {schema.spec.name} "  # noqa: S608 our own names
            f"where game_id in unnest(@game_ids) order by {key}",
            {"game_ids": changed},
        )
        keys = None if rows is None else _of_games(rows.select(list(schema.key)), changed)
        replaced = set() if keys is None else set(_tuples(keys))
        games_replaced = {row[0] for row in replaced} if replace_games else set()
        strays = [
            row
            for row in of_games.to_pylist()
            if row["team_abbr"] not in given[row["game_id"]]
            and tuple(row[name] for name in schema.key) not in replaced
            and row["game_id"] not in games_replaced
        ]
        if strays:
            game_id = strays[0]["game_id"]
            lines = [_named(row) for row in strays[:_SHOWN]]
            if len(strays) > _SHOWN:
                lines.append(f"and {len(strays) - _SHOWN} more rows")
            raise BackcourtError(
                f"games: {game_id} is {' - '.join(sorted(given[game_id]))} here, but "
                f"{schema.name} has stored rows of a team that does not play in it",
                [
                    *lines,
                    f"Load the games together with their corrected {schema.name}.",
                    "Nothing was loaded.",
                ],
            )


def rows_left(warehouse: Warehouse, schema: RawTable, rows: StoredRows) -> list[dict[str, object]]:
    """Return the keys of stored rows that the files lack, for games with other rows in the files.

    Call it after the upsert, when all rows of the files are stored.
    """
    if schema.key[0] != "game_id" or len(schema.key) == 1:
        return []
    keys = rows.select(list(schema.key))
    given = keys.group_by("game_id").aggregate([([], "count_all")])
    counts = dict(
        zip(
            given.column("game_id").to_pylist(),
            given.column("count_all").to_pylist(),
            strict=True,
        )
    )
    stored = warehouse.query(
        f"select game_id, count(*) as stored from {schema.spec.name} "  # noqa: S608 our own names
        "where game_id in unnest(@game_ids) group by game_id",
        {"game_ids": list(counts)},
    )
    incomplete = [game for game, number in _tuples(stored) if number > counts[game]]
    if not incomplete:
        return []
    known = set(_tuples(_of_games(keys, incomplete)))
    key = ", ".join(schema.key)
    found = warehouse.query(
        f"select {key} from {schema.spec.name} "  # noqa: S608 our own names
        f"where game_id in unnest(@game_ids) order by {key}",
        {"game_ids": incomplete},
    )
    return [
        row for row in found.to_pylist() if tuple(row[name] for name in schema.key) not in known
    ]


def named_rows(rows: Sequence[Mapping[str, object]], limit: int | None = _SHOWN) -> str:
    """List rows by their keys in one line: the first few, or all."""
    shown = rows if limit is None else rows[:limit]
    more = [f"and {len(rows) - len(shown):,} more"] if len(rows) > len(shown) else []
    return "; ".join([*(_named(row) for row in shown), *more])


def _of_games(rows: pa.Table, games: Sequence[object]) -> pa.Table:
    return rows.filter(pc.is_in(rows.column("game_id"), value_set=pa.array(games, pa.string())))


def _named(row: Mapping[str, object]) -> str:
    return ", ".join(f"{name} {shorten(value).strip(chr(39))}" for name, value in row.items())


def _tuples(rows: pa.Table) -> list[tuple[object, ...]]:
    return list(zip(*(column.to_pylist() for column in rows.columns), strict=True))
