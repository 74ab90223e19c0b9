"""Descriptions of tables and columns in the warehouse itself."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from tests.python.support.engine import Engine

RELATIONS = """
select schema_name, table_name as name, comment from duckdb_tables()
union all
select schema_name, view_name, comment from duckdb_views() where not internal
union all
select schema_name, concat(table_name, '.', column_name), comment
from duckdb_columns() where not internal
"""


def comments(engine: Engine) -> dict[str, str]:
    return {
        f"{row['schema_name']}.{row['name']}": row["comment"] for row in engine.query(RELATIONS)
    }


def test_every_table_view_and_column_carries_its_description(simulated: Engine) -> None:
    project = simulated.project()
    project.parse()
    manifest = project._manifest
    described = [
        each for each in manifest.nodes.values() if each.resource_type in ("model", "seed")
    ]
    declared = {}
    # The raw tables are described by `load`, from the file that declares them as sources.
    for node in [*described, *manifest.sources.values()]:
        name = f"{node.schema}.{node.name}"
        declared[name] = node.description
        for column in node.columns.values():
            declared[f"{name}.{column.name}"] = column.description
    assert comments(simulated) == declared
    assert {name for name, text in declared.items() if not text} == set()


def test_a_kept_table_is_described_again_only_where_its_description_has_changed(
    simulated: Engine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = simulated.copy(tmp_path / "described")
    before = comments(engine)
    project = engine.project()
    commented: list[str] = []

    def note(event: Any) -> None:
        if event.info.name == "SQLQuery" and "comment on column" in event.data.sql:
            commented.append(event.data.node_info.node_name)

    monkeypatch.setattr(project, "_event", note)
    # One materialisation each: python_workers fills the one table, dbt replaces dates of the other.
    kept = ["player_daily_cache", "player_daily_cache_inputs"]
    project.build(kept)
    assert commented == []

    engine.execute("comment on column nba_precompute.player_daily_cache.team_abbr is 'old'")
    engine.execute("comment on table nba_precompute.player_daily_cache_inputs is null")
    project.build(kept)
    assert sorted(commented) == kept
    assert comments(engine) == before


def test_the_documentation_site_has_every_table(simulated: Engine, tmp_path: Path) -> None:
    project = simulated.project()
    page = project.document(tmp_path)
    catalog = json.loads((tmp_path / "catalog.json").read_text(encoding="utf-8"))
    described = {
        node["metadata"]["name"]: node["metadata"]["comment"] for node in catalog["nodes"].values()
    }
    assert described["player_daily_cache"].startswith("Daily cache of a player")
    models = [n for n in project._manifest.nodes.values() if n.resource_type == "model"]
    assert {model.name for model in models} <= described.keys()
    assert page.stat().st_size > 1_000_000
