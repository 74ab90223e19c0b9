"""A chunk of work, and how it travels to a worker and back.

Workers import this module, so it needs nothing beyond the standard library and pyarrow.

A chunk crosses to another process as one :class:`Parcel`: a pickle, with every Arrow table as an
IPC stream beside it, which the receiver reads without a copy. Pickling a sliced table would
include its whole parent; an IPC stream holds only the rows of the slice.
"""

from __future__ import annotations

import functools
import hashlib
import importlib
import os
import pickle
import socket
import sys
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import pyarrow as pa

from python_workers import __version__
from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.without_pandas import keep_pandas_out_of_pyarrow

PARENT_CHECK_SECONDS = 0.5


@dataclass(frozen=True)
class Chunk:
    """The payload of one task.

    Parameters
    ----------
    key
        Name of the chunk in messages.
    tables
        The worker's input, as Arrow tables by name.
    params
        Plain values beside the tables.
    """

    key: str
    tables: dict[str, pa.Table]
    params: dict[str, Any] = field(default_factory=dict)


class Parcel:
    """A pickle and its buffers.

    The class has no ``__weakref__``: joblib's Dask backend scatters objects that have one, and
    scattered data is lost with the worker that holds it. A parcel stays part of its task instead,
    so the scheduler can give it to another worker.
    """

    __slots__ = ("buffers", "head")

    def __init__(self, head: bytes, buffers: Sequence[pa.Buffer]) -> None:
        self.head = head
        self.buffers = tuple(buffers)

    @property
    def nbytes(self) -> int:
        """Size of the parcel in bytes."""
        return len(self.head) + sum(int(buffer.size) for buffer in self.buffers)

    def __sizeof__(self) -> int:
        """Include the payload, so that a Dask worker counts it against its memory limit."""
        return self.nbytes


def pack(payload: object) -> Parcel:
    """Pack `payload` for another process; its Arrow tables are reduced to their own rows.

    Parameters
    ----------
    payload
        Anything picklable, with Arrow tables anywhere inside.
    """
    head, buffers = BytesIO(), list[pa.Buffer]()

    def put_aside(buffer: pickle.PickleBuffer) -> None:
        buffers.append(pa.py_buffer(memoryview(buffer)))

    _ArrowPickler(head, protocol=5, buffer_callback=put_aside).dump(payload)
    return Parcel(head.getvalue(), buffers)


def unpack(parcel: Parcel) -> Any:  # noqa: ANN401 -- any packed type
    """Return the packed object; its Arrow tables point into the parcel, without a copy."""
    return pickle.loads(parcel.head, buffers=parcel.buffers)  # noqa: S301 -- from `pack`, by pipe


class _ArrowPickler(pickle.Pickler):
    def reducer_override(self, obj: object) -> Any:  # noqa: ANN401 -- pickle's own signature
        if isinstance(obj, pa.Table):
            return _read_stream, (_stream(obj),)
        return NotImplemented


def _stream(table: pa.Table) -> pa.Buffer:
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as writer:
        writer.write_table(table)
    return sink.getvalue()


def _read_stream(stream: pa.Buffer) -> pa.Table:
    return pa.ipc.open_stream(stream).read_all()


def compute_parcel(worker: Callable[[Chunk], object], parcel: Parcel) -> Parcel:
    """Run `worker` on a packed chunk; pool processes and Dask workers execute this function."""
    if pa.cpu_count() != 1:
        pa.set_cpu_count(1)  # the pool already has one process per core
    try:
        return pack(worker(unpack(parcel)))
    except Exception as error:
        substitute = _picklable(error)
        if substitute is error:
            raise
        raise substitute from error
    finally:
        pa.default_memory_pool().release_unused()


def _picklable(error: Exception) -> Exception:
    """Return `error`, or a plain substitute if `error` cannot be pickled, which breaks the pool."""
    try:
        pickle.loads(pickle.dumps(error))  # noqa: S301 -- pickled on this very line
    except Exception:  # noqa: BLE001 -- any failure means that it cannot be pickled
        return RuntimeError(f"{type(error).__name__}: {error}")
    return error


def ping() -> None:
    """Do nothing; the return proves that a worker process has started."""


def enter_process(parent: int) -> None:
    """Prepare a pool process: no pandas, quiet on a crash, exit with `parent`.

    Otherwise loky prints a crash's stack on the terminal (PYTHONFAULTHANDLER=1 brings it back), and
    lets the workers of a killed parent wait for minutes.
    """
    keep_pandas_out_of_pyarrow()
    os.environ.setdefault("PYTHONFAULTHANDLER", "")
    pa.set_cpu_count(1)
    threading.Thread(target=_leave_with, args=(parent,), name="parent-watch", daemon=True).start()


def _leave_with(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(PARENT_CHECK_SECONDS)
    os._exit(1)


def versions() -> dict[str, str]:
    """Return the versions that must agree so that other machines compute the same bytes."""
    import numpy as np  # noqa: PLC0415 -- only clusters call this; a pool process may not need numpy

    return {
        "Python": f"{sys.version_info.major}.{sys.version_info.minor}",
        "backcourt": __version__,
        "code of backcourt": code_digest(),
        "numpy": np.__version__,
        "pyarrow": pa.__version__,
    }


@functools.cache
def code_digest() -> str:
    """Return a digest of the package's sources, as they were when this process loaded them.

    A version number stays the same while developers change the code. Import the computing code
    first, so that a worker that outlives a change of its files keeps the digest of its own code.
    """
    importlib.import_module("python_workers.processors.worker")
    package = Path(__file__).parents[1]
    digest = hashlib.sha256()
    for file in sorted(package.rglob("*.py")):
        content = file.read_bytes()
        digest.update(f"{file.relative_to(package).as_posix()} {len(content)}\n".encode())
        digest.update(content)
    return digest.hexdigest()[:16]


def differing_versions(there: Mapping[str, str], here: Mapping[str, str]) -> list[str]:
    """Return a line for each version that differs."""
    return [
        f"{name}: {there.get(name, 'none')} there, {version} here"
        for name, version in here.items()
        if there.get(name) != version
    ]


def compute_parcel_alike(
    expected: Mapping[str, str], worker: Callable[[Chunk], object], parcel: Parcel
) -> Parcel:
    """Run `worker` on a packed chunk if this process has the versions of its caller.

    Workers may join a cluster during a run, so each task checks.

    Raises
    ------
    BackcourtError
        If versions differ; it names this worker's host and the differences.
    """
    if different := differing_versions(versions(), expected):
        raise other_versions(f"on {socket.gethostname()}", different)
    return compute_parcel(worker, parcel)


def other_versions(place: str, different: Sequence[str]) -> BackcourtError:
    """Return the error for a worker that could compute other bytes."""
    return BackcourtError(
        f"the Dask worker {place} has other versions than this machine",
        [
            *different,
            "Rows are the same byte for byte only with the same versions and code:",
            "install them there, and restart its workers.",
        ],
        ExitCode.ENVIRONMENT,
    )
