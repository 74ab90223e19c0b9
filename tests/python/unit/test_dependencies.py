"""No dependency's bound admits a release with a known vulnerability; locks keep the bounds."""

from __future__ import annotations

import re
import tomllib
from itertools import chain

import pytest
from packaging.requirements import Requirement

from tests.python.support.folders import REPOSITORY

# The last release with the vulnerability.
HOLES = {
    ("distributed", "2026.1.0"): "CVE-2026-23528: script injection in the dashboard",
    ("jinja2", "3.1.5"): "CVE-2025-27516: templates leave the sandbox",
    ("joblib", "1.1.1"): "CVE-2022-21797: pre_dispatch runs code",
    ("pyarrow", "14.0.0"): "CVE-2023-47248: reading a file runs code",
    ("pyarrow", "23.0.0"): "CVE-2026-25087: use after free in the reader of IPC files",
    ("pyyaml", "5.3.1"): "CVE-2020-14343: loading a document runs code",
    ("scikit-learn", "1.4.2"): "CVE-2024-5206: a vectoriser keeps what it was trained on",
    ("duckdb", "1.5.1"): "text of a transaction that was rolled back appears in later rows",
}

PROJECT = tomllib.loads((REPOSITORY / "pyproject.toml").read_text())["project"]
NOTEBOOK = [
    line
    for line in (REPOSITORY / "docs" / "training-requirements.in").read_text().splitlines()
    if not line.startswith("#")
]
REQUIREMENTS = [
    Requirement(text)
    for text in chain(PROJECT["dependencies"], *PROJECT["optional-dependencies"].values(), NOTEBOOK)
]


@pytest.mark.parametrize(("name", "version"), HOLES)
def test_a_release_with_a_known_hole_is_not_admitted(name: str, version: str) -> None:
    found = [each for each in REQUIREMENTS if each.name.lower() == name]
    assert found, f"{name} is no dependency any more: take its holes away"
    admitting = [str(each) for each in found if each.specifier.contains(version)]
    assert not admitting, HOLES[name, version]


@pytest.mark.parametrize(
    ("lock_file", "some"),
    [
        ("requirements.lock", {"pyarrow", "distributed"}),
        ("docs/training-requirements.lock", {"scikit-learn", "nbclient", "numpy", "joblib"}),
    ],
)
def test_a_lock_has_versions_that_the_bounds_admit(lock_file: str, some: set[str]) -> None:
    lock = (REPOSITORY / lock_file).read_text()
    pins = dict(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([\w.+!-]+)", lock, re.MULTILINE))
    locked = {re.sub(r"[-_.]+", "-", name).lower(): version for name, version in pins.items()}
    outside = {
        str(each): locked[name]
        for each in REQUIREMENTS
        if (name := re.sub(r"[-_.]+", "-", each.name).lower()) in locked
        and not each.specifier.contains(locked[name], prereleases=True)
    }
    assert not outside
    assert some <= locked.keys()


def test_the_notebook_s_packages_are_those_of_backcourt_where_both_have_them() -> None:
    ours, theirs = (
        dict(re.findall(r"^([\w.-]+)(?:\[[^\]]*\])?==([\w.+!-]+)", file.read_text(), re.MULTILINE))
        for file in (
            REPOSITORY / "requirements.lock",
            REPOSITORY / "docs" / "training-requirements.lock",
        )
    )
    assert {name: theirs[name] for name in ours.keys() & theirs.keys()} == {
        name: ours[name] for name in ours.keys() & theirs.keys()
    }
