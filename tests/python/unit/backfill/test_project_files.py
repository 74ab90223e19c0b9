"""Files that commands keep in dbt's target folder, and when they no longer count."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import pytest

from python_workers.backfill.project_files import PassedTests, StoredManifest, files_digest

KEY = "a" * 32


@dataclass(frozen=True)
class Manifest:
    nodes: tuple[int, ...] = (3,)


def test_a_manifest_is_read_under_its_own_key_only(tmp_path: Path) -> None:
    file = tmp_path / "manifest.pickle"
    assert StoredManifest(file, KEY).read() is None
    StoredManifest(file, KEY).write(Manifest())
    assert StoredManifest(file, KEY).read() == Manifest()
    assert StoredManifest(file, "b" * 32).read() is None
    assert [each.name for each in tmp_path.iterdir()] == ["manifest.pickle"]


def test_a_manifest_of_dbt_that_has_been_used_is_read_whole(tmp_path: Path) -> None:
    from dbt.artifacts.resources.types import NodeType
    from dbt.contracts.graph import manifest as dbt
    from dbt.contracts.graph.nodes import UnitTestFileFixture

    fixture = UnitTestFileFixture(
        "games", NodeType.Fixture, "backcourt", "games.csv", "games.csv", "f"
    )
    used = dbt.Manifest(fixtures={"games": fixture})
    # dbt makes its lookups when they are first read.
    lookups = (used.doc_lookup, used.source_lookup, used.ref_lookup)
    assert None not in lookups
    file = tmp_path / "manifest.pickle"
    StoredManifest(file, KEY).write(used)
    found = StoredManifest(file, KEY).read()
    assert found.fixtures == used.fixtures
    assert type(found.doc_lookup) is dbt.DocLookup
    assert type(found.source_lookup) is dbt.SourceLookup
    assert type(found.ref_lookup) is dbt.RefableLookup


@pytest.mark.parametrize("mode", [0o666, 0o620])
def test_a_manifest_that_others_may_write_is_not_unpickled(tmp_path: Path, mode: int) -> None:
    file = tmp_path / "manifest.pickle"
    StoredManifest(file, KEY).write(Manifest())
    file.chmod(mode)
    assert StoredManifest(file, KEY).read() is None


def test_a_torn_manifest_is_ignored(tmp_path: Path) -> None:
    file = tmp_path / "manifest.pickle"
    StoredManifest(file, KEY).write(Manifest(tuple(range(1_000))))
    file.write_bytes(file.read_bytes()[:200])
    assert StoredManifest(file, KEY).read() is None


def test_a_folder_that_cannot_be_written_to_stores_nothing(tmp_path: Path) -> None:
    missing = tmp_path / "missing" / "manifest.pickle"
    StoredManifest(missing, KEY).write(Manifest())
    PassedTests(tmp_path / "missing" / "passed.json", "one").note("v1", ["all"])
    assert not missing.parent.exists()


def test_tests_have_passed_on_one_version_of_a_warehouse(tmp_path: Path) -> None:
    file = tmp_path / "passed.json"
    passed = PassedTests(file, "one")
    assert passed.passed_at("v1", ["all"]) is None
    passed.note("v1", ["all"])
    passed.note("v1", ["a season"])
    assert PassedTests(file, "one").passed_at("v1", ["all"])
    assert passed.passed_at("v1", ["a season"])
    assert passed.passed_at("v1", ["another season"]) is None
    assert passed.passed_at("v2", ["all"]) is None
    assert PassedTests(file, "two").passed_at("v1", ["all"]) is None
    PassedTests(file, "two").note("v1", ["all"])
    assert passed.passed_at("v1", ["all"])
    passed.note("v2", ["all"])
    assert passed.passed_at("v1", ["all"]) is None


@pytest.mark.parametrize("content", ["", "[]", "{", '{"one": {}}'])
def test_a_memory_that_cannot_be_read_is_empty(tmp_path: Path, content: str) -> None:
    file = tmp_path / "passed.json"
    file.write_text(content)
    assert PassedTests(file, "one").passed_at("v1", ["all"]) is None
    PassedTests(file, "one").note("v1", ["all"])
    assert PassedTests(file, "one").passed_at("v1", ["all"])


@pytest.mark.parametrize(
    "name",
    [
        "dbt_project.yml",
        "models/staging/stg_games.yml",
        "macros/new.sql",
        "seeds/seasons.csv",
        "tests/dbt/raw/new.sql",
        "profiles/profiles.yml",
    ],
)
def test_every_file_that_dbt_reads_decides_the_digest(tmp_path: Path, name: str) -> None:
    (tmp_path / "models" / "staging").mkdir(parents=True)
    (tmp_path / "models" / "staging" / "stg_games.yml").write_text("models: []")
    before = files_digest(tmp_path)
    assert files_digest(tmp_path) == before
    file = tmp_path / name
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("models: [] # a comment")
    assert files_digest(tmp_path) != before
