-- Every feature row and every failure of a player has his names from the registry.
with

registry as (

    select * from {{ ref('stg_player_registry') }}

),

named as (
    {% for processor in processors().values() | selectattr('entity', 'equalto', 'player_id') %}
    select
        '{{ processor.model }}' as table_name,
        {{ processor.date_column }} as analysis_date,
        player_id,
        player_lookup,
        universal_player_id,
    from {{ ref(processor.model) }}
    where {{ in_date_range(processor.date_column) }}

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
        and processor_name in (
            {%- for name, processor in processors().items() if processor.entity == 'player_id' %}
            '{{ name }}'{{ ',' if not loop.last }}
            {%- endfor %}
        )

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
