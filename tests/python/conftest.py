"""Settings that all Python tests share."""

from __future__ import annotations

from hypothesis import HealthCheck, settings

# Times vary on a shared machine; what a property test may not do is depend on them.
settings.register_profile(
    "backcourt", deadline=None, suppress_health_check=[HealthCheck.too_slow], print_blob=True
)
settings.load_profile("backcourt")
