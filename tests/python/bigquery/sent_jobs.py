"""Finds the jobs among the requests that passed a proxy."""

from __future__ import annotations

import json
import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from tests.python.bigquery.fault_proxy import SeenRequest

JOBS = re.compile(r"v2/projects/[^/]+/jobs(\?|$)")


@dataclass(frozen=True)
class SentJob:
    """A job as a client asked for it."""

    id: str
    configuration: dict[str, Any]

    @property
    def labels(self) -> dict[str, str]:
        found: dict[str, str] = self.configuration.get("labels", {})
        return found

    @property
    def is_dry(self) -> bool:
        return bool(self.configuration.get("dryRun"))

    @property
    def is_python(self) -> bool:
        """Whether `python_workers` sent it, not dbt."""
        return self.id.startswith("backcourt_") or self.is_dry

    @property
    def statement(self) -> str | None:
        query = self.configuration.get("query")
        return None if query is None else str(query["query"])

    @property
    def loaded(self) -> tuple[str, list[tuple[str, str]]] | None:
        """The table that a load job fills, with the names and types of its columns."""
        load = self.configuration.get("load")
        if load is None:
            return None
        table = load["destinationTable"]
        name = f"{table['projectId']}.{table['datasetId']}.{table['tableId']}"
        return name, [(field["name"], field["type"].lower()) for field in load["schema"]["fields"]]


def sent_jobs(requests: Iterable[SeenRequest]) -> list[SentJob]:
    """Return the jobs of requests, in order; a request that was repeated counts once."""
    found: dict[str, SentJob] = {}
    for request in requests:
        if request.method != "POST" or JOBS.search(request.path) is None:
            continue
        # An upload has its file behind the job.
        match = re.search(rb'\{.*"configuration".*\}', request.body)
        assert match is not None
        body = json.loads(match[0])
        job_id = body["jobReference"]["jobId"]
        found[job_id] = SentJob(job_id, body["configuration"])
    return list(found.values())
