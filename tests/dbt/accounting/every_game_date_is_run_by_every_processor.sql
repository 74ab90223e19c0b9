-- Every game date of the range has a current record of each required processor.
with

game_dates as (

    select game_date from {{ ref('game_dates') }}
    where {{ in_date_range('game_date') }}

),

processed as (

    select
        processor_name,
        analysis_date,
    from {{ ref('processed_dates') }}
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
    left join processed
        on
            processors.processor_name = processed.processor_name
            and game_dates.game_date = processed.analysis_date
    where processed.analysis_date is null

)

select * from missing_runs
