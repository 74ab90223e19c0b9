"""A feed: a folder with ``feed.toml``, a SELECT per raw table, and a README of what it lacks."""

from __future__ import annotations

import re
import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from python_workers.errors import BackcourtError, ExitCode
from python_workers.raw.schema import RAW_TABLES
from python_workers.raw.selects import read_selects

SHIPPED = Path(__file__).parent
DECLARATION = "feed.toml"
TABLES = tuple(table.name for table in RAW_TABLES)
# The league's game ids say the kind of a game.
IDS = ("nba", "own")
_KEYS = {"title": str, "ids": str, "extends": str, "reads": list, "fills": list, "sources": dict}
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
# A path in JSON, as DuckDB reads it behind "$.": game.actions, days[*].games.
_STEP = r"""(?:[A-Za-z0-9_]+|"[^"']+")(?:\[(?:\*|\d+)\])?"""
_PATH = re.compile(rf"{_STEP}(?:\.{_STEP})*")
# Tables of a conversion's own.
_TAKEN = {
    *TABLES,
    *("answers", "excluded", "nba_teams", "nested", "parts"),
    *("rows_of_file", "selected", "sets", "texts"),
}
_SOURCE_KEYS = {
    "like": str,
    "result_set": str,
    "json": str,
    "select": str,
    "lists": list,
    "needs": list,
    "may": list,
    "without": list,
}

Kind = Literal["result_set", "json", "table"]


@dataclass(frozen=True)
class Source:
    """A kind of file that a feed reads; its rows are a table of text columns for the SELECTs.

    Parameters
    ----------
    name
        The table's name in the SELECTs.
    kind
        ``result_set``: JSON answers with headers and rows; ``json``: answers with nested objects;
        ``table``: CSV and Parquet files alone. All kinds take CSV and Parquet files with the
        same columns, too.
    path
        The result set's name, or the path that an answer of this source has.
    select
        For ``json``: the SELECT that makes rows of ``answers (content, file_number)``.
    lists
        For ``json``: the lists of objects that each answer must have, such as
        ``game.actions`` or ``days[*].games``.
    needs, may
        Columns that each file must have, and columns that are NULL where a file lacks them.
    without
        Columns that tell a file of another kind: a log of players from one of teams.
    where
        Its place for messages: the file and the key.
    """

    name: str
    kind: Kind
    path: str
    select: str
    lists: tuple[str, ...]
    needs: tuple[str, ...]
    may: tuple[str, ...]
    without: tuple[str, ...]
    where: str

    @property
    def columns(self) -> tuple[str, ...]:
        """All columns of the table, but for the number of the file."""
        return self.needs + self.may

    def is_of_another_kind(self, present: Collection[str]) -> bool:
        """Return whether a table or result set has a column that no file of this source has."""
        return not set(self.without).isdisjoint(present)


@dataclass(frozen=True)
class Feed:
    """A feed.

    Parameters
    ----------
    folder
        Its folder.
    title
        What it reads in a few words.
    has_league_ids
        Whether game ids are those of the league, which say the kind of the game.
    sources
        The tables that its SELECTs read.
    reads
        Names of the sources that it takes files for; the tables of the others stay empty.
    selects
        The SELECT of each raw table that the feed can fill.
    """

    folder: Path
    title: str
    has_league_ids: bool
    sources: tuple[Source, ...]
    reads: frozenset[str]
    selects: Mapping[str, str]

    @property
    def name(self) -> str:
        """The name of its folder."""
        return self.folder.name

    @property
    def is_own(self) -> bool:
        """Whether it is a folder of the user's own."""
        return self.folder.parent != SHIPPED

    @property
    def read_sources(self) -> tuple[Source, ...]:
        """The sources that it takes files for."""
        return tuple(source for source in self.sources if source.name in self.reads)

    def select_name(self, table: str) -> str:
        """Return the name of a SELECT for messages: the file, or the feed that comes with it."""
        file = self.folder / f"{table}.sql"
        return str(file) if self.is_own and file.is_file() else f"feed {self.name}: {table}.sql"


def shipped_feeds() -> list[Feed]:
    """Return the feeds that come with Backcourt."""
    return [_read(SHIPPED / name) for name in _shipped_names()]


def _shipped_names() -> list[str]:
    return sorted(path.parent.name for path in SHIPPED.glob(f"*/{DECLARATION}"))


def find_feed(name_or_path: str) -> Feed:
    """Return a shipped feed by name, or the feed in a folder of the user's own.

    Raises
    ------
    BackcourtError
        If there is neither, or the folder is not a feed.
    """
    if name_or_path in _shipped_names():
        return _read(SHIPPED / name_or_path)
    folder = Path(name_or_path)
    if name_or_path and (folder / DECLARATION).is_file():
        return _read(folder.resolve())
    lacks = [f"{folder} has no {DECLARATION}."] if folder.is_dir() else []
    raise BackcourtError(
        f"{name_or_path!r} is not a feed",
        [
            *lacks,
            f"Known: {', '.join(_shipped_names())}.",
            f"A feed of your own is a folder with {DECLARATION}: docs/feeds.md.",
        ],
        ExitCode.USAGE,
    )


def _read(folder: Path) -> Feed:
    declaration = folder / DECLARATION
    try:
        given = tomllib.loads(declaration.read_text("utf-8-sig"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise _unusable(declaration, f"it is no TOML: {error}") from error
    except OSError as error:
        raise _unusable(declaration, error.strerror or str(error)) from error
    given = _checked(declaration, "", given, _KEYS)
    base = _shipped(declaration, given["extends"]) if "extends" in given else None
    if base is None and "ids" not in given:
        raise _unusable(declaration, f"ids is missing; it is one of {', '.join(IDS)}")
    if given.get("ids", IDS[0]) not in IDS:
        raise _unusable(declaration, f"ids = {given['ids']!r} is none of {', '.join(IDS)}")
    own_sources = {
        name: _source(declaration, name, table) for name, table in given.get("sources", {}).items()
    }
    sources = {**({each.name: each for each in base.sources} if base else {}), **own_sources}
    if not sources:
        raise _unusable(declaration, "sources is missing: no file would belong to the feed")
    names = list(sources)
    for name in own_sources:
        if [each.lower() for each in sources].count(name.lower()) > 1:
            raise _unusable(
                declaration, f"sources.{name}: another source has this name in another case"
            )
    reads = _known(declaration, "reads", given.get("reads", names), names)
    fills = _known(declaration, "fills", given.get("fills", TABLES), TABLES)
    own = read_selects(folder, may_have_none=base is not None)
    selects = {**(base.selects if base else {}), **own}
    return Feed(
        folder,
        given["title"],
        given["ids"] == "nba" if "ids" in given or base is None else base.has_league_ids,
        tuple(sources.values()),
        frozenset(reads),
        {table: select for table, select in selects.items() if table in fills},
    )


def _source(declaration: Path, name: str, table: object) -> Source:
    where = f"sources.{name}"
    if not _NAME.fullmatch(name) or name.lower() in _TAKEN:
        raise _unusable(
            declaration,
            f"{where}: name the source with letters, digits and _, and none of "
            f"{', '.join(sorted(_TAKEN))}",
        )
    if not isinstance(table, dict):
        raise _unusable(declaration, f"{where} is no table")
    given = _checked(declaration, where, table, _SOURCE_KEYS)
    if "like" in given:
        base = _shipped(declaration, given["like"])
        known = {source.name: source for source in base.sources}
        _known(declaration, "sources", [name], known)
        return known[name]
    needs, may = tuple(given.get("needs", ())), tuple(given.get("may", ()))
    if not needs:
        raise _unusable(declaration, f"{where} needs no column, so every file would belong to it")
    seen = {"file_number"}
    for column in (*needs, *may):
        if column.lower() in seen or not column.strip() or {"'", '"'} & set(column):
            raise _unusable(
                declaration,
                f"{where}: {column!r} cannot be a column; write each name once and without quotes; "
                "file_number is taken",
            )
        seen.add(column.lower())
    kind: Kind = "result_set" if "result_set" in given else "json" if "json" in given else "table"
    if kind == "json" and "select" not in given:
        raise _unusable(declaration, f"{where} has no select, which json needs")
    unused = [key for key in ("json", "select", "lists") if key in given and kind != "json"]
    if unused:
        beside = " beside result_set" if kind == "result_set" else " without json"
        raise _unusable(declaration, f"{where}.{unused[0]} has no use{beside}")
    for key, path in (
        ("json", given.get("json")),
        *(("lists", each) for each in given.get("lists", ())),
    ):
        if path is not None and not _PATH.fullmatch(path):
            raise _unusable(
                declaration, f"{where}.{key} = {path!r} is no path such as game.actions"
            )
    return Source(
        name,
        kind,
        given.get(kind, ""),
        given.get("select", ""),
        tuple(given.get("lists", ())),
        needs,
        may,
        tuple(given.get("without", ())),
        f"{declaration}: {where}",
    )


def _checked(
    declaration: Path, where: str, given: Mapping[str, Any], keys: Mapping[str, type]
) -> dict[str, Any]:
    """Refuse an unknown key, and a value of another type."""
    for key, value in given.items():
        name = f"{where}.{key}" if where else key
        if key not in keys:
            raise _unusable(declaration, f"{name} is no key of it; known: {', '.join(keys)}")
        is_right = isinstance(value, keys[key])
        if isinstance(value, list):
            is_right = is_right and all(isinstance(each, str) for each in value)
        if not is_right:
            wanted = {"str": "a text", "list": "a list of texts", "dict": "a table"}
            what = wanted[keys[key].__name__]
            raise _unusable(declaration, f"{name} = {value!r} is not {what}")
    if not where and "title" not in given:
        raise _unusable(declaration, "title is missing")
    return dict(given)


def _known(
    declaration: Path, key: str, names: Sequence[str], known: Collection[str]
) -> Sequence[str]:
    if not names:
        raise _unusable(declaration, f"{key} names nothing; known: {', '.join(known)}")
    for name in names:
        if name not in known:
            raise _unusable(
                declaration, f"{key} names {name!r}, which is none of {', '.join(known)}"
            )
    return names


def _shipped(declaration: Path, name: str) -> Feed:
    _known(declaration, "extends or like", [name], _shipped_names())
    return _read(SHIPPED / name)


def _unusable(declaration: Path, problem: str) -> BackcourtError:
    return BackcourtError(f"{declaration}: {problem}", "See docs/feeds.md.", ExitCode.USAGE)
