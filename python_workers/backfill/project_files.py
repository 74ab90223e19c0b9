"""What stands in dbt's target folder between commands: the parsed project, and passed tests."""

from __future__ import annotations

import hashlib
import json
import os
import pickle
import stat
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from dataclasses import fields
from datetime import UTC, datetime
from importlib import metadata
from pathlib import Path
from typing import Any

# Everything that dbt reads: sources in folders, and single files beside them.
_FOLDERS = ("models", "macros", "seeds", "tests/dbt", "profiles", "dbt_packages")
_FILES = ("dbt_project.yml", "packages.yml", "dependencies.yml")
_PACKAGES = ("dbt-core", "dbt-common", "dbt-adapters", "dbt-duckdb", "dbt-bigquery")
_KEPT_WAREHOUSES = 20


def files_digest(directory: Path) -> str:
    """Return a digest of every file that dbt reads, and of the versions of Python and dbt.

    Unlike `project_state`, it changes with descriptions and tests, too.
    """
    digest = hashlib.sha256(f"{sys.version} {directory}".encode())
    for package in _PACKAGES:
        digest.update(f"{package} {metadata.version(package)}".encode())
    files = [directory / name for name in _FILES]
    for folder in _FOLDERS:
        files += sorted((directory / folder).rglob("*"))
    for file in files:
        if file.is_file():
            content = hashlib.sha256(file.read_bytes()).hexdigest()
            digest.update(f"{file.relative_to(directory)} {content}\n".encode())
    return digest.hexdigest()[:32]


class StoredManifest:
    """dbt's manifest of a project, pickled: reading it takes a tenth of parsing the project.

    The file holds the manifest's fields without its lookups, which dbt derives from them. dbt's own
    way to pickle a manifest shifts the lookups by one field.

    Parameters
    ----------
    file
        Where it is stored.
    key
        Digest of everything that decides the manifest; another key is another manifest.
    """

    def __init__(self, file: Path, key: str) -> None:
        self._file = file
        self._key = key.encode() + b"\n"

    def read(self) -> Any:  # noqa: ANN401 -- dbt is untyped
        """Return the manifest; None if none is stored under this key.

        Unpickling runs code, so the file must be one that nobody else can write.
        """
        try:
            with self._file.open("rb") as stream:
                about = os.fstat(stream.fileno())
                if about.st_uid != os.getuid() or about.st_mode & (stat.S_IWGRP | stat.S_IWOTH):
                    return None
                if stream.readline() != self._key:
                    return None
                manifest, content = pickle.load(stream)  # noqa: S301 -- of this user alone
                return manifest(**content)
        except Exception:  # noqa: BLE001 -- a torn file is as good as none
            return None

    def write(self, manifest: Any) -> None:  # noqa: ANN401 -- dbt is untyped
        """Store the manifest, unless the folder cannot be written to."""
        names = [field.name for field in fields(manifest) if not field.name.startswith("_")]
        stored = type(manifest), {name: getattr(manifest, name) for name in names}
        _replace(self._file, self._key + pickle.dumps(stored, pickle.HIGHEST_PROTOCOL))


class PassedTests:
    """Remembers on which version of a warehouse, and over which range, all tests have passed.

    Parameters
    ----------
    file
        Where this is stored.
    warehouse
        Name of the warehouse.
    """

    def __init__(self, file: Path, warehouse: str) -> None:
        self._file = file
        self._warehouse = warehouse

    def passed_at(self, version: str, what: Sequence[object]) -> datetime | None:
        """Return when the tests passed on this version of the warehouse; None if they did not."""
        known = self._read().get(self._warehouse, {})
        if known.get("version") != version:
            return None
        at = known["passed"].get(_digest(what))
        return None if at is None else datetime.fromisoformat(at)

    def note(self, version: str, what: Sequence[object]) -> None:
        """Remember that the tests have passed now, and forget other versions of the warehouse."""
        known = self._read()
        own = known.pop(self._warehouse, {})
        passed = own["passed"] if own.get("version") == version else {}
        passed[_digest(what)] = datetime.now(UTC).isoformat()
        latest = dict(list(known.items())[-_KEPT_WAREHOUSES + 1 :])
        latest[self._warehouse] = {"version": version, "passed": passed}
        _replace(self._file, json.dumps(latest, indent=1).encode())

    def _read(self) -> dict[str, Any]:
        try:
            found = json.loads(self._file.read_bytes())
        except (OSError, ValueError):
            return {}
        return found if isinstance(found, dict) else {}


def _digest(parts: Iterable[object]) -> str:
    return hashlib.sha256(repr(list(parts)).encode()).hexdigest()[:32]


def _replace(file: Path, content: bytes) -> None:
    """Replace a file as a whole; give up quietly where it cannot be written."""
    new = file.with_name(f"{file.name}.{os.getpid()}")
    with suppress(OSError):
        try:
            descriptor = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as stream:
                stream.write(content)
            new.replace(file)
        finally:
            new.unlink(missing_ok=True)
