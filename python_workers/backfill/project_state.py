"""Digests the parts of the dbt project that decide the models' results."""

from __future__ import annotations

import functools
import hashlib
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

# The loader in C is several times faster, but some builds of the package lack it.
_Loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

_SOURCES = ("models", "macros", "seeds")

# Keys of yml files that do not decide results; contract types, raw table names and configs do.
_WORDS = frozenset(
    {
        *("description", "label", "docs", "meta", "exposures", "groups", "persist_docs"),
        *("data_tests", "unit_tests", "freshness", "loaded_at_field", "loaded_at_query"),
        *("access", "group"),
    }
)


def project_state(directory: Path, seed_files: Mapping[Path, Path] | None = None) -> str:
    """Return digests of all parts of the project that decide the models' results.

    They exclude descriptions, tests, access and the like: changing them rebuilds no table.

    Parameters
    ----------
    directory
        The project's folder.
    seed_files
        Files outside that stand for files of the project, by the latter's paths in the folder.

    Returns
    -------
    str
        As in ``1f…:9c…:04…``: a digest of everything, one of everything but the files of
        `seed_files`, and one of each of these, so that `what_changed` can name it.
    """
    instead = seed_files or {}
    digest, own = hashlib.sha256(), hashlib.sha256()
    seeds: dict[Path, str] = {}
    files = [directory / "dbt_project.yml"]
    for source in _SOURCES:
        files += sorted((directory / source).rglob("*"))
    for file in files:
        name = file.relative_to(directory)
        content = _deciding_content(instead.get(name, file))
        if name in instead:
            seeds[name] = hashlib.sha256(content).hexdigest()[:32]
        for each in (digest, own) if content else ():
            if each is digest or name not in instead:
                each.update(name.as_posix().encode())
                each.update(content)
    parts = [digest, own]
    return ":".join(
        [*(each.hexdigest()[:32] for each in parts), *(seeds.get(name, "") for name in instead)]
    )


def _deciding_content(file: Path) -> bytes:
    if file.suffix in (".sql", ".csv"):
        return file.read_bytes()
    if file.suffix in (".yml", ".yaml"):
        # Reading YAML takes its time: the unit tests, at the end of a file, are left out.
        return _deciding_properties(file.read_text(encoding="utf-8").partition("\nunit_tests:")[0])
    return b""


@functools.lru_cache(maxsize=256)
def _deciding_properties(text: str) -> bytes:
    """Return what decides results in a yml file; a command asks for the same text repeatedly."""
    properties = yaml.load(text, Loader=_Loader)  # noqa: S506 -- a safe loader
    deciding = _without_words(properties)
    return json.dumps(deciding, sort_keys=True, default=str).encode() if deciding else b""


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
