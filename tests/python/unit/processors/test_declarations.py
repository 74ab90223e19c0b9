"""Files that repeat facts of the processors' declarations agree with them."""

from __future__ import annotations

import re
from typing import Any

import pyarrow as pa
import pytest
import yaml

from python_workers.accounting.processed_dates import BOOKKEEPING
from python_workers.daily.run import daily_processors
from python_workers.processors.base import PoolWork, Population, Processor, SqlWork, waves
from python_workers.processors.catalogue import POOL_PROCESSORS, PROCESSORS
from python_workers.processors.dbt_macro import MACRO_FILE, README_FILE, macro_text, readme_text
from tests.python.support.folders import REPOSITORY

CONTRACT_TYPES = {
    pa.int64(): "int64",
    pa.float64(): "float64",
    pa.string(): "string",
    pa.bool_(): "bool",
    pa.date32(): "date",
}
BOOKKEEPING_TYPES = dict(zip(BOOKKEEPING, ("string", "timestamp", "timestamp"), strict=True))


def work_of(processor: Processor) -> PoolWork:
    assert isinstance(processor.work, PoolWork)
    return processor.work


@pytest.fixture(scope="module")
def models() -> dict[str, dict[str, Any]]:
    """Return the entry of each model in the project's yml files."""
    return {
        model["name"]: model
        for path in (REPOSITORY / "models").rglob("*.yml")
        for model in yaml.safe_load(path.read_text()).get("models", ())
    }


def declared(key: str, *upstream: str, number: int = 1) -> Processor:
    return Processor(
        number=number,
        key=key,
        name=key.title(),
        title=key,
        calculation_version="v1",
        model=key,
        inputs_model=f"{key}_inputs",
        entity="player_id",
        population=Population.LISTED_PLAYERS,
        work=SqlWork("select 1", upstream),
    )


def test_the_generated_macros_say_what_the_declarations_say() -> None:
    assert (REPOSITORY / MACRO_FILE).read_text() == macro_text(), "run `make generate`"


def test_the_readme_lists_the_processors_that_are_declared() -> None:
    readme = (REPOSITORY / README_FILE).read_text()
    assert readme == readme_text(readme), "run `make generate`"
    for each in PROCESSORS:
        assert f"({each.key}) | `{each.table}` |" in readme


def test_a_wave_comes_after_everything_that_it_reads() -> None:
    chosen = [
        declared("c", "b", "a"),
        declared("b", "a"),
        declared("a"),
        declared("d", "elsewhere"),
    ]
    assert [[each.key for each in wave] for wave in waves(chosen)] == [["a", "d"], ["b"], ["c"]]


def test_processors_that_wait_for_each_other_are_refused() -> None:
    with pytest.raises(ValueError, match=r"wait for each other: a, b"):
        waves([declared("a", "b"), declared("b", "a")])


def test_a_daily_run_without_downstream_leaves_the_feature_store_out() -> None:
    left = [each.key for each in daily_processors(skip_downstream=True)]
    assert left == [each.key for each in PROCESSORS if each.key != "mlfs"]
    assert daily_processors(skip_downstream=False) == PROCESSORS


def test_every_fact_that_names_a_processor_is_its_own() -> None:
    for fact in ("key", "name", "title", "number", "model", "inputs_model"):
        values = [getattr(processor, fact) for processor in PROCESSORS]
        assert len(set(values)) == len(values), fact
    assert [processor.number for processor in PROCESSORS] == list(range(1, len(PROCESSORS) + 1))
    known = {processor.key for processor in PROCESSORS}
    assert all(known.issuperset(processor.upstream) for processor in PROCESSORS)


@pytest.mark.parametrize("processor", POOL_PROCESSORS, ids=lambda each: each.key)
def test_a_contract_has_the_declared_columns(
    processor: Processor, models: dict[str, dict[str, Any]]
) -> None:
    declared_types = {
        **{field.name: CONTRACT_TYPES[field.type] for field in work_of(processor).output.schema},
        "data_hash": "string",
        **BOOKKEEPING_TYPES,
    }
    contract = models[processor.model]["columns"]
    assert {column["name"]: column["data_type"] for column in contract} == declared_types


@pytest.mark.parametrize("processor", POOL_PROCESSORS, ids=lambda each: each.key)
def test_an_inputs_model_has_the_columns_that_are_read(
    processor: Processor, models: dict[str, dict[str, Any]]
) -> None:
    work = work_of(processor)
    columns = {column["name"] for column in models[processor.inputs_model]["columns"]}
    assert columns.issuperset(work.player_columns)
    if work.games is not None:
        assert columns.issuperset({"season_year", "actual_game_count"})
        games = {column["name"] for column in models[work.games.model]["columns"]}
        assert games.issuperset(work.games.columns)
    tables = {each.key: each.model for each in PROCESSORS}
    for key, read in work.upstream_columns.items():
        stored = {column["name"] for column in models[tables[key]]["columns"]}
        assert stored.issuperset(read), key


@pytest.mark.parametrize("processor", POOL_PROCESSORS, ids=lambda each: each.key)
def test_the_tests_of_a_table_hold_its_rows_to_the_declared_ranges(
    processor: Processor, models: dict[str, dict[str, Any]]
) -> None:
    """If a bound or a value is another column, that column's own bounds apply."""
    conditions = " and ".join(
        " ".join(condition.split())
        for test in models[processor.model]["data_tests"]
        for condition in test.get("rows_satisfy", {})
        .get("arguments", {})
        .get("conditions", {})
        .values()
    )
    tested = dict(re.findall(r"\b(\w+) between (\S+ and [\w.-]+)", conditions))
    equal = dict(re.findall(r"\b(\w+) is not distinct from (\w+)", conditions))
    ranges = work_of(processor).output.ranges
    for name, declared_range in ranges.items():
        bounds = tested[equal.get(name, name)].split(" and ")
        found = tuple(
            ranges[bound][side] if bound in ranges else float(bound)
            for side, bound in enumerate(bounds)
        )
        assert found == declared_range, name


def test_rows_carry_the_version_that_their_processor_declares() -> None:
    for processor in POOL_PROCESSORS:
        output = work_of(processor).output
        assert output.calculation_version == processor.calculation_version
    for processor in PROCESSORS:
        (path,) = (REPOSITORY / "models").rglob(f"{processor.model}.sql")
        version = f"'{processor.calculation_version}'"
        assert version not in path.read_text(), "take it from processors()"
