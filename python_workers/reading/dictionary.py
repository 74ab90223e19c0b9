"""The data dictionary: tables and their columns with the descriptions of dbt's files."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

from python_workers.raw.descriptions import description_of, doc_blocks, read_declarations
from python_workers.warehouse.base import Column


class ColumnEntry(NamedTuple):
    """A column: name, type, description, and ``feature``, ``label`` or '' as its role."""

    name: str
    type: str
    description: str
    role: str


@dataclass(frozen=True)
class Entry:
    """A table.

    Parameters
    ----------
    table
        Schema and table.
    description
        One sentence; empty if the models' files are not available.
    columns
        Its columns in order.
    """

    table: str
    description: str
    columns: tuple[ColumnEntry, ...]


@dataclass(frozen=True)
class _Described:
    description: str = ""
    columns: Mapping[str, tuple[str, str]] = field(default_factory=dict)


def data_dictionary(columns: Mapping[str, Sequence[Column]], models: Path | None) -> list[Entry]:
    """Describe tables.

    Parameters
    ----------
    columns
        Columns of each table in the warehouse, by its schema and name.
    models
        Folder of the dbt models; the file ``<table>.yml`` in it describes a table. None leaves the
        descriptions empty.
    """
    names = [table.partition(".")[2] for table in columns]
    described = _descriptions(models, names) if models is not None else {}
    entries = []
    for (table, found), name in zip(columns.items(), names, strict=True):
        of_table = described.get(name, _Described())
        entries.append(
            Entry(
                table,
                of_table.description,
                tuple(
                    ColumnEntry(
                        column.name, column.type, *of_table.columns.get(column.name, ("", ""))
                    )
                    for column in found
                ),
            )
        )
    return entries


def whole_dictionary(project: Path) -> list[Entry]:
    """Describe every table that the dbt project reads or builds, raw tables first.

    Parameters
    ----------
    project
        Folder of the dbt project.
    """
    models = project / "models"
    shared = doc_blocks(models)
    configured = read_declarations(project / "dbt_project.yml")
    layers = configured["models"]["backcourt"]
    seeds = configured["seeds"]["backcourt"]["+schema"]
    raw: list[Entry] = []
    built: list[Entry] = []
    for path in sorted((project / "seeds").rglob("*.yml")):
        raw += [_entry(seeds, seed, shared) for seed in read_declarations(path).get("seeds", ())]
    for path in sorted(models.rglob("*.yml")):
        content = read_declarations(path)
        layer = layers.get(path.relative_to(models).parts[0], {})
        built += [_entry(layer["+schema"], each, shared) for each in content.get("models", ())]
        for source in content.get("sources", ()):
            raw += [_entry(source["name"], table, shared) for table in source["tables"]]
    return [*raw, *built]


def _entry(schema: str, node: Mapping[str, Any], shared: Mapping[str, str]) -> Entry:
    columns = tuple(
        ColumnEntry(
            column["name"],
            column.get("data_type", ""),
            description_of(column, shared),
            _role(column),
        )
        for column in node.get("columns", ())
    )
    return Entry(f"{schema}.{node['name']}", description_of(node, shared), columns)


def _descriptions(models: Path, tables: Sequence[str]) -> dict[str, _Described]:
    shared = doc_blocks(models)
    found = {}
    for table in tables:
        for path in models.rglob(f"{table}.yml"):
            for model in read_declarations(path)["models"]:
                found[model["name"]] = _Described(
                    description_of(model, shared),
                    {
                        column["name"]: (description_of(column, shared), _role(column))
                        for column in model.get("columns", ())
                    },
                )
    return found


def _role(column: Mapping[str, Any]) -> str:
    return str(column.get("config", {}).get("meta", {}).get("role", ""))
