"""The emulator, a proxy that fails on request, and warehouses behind them."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from python_workers.warehouse.bigquery.client import BigQueryOptions
from python_workers.warehouse.bigquery.warehouse import BigQueryWarehouse
from tests.python.bigquery.emulator import Emulator, running_emulator
from tests.python.bigquery.fault_proxy import FaultProxy, running_proxy

# Programs of the emulator's own environment.
collect_ignore = [
    "bqemulator_server.py",
    "googlesql.py",
    "googlesql_run.py",
    "local_bigquery_server.py",
    "partition_filters.py",
]

PREFIXES = itertools.count(1)


@pytest.fixture(scope="session")
def emulator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Emulator]:
    """A running emulator, shared: tests keep apart by their dataset prefixes."""
    with running_emulator(tmp_path_factory.mktemp("emulator")) as running:
        yield running


@pytest.fixture(scope="session")
def session_proxy(emulator: Emulator) -> Iterator[FaultProxy]:
    with running_proxy(emulator.endpoint) as proxy:
        yield proxy


@pytest.fixture
def proxy(session_proxy: FaultProxy) -> FaultProxy:
    session_proxy.clear()
    return session_proxy


@pytest.fixture
def prefix() -> str:
    return f"t{next(PREFIXES)}_"


@pytest.fixture
def connect(
    emulator: Emulator, proxy: FaultProxy, prefix: str
) -> Iterator[Callable[..., BigQueryWarehouse]]:
    """Open warehouses behind the proxy; their delays between attempts are short."""
    opened: list[BigQueryWarehouse] = []

    def open_warehouse(**changes: Any) -> BigQueryWarehouse:
        options: dict[str, Any] = {
            "project": emulator.project,
            "endpoint": proxy.endpoint,
            "storage_endpoint": emulator.storage_endpoint,
            "dataset_prefix": prefix,
            "retry_seconds": 20.0,
            "first_delay_seconds": 0.02,
            "longest_delay_seconds": 0.2,
            "request_seconds": 15.0,
        }
        opened.append(BigQueryWarehouse(BigQueryOptions(**(options | changes))))
        return opened[-1]

    yield open_warehouse
    for warehouse in opened:
        warehouse.close()


@pytest.fixture
def warehouse(connect: Callable[..., BigQueryWarehouse]) -> BigQueryWarehouse:
    return connect()
