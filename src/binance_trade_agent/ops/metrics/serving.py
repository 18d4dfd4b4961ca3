"""The port on which metrics are served, by threads of their own: it answers when the trading loop stands still, too."""

import contextlib
import ipaddress
import logging
import socket
import sys
import threading
from collections.abc import Iterator
from http import HTTPStatus
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from binance_trade_agent.ops.metrics.answers import CONTENT_TYPE, Answers
from binance_trade_agent.ops.metrics.sources import Sources

PATH = "/metrics"
_AT_ONCE = 16  # connections; more are closed at once
_LOOK_SECONDS = 0.2  # between two looks whether it is to end
_PATIENCE_SECONDS = 5.0  # for a client that does not say what it wants, or does not read

log = logging.getLogger(__name__)


@contextlib.contextmanager
def serving(sources: Sources) -> Iterator[None]:
    """Serve until the end of the context. Where the port cannot be had it is said, and trading goes on without."""
    settings = sources.settings
    host, port = settings.metrics_host, settings.metrics_port
    answers = Answers(sources)
    try:
        server = _Server(host, port, answers)
    except OSError as failure:
        log.error(  # noqa: TRY400 (a sentence for the user)
            "METRICS_HOST=%s, METRICS_PORT=%d: no metrics are served, it cannot listen there: %s",
            host,
            port,
            failure.strerror or failure,
        )
        yield
        return
    thread = threading.Thread(target=server.serve_forever, args=(_LOOK_SECONDS,), name="metrics", daemon=True)
    thread.start()
    log.info("Metrics on http://%s:%d%s", f"[{host}]" if ":" in host else host, port, PATH)
    try:
        yield
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
        answers.close()


class _Server(ThreadingHTTPServer):
    """Listens. A thread for each connection, as a client that is slow keeps nobody waiting; a bounded number."""

    daemon_threads = True
    block_on_close = False

    def __init__(self, host: str, port: int, answers: Answers) -> None:
        family, _, _, _, address = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0]
        self.address_family = family
        self.answers = answers
        self.is_local = _is_loopback(str(address[0]))
        self._free = threading.BoundedSemaphore(_AT_ONCE)
        super().__init__((str(address[0]), port), _Handler)

    def process_request(self, request: socket.socket | tuple[bytes, socket.socket], client_address: object) -> None:
        """Take a connection, unless there are too many."""
        if not self._free.acquire(blocking=False):
            self.shutdown_request(request)
            return
        super().process_request(request, client_address)

    def process_request_thread(
        self, request: socket.socket | tuple[bytes, socket.socket], client_address: object
    ) -> None:
        """Answer on its thread."""
        try:
            super().process_request_thread(request, client_address)
        finally:
            self._free.release()

    def handle_error(self, request: object, client_address: object) -> None:  # noqa: ARG002 (socketserver's)
        """A client that has gone is no error."""
        log.debug("a question for metrics was not answered: %s", sys.exception())


class _Handler(BaseHTTPRequestHandler):
    timeout = _PATIENCE_SECONDS
    server: _Server
    server_version, sys_version = "trade-agent", ""

    def do_GET(self) -> None:
        """Answer a scrape."""
        if self.server.is_local and not _is_local_name(self.headers.get("Host", "")):
            # A page of somebody else whose name was made to lead here, read by a browser of this machine.
            self._say(HTTPStatus.MISDIRECTED_REQUEST, "These metrics are asked for as localhost or 127.0.0.1.")
        elif self.path.partition("?")[0] != PATH:
            self._say(HTTPStatus.NOT_FOUND, f"Metrics are on {PATH}.")
        else:
            self._answer()

    def _answer(self) -> None:
        try:
            text = self.server.answers.answer()
        except Exception:
            log.exception("metrics could not be collected")
            self._say(HTTPStatus.INTERNAL_SERVER_ERROR, "Metrics could not be collected; the log says why.")
            return
        self._send(HTTPStatus.OK, CONTENT_TYPE, text)

    def _say(self, status: HTTPStatus, sentence: str) -> None:
        self._send(status, "text/plain; charset=utf-8", f"{sentence}\n".encode())

    def _send(self, status: HTTPStatus, content_type: str, text: bytes) -> None:
        self.send_response(status)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(text)))
        self.send_header("Cache-Control", "no-store")
        self.end_headers()
        self.wfile.write(text)

    def log_message(self, format: str, *arguments: object) -> None:  # noqa: A002 (http.server's name)
        """Nothing: a line for each scrape is noise."""


def _is_loopback(address: str) -> bool:
    try:
        return ipaddress.ip_address(address.strip("[]")).is_loopback
    except ValueError:
        return False


def _is_local_name(host: str) -> bool:
    """Whether a Host header, with or without a port, means this machine."""
    name = host if host.endswith("]") else host.rpartition(":")[0] or host
    return name.lower() == "localhost" or _is_loopback(name)
