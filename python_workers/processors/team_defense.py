"""Team defence by zone (TDZA): a team's last 15 games. dbt builds its rows."""

from __future__ import annotations

from python_workers import table_names
from python_workers.processors.base import INPUTS_SCHEMA, Population, Processor, SqlWork
from python_workers.processors.failures import (
    EXPECTED_INCOMPLETE,
    INCOMPLETE_UPSTREAM,
    KNOWN_SOURCE_GAP,
)

REQUIRED_GAMES = 5

_INPUTS_MODEL = "team_defense_zone_inputs"

_MISSING_ROWS = f"""
with

gaps as (

    select
        inputs.analysis_date,
        inputs.team_abbr,
        string_agg(cast(games.game_date as string), ', ' order by games.game_date) as game_dates,
        count(*) = max(inputs.known_gap_count) as are_known,
    from {INPUTS_SCHEMA}.{_INPUTS_MODEL} as inputs
    inner join {table_names.TEAM_GAMES} as games
        on inputs.team_abbr = games.team_abbr
        and inputs.season_year = games.season_year
        and games.game_date < inputs.analysis_date
    where inputs.analysis_date between @first and @last
        and inputs.analysis_date in unnest(@days)
        and not games.has_box_score
    group by inputs.analysis_date, inputs.team_abbr

)

select
    expected.analysis_date,
    expected.entity_id,
    expected.player_id,
    expected.actual_game_count,
    case
        when expected.actual_game_count < {REQUIRED_GAMES} then '{EXPECTED_INCOMPLETE.name}'
        when gaps.are_known then '{KNOWN_SOURCE_GAP.name}'
        else '{INCOMPLETE_UPSTREAM.name}'
    end as failure_category,
    if(
        expected.actual_game_count < {REQUIRED_GAMES},
        concat(cast(expected.actual_game_count as string), ' of {REQUIRED_GAMES} games required'),
        concat(
            cast(expected.actual_game_count as string), ' games, but the box scores of ',
            coalesce(gaps.game_dates, 'some'), ' are missing'
        )
    ) as failure_reason,
    gaps.game_dates as missing_game_dates,
from {table_names.EXPECTED_ENTITIES} as expected
left join gaps
    on expected.analysis_date = gaps.analysis_date
    and expected.entity_id = gaps.team_abbr
where expected.processor_name = @processor
    and expected.analysis_date between @first and @last
    and expected.analysis_date in unnest(@days)
"""  # noqa: S608 our own numbers

TEAM_DEFENSE = Processor(
    number=1,
    key="tdza",
    name="TeamDefenseZoneAnalysisProcessor",
    title="Team defence by zone",
    calculation_version="v2",
    model="team_defense_zone_analysis",
    inputs_model=_INPUTS_MODEL,
    entity="team_abbr",
    population=Population.SCHEDULED_TEAMS,
    work=SqlWork(_MISSING_ROWS, required_games=REQUIRED_GAMES),
)
