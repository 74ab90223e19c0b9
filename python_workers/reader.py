"""A read-only Python interface for notebooks: pandas frames from either warehouse.

>>> from python_workers.reader import Reader
>>> reader = Reader()                                               # doctest: +SKIP
>>> reader.training_examples(season="2023-24", player="lebronjames")  # doctest: +SKIP
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import Any, NamedTuple

import pandas as pd
import pyarrow as pa

from python_workers import table_names
from python_workers.accounting.coverage import COUNTS, read_coverage
from python_workers.accounting.schedule import game_dates, resolve
from python_workers.backfill.project_state import project_state
from python_workers.choices import Target
from python_workers.errors import BackcourtError, ExitCode
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, BY_NAME, PROCESSORS
from python_workers.raw.descriptions import models_folder
from python_workers.raw.player_registry import fold_name
from python_workers.reading.dictionary import data_dictionary
from python_workers.reading.outputs import FAILURES, OUTPUTS, TRAINING_EXAMPLES, Output, read_output
from python_workers.reading.scope import Scope
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_beside_a_run

Day = dt.date | str
Player = int | str

_PLAYERS = f"""
select player_id, player_lookup, player_name
from {table_names.PLAYER_REGISTRY}
order by player_id
"""  # noqa: S608 our own names

# Nullable types, so that a column has one type whatever is missing in it.
_DTYPES: dict[pa.DataType, Any] = {
    pa.int64(): pd.Int64Dtype(),
    pa.bool_(): pd.BooleanDtype(),
    pa.string(): pd.StringDtype("pyarrow"),
}
_COVERAGE_SCHEMA = pa.schema(
    [
        ("processor", pa.string()),
        ("analysis_date", pa.date32()),
        ("coverage_status", pa.string()),
        ("stale_reason", pa.string()),
        *((name, pa.int64()) for name in COUNTS),
    ]
)


class _Request(NamedTuple):
    start: Day | None
    end: Day | None
    season: str | Sequence[str] | None
    player: Player | None = None
    columns: Sequence[str] | None = None


class Reader:
    """Reads the outputs of a warehouse as pandas frames.

    A call opens the warehouse, reads and closes it: between calls nobody waits for a reader. While
    a run holds a DuckDB file, a call reads a temporary copy with all commits so far.

    Every method takes a range: ``start`` and ``end``, both included, or a ``season`` or several;
    without them, every game date. Frames have the columns of the contract in their order, with the
    types Int64, float64, boolean, string and datetime64, and are sorted by date and entity.

    Parameters
    ----------
    target
        ``duckdb`` or ``bigquery``; None takes ``BACKCOURT_TARGET``.
    **settings
        Any setting of docs/reference.md in lower case, such as ``duckdb_path`` or ``bq_project``;
        others come from the environment.

    Raises
    ------
    BackcourtError
        From every method: with exit code 2 for a wrong argument, with 3 if there is no such
        warehouse, table, date or player.
    """

    def __init__(self, target: Target | None = None, **settings: Any) -> None:  # noqa: ANN401
        self.settings = load_settings(target=target, **settings)

    def training_examples(
        self,
        *,
        start: Day | None = None,
        end: Day | None = None,
        season: str | Sequence[str] | None = None,
        player: Player | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return features with what then happened, a row per player and game date.

        Parameters
        ----------
        start, end, season
            The range.
        player
            Only this player, by id, lookup or name.
        columns
            Only these columns; `features` and `labels` name those to learn from.
        """
        return self._read(TRAINING_EXAMPLES, _Request(start, end, season, player, columns))

    def rows(
        self,
        processor: str = "mlfs",
        *,
        start: Day | None = None,
        end: Day | None = None,
        season: str | Sequence[str] | None = None,
        player: Player | None = None,
        columns: Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the rows of a processor.

        Parameters
        ----------
        processor
            Its key, such as ``psza``.
        start, end, season, columns
            As for `training_examples`.
        player
            Only this player; for ``tdza`` a team's abbreviation.
        """
        output = OUTPUTS[_processor(processor).key]
        return self._read(output, _Request(start, end, season, player, columns))

    def failures(
        self,
        processor: str | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        season: str | Sequence[str] | None = None,
        player: Player | None = None,
    ) -> pd.DataFrame:
        """Return who has no row, and why.

        Parameters
        ----------
        processor
            Only failures of this processor.
        start, end, season, player
            As for `rows`.
        """
        where = {} if processor is None else {"processor_name": _processor(processor).name}
        return self._read(FAILURES, _Request(start, end, season, player), where)

    def coverage(
        self,
        processor: str | None = None,
        *,
        start: Day | None = None,
        end: Day | None = None,
        season: str | Sequence[str] | None = None,
    ) -> pd.DataFrame:
        """Return the reconciliation of each processor and date, as ``backcourt coverage`` does.

        Parameters
        ----------
        processor
            Only this processor.
        start, end, season
            The range.
        """
        chosen = PROCESSORS if processor is None else (_processor(processor),)
        with self._opened(_Request(start, end, season)) as (warehouse, scope):
            state = project_state(resolve_project_dir())
            found = read_coverage(warehouse, scope.schedule, chosen, state)
        rows = [{**row, "processor": BY_NAME[row["processor_name"]].key} for row in found.by_date]
        return _frame(pa.Table.from_pylist(rows, _COVERAGE_SCHEMA))

    @property
    def features(self) -> list[str]:
        """Names of the columns of `training_examples` that are known before the game."""
        return self._with_role("feature")

    @property
    def labels(self) -> list[str]:
        """Names of the columns of `training_examples` that say what then happened."""
        return self._with_role("label")

    def _with_role(self, role: str) -> list[str]:
        table = TRAINING_EXAMPLES.table
        with open_beside_a_run(self.settings) as warehouse:
            columns = warehouse.columns(table)
        (entry,) = data_dictionary({table: columns}, models_folder())
        return [column.name for column in entry.columns if column.role == role]

    def _read(
        self, output: Output, request: _Request, equals: Mapping[str, object] | None = None
    ) -> pd.DataFrame:
        with self._opened(request) as (warehouse, scope):
            wanted = dict(equals or {})
            if request.player is not None:
                wanted |= _entity(warehouse, output, request.player)
            if request.columns is not None:
                _check_columns(warehouse, output, request.columns)
            table = read_output(
                warehouse,
                output,
                scope,
                where=[f"{name} = @{name}" for name in wanted],
                columns=request.columns,
                **wanted,
            )
        return _frame(table)

    @contextmanager
    def _opened(self, request: _Request) -> Iterator[tuple[Warehouse, Scope]]:
        seasons = [request.season] if isinstance(request.season, str) else request.season or []
        start, end = _day(request.start), _day(request.end)
        with open_beside_a_run(self.settings) as warehouse:
            known = game_dates(warehouse)
            if start is not None or end is not None:
                start, end = start or known[0][0], end or known[-1][0]
            everything = not seasons and start is None
            schedule = resolve(warehouse, start, end, seasons, everything=everything)
            yield warehouse, Scope(schedule, known)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get, date_as_object=False)
    return frame


def _day(day: Day | None) -> dt.date | None:
    if isinstance(day, dt.datetime):
        return day.date()
    if day is None or isinstance(day, dt.date):
        return day
    try:
        return dt.date.fromisoformat(day)
    except ValueError as error:
        raise BackcourtError(
            f"{day!r} is not a date", "Write it as YYYY-MM-DD.", ExitCode.USAGE
        ) from error


def _processor(key: str) -> Processor:
    if key not in BY_KEY:
        raise BackcourtError(
            f"{key!r} is no processor", f"Choose from {', '.join(BY_KEY)}.", ExitCode.USAGE
        )
    return BY_KEY[key]


def _entity(warehouse: Warehouse, output: Output, player: Player) -> dict[str, object]:
    """Return the columns by which the rows of a player, or of a team, are found."""
    is_of_teams = output.processor is not None and output.processor.entity == "team_abbr"
    if is_of_teams:
        return {"team_abbr": str(player)}
    if isinstance(player, int):
        return {"player_id": player}
    players = warehouse.query(_PLAYERS).to_pylist()
    of_lookup = [row for row in players if row["player_lookup"] == player]
    folded = fold_name(player)
    found = of_lookup or [row for row in players if fold_name(row["player_name"] or "") == folded]
    if len(found) == 1:
        return {"player_id": found[0]["player_id"]}
    near = found or [row for row in players if folded in fold_name(row["player_name"] or "")]
    candidates = ", ".join(f"{row['player_id']} {row['player_name']}" for row in near[:5])
    raise BackcourtError(
        f"{len(found) or 'no'} players are called {player!r}",
        f"Name one by his id: {candidates}" if near else "Give his id, lookup or whole name.",
        ExitCode.ENVIRONMENT,
    )


def _check_columns(warehouse: Warehouse, output: Output, columns: Sequence[str]) -> None:
    known = [column.name for column in warehouse.columns(output.table)]
    unknown = [name for name in columns if name not in known]
    if unknown or not columns:
        raise BackcourtError(
            f"{output.table} has no column {', '.join(unknown) or 'without a name'}",
            f"It has {', '.join(known)}.",
            ExitCode.USAGE,
        )
