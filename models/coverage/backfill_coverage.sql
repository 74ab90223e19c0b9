{{ config(materialized='view', tags=['stage_coverage']) }}

with

game_dates as (

    select game_date as analysis_date from {{ ref('game_dates') }}

),

processors as (
    {% for processor_name in processors() %}
    select '{{ processor_name }}' as processor_name
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

records as (
    {% for processor_name, output in processors().items() %}
    select
        '{{ processor_name }}' as processor_name,
        {{ output.date_column }} as analysis_date,
        {{ 'player_id' if output.entity == 'player_id' else 'cast(null as int64) as player_id' }},
        {{ 'team_abbr' if output.entity == 'team_abbr' else 'cast(null as string) as team_abbr' }},
    from {{ ref(output.model) }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

failures as (

    select * from {{ ref('precompute_failures') }}

),

-- All expected, recorded and failed entities. The key of a player is his id, an integer, which
-- groups faster than his name; the key of a team is its abbreviation.
entities as (

    select
        processor_name,
        analysis_date,
        player_id,
        case when player_id is null then entity_id end as team_abbr,
        1 as expected_mark,
        cast(null as int64) as record_mark,
        cast(null as int64) as failure_mark,
    from {{ ref('expected_entities') }}

    union all

    select
        processor_name,
        analysis_date,
        player_id,
        team_abbr,
        cast(null as int64) as expected_mark,
        1 as record_mark,
        cast(null as int64) as failure_mark,
    from records

    union all

    select
        processor_name,
        analysis_date,
        player_id,
        case when player_id is null then entity_id end as team_abbr,
        cast(null as int64) as expected_mark,
        cast(null as int64) as record_mark,
        1 as failure_mark,
    from failures

),

reconciled as (

    select
        processor_name,
        analysis_date,
        player_id,
        team_abbr,
        count(expected_mark) as times_expected,
        count(record_mark) as times_recorded,
        count(failure_mark) as times_failed,
    from entities
    group by processor_name, analysis_date, player_id, team_abbr

),

by_date as (

    select
        processor_name,
        analysis_date,
        cast(countif(times_expected > 0) as int64) as expected_entities,
        {{ int_sum('times_recorded') }} as records,
        {{ int_sum('times_failed') }} as failures,
        cast(countif(
            times_expected > 0 and times_recorded = 0 and times_failed = 0
        ) as int64) as unaccounted,
        cast(countif(times_recorded + times_failed > 1) as int64) as duplicated,
        cast(countif(
            times_expected = 0 and times_recorded + times_failed > 0
        ) as int64) as unexpected,
    from reconciled
    group by processor_name, analysis_date

),

by_category as (

    select
        processor_name,
        analysis_date,
        {% for category in failure_categories() %}
        cast(countif(failure_category = '{{ category }}') as int64) as {{ category | lower }},
        {% endfor %}
        cast(countif(
            coalesce(failure_category, '') not in {{ failure_category_list() }}
        ) as int64) as unknown_category,
    from failures
    group by processor_name, analysis_date

),

-- Game dates, and dates that are no longer game dates but still have rows or failures.
every_date as (

    select
        processors.processor_name,
        game_dates.analysis_date,
    from game_dates
    cross join processors

    union distinct

    select
        processor_name,
        analysis_date,
    from by_date

),

processed as (

    select * from {{ ref('processed_dates') }}

),

stale_dates as (

    select * from {{ ref('stale_dates') }}

),

joined as (

    select
        every_date.processor_name,
        coalesce(by_date.expected_entities, 0) as expected,
        coalesce(by_date.records, 0) as records,
        coalesce(by_date.failures, 0) as failures,
        {% for category in failure_categories() %}
        coalesce(by_category.{{ category | lower }}, 0) as {{ category | lower }},
        {% endfor %}
        coalesce(by_category.unknown_category, 0) as unknown_category,
        coalesce(by_date.unaccounted, 0) as unaccounted,
        coalesce(by_date.duplicated, 0) as duplicated,
        coalesce(by_date.unexpected, 0) as unexpected,
        processed.processor_name is not null as has_run,
        stale_dates.stale_reason,
        every_date.analysis_date,
        processed.finished_at as last_finished_at,
    from every_date
    left join by_date
        on
            every_date.processor_name = by_date.processor_name
            and every_date.analysis_date = by_date.analysis_date
    left join by_category
        on
            every_date.processor_name = by_category.processor_name
            and every_date.analysis_date = by_category.analysis_date
    left join processed
        on
            every_date.processor_name = processed.processor_name
            and every_date.analysis_date = processed.analysis_date
    left join stale_dates
        on
            every_date.processor_name = stale_dates.processor_name
            and every_date.analysis_date = stale_dates.analysis_date

),

final as (

    select
        processor_name,
        case
            when not has_run and records + failures = 0 then 'not_run'
            when unaccounted + duplicated + unexpected > 0 or not has_run then 'incomplete'
            when stale_reason is not null then 'stale'
            when
                {{ categories_that('needs_attention', true) | map('lower') | join(' + ') }}
                + unknown_category > 0
                then 'investigate'
            when failures > 0 then 'complete_with_expected_gaps'
            else 'complete'
        end as coverage_status,
        expected,
        records,
        failures,
        {% for category in failure_categories() %}
        {{ category | lower }},
        {% endfor %}
        unknown_category,
        unaccounted,
        duplicated,
        unexpected,
        has_run,
        stale_reason,
        analysis_date,
        last_finished_at,
    from joined

)

select * from final
