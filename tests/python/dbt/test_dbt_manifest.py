"""dbt's manifest of the project keeps our rules of layers, lineage and description."""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

import pytest

from python_workers.processors.base import SqlWork
from python_workers.processors.catalogue import PROCESSORS
from python_workers.report import changes, entities, queries
from python_workers.settings import resolve_project_dir
from tests.python.dbt.manifest import Project

# From the first to the last: a model reads its own layer and those before it.
LAYERS = (
    "staging",
    "schedule",
    "game_summaries",
    "form",
    "context",
    "inputs",
    "precompute",
    "predictions",
    "training",
    "coverage",
)

# Exceptions from rules of dbt-project-evaluator, and why. Rules without an entry have none.
_ALL_OF_SQL = "one set-based statement is faster than tables between, which nothing else would read"
_COVERAGE = "the reconciliation is a view, so that it is never behind the rows that it counts"
_GAPS = "the list of games to mend is a view, so that it is never behind the games"
_LABELS = "a label arrives after the row that it belongs to, so the two meet when they are read"
_CHANGES = "the log of changed games needs no renaming, and is read by date only"
EXCEPTIONS = {
    "exposures_of_views_or_sources": {
        "backfill_coverage in daily_hook": _COVERAGE,
        "backfill_coverage in report": _COVERAGE,
        "source_gaps in report": _GAPS,
        "training_examples in player_models": _LABELS,
    },
    "models_without_test_of_the_primary_key": {
        "raw_findings": "a list: one raw row may break the same rule twice",
        "unmatched_known_gaps": "a line of a whole game has no player",
    },
    "sources_read_outside_of_staging": {"input_fingerprints": _CHANGES, "stale_dates": _CHANGES},
    "sources_with_several_readers": {"nba_raw.changed_games": _CHANGES},
    "sources_without_freshness": {
        "nba_raw.changed_games": "a load that changes nothing adds nothing",
        "nba_raw.player_registry": "a load without a new player adds nothing",
    },
    "too_many_joins": {
        "backfill_coverage": "it counts the rows of every processor, beside who is expected",
        "expected_entities": "it is derived from schedule and listings, apart from what it checks",
        "input_fingerprints": "it hashes the inputs of every processor",
        "int_roster_status": _ALL_OF_SQL,
        "raw_findings": "it looks at every raw table, and at each beside the others",
        "upcoming_player_game_context": _ALL_OF_SQL,
    },
    "unused_sources": {"nba_raw.loads": "the freshness of the other sources is read from it"},
}


def parsed(target: str, folder: Path) -> Project:
    """Parse the project for one target; a warning fails."""
    from dbt.cli.main import dbtRunner

    directory = resolve_project_dir()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("BACKCOURT_DUCKDB_PATH", str(folder / "backcourt.duckdb"))
        found = dbtRunner().invoke(
            [
                *("--warn-error", "--quiet", "parse", "--show-all-deprecations"),
                *("--no-partial-parse", "--project-dir", str(directory)),
                *("--profiles-dir", str(directory / "profiles"), "--target", target),
                *("--target-path", str(folder), "--log-path", str(folder)),
                *("--vars", "{investigate_severity: error}"),
            ]
        )
    assert found.success, found.exception
    return Project(found.result)


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Project:
    return parsed("duckdb", tmp_path_factory.mktemp("target"))


def test_the_project_takes_its_severity_from_a_var(project: Project) -> None:
    test = project.manifest.nodes["test.backcourt.no_failure_needs_investigation"]
    assert test.config.severity.lower() == "error"


# dbt checks the names of settings for this adapter, and not for dbt-duckdb.
def test_the_project_parses_without_warnings_for_bigquery(project: Project, tmp_path: Path) -> None:
    assert parsed("bigquery", tmp_path).models.keys() == project.models.keys()


def test_a_model_reads_no_later_layer(project: Project) -> None:
    place = {layer: number for number, layer in enumerate(LAYERS)}
    backwards = {
        (parent, model)
        for model in project.models
        for parent in project.parents(model) & project.models.keys()
        if place[project.folder(parent)] > place[project.folder(model)]
    }
    assert backwards == set()


def test_the_lineage_runs_through_the_workers(project: Project) -> None:
    tables = {processor.key: processor.model for processor in PROCESSORS}
    for processor in PROCESSORS:
        reads = {processor.inputs_model, *(tables[key] for key in processor.upstream)}
        if isinstance(processor.work, SqlWork):
            assert reads <= project.parents(processor.model)
        else:
            reads |= {processor.work.games.model} if processor.work.games else set()
            assert project.parents(processor.model) == reads
    raw = {f"nba_raw.{table}" for table in ("games", "player_box_scores", "shots", "players")}
    assert raw <= project.ancestors(PROCESSORS[-1].model)


def test_the_tables_of_the_workers_are_marked(project: Project) -> None:
    for name, model in project.models.items():
        is_workers = model.config.materialized == "worker_table"
        assert (model.meta.get("written_by") == "python_workers") == is_workers, name
        assert bool(model.docs.node_color) == is_workers, name
        assert "Written by python_workers" in model.description or not is_workers, name


def test_the_report_s_exposure_names_what_the_report_reads(project: Project) -> None:
    modules = (queries, changes, entities)
    texts = [text for each in modules for text in vars(each).values() if isinstance(text, str)]
    read = {name for text in texts for name in re.findall(r"\bnba_(?!raw)\w+\.(\w+)", text)}
    assert read
    assert read <= project.parents("report")


def test_training_examples_are_the_feature_store_with_labels(project: Project) -> None:
    columns = project.models["training_examples"].columns
    roles = {name: column.config.meta.get("role") for name, column in columns.items()}
    declared = {
        name: re.findall(r"'(\w+)': ", project.manifest.macros[f"macro.backcourt.{name}"].macro_sql)
        for name in ("ml_features", "ml_labels")
    }
    store = project.models["ml_feature_store_v2"].columns
    labels = ["did_play", *declared["ml_labels"]]
    assert [name for name, role in roles.items() if role == "feature"] == declared["ml_features"]
    assert [name for name, role in roles.items() if role == "label"] == labels
    assert columns.keys() - labels == store.keys()
    assert {name: columns[name].data_type for name in store} == {
        name: column.data_type for name, column in store.items()
    }


def test_dispatched_macros_exist_for_both_engines(project: Project) -> None:
    own = {
        macro.name: macro
        for macro in project.manifest.macros.values()
        if macro.package_name == "backcourt"
    }
    assert not [name for name in own if name.startswith("default__")]
    dispatched = {
        name
        for macro in own.values()
        for name in re.findall(r"adapter\.dispatch\('(\w+)'\)", macro.macro_sql)
    }
    assert "type_float64" in dispatched
    expected = {f"{engine}__{name}" for name in dispatched for engine in ("duckdb", "bigquery")}
    assert expected <= own.keys()


def rules() -> list[str]:
    graph = {"models", "sources", "exposures", "parents", "children", "ancestors", "folder"}
    public = {name for name in vars(Project) if not name.startswith("_")}
    return sorted(public - graph - {"is_view"})


@pytest.mark.parametrize("rule", rules())
def test_dbt_project_evaluator_s_rules_are_kept_but_for_the_exceptions(
    project: Project, rule: str
) -> None:
    assert set(getattr(project, rule)()) == set(EXCEPTIONS.get(rule, {}))


def test_no_description_is_repeated() -> None:
    models = resolve_project_dir() / "models"
    properties = [*models.rglob("*.yml"), *(resolve_project_dir() / "seeds").glob("*.yml")]
    texts = [path.read_text(encoding="utf-8") for path in properties]
    column = re.compile(r"data_type: \w+(?:,|\n) *description: (\"(?:[^\"\\]|\\.)*\")")
    written = Counter(text for yml in texts for text in column.findall(yml) if "doc(" not in text)
    assert len(written) > 100
    blocks = re.findall(
        r"\{% docs (\w+) %\}\n(.*?)\n\{% enddocs", (models / "columns.md").read_text(), re.DOTALL
    )
    used = Counter(name for yml in texts for name in re.findall(r"doc\('(\w+)'\)", yml))
    assert {text for text, times in written.items() if times > 1} == set()
    assert {name for name, _ in blocks if used[name] < 2} == set()
    assert {text for _, text in blocks if f'"{text}"' in written} == set()
    assert [name for name, _ in blocks] == sorted(name for name, _ in blocks)


def test_a_loop_over_the_processors_names_no_list_of_dates() -> None:
    """A list of 4,000 dates in each turn of a loop is more than BigQuery takes as one statement."""
    folder = resolve_project_dir() / "tests" / "dbt" / "accounting"
    loop = re.compile(r"\{% for processor_name.*?endfor", re.DOTALL)
    loops = {path.name: loop.findall(path.read_text()) for path in folder.glob("*.sql")}
    lists = {name: "".join(found).count("in_date_range(") for name, found in loops.items() if found}
    # Two lists in each of five turns are 760 kB.
    assert len(lists) >= 3
    assert max(lists.values()) <= 2


def is_ordered(sql: str) -> bool:
    """Tell whether the last SELECT of a model sorts its rows: ORDER BY outside all parentheses."""
    text = re.sub(r"\{[{%#].*?[}%#]\}|--[^\n]*|'[^']*'", "", sql, flags=re.DOTALL)
    while text != (text := re.sub(r"\([^()]*\)", "", text)):
        pass
    return re.search(r"\border\s+by\b", text, re.IGNORECASE) is not None


def test_bigquery_clusters_no_rows_that_are_sorted(project: Project) -> None:
    assert is_ordered("with a as (select 1 as b) select b from a -- so\norder by b")
    assert not is_ordered(
        "select row_number() over (order by abs(b)) as c from {{ ref('order by') }}"
    )
    clustered = {
        name: model.raw_code
        for name, model in project.models.items()
        if model.config.get("cluster_by")
    }
    assert len(clustered) > 10
    assert [name for name, sql in clustered.items() if is_ordered(sql)] == []
