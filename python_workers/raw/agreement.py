"""Checks facts that raw files and stored rows state more than once, and that must agree."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pyarrow as pa
import pyarrow.compute as pc

from python_workers.errors import BackcourtError
from python_workers.franchises import FRANCHISES
from python_workers.raw.schema import GAMES, RawTable
from python_workers.raw.tables import shorten
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.stored_rows import StoredRows

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


def check_franchises(
    given: Sequence[Mapping[str, str]], warehouse: Warehouse | None = None, end: str = ""
) -> None:
    """Check that no franchise has two codes in a season.

    Parameters
    ----------
    given
        Games: ``season``, ``home_team_abbr``, ``away_team_abbr``, ``game_id``.
    warehouse
        Compare with its stored games, too, but for those that are given.
    end
        The last line of the message, for example ``Nothing was loaded.``.

    Raises
    ------
    BackcourtError
        If one has two; it names the season and both codes.
    """
    stored: list[Mapping[str, str]] = []
    if warehouse is not None:
        seasons = sorted({row["season"] for row in given})
        replaced = {row["game_id"] for row in given}
        found = warehouse.query(_TEAMS_OF_SEASONS, {"seasons": seasons}).to_pylist()
        stored = [row for row in found if row["game_id"] not in replaced]
    codes: dict[tuple[str, str], dict[str, str]] = {}
    for rows, where in ((stored, "the stored games"), (given, "these games")):
        for row in rows:
            for code in (row["home_team_abbr"], row["away_team_abbr"]):
                if code in _FRANCHISE:
                    of_franchise = codes.setdefault((row["season"], _FRANCHISE[code]), {})
                    of_franchise[code] = f"{where} ({row['game_id']})"
    for (season, _), found_codes in sorted(codes.items()):
        if len(found_codes) > 1:
            uses = ", ".join(f"{code} in {where}" for code, where in sorted(found_codes.items()))
            raise BackcourtError(
                f"games: one franchise has the codes {' and '.join(sorted(found_codes))} in "
                f"{season}",
                [
                    f"{uses}.",
                    "Its form would be split between two teams: use one code for the whole season.",
                    end,
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
