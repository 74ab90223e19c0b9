"""A second emulator, which is stricter about partition filters, tells the same story."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.python.bigquery.emulator import LOCAL_BIGQUERY, running_emulator
from tests.python.bigquery.fortnight import play_fortnight
from tests.python.support.command import CommandLine

pytestmark = pytest.mark.slow


@pytest.mark.skipif(not LOCAL_BIGQUERY.is_available, reason=LOCAL_BIGQUERY.needs)
def test_a_fortnight_on_the_second_emulator(
    tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    with running_emulator(tmp_path / "emulator", LOCAL_BIGQUERY) as emulator:
        for name, value in emulator.settings().items():
            monkeypatch.setenv(name, value)
        monkeypatch.setenv("BACKCOURT_TARGET", "emulator")
        monkeypatch.setenv("BACKCOURT_BQ_LEASE_SECONDS", "120")
        play_fortnight(CommandLine(capsys), tmp_path, monkeypatch)
