"""The generated page of the commands and settings."""

from __future__ import annotations

from python_workers.cli.reference import REFERENCE_FILE, reference_text
from python_workers.settings import Settings
from tests.python.support.folders import REPOSITORY


def test_the_page_is_what_the_declarations_say() -> None:
    assert (REPOSITORY / REFERENCE_FILE).read_text() == reference_text(), "run `make generate`"


def test_every_setting_says_what_it_means() -> None:
    assert [name for name, field in Settings.model_fields.items() if not field.description] == []
