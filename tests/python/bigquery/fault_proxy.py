"""An HTTP proxy between the real client and the emulator that goes wrong on request.

A fault strikes requests that match it, a given number of times, in one of these ways:

- `answer`: the request never reaches the server; an error with BigQuery's body comes back;
- `reset_before`: the connection breaks before the request reaches the server;
- `reset_after`: the server does the work, and its answer is lost;
- `cut`: the server does the work, and half of its answer arrives;
- `slow`: the answer comes, after the client's patience;
- `failed_job`: the job is accepted, and reported as failed by BigQuery itself;
- `estimate`: a dry run is answered with a number of bytes, which the emulator does not know.
"""

from __future__ import annotations

import http.client
import json
import re
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import urlsplit

HOP_BY_HOP = {"connection", "content-length", "host", "keep-alive", "transfer-encoding"}


@dataclass
class Fault:
    """What goes wrong, where, and how often.

    Parameters
    ----------
    kind
        One of the ways above.
    method, path, body
        Regular expressions that a request must match to be struck.
    times
        The number of requests struck; further ones pass.
    status, reason, message
        The error of `answer` and `failed_job`.
    seconds
        The delay of `slow`.
    size
        The answer of `estimate`.
    """

    kind: str
    method: str = "POST"
    path: str = "/jobs"
    body: str = ""
    times: int = 1
    status: int = 503
    reason: str = "backendError"
    message: str = "Error encountered during execution. Retrying may solve the problem."
    seconds: float = 0.0
    size: int = 0
    struck: int = 0

    def strikes(self, method: str, path: str, body: bytes) -> bool:
        wanted = (
            self.struck < self.times
            and re.fullmatch(self.method, method) is not None
            and re.search(self.path, path) is not None
            and re.search(self.body.encode(), body, re.DOTALL) is not None
        )
        self.struck += wanted
        return wanted


@dataclass
class SeenRequest:
    method: str
    path: str
    body: bytes
    at: float


@dataclass
class FaultProxy:
    """The proxy: its address, the faults to come, and the requests that went by."""

    upstream: str
    endpoint: str = ""
    faults: list[Fault] = field(default_factory=list)
    seen: list[SeenRequest] = field(default_factory=list)
    lock: threading.Lock = field(default_factory=threading.Lock)

    def inject(self, kind: str, **options: Any) -> Fault:
        fault = Fault(kind, **options)
        self.faults.append(fault)
        return fault

    def clear_faults(self) -> None:
        self.faults.clear()

    def clear(self) -> None:
        self.faults.clear()
        self.seen.clear()

    def requests(self, method: str, path: str) -> list[SeenRequest]:
        return [
            one
            for one in self.seen
            if one.method == method and re.search(path, one.path) is not None
        ]

    def take_fault(self, method: str, path: str, body: bytes) -> Fault | None:
        with self.lock:
            self.seen.append(SeenRequest(method, path, body, time.monotonic()))
            return next((one for one in self.faults if one.strikes(method, path, body)), None)


def error_body(fault: Fault) -> bytes:
    """Return an error as BigQuery writes it."""
    details = {"domain": "global", "reason": fault.reason, "message": fault.message}
    error = {"code": fault.status, "message": fault.message, "errors": [details]}
    return json.dumps({"error": error}).encode()


def as_failed_job(request: bytes, fault: Fault) -> bytes:
    """Return the job of an insert request as done and failed."""
    match = re.search(rb'\{.*"jobReference".*?\}\s*(?=\r\n--|$)', request, re.DOTALL)
    job = json.loads(match[0] if match else request)
    error = {"reason": fault.reason, "message": fault.message}
    status = {"state": "DONE", "errorResult": error, "errors": [error]}
    return json.dumps({**job, "kind": "bigquery#job", "status": status}).encode()


def with_bytes(answer: bytes, size: int) -> bytes:
    """Return the answer to a dry run with the bytes that the statement would process."""
    job = json.loads(answer)
    if "statistics" in job:
        job["statistics"]["totalBytesProcessed"] = str(size)
        job["statistics"]["query"]["totalBytesProcessed"] = str(size)
    return json.dumps(job).encode()


class Handler(BaseHTTPRequestHandler):
    """Passes requests on, unless a fault strikes."""

    protocol_version = "HTTP/1.1"
    # Send each answer at once in one packet: waiting for more would cost 40 ms a request.
    disable_nagle_algorithm = True
    wbufsize = -1
    proxy: FaultProxy

    def handle_request(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        fault = self.proxy.take_fault(self.command, self.path, body)
        kind = "" if fault is None else fault.kind
        if fault is not None and kind == "answer":
            self.reply(fault.status, {"Content-Type": "application/json"}, error_body(fault))
            return
        if fault is not None and kind == "failed_job":
            self.reply(200, {"Content-Type": "application/json"}, as_failed_job(body, fault))
            return
        if kind == "reset_before":
            self.reset()
            return
        status, headers, answer = self.pass_on(body)
        if kind == "reset_after":
            self.reset()
            return
        if fault is not None and kind == "slow":
            time.sleep(fault.seconds)
        if fault is not None and kind == "estimate":
            answer = with_bytes(answer, fault.size)
        if kind == "cut":
            self.reply(status, headers, answer, sent=len(answer) // 2)
            self.close_connection = True
            return
        self.reply(status, headers, answer)

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = handle_request  # noqa: N815

    def pass_on(self, body: bytes) -> tuple[int, dict[str, str], bytes]:
        upstream = urlsplit(self.proxy.upstream)
        connection = http.client.HTTPConnection(upstream.netloc, timeout=300)
        # The server builds the address of a resumable upload from the host of the request.
        headers = {k: v for k, v in self.headers.items() if k.lower() not in HOP_BY_HOP}
        headers |= {"Host": urlsplit(self.proxy.endpoint).netloc, "Accept-Encoding": "identity"}
        try:
            connection.request(self.command, self.path, body, headers)
            response = connection.getresponse()
            answer = response.read()
        finally:
            connection.close()
        kept = {k: v for k, v in response.getheaders() if k.lower() not in HOP_BY_HOP}
        return response.status, kept, answer

    def reply(
        self, status: int, headers: dict[str, str], body: bytes, *, sent: int | None = None
    ) -> None:
        try:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name, value)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body[:sent])
            self.wfile.flush()
        except OSError:
            # The client lost patience.
            self.close_connection = True

    def reset(self) -> None:
        """Break the connection with a TCP reset, not a polite end."""
        linger_none = struct.pack("ii", 1, 0)
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, linger_none)
        self.connection.close()
        self.close_connection = True

    def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 (the base class's name)
        """Stay silent: `seen` is the log."""


class QuietServer(ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Broken connections are what this server is for."""


@contextmanager
def running_proxy(upstream: str) -> Iterator[FaultProxy]:
    """Serve on a free port of 127.0.0.1 until the block ends."""
    proxy = FaultProxy(upstream)
    handler = type("BoundHandler", (Handler,), {"proxy": proxy})
    server = QuietServer(("127.0.0.1", 0), handler)
    proxy.endpoint = f"http://127.0.0.1:{server.server_address[1]}"
    thread = threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield proxy
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
