"""Settings and fixtures that all Python tests share."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from python_workers.settings import Settings

# Times vary on a shared machine; what a property test may not do is depend on them.
settings.register_profile(
    "backcourt", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("backcourt")

REPOSITORY = Path(__file__).parents[2]


@pytest.fixture(scope="session", autouse=True)
def a_place_of_its_own(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Keep the tests away from the warehouse, the settings and the dbt output of the user."""
    with pytest.MonkeyPatch.context() as patch:
        for name in Settings.model_fields.keys() - {"raw_dir"}:
            patch.delenv(f"BACKCOURT_{name.upper()}", raising=False)
        for name in ("DBT_TARGET_PATH", "DBT_LOG_PATH"):
            patch.setenv(name, str(tmp_path_factory.mktemp(name.lower())))
        yield
