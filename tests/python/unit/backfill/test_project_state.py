"""Which changes of the dbt project make its inputs stale."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_workers.backfill.project_state import project_state

FILES = {
    "dbt_project.yml": "name: p\nmodels:\n  +group: g\n  +materialized: table\nvars: {days: 14}\n",
    "models/a.sql": "select 1 as x",
    "models/a.yml": """models:
  - name: a
    description: One row.
    config: {access: public, tags: [t]}
    data_tests:
      - unique_key: {arguments: {columns: [x]}}
    columns:
      - {name: x, data_type: int64, description: X.}

unit_tests:
  - name: one
    model: a
""",
    "models/raw.yml": """sources:
  - name: raw
    schema: nba_raw
    tables:
      - {name: games, config: {loaded_at_query: select 1}}
""",
    "models/columns.md": "{% docs x %}X.{% enddocs %}",
    "models/consumers.yml": "exposures: [{name: report}]",
    "seeds/s.csv": "a,b",
    "macros/m.sql": "m",
}


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    for name, text in FILES.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text(text)
    return tmp_path


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dbt_project.yml", "14", "13"),
        ("dbt_project.yml", "table", "view"),
        ("models/a.sql", "1", "2"),
        ("models/a.yml", "int64", "float64"),
        ("models/a.yml", "name: x", "name: y"),
        ("models/a.yml", "tags: [t]", "enabled: false"),
        ("models/raw.yml", "schema: nba_raw", "schema: nba_cooked"),
        ("models/raw.yml", "name: games", "name: matches"),
        ("seeds/s.csv", "b", "c"),
        ("macros/m.sql", "m", "n"),
    ],
)
def test_changes_that_affect_results_change_the_state(
    directory: Path, file: str, old: str, new: str
) -> None:
    assert is_another_state_after(directory, file, old, new)


@pytest.mark.parametrize(
    ("file", "old", "new"),
    [
        ("dbt_project.yml", "+group: g", "+group: h"),
        ("models/a.yml", "One row.", "A row."),
        ("models/a.yml", "description: X.", "description: Y."),
        ("models/a.yml", "access: public", "access: private"),
        ("models/a.yml", "columns: [x]", "columns: [x, y]"),
        ("models/a.yml", "name: one", "name: two"),
        ("models/raw.yml", "select 1", "select 2"),
        ("models/columns.md", "X.", "Y."),
        ("models/consumers.yml", "report", "page"),
    ],
)
def test_descriptions_and_tests_do_not_change_the_state(
    directory: Path, file: str, old: str, new: str
) -> None:
    assert not is_another_state_after(directory, file, old, new)


def is_another_state_after(directory: Path, file: str, old: str, new: str) -> bool:
    before = project_state(directory)
    text = FILES[file]
    assert old in text
    (directory / file).write_text(text.replace(old, new))
    return project_state(directory) != before
