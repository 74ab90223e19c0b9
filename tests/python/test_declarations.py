"""What follows from the declarations of the processors, and is written down elsewhere, too."""

from __future__ import annotations

from pathlib import Path

import pytest

from python_workers.processors.base import Population, Processor, SqlWork, waves
from python_workers.processors.catalogue import PROCESSORS
from python_workers.processors.dbt_macro import MACRO_FILE, macro_text

REPOSITORY = Path(__file__).parents[2]


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


def test_every_fact_that_names_a_processor_is_its_own() -> None:
    for fact in ("key", "name", "title", "number", "model", "inputs_model"):
        values = [getattr(processor, fact) for processor in PROCESSORS]
        assert len(set(values)) == len(values), fact
    known = {processor.key for processor in PROCESSORS}
    assert all(known.issuperset(processor.upstream) for processor in PROCESSORS)
