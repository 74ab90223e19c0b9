"""The SELECTs of docs/adopt are BigQuery's, and give the columns of the raw tables."""

from __future__ import annotations

import re
from collections.abc import Iterable

import pytest

from python_workers.feeds.feed import find_feed
from python_workers.raw.adoption import read_selects
from python_workers.raw.schema import RAW_TABLES
from tests.python.bigquery.analyzer import check_statements
from tests.python.support.folders import REPOSITORY

LAYOUTS = REPOSITORY / "docs" / "adopt"
# The frames of nba_api give these as numbers, and all else as text.
NUMBERS = re.compile(
    r"(?i).*(made|attempted|rebounds.*|assists|steals|blocks|turnovers|points|personal|status|score"
    r"|personid|player_id|person_id|event_id|period|remaining|distance|loc_[xy]|flag|number|isfieldgoal"
    r"|pts)$"
)
TABLES = {
    "nba.schedule_league_v2": "schedule",
    "nba.box_score_traditional_v3": "box_score_v3",
    "nba.shot_chart_detail": "shot_chart",
    "nba.play_by_play_v3": "play_by_play",
    "nba.common_player_info": "player_info",
    "nba.game_log": "game_log",
}


def columns() -> dict[str, Iterable[tuple[str, str]]]:
    sources = {source.name: source for source in find_feed("nba_api").sources}
    tables = {
        table: [
            (name, "int64" if NUMBERS.fullmatch(name) else "string")
            for name in sources[source].columns
        ]
        for table, source in TABLES.items()
    }
    tables["nba.game_log"].append(("_table_suffix", "string"))
    return {**tables}


@pytest.mark.parametrize("layout", ["nba_api_tables", "season_tables"])
def test_the_selects_of_a_layout_are_bigquery_s(layout: str) -> None:
    selects = read_selects(LAYOUTS / layout)
    # The analyser knows no wildcard tables.
    statements = [
        re.sub(r"^--.*\n", "", select).replace("`nba.game_log_*`", "nba.game_log")
        for select in selects.values()
    ]
    assert check_statements(columns(), statements).findings == ()


def test_the_layout_of_nba_api_gives_every_needed_column() -> None:
    selects = read_selects(LAYOUTS / "nba_api_tables")
    for schema in RAW_TABLES:
        given = set(re.findall(r"(?:as )?(\w+),?\n", selects[schema.name] + "\n"))
        needed = {column.name for column in schema.columns if column.is_required}
        assert needed <= given, (schema.name, needed - given)
