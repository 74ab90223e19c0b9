-- Every game date of the range has a finished run of each processor that has to have run.
with

game_dates as (

    select game_date from {{ ref('game_dates') }}
    where {{ in_date_range('game_date') }}

),

finished_runs as (

    select distinct
        processor_name,
        analysis_date,
    from {{ ref('processor_runs') }}
    where
        {{ in_date_range('analysis_date') }}
        and finished_at is not null

),

processors as (
    {% for processor_name in required_processors() %}
    select '{{ processor_name }}' as processor_name
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

missing_runs as (

    select
        processors.processor_name,
        game_dates.game_date,
    from game_dates
    cross join processors
    left join finished_runs
        on
            processors.processor_name = finished_runs.processor_name
            and game_dates.game_date = finished_runs.analysis_date
    where finished_runs.analysis_date is null

)

select * from missing_runs
