"""Notifies after a daily run: through a command, a webhook, or standard output."""

from __future__ import annotations

import json
import shlex
import signal
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Mapping
from typing import Any

from tenacity import RetryError, Retrying, stop_after_attempt, wait_exponential_jitter

from python_workers.errors import BackcourtError, ExitCode
from python_workers.runtime.redaction import plain_hook
from python_workers.runtime.streams import write_line

ATTEMPTS = 3
FIRST_WAIT_SECONDS = 1.0
TIMEOUT_SECONDS = 60.0

STDOUT = "-"


def run_hook(
    hook: str, event: Mapping[str, Any], *, first_wait: float = FIRST_WAIT_SECONDS
) -> None:
    """Send the event of a finished daily run to the hook.

    Parameters
    ----------
    hook
        ``-`` writes the event to standard output; an http(s) address receives it as a POST; any
        other text is a command that receives it on standard input (no shell).
    event
        The event, JSON-serialisable.
    first_wait
        Seconds before the second of `ATTEMPTS` attempts; it doubles, with jitter.

    Raises
    ------
    BackcourtError
        With exit code 1 after the last attempt. The data stays unchanged.
    """
    text = json.dumps(event, default=str)
    if hook == STDOUT:
        write_line(text)
        return
    is_address = hook.startswith(("http://", "https://"))
    retrying = Retrying(
        stop=stop_after_attempt(ATTEMPTS),
        wait=wait_exponential_jitter(initial=first_wait, jitter=first_wait),
    )
    try:
        retrying(_post if is_address else _command, hook, text)
    except RetryError as error:
        cause = error.last_attempt.exception()
        # Do not show the exception's text: it may quote an address or argument with a token.
        raise BackcourtError(
            f"the hook {plain_hook(hook)} failed {ATTEMPTS} times: {_message(cause)}",
            "The day's data is complete; only the hook must run again.",
            ExitCode.ATTENTION,
        ) from None


def _post(address: str, text: str) -> None:
    request = urllib.request.Request(  # noqa: S310 -- checked to be http(s)
        address, text.encode(), {"Content-Type": "application/json"}, method="POST"
    )
    with urllib.request.urlopen(request, timeout=TIMEOUT_SECONDS):  # noqa: S310 -- as above
        pass


def _command(command: str, text: str) -> None:
    subprocess.run(  # noqa: S603 -- the user's own command, without a shell
        shlex.split(command),
        input=text,
        text=True,
        check=True,
        timeout=TIMEOUT_SECONDS,
        stdout=sys.stderr,
    )


def _message(error: BaseException | None) -> str:
    """Describe an error without quoting the exception's text, which may contain the hook."""
    match error:
        case subprocess.CalledProcessError(returncode=code):
            return f"killed by {signal.Signals(-code).name}" if code < 0 else f"exit code {code}"
        case subprocess.TimeoutExpired() | TimeoutError():
            return f"no end within {TIMEOUT_SECONDS:g} s"
        case urllib.error.HTTPError():
            return f"HTTP {error.code}"
        case urllib.error.URLError(reason=OSError() as reason):
            return _message(reason)
        case OSError(strerror=str() as text):
            return text
    return type(error).__name__
