"""The data dictionary: the columns of the output tables with their descriptions from dbt."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from python_workers.processors.base import Processor
from python_workers.warehouse.base import Column

# The loader in C is several times faster, but some builds of the package lack it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_DOC_CALL = re.compile(r"\{\{ doc\('(?P<name>\w+)'\) \}\}")
_DOC_BLOCK = re.compile(r"\{% docs (?P<name>\w+) %\}\s*(?P<text>.*?)\s*\{% enddocs %\}", re.DOTALL)


@dataclass(frozen=True)
class Entry:
    """An output table.

    Parameters
    ----------
    processor
        The processor that writes the table.
    description
        One sentence; empty if the models' files are not available.
    columns
        (name, type, description) each, in order.
    """

    processor: Processor
    description: str
    columns: tuple[tuple[str, str, str], ...]


def data_dictionary(
    columns: Mapping[Processor, Sequence[Column]], models: Path | None
) -> list[Entry]:
    """Describe output tables.

    Parameters
    ----------
    columns
        Columns of each table in the warehouse.
    models
        Folder of the dbt models; the file ``<table>.yml`` in it describes a table.
    """
    tables = [processor.table.partition(".")[2] for processor in columns]
    described = _descriptions(models, tables) if models is not None else {}
    entries = []
    for processor, found in columns.items():
        description, of_columns = described.get(processor.table.partition(".")[2], ("", {}))
        entries.append(
            Entry(
                processor,
                description,
                tuple(
                    (column.name, column.type, of_columns.get(column.name, "")) for column in found
                ),
            )
        )
    return entries


def _descriptions(models: Path, tables: Sequence[str]) -> dict[str, tuple[str, dict[str, str]]]:
    shared = _doc_blocks(models)

    def text(described: Mapping[str, str]) -> str:
        return _DOC_CALL.sub(lambda call: shared[call["name"]], described.get("description", ""))

    found = {}
    for table in tables:
        for path in models.rglob(f"{table}.yml"):
            # Reading YAML takes its time: the unit tests, at the end of a file, are left out.
            content = path.read_text(encoding="utf-8").partition("\nunit_tests:")[0]
            for model in yaml.load(content, Loader=_Loader)["models"]:  # noqa: S506 -- a safe loader
                columns = {column["name"]: text(column) for column in model.get("columns", ())}
                found[model["name"]] = (text(model), columns)
    return found


def _doc_blocks(models: Path) -> dict[str, str]:
    """Return the descriptions that several columns share, by the name of dbt's docs block."""
    return {
        block["name"]: block["text"]
        for path in models.rglob("*.md")
        for block in _DOC_BLOCK.finditer(path.read_text(encoding="utf-8"))
    }
