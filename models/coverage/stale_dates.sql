{{ config(materialized='view', tags=['stage_coverage']) }}

-- One row per stale processor and date, as far as SQL can detect it: python_workers detects changes
-- of the workers' code, and of raw tables that were changed without `backcourt load`.

with

processed as (

    select * from {{ ref('processed_dates') }}

),

-- BigQuery requires a condition on the date of this table.
inputs as (

    select
        processor_name,
        analysis_date,
        input_fingerprint,
        coalesce(last_raw_change, 0) as last_raw_change,
    from {{ ref('input_fingerprints') }}
    where analysis_date >= date '1900-01-01'

),

-- noqa: disable=LT02,LT05
digests as (

    select
        analysis_date,
        {% for processor_name, output in processors().items() %}
        max(
            case when processor_name = '{{ processor_name }}' then output_digest end
        ) as {{ output.key }}_digest,
        {% endfor %}
    from processed
    group by analysis_date

),

upstream as (
    {% for processor_name, output in processors().items() %}
    select
        '{{ processor_name }}' as processor_name,
        analysis_date,
        {% if output.upstream %}
        concat(
            {%- for short in output.upstream %}
            '{{ '|' if not loop.first }}{{ short }}:', coalesce({{ short }}_digest, 'none')
            {{- ',' if not loop.last }}
            {%- endfor %}
        ) as upstream_digests,
        {% else %}
        '' as upstream_digests,
        {% endif %}
    from digests
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

-- noqa: enable=all
dates as (

    select
        inputs.analysis_date,
        game_dates.season_year,
        min(inputs.last_raw_change) as last_raw_change,
    from inputs
    inner join {{ ref('game_dates') }} as game_dates
        on inputs.analysis_date = game_dates.game_date
    group by inputs.analysis_date, game_dates.season_year

),

-- A later backfill may have found the inputs up to date and left them as they are.
confirmed as (

    select
        dates.analysis_date,
        max(input_builds.last_raw_change) as last_raw_change,
    from dates
    inner join {{ ref('input_builds') }} as input_builds
        on dates.analysis_date between input_builds.start_date and input_builds.end_date
    where input_builds.behind_from is null or dates.analysis_date < input_builds.behind_from
    group by dates.analysis_date

),

built as (

    select
        dates.analysis_date,
        dates.season_year,
        case
            when confirmed.last_raw_change > dates.last_raw_change then confirmed.last_raw_change
            else dates.last_raw_change
        end as last_raw_change,
    from dates
    left join confirmed
        on dates.analysis_date = confirmed.analysis_date

),

-- A changed game concerns its own date and the later dates of its season; a moved game has two
-- dates. A player's changed row concerns the dates from his first game of a season on. Changes that
-- an earlier version noted without a season concern every date.
raw_changes as (

    select
        changed_games.change_number,
        changed_games.game_id is null and changed_games.season is null as is_of_every_date,
        seasons.season_year,
        case
            when
                changed_games.game_date is null
                or changed_games.former_game_date < changed_games.game_date
                then changed_games.former_game_date
            else changed_games.game_date
        end as first_date,
    from {{ source('nba_raw', 'changed_games') }} as changed_games
    left join {{ ref('seasons') }} as seasons
        on changed_games.season = seasons.season
    where changed_games.change_number > (select min(built.last_raw_change) from built)

),

changed_since as (

    select
        built.analysis_date,
        max(raw_changes.change_number) as change_number,
    from built
    inner join raw_changes
        on
            built.last_raw_change < raw_changes.change_number
            and (
                raw_changes.is_of_every_date
                or (
                    built.season_year = raw_changes.season_year
                    and raw_changes.first_date <= built.analysis_date
                )
            )
    group by built.analysis_date

),

reasons as (

    select
        processed.processor_name,
        case
            when
                coalesce(processed.input_fingerprint, 'unknown')
                != coalesce(inputs.input_fingerprint, 'none')
                then 'inputs changed'
            when
                coalesce(processed.upstream_digests, '')
                not in (upstream.upstream_digests, 'unverified')
                then 'upstream changed'
            when changed_since.change_number is not null then 'raw data changed'
        end as stale_reason,
        processed.analysis_date,
    from processed
    left join inputs
        on
            processed.processor_name = inputs.processor_name
            and processed.analysis_date = inputs.analysis_date
    left join upstream
        on
            processed.processor_name = upstream.processor_name
            and processed.analysis_date = upstream.analysis_date
    left join changed_since
        on processed.analysis_date = changed_since.analysis_date

),

final as (

    select * from reasons
    where stale_reason is not null

)

select * from final
