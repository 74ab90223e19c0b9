"""What of the dbt project decides what the models compute, as one digest."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import yaml

# The one in C is several times faster; it is not in every build of the package.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SOURCES = ("models", "macros", "seeds")

# Of the yml files all but these decides: types of a contract, names of the raw tables, configs.
_WORDS = frozenset(
    {
        *("description", "label", "docs", "meta", "exposures", "groups", "persist_docs"),
        *("data_tests", "unit_tests", "freshness", "loaded_at_field", "loaded_at_query"),
        *("access", "group"),
    }
)


def project_state(directory: Path) -> str:
    """Return a digest of everything in the project that decides what the models compute.

    Descriptions, tests, access and the like do not: a change of them builds nothing anew.
    """
    digest = hashlib.sha256()
    files = [directory / "dbt_project.yml"]
    for source in _SOURCES:
        files += sorted((directory / source).rglob("*"))
    for file in files:
        content = _deciding_content(file)
        if content:
            digest.update(file.relative_to(directory).as_posix().encode())
            digest.update(content)
    return digest.hexdigest()[:32]


def _deciding_content(file: Path) -> bytes:
    if file.suffix in (".sql", ".csv"):
        return file.read_bytes()
    if file.suffix in (".yml", ".yaml"):
        # Reading YAML takes its time: the unit tests, at the end of a file, are left out.
        text = file.read_text(encoding="utf-8").partition("\nunit_tests:")[0]
        properties = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader
        deciding = _without_words(properties)
        return json.dumps(deciding, sort_keys=True, default=str).encode() if deciding else b""
    return b""


def _without_words(node: Any) -> Any:  # noqa: ANN401 -- whatever YAML holds
    if isinstance(node, dict):
        return {
            key: _without_words(value)
            for key, value in node.items()
            if str(key).removeprefix("+") not in _WORDS
        }
    if isinstance(node, list):
        return [_without_words(entry) for entry in node]
    return node
