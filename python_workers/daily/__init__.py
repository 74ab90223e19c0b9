"""One date with the guards of a live pipeline: readiness, circuit breaker, hook, status.

The computation itself is the backfill's; only what surrounds it belongs here.
"""
