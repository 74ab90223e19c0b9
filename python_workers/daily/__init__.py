"""One date with the guards of a live pipeline: readiness, circuit breaker, hook, status.

The backfill computes; only the guards around it belong here.
"""
