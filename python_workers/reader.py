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

from python_workers.accounting.coverage import COUNTS, check_backfilled, read_coverage
from python_workers.accounting.schedule import game_dates, resolve
from python_workers.backfill.dbt_project import DbtProject
from python_workers.choices import Target
from python_workers.errors import BackcourtError, ExitCode
from python_workers.explain.answer import explain_all
from python_workers.explain.entities import find
from python_workers.processors.base import Processor
from python_workers.processors.catalogue import BY_KEY, BY_NAME, PROCESSORS
from python_workers.raw.descriptions import models_folder
from python_workers.reading.dictionary import data_dictionary
from python_workers.reading.outputs import FAILURES, OUTPUTS, TRAINING_EXAMPLES, Output, read_output
from python_workers.reading.scope import Scope
from python_workers.settings import load_settings, resolve_project_dir
from python_workers.warehouse.base import Warehouse
from python_workers.warehouse.open import open_beside_a_run

Day = dt.date | str
Player = int | str

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


_EXPLAIN_SCHEMA = pa.schema(
    [
        *(
            (name, pa.string())
            for name in ("processor", "name", "formula", "filled", "value", "stored", "problem")
        ),
        ("is_column", pa.bool_()),
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
            state = DbtProject(self.settings).state()
            found = read_coverage(warehouse, scope.schedule, chosen, state)
        rows = [{**row, "processor": BY_NAME[row["processor_name"]].key} for row in found.by_date]
        return _frame(pa.Table.from_pylist(rows, _COVERAGE_SCHEMA))

    def explain(self, player: Player, date: Day, processor: str | None = None) -> pd.DataFrame:
        """Return how the values of a row come about, as ``backcourt explain`` does.

        Parameters
        ----------
        player
            A player, by id, lookup or name; or a team's abbreviation.
        date
            The date of the row.
        processor
            Only this processor.

        Returns
        -------
        pandas.DataFrame
            A line a value, all as text: ``processor``, ``name``, ``formula``, ``filled`` (the
            formula with its numbers), ``value`` (computed now), ``stored``, ``problem``; and as
            boolean ``is_column``. Without a row, the one line has the failure.
        """
        day = _day(date)
        if day is None:
            raise BackcourtError("explain needs a date", "Write it as YYYY-MM-DD.", ExitCode.USAGE)
        directory = resolve_project_dir()
        with open_beside_a_run(self.settings) as warehouse:
            who = find(warehouse, str(player))
            entity = "team_abbr" if who.player_id is None else "player_id"
            chosen = PROCESSORS if processor is None else (_processor(processor),)
            about = [each for each in chosen if each.entity == entity]
            found = explain_all(warehouse, about, day, who, directory)
        rows = []
        for each in found:
            failure = dict(each.failure or {})
            if failure:
                rows.append(
                    {
                        "processor": each.processor.key,
                        "name": failure["failure_category"],
                        "problem": failure["failure_reason"],
                        "is_column": False,
                    }
                )
            rows += [
                {
                    "processor": each.processor.key,
                    "name": line.name,
                    "formula": line.formula,
                    "filled": line.filled,
                    "value": _as_text(line.value),
                    "stored": _as_text(line.stored),
                    "problem": line.problem,
                    "is_column": line.is_column,
                }
                for line in each.lines
            ]
        return _frame(pa.Table.from_pylist(rows, _EXPLAIN_SCHEMA))

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
            check_backfilled(warehouse, schedule)
            yield warehouse, Scope(schedule, known)


def _frame(table: pa.Table) -> pd.DataFrame:
    frame: pd.DataFrame = table.to_pandas(types_mapper=_DTYPES.get, date_as_object=False)
    return frame


def _as_text(value: object) -> str | None:
    return None if value is None else str(value)


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
    who = find(warehouse, str(player))
    is_of_teams = output.processor is not None and output.processor.entity == "team_abbr"
    if output is not FAILURES and is_of_teams != (who.player_id is None):
        raise BackcourtError(
            f"{output.table} has no rows of {who.name}",
            f"Name a {'team' if is_of_teams else 'player'}.",
            ExitCode.USAGE,
        )
    if who.player_id is None:
        return {"entity_id" if output is FAILURES else "team_abbr": who.lookup}
    return {"player_id": who.player_id}


def _check_columns(warehouse: Warehouse, output: Output, columns: Sequence[str]) -> None:
    known = [column.name for column in warehouse.columns(output.table)]
    unknown = [name for name in columns if name not in known]
    if unknown or not columns:
        raise BackcourtError(
            f"{output.table} has no column {', '.join(unknown) or 'without a name'}",
            f"It has {', '.join(known)}.",
            ExitCode.USAGE,
        )
