"""Asks stats.nba.com through ``nba_api``: paced, again after a failure, and never for HTML."""

from __future__ import annotations

import datetime as dt
import json
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from email.utils import parsedate_to_datetime
from typing import Any, Protocol

from tenacity import RetryCallState, Retrying, retry_if_exception_type, stop_after_attempt

from python_workers.errors import BackcourtError, ExitCode

ATTEMPTS = 5
TIMEOUT_SECONDS = 30.0
# The site bears about one request in 0.6 s.
PACE_SECONDS = 0.7
_LONGEST_WAIT_SECONDS = 120.0
_FORBIDDEN = (401, 403)


@dataclass(frozen=True)
class Answer:
    """An answer of the site.

    Parameters
    ----------
    status
        HTTP status.
    text
        The body.
    retry_after
        Seconds after which the site wants to be asked again, if it says so.
    """

    status: int
    text: str
    retry_after: float | None = None


class Ask(Protocol):
    """Sends one request."""

    def __call__(self, endpoint: str, parameters: Mapping[str, object]) -> Answer:
        """Return the answer of an endpoint; raise OSError where there is none."""


class UnansweredError(Exception):
    """A request that brought no usable answer, in spite of all attempts.

    Parameters
    ----------
    reason
        What the last attempt brought.
    is_blocked
        Whether the site seems to refuse this address.
    retry_after
        As in `Answer`.
    """

    def __init__(self, reason: str, *, is_blocked: bool, retry_after: float | None = None) -> None:
        super().__init__(reason)
        self.reason, self.is_blocked, self.retry_after = reason, is_blocked, retry_after


class Site:
    """The site, asked politely.

    Parameters
    ----------
    ask
        Sends one request.
    pace_seconds
        Least time between two requests.
    pause, clock
        ``time.sleep`` and ``time.monotonic``.
    """

    def __init__(
        self,
        ask: Ask,
        *,
        pace_seconds: float = PACE_SECONDS,
        pause: Callable[[float], None] = time.sleep,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask, self._pace, self._pause, self._clock = ask, pace_seconds, pause, clock
        self._next = clock()
        self.requests = 0

    def answer(self, endpoint: str, parameters: Mapping[str, object]) -> str:
        """Return the text of an answer, which is JSON.

        Raises
        ------
        UnansweredError
            If no attempt brings JSON.
        """
        attempts = Retrying(
            stop=stop_after_attempt(ATTEMPTS),
            wait=_wait,
            retry=retry_if_exception_type(UnansweredError),
            sleep=self._pause,
            reraise=True,
        )
        return attempts(self._attempt, endpoint, parameters)

    def _attempt(self, endpoint: str, parameters: Mapping[str, object]) -> str:
        early = self._next - self._clock()
        if early > 0:
            self._pause(early)
        self._next = self._clock() + self._pace
        self.requests += 1
        try:
            answer = self._ask(endpoint, parameters)
        except OSError as error:
            # The site does not refuse a cloud's address: it lets the request hang.
            raise UnansweredError(f"no answer: {type(error).__name__}", is_blocked=True) from error
        if answer.status != 200:
            raise UnansweredError(
                f"HTTP status {answer.status}",
                is_blocked=answer.status in _FORBIDDEN,
                retry_after=answer.retry_after,
            )
        try:
            json.loads(answer.text)
        except RecursionError as error:
            raise UnansweredError("JSON nested too deeply", is_blocked=False) from error
        except ValueError as error:
            is_html = answer.text.lstrip().startswith("<")
            reason = "HTML instead of JSON" if is_html else "JSON that is cut off"
            raise UnansweredError(reason, is_blocked=is_html) from error
        return answer.text


def _wait(state: RetryCallState) -> float:
    """Return the wait before the next attempt: 1, 2, 4, 8 s, or what the site asks for."""
    error = state.outcome.exception() if state.outcome else None
    asked = error.retry_after if isinstance(error, UnansweredError) else None
    return min(_LONGEST_WAIT_SECONDS, max(asked or 0.0, 2.0 ** (state.attempt_number - 1)))


def nba_api_ask(timeout_seconds: float = TIMEOUT_SECONDS, base_url: str | None = None) -> Ask:
    """Return the sender that uses nba_api's own headers and session.

    Parameters
    ----------
    timeout_seconds
        How long to wait for an answer.
    base_url
        Another address than the site's, with ``{endpoint}`` in it.

    Raises
    ------
    BackcourtError
        If nba_api is not installed.
    """
    try:
        from nba_api.stats.library.http import NBAStatsHTTP  # noqa: PLC0415 -- an extra
    except ImportError as error:
        raise BackcourtError(
            "nba_api is not installed",
            "In the clone: .venv/bin/python -m pip install -e '.[nba]'",
            ExitCode.ENVIRONMENT,
        ) from error

    class Http(NBAStatsHTTP):  # type: ignore[misc]  # published without types
        pass

    headers: dict[str, str] = {}

    def keep_headers(response: Any, *_: object, **__: object) -> None:  # noqa: ANN401 -- as above
        headers.clear()
        headers.update(response.headers)

    # nba_api keeps the body and the status of a response, and not its headers.
    Http.get_session().hooks["response"].append(keep_headers)
    if base_url is not None:
        Http.base_url = base_url
        Http.headers = {}

    def ask(endpoint: str, parameters: Mapping[str, object]) -> Answer:
        got = Http().send_api_request(endpoint, dict(parameters), timeout=timeout_seconds)
        status = got._status_code  # noqa: SLF001 -- nba_api has no public name for it
        wait = seconds_to_wait(headers.get("Retry-After"), dt.datetime.now(dt.UTC))
        return Answer(status, got.get_response(), wait)

    return ask


def seconds_to_wait(retry_after: str | None, now: dt.datetime) -> float | None:
    """Return the seconds of a ``Retry-After`` header: a number, or the time to wait for."""
    if retry_after is None:
        return None
    if retry_after.strip().isdecimal():
        return float(retry_after)
    try:
        return max(0.0, (parsedate_to_datetime(retry_after) - now).total_seconds())
    except (TypeError, ValueError):
        return None
