-- Every feature row and every failure of a player names him as the registry does.
with

registry as (

    select * from {{ ref('stg_player_registry') }}

),

named as (
    {% for model, date_column in {
        'player_shot_zone_analysis': 'analysis_date',
        'player_composite_factors': 'analysis_date',
        'player_daily_cache': 'analysis_date',
        'ml_feature_store_v2': 'game_date',
    }.items() %}
    select
        '{{ model }}' as table_name,
        {{ date_column }} as analysis_date,
        player_id,
        player_lookup,
        universal_player_id,
    from {{ ref(model) }}
    where {{ in_date_range(date_column) }}

    union all
    {% endfor %}
    select
        'precompute_failures' as table_name,
        analysis_date,
        player_id,
        entity_id as player_lookup,
        cast(null as string) as universal_player_id,
    from {{ ref('precompute_failures') }}
    where
        {{ in_date_range('analysis_date') }}
        and processor_name != 'TeamDefenseZoneAnalysisProcessor'

),

unknown as (

    select named.*
    from named
    left join registry on named.player_id = registry.player_id
    where
        registry.player_id is null
        or named.player_lookup is distinct from registry.player_lookup
        or (
            named.table_name != 'precompute_failures'
            and named.universal_player_id is distinct from registry.universal_player_id
        )

)

select * from unknown
