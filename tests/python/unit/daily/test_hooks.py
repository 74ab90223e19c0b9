"""A daily run calls its hook, and reports a hook that fails."""

from __future__ import annotations

import http.server
import json
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from python_workers.daily import notify as hooks
from python_workers.daily.notify import run_hook
from python_workers.errors import BackcourtError
from tests.python.support.folders import REPOSITORY

EVENT = {"event": "daily_finished", "date": "2025-03-17", "rows_written": 12}


class Listener(http.server.HTTPServer):
    """Answers with the given codes in turn, then always with the last one; keeps the requests."""

    def __init__(self, *codes: int) -> None:
        super().__init__(("127.0.0.1", 0), Answer)
        self.codes = list(codes)
        self.received: list[object] = []

    @property
    def address(self) -> str:
        return f"http://127.0.0.1:{self.server_port}/hook?token=secret"


class Answer(http.server.BaseHTTPRequestHandler):
    server: Listener

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.server.received.append(json.loads(body))
        codes = self.server.codes
        self.send_response(codes.pop(0) if len(codes) > 1 else codes[0])
        self.end_headers()

    def log_message(self, *_: object) -> None: ...


@pytest.fixture
def listening() -> Iterator[Listener]:
    listener = Listener(503, 503, 200)
    threading.Thread(target=listener.serve_forever, daemon=True).start()
    yield listener
    listener.shutdown()


def test_a_webhook_gets_the_event_even_if_it_is_down_at_first(listening: Listener) -> None:
    run_hook(listening.address, EVENT, first_wait=0.01)
    assert listening.received == [EVENT] * 3


def test_a_webhook_that_stays_down_is_named_without_its_token(listening: Listener) -> None:
    listening.codes = [500]
    with pytest.raises(BackcourtError, match="failed 3 times: HTTP 500") as caught:
        run_hook(listening.address, EVENT, first_wait=0.01)
    assert caught.value.exit_code == 1
    assert "secret" not in caught.value.render()
    assert len(listening.received) == 3


def test_a_command_gets_the_event_on_standard_input(tmp_path: Path) -> None:
    heard = tmp_path / "heard.json"
    program = f"import sys; open({str(heard)!r}, 'w').write(sys.stdin.read())"
    run_hook(f"{shlex.quote(sys.executable)} -c {shlex.quote(program)}", EVENT)
    assert json.loads(heard.read_text()) == EVENT


def test_a_command_is_tried_three_times_and_never_by_a_shell(tmp_path: Path) -> None:
    tries = tmp_path / "tries"
    program = f"open({str(tries)!r}, 'a').write('x'); raise SystemExit(4)"
    command = f"{shlex.quote(sys.executable)} -c {shlex.quote(program)} ; touch {tmp_path}/shell"
    with pytest.raises(BackcourtError, match="exit code 4"):
        run_hook(command, EVENT, first_wait=0.01)
    assert tries.read_text() == "xxx"
    assert not (tmp_path / "shell").exists()


def test_a_command_that_does_not_exist_is_reported() -> None:
    with pytest.raises(BackcourtError, match="No such file or directory"):
        run_hook("no-such-command-anywhere", EVENT, first_wait=0.01)


@pytest.mark.parametrize(
    ("hook", "shown"),
    [
        (
            "http://me:secret@127.0.0.1:9/secret?token=secret",
            "the hook http://127.0.0.1:9/… failed",
        ),
        ("http://127.0.0.1:9/a secret", "the hook http://127.0.0.1:9/… failed"),
        ("http://127.0.0.1:port/secret", "the hook http://127.0.0.1:port/… failed"),
        ("sh -c 'exit 4; secret'", "the hook sh … failed 3 times: exit code 4"),
        ("sh -c 'kill -9 $$; secret'", "the hook sh … failed 3 times: killed by SIGKILL"),
        ("sleep 9 --secret", "the hook sleep … failed 3 times: exit code 1"),
        ("no-such-command secret", "the hook no-such-command … failed 3 times: No such file"),
        ("curl 'secret", "the hook curl … failed 3 times: ValueError"),
    ],
)
def test_no_way_of_failing_tells_a_secret(hook: str, shown: str) -> None:
    with pytest.raises(BackcourtError) as caught:
        run_hook(hook, EVENT, first_wait=0.001)
    assert caught.value.message.startswith(shown)
    assert "secret" not in caught.value.render()
    assert caught.value.__suppress_context__  # --debug does not show its causes either.


def test_a_hook_without_end_is_not_quoted(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(hooks, "TIMEOUT_SECONDS", 0.05)
    with pytest.raises(BackcourtError, match=r"the hook sleep … failed .*: no end within 0\.05 s"):
        run_hook("sleep 30", EVENT, first_wait=0.001)


def test_an_interrupted_command_does_not_tell_its_hook() -> None:
    program = "from python_workers.runtime.signals import how_to_go_on as say; print(say({!r}))"
    arguments = ["daily", "--date", "2022-01-15", "--hook", "https://me:pw@chat.example/T0/secret"]
    said = subprocess.run(
        [sys.executable, "-c", program.format(arguments)],
        cwd=REPOSITORY,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "backcourt daily --date 2022-01-15 --hook 'https://chat.example/…'" in said


def test_a_dash_writes_the_event_as_one_line(capsys: pytest.CaptureFixture[str]) -> None:
    run_hook("-", EVENT)
    assert json.loads(capsys.readouterr().out) == EVENT
