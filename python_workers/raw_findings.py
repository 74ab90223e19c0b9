"""What is wrong or missing in the raw tables, as ``nba_processing.raw_findings`` has it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date

from python_workers.warehouse.base import Warehouse

FINDINGS_VIEW = "nba_processing.raw_findings"
FINDINGS_MODEL = "raw_findings"

# What each finding says, for people. The conditions are in macros/raw_findings.sql.
MEANINGS = {
    "line_of_unknown_game": "lines of games that are not in games",
    "line_of_another_team": "lines of a team that does not play in the game",
    "shot_of_unknown_game": "shots of games that are not in games",
    "shot_of_another_team": "shots of a team that does not play in the game",
    "game_of_unknown_season": "games of a season that is not in seeds/seasons.csv",
    "game_id_unlike_labels": "games whose id says another season or kind than their labels",
    "game_outside_its_season": "games before or after the days of their season",
    "counts_without_minutes": "lines with points, shots or other counts and no minutes",
    "shots_without_minutes": "lines without minutes of players with shots",
    "points_unlike_makes": "lines whose points are not 2 FGM + 3PM + FTM",
    "dnp_with_minutes": "lines marked as not playing, with minutes",
    "shots_unlike_attempts": "lines with other field-goal attempts than shots",
    "starter_without_minutes": "starters without minutes",
    "line_of_unfinished_game": "lines of games that are scheduled or postponed",
    "shot_without_line": "shots of players without a line in the game",
    "shot_of_another_team_than_line": "shots for another team than the player's line",
    "shot_value_unlike_zone": "shots whose value contradicts their zone",
    "shot_contradicts_itself": "shots missed and assisted, or made and blocked",
    "box_score_missing": "teams without lines in a final game",
    "shots_missing": "teams with lines and no shots in a final game",
    "points_unlike_score": "teams whose lines do not sum to the score",
    "team_minutes_short": "teams whose lines are short of minutes",
    "two_games_on_a_date": "teams with two games on a date",
    "birth_date_unknown": "players without a birth date",
    "birth_date_is_placeholder": "birth dates that stand for an unknown day",
}

_COLUMNS = "finding, table_name, season, game_id, team_abbr, player_id, detail, is_error, game_date"
_COUNTS = f"""
select
    finding, table_name, season, is_error, count(*) as found,
    min(
        coalesce(cast(game_date as string) || ' ', '')
        || coalesce(game_id || ' ', '')
        || coalesce('player ' || cast(player_id as string) || ': ', '')
        || detail
    ) as example
from {FINDINGS_VIEW}
where {{condition}}
group by finding, table_name, season, is_error
order by is_error desc, table_name, finding, season
"""  # noqa: S608 our own names
_ALL = f"""
select {_COLUMNS}
from {FINDINGS_VIEW}
where {{condition}}
order by is_error desc, table_name, finding, game_date, game_id, team_abbr, player_id, detail
"""  # noqa: S608 as above


@dataclass(frozen=True)
class Finding:
    """How often something was found in a table and season.

    Parameters
    ----------
    finding, table_name
        Its name, and the raw table to correct.
    season
        None for games that are unknown, and for players.
    is_error
        Whether it has to be mended.
    found
        How many rows, teams or games.
    example
        The first of them, in words.
    """

    finding: str
    table_name: str
    season: str | None
    is_error: bool
    found: int
    example: str

    @property
    def meaning(self) -> str:
        """What was found."""
        return MEANINGS.get(self.finding, self.finding.replace("_", " "))


def findings_of_games(
    warehouse: Warehouse, game_ids: Sequence[str], *, with_players: bool = False
) -> list[Finding]:
    """Count what is found about some games, and about players where they are asked for."""
    condition, params = _of_games(game_ids, with_players=with_players)
    return _counts(warehouse, condition, params)


def all_findings_of_games(
    warehouse: Warehouse, game_ids: Sequence[str], *, with_players: bool = False
) -> list[Mapping[str, object]]:
    """Return each finding about some games by itself."""
    condition, params = _of_games(game_ids, with_players=with_players)
    found: list[Mapping[str, object]] = warehouse.query(
        _ALL.format(condition=condition), params
    ).to_pylist()
    return found


def findings_of_range(
    warehouse: Warehouse, start: date, end: date, *, only_errors: bool = False
) -> list[Finding]:
    """Count what is found about the games of a range, about unknown games and about players.

    A warehouse whose view was never built has none.
    """
    if not warehouse.has_table(FINDINGS_VIEW):
        return []
    condition = "(game_date between @start and @end or game_date is null)"
    if only_errors:
        condition += " and is_error"
    return _counts(warehouse, condition, {"start": start, "end": end})


def _of_games(game_ids: Sequence[str], *, with_players: bool) -> tuple[str, Mapping[str, object]]:
    # BigQuery does not know the type of an empty list.
    conditions = ["game_id in unnest(@game_ids)"] if game_ids else []
    conditions += ["game_id is null"] if with_players else []
    condition = f"({' or '.join(conditions)})" if conditions else "false"
    return condition, {"game_ids": list(game_ids)} if game_ids else {}


def _counts(warehouse: Warehouse, condition: str, params: Mapping[str, object]) -> list[Finding]:
    rows = warehouse.query(_COUNTS.format(condition=condition), params).to_pylist()
    return [Finding(**row) for row in rows]
