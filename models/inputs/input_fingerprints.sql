{{ config(meta={'date_column': 'analysis_date'}, partition_by=daily_partition('analysis_date')) }}

with

game_dates as (

    select
        game_date as analysis_date,
        season_year,
    from {{ ref('game_dates') }}
    where {{ in_date_range('game_date') }}

),

{#- noqa: disable=LT02,LT05 -#}
{% for processor in processors().values() if processor.games %}
{{ processor.key }}_windows as (

    select
        player_id,
        season_year,
        game_number,
        {{ window_hash(processor.games) }} as window_hash,
    from {{ ref(processor.games.model) }}
    where season_year in (select game_dates.season_year from game_dates)

),

{{ processor.key }}_inputs as (

    select
        inputs.*,
        windows.window_hash,
    from {{ ref(processor.inputs_model) }} as inputs
    left join {{ processor.key }}_windows as windows
        on
            inputs.player_id = windows.player_id
            and inputs.season_year = windows.season_year
            and inputs.actual_game_count = windows.game_number
    where {{ in_date_range('inputs.analysis_date') }}

),
{% endfor %}
{#- noqa: enable=all #}
row_hashes as (
    {% for processor_name, processor in processors().items() %}
    select
        '{{ processor_name }}' as processor_name,
        analysis_date,
        {{ row_hash('inputs') }} as row_hash,
    {% if processor.games -%}
    from {{ processor.key }}_inputs as inputs  -- noqa: AL05
    {%- else -%}
    from {{ ref(processor.inputs_model) }} as inputs  -- noqa: AL05
    where {{ in_date_range('analysis_date') }}
    {%- endif %}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

fingerprints as (

    select
        processor_name,
        analysis_date,
        cast(count(*) as int64) as input_rows,
        {{ fingerprint('row_hash') }} as input_fingerprint,
    from row_hashes
    group by processor_name, analysis_date

),

-- A date without input rows has a fingerprint, too: it expects no entity now, but that can change.
every_date as (
    {% for processor_name in processors() %}
    select
        '{{ processor_name }}' as processor_name,
        analysis_date,
    from game_dates
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
),

raw_changes as (

    select coalesce(max(change_number), 0) as last_raw_change
    from {{ source('nba_raw', 'changed_games') }}

),

final as (

    select
        every_date.processor_name,
        coalesce(fingerprints.input_fingerprint, '0:0:0') as input_fingerprint,
        coalesce(fingerprints.input_rows, 0) as input_rows,
        raw_changes.last_raw_change,
        every_date.analysis_date,
    from every_date
    left join fingerprints
        on
            every_date.processor_name = fingerprints.processor_name
            and every_date.analysis_date = fingerprints.analysis_date
    cross join raw_changes

)

select * from final
