"""Descriptions of the raw tables and seeds, from the yml files that declare them to dbt."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import yaml

from python_workers import table_names
from python_workers.errors import BackcourtError
from python_workers.settings import resolve_project_dir
from python_workers.warehouse.base import TableSpec

# The loader in C is several times faster, but some builds of the package lack it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DOC_CALL = re.compile(r"\{\{ doc\('(?P<name>\w+)'\) \}\}")
_DOC_BLOCK = re.compile(r"\{% docs (?P<name>\w+) %\}\s*(?P<text>.*?)\s*\{% enddocs %\}", re.DOTALL)
_SOURCES = f"staging/{table_names.RAW}.yml"
_SEEDS = "seeds"


def models_folder() -> Path | None:
    """Return the folder of the dbt models, whose files describe the tables, if available."""
    try:
        return resolve_project_dir() / "models"
    except BackcourtError:
        return None


def doc_blocks(models: Path) -> dict[str, str]:
    """Return the descriptions that several columns share, by the name of dbt's docs block."""
    return {
        block["name"]: block["text"]
        for path in models.rglob("*.md")
        for block in _DOC_BLOCK.finditer(path.read_text(encoding="utf-8"))
    }


def description_of(declared: Mapping[str, Any], blocks: Mapping[str, str]) -> str:
    """Return the description of a table or column; empty if it has none.

    Parameters
    ----------
    declared
        The table or column in a yml file.
    blocks
        Shared descriptions, to which a ``doc()`` call refers.
    """
    return _DOC_CALL.sub(lambda call: blocks[call["name"]], declared.get("description", ""))


def with_descriptions(specs: Iterable[TableSpec], models: Path | None) -> list[TableSpec]:
    """Return raw tables or seeds with their descriptions and those of their columns.

    Parameters
    ----------
    specs
        Raw tables or seeds.
    models
        Folder of the dbt models; without it there are no descriptions.
    """
    if models is None:
        return list(specs)
    (source,) = read_declarations(models / _SOURCES)["sources"]
    tables = [*source["tables"]]
    for file in sorted((models.parent / _SEEDS).glob("*.yml")):
        tables += read_declarations(file)["seeds"]
    blocks = doc_blocks(models)
    declared = {table["name"]: table for table in tables}
    described = []
    for spec in specs:
        table = declared[spec.name.partition(".")[2]]
        texts = {each["name"]: description_of(each, blocks) for each in table["columns"]}
        described.append(
            replace(
                spec,
                description=description_of(table, blocks),
                columns=tuple(
                    replace(column, description=texts.get(column.name, ""))
                    for column in spec.columns
                ),
            )
        )
    return described


def read_declarations(file: Path) -> Any:  # noqa: ANN401 -- as yaml types it
    """Return what a yml file of the project declares, without the unit tests at its end."""
    # Reading YAML takes its time.
    text = file.read_text(encoding="utf-8").partition("\nunit_tests:")[0]
    return yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader
