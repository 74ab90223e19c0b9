"""What a processor declares about itself: every fact once, in its own module."""

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
    """Who is expected to have a row or a failure on a game date."""

    SCHEDULED_TEAMS = "scheduled_teams"
    """Every team on the season's schedule."""

    PLAYERS_WITH_A_GAME = "players_with_a_game"
    """Every player who has an actual game of the season before the date."""

    LISTED_PLAYERS = "listed_players"
    """Every player listed for a game on the date, or on the recent roster of one of its teams."""


@dataclass(frozen=True)
class PoolWork:
    """The work of a processor that worker processes compute.

    Parameters
    ----------
    compute
        The pure function: tables and plain values in, rows and failures out.
    output
        Its columns: types, ranges, and which of them enter the hash.
    player_columns
        Columns of the inputs model, one row per (analysis_date, player_id).
    game_columns
        Columns of the inputs model, one row per (analysis_date, player_id, game_rank); none where
        the inputs have no games.
    upstream_columns
        By the key of each upstream processor, the columns of its rows of the same date.
    checks_completeness
        Whether the function takes daily mode's ``checked_dates`` and ``waived_dates``.
    """

    compute: Compute
    output: OutputTable
    player_columns: Sequence[str]
    game_columns: Sequence[str] = ()
    upstream_columns: Mapping[str, Sequence[str]] = field(default_factory=dict)
    checks_completeness: bool = False

    @property
    def past_dates(self) -> tuple[str, ...]:
        """Columns of the inputs model whose dates come before the row's: those of games."""
        dates = {"game_date": self.game_columns, "last_played_date": self.player_columns}
        return tuple(name for name, columns in dates.items() if name in columns)


@dataclass(frozen=True)
class SqlWork:
    """The work of a processor that dbt builds.

    Parameters
    ----------
    missing_rows
        A select that says of each expected entity of ``@processor`` on the dates ``@days``, all
        between ``@first`` and ``@last``, why it would have no row: ``analysis_date``,
        ``entity_id``, ``player_id``, ``actual_game_count``, ``failure_category``,
        ``failure_reason`` and ``missing_game_dates`` (ISO dates separated by commas, or NULL).
    upstream
        Keys of the processors whose rows of the same date the model reads.
    required_games
        Fewest actual games of an entity; None where none are required.
    """

    missing_rows: str
    upstream: tuple[str, ...] = ()
    required_games: int | None = None


@dataclass(frozen=True, eq=False)
class Processor:
    """One processor, the same only as itself.

    Parameters
    ----------
    number
        Its place in tables and reports, and what ``--start-from`` takes.
    key
        Its name on the command line, such as ``psza``.
    name
        As stored in ``processor_name``.
    title
        What people call it.
    calculation_version
        A new one re-opens every date.
    model, schema, date_column
        The dbt model of its rows, where it stands, and the column that holds their date.
    inputs_model
        The dbt model of its inputs, in ``nba_precompute``.
    entity
        The column that names whom a row is about.
    population
        Who is expected to have a row or a failure.
    work
        How its rows come about.
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
        """Where its rows go: schema and table."""
        return f"{self.schema}.{self.model}"

    @property
    def inputs(self) -> str:
        """Where its inputs stand: schema and table."""
        return f"{INPUTS_SCHEMA}.{self.inputs_model}"

    @property
    def upstream(self) -> tuple[str, ...]:
        """Keys of the processors whose rows of the same date it reads."""
        if isinstance(self.work, SqlWork):
            return self.work.upstream
        return tuple(self.work.upstream_columns)

    @property
    def engine(self) -> Literal["pool", "sql"]:
        """Who computes its rows: ``pool``, worker processes; ``sql``, dbt."""
        return "pool" if isinstance(self.work, PoolWork) else "sql"

    @property
    def entity_name(self) -> str:
        """The column of its rows that people read: a team's abbreviation, a player's lookup."""
        return "team_abbr" if self.entity == "team_abbr" else "player_lookup"


def waves(processors: Sequence[Processor]) -> list[tuple[Processor, ...]]:
    """Put processors in an order in which each comes after everything that it reads.

    Parameters
    ----------
    processors
        Some processors. What they read and is not among them is there already.

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
