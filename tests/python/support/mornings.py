"""A season morning by morning: the results of a day arrive after the day's own run."""

from __future__ import annotations

import copy
import datetime as dt
from collections.abc import Iterable
from pathlib import Path
from typing import Self

import duckdb

from python_workers.accounting.schedule import Schedule
from python_workers.backfill.outcome import BackfillResult
from python_workers.backfill.pool_stage import PoolOptions
from python_workers.daily.run import DailyOptions, run_daily
from python_workers.warehouse.duckdb.warehouse import DuckDBWarehouse
from tests.python.support.engine import Engine, Quiet

IN_PROCESS = PoolOptions(n_jobs=1, backend="threading")


class Mornings:
    """An engine whose raw tables know nothing of the days to come but the schedule.

    Parameters
    ----------
    known
        The whole season, loaded.
    folder
        Where the engine that knows less is made.
    first
        The first day whose results are taken away.
    """

    def __init__(self, known: Engine, folder: Path, first: dt.date) -> None:
        self.engine = known.copy(folder)
        self._known = known.path
        self.engine.execute(
            f"""delete from nba_raw.player_box_scores where game_id in (
                select game_id from nba_raw.games where game_date >= '{first}')""",
            f"""delete from nba_raw.shots where game_id in (
                select game_id from nba_raw.games where game_date >= '{first}')""",
            f"""update nba_raw.games set status = 'scheduled', home_score = null, away_score = null
                where game_date >= '{first}'""",
            "update nba_raw.loads set loaded_at = now()",
        )

    def copy(self, folder: Path) -> Self:
        """Return the same mornings on a copy of the engine."""
        copied = copy.copy(self)
        copied.engine = self.engine.copy(folder)
        return copied

    def daily(
        self,
        day: dt.date,
        *,
        allow_incomplete: bool = False,
        skip_downstream: bool = False,
        fresh_hours: float = 24.0,
    ) -> BackfillResult:
        """Run a day."""
        with DuckDBWarehouse(self.engine.path) as warehouse:
            return run_daily(
                warehouse,
                self.engine.project(),
                Schedule(day, day, (day,)),
                DailyOptions(
                    IN_PROCESS,
                    fresh_hours,
                    allow_incomplete=allow_incomplete,
                    skip_downstream=skip_downstream,
                ),
                Quiet(),
            )

    def deliver(self, day: dt.date, *, without_box_score: Iterable[str] = ()) -> None:
        """Load the results of a day."""
        held_back = ", ".join(f"'{game}'" for game in without_box_score) or "''"
        of_day = f"""select game_id from known.nba_raw.games
            where game_date = '{day}' and game_id not in ({held_back})"""
        self._from_known(
            f"""update nba_raw.games as g set status = k.status, home_score = k.home_score,
                away_score = k.away_score from known.nba_raw.games as k
                where g.game_id = k.game_id and k.game_date = '{day}'""",
            *self._lines_and_shots(of_day),
        )

    def deliver_box_score(self, game_id: str) -> None:
        """Load the box score and shots of one game."""
        self._from_known(*self._lines_and_shots(f"'{game_id}'"))

    @staticmethod
    def _lines_and_shots(games: str) -> list[str]:
        return [
            f"insert into nba_raw.{table} select * from known.nba_raw.{table} "
            f"where game_id in ({games})"
            for table in ("player_box_scores", "shots")
        ]

    def _from_known(self, *statements: str) -> None:
        with duckdb.connect(str(self.engine.path)) as connection:
            connection.execute(f"attach '{self._known}' as known (read_only)")
            for statement in statements:
                connection.execute(statement)
