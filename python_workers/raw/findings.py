"""Reads findings: what is wrong or missing in the raw tables (``nba_processing.raw_findings``)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from python_workers import table_names
from python_workers.warehouse.base import Warehouse

FINDINGS_MODEL = "raw_findings"

# Descriptions of the findings for users. The conditions are in macros/raw_findings.sql.
MEANINGS = {
    "line_of_unknown_game": "lines of games that are not in games",
    "line_of_another_team": "lines of a team that does not play in the game",
    "shot_of_unknown_game": "shots of games that are not in games",
    "shot_of_another_team": "shots of a team that does not play in the game",
    "game_of_unknown_season": "games of a season that is not in seeds/seasons.csv",
    "game_id_unlike_labels": "games whose id says another season or kind than their labels",
    "game_outside_its_season": "games before or after the days of their season",
    "count_missing": "lines that lack one of their counts",
    "counts_without_minutes": "lines with points, shots or other counts and no minutes",
    "shots_without_minutes": "lines without minutes of players with shots",
    "points_unlike_makes": "lines whose points are not 2 FGM + 3PM + FTM",
    "dnp_with_minutes": "lines marked as not playing, with minutes",
    "shots_unlike_attempts": "lines with other field-goal attempts than shots",
    "shots_unlike_makes": "lines with other makes or threes than shots",
    "minutes_beyond_game": "lines with more minutes than the game has",
    "starter_without_minutes": "starters without minutes",
    "line_of_unfinished_game": "lines of games that are scheduled or postponed",
    "shot_without_line": "shots of players without a line in the game",
    "shot_of_another_team_than_line": "shots for another team than the player's line",
    "shot_value_unlike_zone": "shots whose value contradicts their zone",
    "shot_contradicts_itself": "shots that contradict themselves (missed, yet assisted)",
    "shot_zone_elsewhere": "shots whose coordinates lie outside their zone",
    "clock_beyond_period": "shots with more seconds left than their period has",
    "shot_without_zone": "two-point shots from nowhere: no zone, place or distance",
    "box_score_missing": "teams without lines in a final game",
    "shots_missing": "teams with lines and no shots in a final game",
    "points_unlike_score": "teams whose lines do not sum to the score",
    "team_minutes_short": "teams whose lines are short of minutes",
    "team_minutes_beyond_game": "teams whose lines have more minutes than the game",
    "team_beyond_any_game": "teams whose lines hold more than any game",
    "two_games_on_a_date": "teams with two games on a date",
    "franchise_under_two_codes": "franchises with two codes in a season",
    "birth_date_unknown": "players without a birth date",
    "birth_date_is_placeholder": "birth dates that stand for an unknown day",
    "birth_date_unlikely": "birth dates that make no age of a player",
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
from {table_names.RAW_FINDINGS}
where {{condition}}
group by finding, table_name, season, is_error
order by is_error desc, table_name, finding, season
"""  # noqa: S608 our own names
_ALL = f"""
select {_COLUMNS}
from {table_names.RAW_FINDINGS}
where {{condition}}
order by is_error desc, table_name, finding, game_date, game_id, team_abbr, player_id, detail
"""  # noqa: S608 as above

# A line with one of these findings counts as unknown, and so does every value that needs it.
CONTRADICTIONS = ("counts_without_minutes", "shots_without_minutes", "points_unlike_makes")


@dataclass(frozen=True)
class Finding:
    """How often something was found in a table and season.

    Parameters
    ----------
    finding, table_name
        Name of the finding, and the raw table to correct.
    season
        None for unknown games, and for players.
    is_error
        Whether it must be corrected.
    found
        Number of rows, teams or games.
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


@dataclass(frozen=True)
class FindingRow:
    """A finding with its counts by season, for display in tables.

    Parameters
    ----------
    table_name, meaning, is_error
        As in `Finding`.
    by_season
        Counts by season; None is the key for findings without a season.
    example
        The first example of all seasons.
    """

    table_name: str
    meaning: str
    is_error: bool
    by_season: Mapping[str | None, int]
    example: str


def over_seasons(found: Sequence[Finding]) -> tuple[list[str | None], list[FindingRow]]:
    """Return the seasons that occur and a row per finding, errors first."""
    seasons: list[str | None] = [*sorted({finding.season for finding in found if finding.season})]
    if any(not finding.season for finding in found):
        seasons.append(None)
    kinds: dict[tuple[bool, str, str], list[Finding]] = {}
    for finding in found:
        kinds.setdefault((not finding.is_error, finding.table_name, finding.finding), []).append(
            finding
        )
    rows = [
        FindingRow(
            table,
            group[0].meaning,
            group[0].is_error,
            {finding.season: finding.found for finding in group},
            min(finding.example for finding in group),
        )
        for (_, table, _), group in sorted(kinds.items(), key=lambda item: item[0])
    ]
    return seasons, rows


def of_games(game_ids: Sequence[str], *, with_players: bool) -> tuple[str, Mapping[str, object]]:
    """Return the condition and its parameters for findings about some games, or players too."""
    # BigQuery does not know the type of an empty list.
    conditions = ["game_id in unnest(@game_ids)"] if game_ids else []
    conditions += ["game_id is null"] if with_players else []
    condition = f"({' or '.join(conditions)})" if conditions else "false"
    return condition, {"game_ids": list(game_ids)} if game_ids else {}


def count_findings(
    warehouse: Warehouse, condition: str, params: Mapping[str, object]
) -> list[Finding]:
    """Count the findings that satisfy a condition; none if the view does not exist."""
    if not warehouse.has_table(table_names.RAW_FINDINGS):
        return []
    rows = warehouse.query(_COUNTS.format(condition=condition), params).to_pylist()
    return [Finding(**row) for row in rows]


def list_findings(
    warehouse: Warehouse, condition: str, params: Mapping[str, object]
) -> list[Mapping[str, object]]:
    """List the findings that satisfy a condition, errors first."""
    if not warehouse.has_table(table_names.RAW_FINDINGS):
        return []
    found: list[Mapping[str, object]] = warehouse.query(
        _ALL.format(condition=condition), params
    ).to_pylist()
    return found
