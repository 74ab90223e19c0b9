"""The data dictionary: columns of the output tables, with what the models' files say of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import yaml

from python_workers.processors.base import Processor
from python_workers.warehouse.base import Column

# The one in C is several times faster; it is not in every build of the package.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)


@dataclass(frozen=True)
class Entry:
    """An output table.

    Parameters
    ----------
    processor
        Whose output it is.
    description
        One sentence; empty where the models' files are not at hand.
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
        Columns of each table, as the warehouse has them.
    models
        Folder of the dbt models, whose ``_*__models.yml`` hold the descriptions.
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
    found = {}
    for path in sorted(models.glob("*/_*__models.yml")):
        content = path.read_text(encoding="utf-8")
        # Reading YAML takes its time: only the files that describe one of the tables.
        if not any(f"name: {table}\n" in content for table in tables):
            continue
        for model in yaml.load(content, Loader=_Loader)["models"]:  # noqa: S506 -- a safe loader
            columns = {
                column["name"]: column.get("description", "") for column in model.get("columns", ())
            }
            found[model["name"]] = (model.get("description", ""), columns)
    return found
