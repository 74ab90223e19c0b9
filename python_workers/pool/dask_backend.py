"""joblib's Dask backend: runs the same chunks on an existing cluster.

Dask exchanges pickles: connect only to a scheduler that you trust, over TLS on untrusted networks.
"""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import CancelledError
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from joblib._dask import DaskDistributedBackend

from python_workers.errors import BackcourtError, ExitCode
from python_workers.pool.chunk import differing_versions, other_versions, versions
from python_workers.pool.dispatch import JOBS_READ_TOGETHER, Dispatcher

CONNECT_SECONDS = 10
DEFAULT_PORT = 8786
WORKERLESS_SECONDS = 60


@contextmanager
def cluster(scheduler: str) -> Iterator[Any]:
    """Connect to a scheduler, yield the ``distributed.Client``, and close it at the end.

    Parameters
    ----------
    scheduler
        Its address, such as ``tcp://10.0.0.5:8786``.

    Raises
    ------
    BackcourtError
        If the ``dask`` extra is missing, the scheduler does not answer or has no worker, TLS
        certificates are missing, or a worker's versions or code differ from this machine's.
    """
    try:
        import dask  # noqa: PLC0415 -- an optional extra, and slow to import
        import distributed  # noqa: PLC0415
    except ImportError as error:
        raise BackcourtError(
            "--backend dask needs the package distributed",
            "In the folder of the clone: make setup, or pip install -e '.[dask]'",
            ExitCode.ENVIRONMENT,
        ) from error
    # Chunks travel inside their tasks on purpose (see `chunk.Parcel`); silence Dask's warning.
    with dask.config.set({"distributed.admin.large-graph-warning-threshold": "1 TiB"}):
        if scheduler.startswith("tls:"):
            _check_certificates(dask.config.get("distributed.comm.tls"))
        client = _connect(distributed, scheduler)
        try:
            _check_workers(client, scheduler)
            yield client
        finally:
            client.close()


def _check_certificates(tls: Mapping[str, Any]) -> None:
    """Raise an error that names the variables of missing certificates."""
    client = tls.get("client") or {}
    named = {"CA_FILE": tls.get("ca-file"), "CLIENT__CERT": client.get("cert")}
    if client.get("key") is not None:  # the certificate's file may hold the key, too
        named["CLIENT__KEY"] = client["key"]
    lacking = [
        f"DASK_DISTRIBUTED__COMM__TLS__{name} "
        + (f"names {path}, which is no file" if path else "names no file")
        for name, path in named.items()
        if not path or not Path(path).is_file()
    ]
    if lacking:
        raise BackcourtError(
            "a scheduler at a tls:// address needs certificates",
            [*lacking, "How to make and name them: docs/scaling.md"],
            ExitCode.ENVIRONMENT,
        )


def _check_listens(scheduler: str) -> None:
    """Raise an OSError if nothing listens at a TCP address.

    A ``distributed.Client`` that cannot connect goes on trying in its own thread, and logs it.
    """
    address = urlsplit(scheduler if "://" in scheduler else f"tcp://{scheduler}")
    if address.scheme in ("tcp", "tls") and address.hostname:
        place = address.hostname, address.port or DEFAULT_PORT
        socket.create_connection(place, CONNECT_SECONDS).close()


def _connect(distributed: Any, scheduler: str) -> Any:  # noqa: ANN401 -- untyped
    try:
        _check_listens(scheduler)
        return distributed.Client(scheduler, timeout=CONNECT_SECONDS, set_as_default=False)
    except (OSError, TypeError, ValueError, TimeoutError) as error:
        raise BackcourtError(
            f"no Dask scheduler answers at {scheduler}",
            [
                f"Waited {CONNECT_SECONDS} s: {type(error).__name__}: {error}".splitlines()[0],
                "If it wants TLS, its address begins with tls://",
                "Start one with: dask scheduler",
                "Then workers, with backcourt installed, with: dask worker ADDRESS",
            ],
            ExitCode.ENVIRONMENT,
        ) from error


def _check_workers(client: Any, scheduler: str) -> None:  # noqa: ANN401 -- untyped
    try:
        client.wait_for_workers(1, timeout=CONNECT_SECONDS)
    except TimeoutError as error:
        raise BackcourtError(
            f"the Dask scheduler at {scheduler} has no workers",
            f"Start some, with backcourt installed, with: dask worker {scheduler}",
            ExitCode.ENVIRONMENT,
        ) from error
    here = versions()
    for address, there in client.run(versions, on_error="return").items():
        if isinstance(there, BaseException):
            raise BackcourtError(
                f"the Dask worker at {address} cannot import backcourt",
                [f"{type(there).__name__}: {there}", "Install the same code there as here."],
                ExitCode.ENVIRONMENT,
            ) from there
        if different := differing_versions(there, here):
            raise other_versions(f"at {address}", different)


def count_slots(client: Any) -> int:  # noqa: ANN401 -- untyped
    """Return how many tasks the cluster runs at once."""
    return max(int(sum(client.ncores().values())), 1)


class DaskBackend(DaskDistributedBackend):  # type: ignore[misc]  # joblib is untyped
    """A cluster as a joblib backend that also notices lost tasks, workers and schedulers.

    Dask itself gives the tasks of a dead worker to another worker. After ``allowed-failures``
    deaths it abandons the task; joblib's own backend would then wait forever.

    Parameters
    ----------
    client
        A connected ``distributed.Client``.
    slots
        How many tasks the cluster runs at once.
    """

    def __init__(self, client: Any, slots: int) -> None:  # noqa: ANN401 -- untyped
        from distributed import KilledWorker  # noqa: PLC0415 -- an optional extra

        super().__init__(client=client)
        self.slots = slots
        self.lost_task_errors: tuple[type[BaseException], ...] = (MemoryError, KilledWorker)
        self._dispatcher: Dispatcher | None = None
        self._workerless_since: float | None = None

    def attach(self, dispatcher: Dispatcher) -> None:
        """Send every result and failure to `dispatcher`."""
        self._dispatcher = dispatcher

    def configure(self, n_jobs: int = 1, parallel: Any = None, **_kwargs: object) -> int:  # noqa: ANN401, ARG002
        """Store the joblib call; do not wait for restarting workers here."""
        self.parallel = parallel
        assert self._dispatcher is not None  # noqa: S101 -- for mypy; it attaches itself
        self._dispatcher.workers_ready()
        return JOBS_READ_TOGETHER

    def submit(self, func: Any, callback: Any = None) -> Any:  # noqa: ANN401 -- joblib's signature
        """Hand a task to the cluster."""
        assert self._dispatcher is not None  # noqa: S101 -- for mypy; it attaches itself
        arrived = self._dispatcher.sending(callback)
        retrieve: Callable[[Any], Any] = super().retrieve_result_callback
        future = super().submit(func, callback=lambda _out: None)
        future.add_done_callback(lambda done: arrived(lambda: _outcome(retrieve, done)))
        return future

    def retrieve_result_callback(self, out: object) -> list[None]:  # noqa: ARG002
        """Return no copy of the result to joblib: the caller already has it."""
        return [None]

    def abort_everything(self, ensure_ready: bool = True) -> None:  # noqa: FBT001, FBT002
        """Cancel the running tasks on the cluster; joblib calls this hook."""
        running = list(self._results)
        super().abort_everything(ensure_ready=ensure_ready)
        if running and self.client.status == "running":
            self.client.cancel(running)

    def kill(self) -> bool:
        """Return False: the workers belong to the cluster."""
        return False

    def check(self) -> None:
        """Raise an error if the scheduler or all workers are gone."""
        if self.client.status != "running":
            raise _scheduler_gone()
        if sum(self.client.ncores().values()):
            self._workerless_since = None
            return
        self._workerless_since = self._workerless_since or time.monotonic()
        if time.monotonic() - self._workerless_since > WORKERLESS_SECONDS:
            raise BackcourtError(
                f"the Dask cluster has had no worker for {WORKERLESS_SECONDS} s",
                [
                    "Start workers and run the same command again: finished chunks are kept.",
                    "If a chunk crashed them all: --backend loky finds the entity that causes it.",
                ],
                ExitCode.ENVIRONMENT,
            )


def _outcome(retrieve: Callable[[Any], Any], done: Any) -> Any:  # noqa: ANN401 -- untyped
    outcome = done.result()
    if isinstance(outcome, CancelledError):
        raise _scheduler_gone() from outcome
    return retrieve(outcome)


def _scheduler_gone() -> BackcourtError:
    return BackcourtError(
        "the connection to the Dask scheduler was lost",
        "Run the same command again when it is back: finished chunks are kept.",
        ExitCode.ENVIRONMENT,
    )
