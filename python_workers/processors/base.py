"""The declaration of a processor: each processor states all its facts once, in its own module."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Literal

from python_workers import table_names
from python_workers.processors.isolation import Compute
from python_workers.processors.output_table import OutputTable

Entity = Literal["player_id", "team_abbr"]

INPUTS_SCHEMA = table_names.PRECOMPUTE


class Population(StrEnum):
    """The entities that must have a row or a failure on a game date."""

    SCHEDULED_TEAMS = "scheduled_teams"
    """Every team on the season's schedule."""

    PLAYERS_WITH_A_GAME = "players_with_a_game"
    """Every player who has an actual game of the season before the date."""

    LISTED_PLAYERS = "listed_players"
    """Every player listed for a game on the date, or on the recent roster of one of its teams."""


@dataclass(frozen=True)
class Games:
    """The games that a processor's windows hold.

    Parameters
    ----------
    columns
        Columns of the games model: ``season_year``, ``player_id``, ``game_number``, ``game_date``,
        and what is read of each game.
    window
        The greatest number of most recent games that a window holds.
    model
        The dbt model of the games, in ``nba_analytics``, with one row per (season_year, player_id,
        game_number). Numbers go 1, 2, ... within a player's season, in order of date.
    """

    columns: Sequence[str]
    window: int
    model: str = "int_player_games"

    @property
    def table(self) -> str:
        """Schema and table of the games."""
        return f"{table_names.ANALYTICS}.{self.model}"


@dataclass(frozen=True)
class PoolWork:
    """The work of a processor that worker processes compute.

    Parameters
    ----------
    compute
        The pure function: tables and plain values in, rows and failures out.
    output
        The output columns: types, ranges, and which of them enter the hash.
    player_columns
        Columns of the inputs model, one row per (analysis_date, player_id).
    games
        The games behind the players' windows, which ``season_year`` and ``actual_game_count`` of
        the player's row determine; None if the function reads no games.
    upstream_columns
        By the key of each upstream processor, the columns of its rows of the same date.
    checks_completeness
        Whether the function takes daily mode's ``checked_dates`` and ``waived_dates``.
    """

    compute: Compute
    output: OutputTable
    player_columns: Sequence[str]
    games: Games | None = None
    upstream_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checks_completeness: bool = False

    @property
    def window(self) -> int:
        """The greatest number of games that a window holds."""
        return self.games.window if self.games else 0

    @property
    def past_dates(self) -> tuple[str, ...]:
        """Columns of the inputs model whose dates come before the row's."""
        return tuple(name for name in ("last_played_date",) if name in self.player_columns)


@dataclass(frozen=True)
class SqlWork:
    """The work of a processor that dbt builds.

    Parameters
    ----------
    missing_rows
        A select that states, for each expected entity of ``@processor`` on the dates ``@days``, all
        between ``@first`` and ``@last``, why it would have no row: ``analysis_date``,
        ``entity_id``, ``player_id``, ``actual_game_count``, ``failure_category``,
        ``failure_reason`` and ``missing_game_dates`` (ISO dates separated by commas, or NULL).
    upstream
        Keys of the processors whose rows of the same date the model reads.
    required_games
        Smallest number of actual games that an entity needs; None if it needs none.
    """

    missing_rows: str
    upstream: tuple[str, ...] = ()
    required_games: int | None = None


@dataclass(frozen=True, eq=False)
class Processor:
    """One processor; compared by identity.

    Parameters
    ----------
    number
        Position in tables and reports; ``--start-from`` takes it.
    key
        Name on the command line, such as ``psza``.
    name
        Name stored in ``processor_name``.
    title
        Name in reports.
    calculation_version
        A new version makes every date due again.
    model, schema, date_column
        The dbt model of the rows, its schema, and the column with the date.
    inputs_model
        The dbt model of the inputs, in ``nba_precompute``.
    entity
        The column that names the entity of a row.
    population
        The entities that must have a row or a failure.
    work
        How the rows are computed.
    """

    number: int
    key: str
    name: str
    title: str
    calculation_version: str
    model: str
    inputs_model: str
    entity: Entity
    population: Population
    work: PoolWork | SqlWork
    schema: str = table_names.PRECOMPUTE
    date_column: str = "analysis_date"

    @property
    def table(self) -> str:
        """Schema and table of the rows."""
        return f"{self.schema}.{self.model}"

    @property
    def inputs(self) -> str:
        """Schema and table of the inputs."""
        return f"{INPUTS_SCHEMA}.{self.inputs_model}"

    @property
    def upstream(self) -> tuple[str, ...]:
        """Keys of the processors whose rows of the same date this one reads."""
        if isinstance(self.work, SqlWork):
            return self.work.upstream
        return tuple(self.work.upstream_columns)

    @property
    def is_downstream(self) -> bool:
        """Whether dbt builds its rows from those of other processors."""
        return isinstance(self.work, SqlWork) and bool(self.work.upstream)

    @property
    def engine(self) -> Literal["pool", "sql"]:
        """What computes the rows: ``pool`` (worker processes) or ``sql`` (dbt)."""
        return "pool" if isinstance(self.work, PoolWork) else "sql"

    @property
    def entity_name(self) -> str:
        """The column with the readable name: a team's abbreviation or a player's lookup."""
        return "team_abbr" if self.entity == "team_abbr" else "player_lookup"


def waves(processors: Sequence[Processor]) -> list[tuple[Processor, ...]]:
    """Order processors in waves, so that each comes after all processors that it reads.

    Parameters
    ----------
    processors
        Some processors. Rows of other processors that they read must exist already.

    Returns
    -------
    list of tuple
        Processors of a wave do not read each other's rows.

    Raises
    ------
    ValueError
        If processors wait for each other.

    Examples
    --------
    >>> from python_workers.processors.catalogue import PROCESSORS
    >>> [[processor.key for processor in wave] for wave in waves(PROCESSORS)]
    [['tdza', 'psza'], ['pcf', 'pdc'], ['mlfs']]
    """
    found: list[tuple[Processor, ...]] = []
    left = sorted(processors, key=lambda processor: processor.number)
    while left:
        waiting = {processor.key for processor in left}
        wave = tuple(
            processor for processor in left if not waiting.intersection(processor.upstream)
        )
        if not wave:
            raise ValueError(f"these processors wait for each other: {', '.join(sorted(waiting))}")
        found.append(wave)
        left = [processor for processor in left if processor not in wave]
    return found
