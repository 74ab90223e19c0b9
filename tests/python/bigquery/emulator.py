"""A BigQuery emulator for the tests, in an environment of its own.

`ensure_environment` builds the environment once from the hash-locked requirements;
`running_emulator` starts a server in it on free ports of 127.0.0.1 and stops it.

Run as a program (`python tests/python/bigquery/emulator.py`), it serves until Ctrl-C and prints the
settings that point `backcourt` and `dbt` at it.
"""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from tests.python.support.folders import REPOSITORY

HERE = Path(__file__).resolve().parent
PROJECT = "backcourt-emulator"

START_SECONDS = 90
START_ATTEMPTS = 3


@dataclass(frozen=True)
class Flavour:
    """A program in an environment of its own: requirements, DuckDB extensions, how to start it."""

    name: str
    minimum_python: tuple[int, int]
    extensions: tuple[str, ...]
    arguments: tuple[str, ...]
    starter: str = ""
    """A program beside the clone that the server runs, if it does not start by itself."""
    folder: Path = HERE
    """Where its requirements and its server are."""

    @property
    def requirements(self) -> Path:
        return self.folder / f"{self.name}-requirements.lock"

    @property
    def server(self) -> Path:
        return self.folder / f"{self.name.replace('-', '_')}_server.py"

    @property
    def starter_path(self) -> Path:
        return REPOSITORY.parent / "shared" / "bigquery" / self.starter

    @property
    def needs(self) -> str:
        version = ".".join(map(str, self.minimum_python))
        return f"{self.name} needs Python {version} and ../shared/bigquery/{self.starter}"

    @property
    def is_available(self) -> bool:
        return find_python(self.minimum_python) is not None and self.starter_path.exists()

    def command(self, python: Path, port: int, storage_port: int) -> list[str]:
        arguments = [
            argument.format(port=port, storage_port=storage_port, project=PROJECT)
            for argument in self.arguments
        ]
        starter = [str(self.starter_path)] if self.starter else []
        return [str(python), str(self.server), *starter, *arguments]


BQEMULATOR = Flavour(
    name="bqemulator",
    minimum_python=(3, 11),
    extensions=("spatial",),
    arguments=(
        *("start", "--rest-port", "{port}", "--grpc-port", "{storage_port}"),
        *("--project", "{project}", "--log-level", "error"),
    ),
)


LOCAL_BIGQUERY = Flavour(
    name="local-bigquery",
    minimum_python=(3, 13),
    extensions=("icu", "ducklake", "spatial"),
    arguments=(
        *("--port", "{port}", "--grpc-port", "{storage_port}"),
        *("--project", "{project}", "--data-dir", "data", "serve"),
    ),
    starter="local_bigquery_merge.py",
)


@dataclass(frozen=True)
class Emulator:
    """A running server."""

    endpoint: str
    storage_endpoint: str
    project: str = PROJECT

    def settings(self) -> dict[str, str]:
        """Environment variables that point the CLI, dbt and the clients at this server."""
        return {
            "BACKCOURT_BQ_ENDPOINT": self.endpoint,
            "BACKCOURT_BQ_STORAGE_ENDPOINT": self.storage_endpoint,
            "BACKCOURT_BQ_PROJECT": self.project,
            # The next run takes over from a killed one at once.
            "BACKCOURT_BQ_LEASE_SECONDS": "3",
        }


def find_python(minimum: tuple[int, int]) -> str | None:
    """Return an interpreter that is new enough, this one first."""
    if sys.version_info >= minimum:
        return sys.executable
    name = "python" + ".".join(map(str, minimum))
    # pyenv has a command for each version that it knows; it fails if that one is not chosen.
    below = Path.home() / ".pyenv" / "versions"
    candidates = [shutil.which(name), *map(str, sorted(below.glob(f"*/bin/{name}")))]
    for found in candidates:
        if found and not subprocess.run([found, "-V"], check=False, capture_output=True).returncode:
            return found
    return None


def cache_directory() -> Path:
    return Path(os.environ.get("BACKCOURT_EMULATOR_DIR", REPOSITORY / ".emulator"))


def ensure_environment(flavour: Flavour = BQEMULATOR) -> Path:
    """Build the emulator's virtual environment if need be and return its interpreter."""
    base_python = find_python(flavour.minimum_python)
    if base_python is None:
        message = f"{flavour.name} needs Python {flavour.minimum_python}"
        raise RuntimeError(message)
    directory = cache_directory() / flavour.name
    directory.mkdir(parents=True, exist_ok=True)
    (directory.parent / ".gitignore").write_text("*\n")
    python = directory / "venv" / "bin" / "python"
    stamp = directory / "installed"
    # Use the interpreter itself: one environment serves all virtual environments made from it.
    interpreter = os.path.realpath(base_python)
    wanted = hashlib.sha256(flavour.requirements.read_bytes() + interpreter.encode()).hexdigest()
    # Parallel test processes wait here for the first one to build it.
    with (directory / "lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if python.exists() and stamp.exists() and stamp.read_text() == wanted:
            return python
        stamp.unlink(missing_ok=True)
        run([base_python, "-m", "venv", "--clear", str(directory / "venv")])
        pip = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check"]
        run([*pip, "--require-hashes", "--no-deps", "-r", str(flavour.requirements)])
        for extension in flavour.extensions:
            program = f"import duckdb_extensions as d; d.import_extension({extension!r})"
            run([str(python), "-c", program], home=directory / "home")
        stamp.write_text(wanted)
    return python


def run(command: Sequence[str], *, home: Path | None = None) -> None:
    """Run a step of the set-up; show its output only if it fails."""
    done = subprocess.run(
        command, check=False, capture_output=True, text=True, env=environment_with(home)
    )
    if done.returncode != 0:
        message = f"{' '.join(command)} failed:\n{done.stdout}{done.stderr}"
        raise RuntimeError(message)


def environment_with(home: Path | None) -> dict[str, str]:
    """Return the environment of a server: DuckDB keeps its extensions below the home directory."""
    environment = dict(os.environ)
    if home is not None:
        home.mkdir(parents=True, exist_ok=True)
        environment["HOME"] = str(home)
    return environment


def free_ports(count: int) -> list[int]:
    sockets = [socket.socket() for _ in range(count)]
    try:
        for one in sockets:
            one.bind(("127.0.0.1", 0))
        return [one.getsockname()[1] for one in sockets]
    finally:
        for one in sockets:
            one.close()


def answers(endpoint: str) -> bool:
    url = f"{endpoint}/bigquery/v2/projects/{PROJECT}/datasets"
    try:
        with urllib.request.urlopen(url, timeout=5) as response:  # noqa: S310 (always http)
            return isinstance(json.load(response), dict)
    except (OSError, urllib.error.URLError, ValueError):
        return False


def wait_for_start(endpoint: str, server: subprocess.Popen[bytes]) -> bool:
    deadline = time.monotonic() + START_SECONDS
    while time.monotonic() < deadline and server.poll() is None:
        if answers(endpoint):
            return True
        time.sleep(0.1)
    return False


@contextmanager
def running_emulator(directory: Path, flavour: Flavour = BQEMULATOR) -> Iterator[Emulator]:
    """Serve an empty project until the block ends; `directory` takes the log and the data."""
    python = ensure_environment(flavour)
    directory.mkdir(parents=True, exist_ok=True)
    log = directory / f"{flavour.name}.log"
    for _ in range(START_ATTEMPTS):
        port, storage_port = free_ports(2)
        endpoint = f"http://127.0.0.1:{port}"
        with log.open("ab") as output:
            server = subprocess.Popen(
                flavour.command(python, port, storage_port),
                stdin=subprocess.PIPE,
                stdout=output,
                stderr=subprocess.STDOUT,
                cwd=directory,
                env=environment_with(cache_directory() / flavour.name / "home"),
            )
        try:
            if wait_for_start(endpoint, server):
                yield Emulator(endpoint, f"127.0.0.1:{storage_port}")
                return
        finally:
            server.kill()
            server.wait()
            if server.stdin is not None:
                server.stdin.close()
    message = f"{flavour.name} does not start:\n{log.read_text()[-4000:]}"
    raise RuntimeError(message)


def main() -> None:
    with running_emulator(cache_directory() / "served") as emulator:
        for name, value in emulator.settings().items():
            print(f"export {name}={value}", flush=True)
        try:
            while True:
                time.sleep(3600)
        except KeyboardInterrupt:
            pass


if __name__ == "__main__":
    main()
