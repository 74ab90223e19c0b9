"""What must hold within a row of a raw table, and between a row and its game.

The conditions are SQL that DuckDB and BigQuery share: a load runs them over its files, a conversion
over its results, and an adoption over the tables in the warehouse.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from python_workers.raw.schema import GAMES, PLAYER_BOX_SCORES, RawTable

# The first season of the league; and the last year that the date range of a run may have.
FIRST_SEASON, LAST_SEASON = 1946, 2198

_WITHIN = (
    ("fgm", "fga"),
    ("fg3m", "fg3a"),
    ("ftm", "fta"),
    ("fg3m", "fgm"),
    ("fg3a", "fga"),
)
_YEAR = "cast(substr(season, 1, 4) as int64)"
# The league's game ids: two zeros, the kind of game, the season's first year, the game's number.
# A game id has ten letters or digits; without letters, both cases of it are the same.
_IS_LEAGUE_ID = (
    "substr(game_id, 1, 2) = '00' and substr(game_id, 3, 1) in ('1', '2', '3', '4', '5', '6') "
    "and lower(game_id) = upper(game_id)"
)
_OTHER_KINDS = {"1": "a preseason game", "3": "an All-Star game", "6": "the final of the NBA Cup"}
_LABELS = ("game_id", "season", "season_type")
_ID_ADVICE = (
    "An id like 0022100001 belongs to season 2021-22; its third digit is 2 for the regular "
    "season, 4 for the playoffs, 5 for the play-in. Leave out all other games."
)


@dataclass(frozen=True)
class Rule:
    """A contradiction within a row.

    Parameters
    ----------
    schema
        The table.
    condition
        SQL that is true for wrong rows.
    problem
        What is wrong, for example ``column fgm is above fga``.
    columns
        Columns whose values to show.
    advice
        What to do.
    """

    schema: RawTable
    condition: str
    problem: str
    columns: Sequence[str]
    advice: str


_OF_GAMES = (
    Rule(
        GAMES,
        f"{_YEAR} not between {FIRST_SEASON} and {LAST_SEASON}",
        "column season is no season of the league",
        _LABELS,
        _ID_ADVICE,
    ),
    *(
        Rule(
            GAMES,
            f"{_IS_LEAGUE_ID} and substr(game_id, 3, 1) = '{digit}'",
            f"the game_id is that of {kind}, which counts for no season",
            _LABELS,
            _ID_ADVICE,
        )
        for digit, kind in _OTHER_KINDS.items()
    ),
    Rule(
        GAMES,
        f"{_IS_LEAGUE_ID} and substr(game_id, 3, 1) != "
        "case season_type when 'regular' then '2' when 'playoffs' then '4' else '5' end",
        "the game_id and the column season_type disagree on the kind of the game",
        _LABELS,
        _ID_ADVICE,
    ),
    Rule(
        GAMES,
        f"{_IS_LEAGUE_ID} and substr(game_id, 4, 2) != substr(season, 3, 2)",
        "the game_id and the column season disagree on the season",
        _LABELS,
        _ID_ADVICE,
    ),
    Rule(
        GAMES,
        "home_team_abbr = away_team_abbr",
        "home_team_abbr and away_team_abbr are the same team",
        ("game_id", "home_team_abbr"),
        "A team does not play itself.",
    ),
    Rule(
        GAMES,
        "status = 'final' and (home_score is null or away_score is null)",
        "column home_score or away_score is empty though the status is final",
        ("game_id", "home_score", "away_score"),
        "Give both scores, or the status that the game really has.",
    ),
    Rule(
        GAMES,
        "status = 'final' and home_score = away_score",
        "home_score and away_score of a final game are equal",
        ("game_id", "home_score", "away_score"),
        "A finished game has a winner.",
    ),
    Rule(
        GAMES,
        f"extract(year from game_date) not between {_YEAR} and {_YEAR} + 1",
        "column game_date lies outside the season",
        ("game_id", "season", "game_date"),
        "A season 2021-22 is played in 2021 and 2022.",
    ),
)
_OF_LINES = tuple(
    Rule(
        PLAYER_BOX_SCORES,
        f"{part} > {whole}",
        f"column {part} is above {whole}",
        (*PLAYER_BOX_SCORES.key, "player_name", part, whole),
        "Makes cannot exceed attempts, and threes cannot exceed field goals.",
    )
    for part, whole in _WITHIN
)


def rules_of(schema: RawTable) -> tuple[Rule, ...]:
    """Return the rules of a table, in the order in which to check them."""
    return tuple(rule for rule in (*_OF_GAMES, *_OF_LINES) if rule.schema is schema)


def has_teams(schema: RawTable) -> bool:
    """Tell whether the table's rows belong to a team of a game."""
    names = {column.name for column in schema.columns}
    return {"game_id", "team_abbr"} <= names


def rows_of_another_team(lines: str, games: str, columns: Sequence[str]) -> str:
    """Return the SELECT of the rows whose team does not play in their game.

    Parameters
    ----------
    lines, games
        Relations: rows with ``game_id`` and ``team_abbr``; games with their two teams.
    columns
        Columns of the rows to select, beside ``teams``, the two teams of the game.
    """
    shown = ", ".join(f"of_team.{name}" for name in columns)
    return (
        f"select {shown}, games.home_team_abbr || ' - ' || games.away_team_abbr as teams "  # noqa: S608 our own names
        f"from {lines} as of_team inner join {games} as games on of_team.game_id = games.game_id "
        "where of_team.team_abbr not in (games.home_team_abbr, games.away_team_abbr) "
        f"order by {shown}"
    )


def problem_of_another_team(teams: str) -> str:
    """Return what is wrong with such a row, from the two teams of its game."""
    return f"column team_abbr names a team that does not play in the game ({teams})"


def games_unknown(lines: str, games: str) -> str:
    """Return the SELECT of the ``game_id`` of each game that has rows, and is not in games."""
    return (
        f"select distinct game_id from {lines} as lines "  # noqa: S608 as above
        f"where game_id not in (select game_id from {games} as games) order by game_id"
    )
