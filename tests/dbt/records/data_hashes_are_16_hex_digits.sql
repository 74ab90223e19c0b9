-- Every row of the Python processors carries a hash of 16 lower-case hexadecimal digits.
with

data_hashes as (
    {% for model in [
        'player_shot_zone_analysis', 'player_composite_factors', 'player_daily_cache'
    ] %}
    select
        '{{ model }}' as table_name,
        analysis_date,
        player_id,
        data_hash,
    from {{ ref(model) }}
    where {{ in_date_range('analysis_date') }}
    {% if not loop.last %}
    union all
    {% endif %}
    {%- endfor %}
)

select * from data_hashes
where
    data_hash is null
    or not {{ full_match('data_hash', '[0-9a-f]{16}') }}
