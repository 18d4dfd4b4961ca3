"""Answers of the REST door before they are sent (binance-protocol.md 1.0, 2.7)."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Any

import orjson
from aiohttp import web

from binance_trade_agent.simulator.errors import ApiError

JSON_TYPE = "application/json;charset=UTF-8"
_HTML_TYPE = "text/html"
_NOT_FOUND_PAGE = "<html><body><h2>404 Not found</h2></body></html>"


@dataclass(slots=True)
class Answer:
    """An HTTP answer to be sent."""

    status: int
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)

    def response(self, *, close: bool = False) -> web.Response:
        """The answer for aiohttp; with `close` the connection ends behind it."""
        response = web.Response(status=self.status, body=self.body, headers=self.headers)
        if close:
            response.force_close()
        return response


def json_answer(payload: Any, status: int = 200) -> Answer:
    """An answer with JSON."""
    return Answer(status, orjson.dumps(payload), {"Content-Type": JSON_TYPE})


def error_answer(error: ApiError) -> Answer:
    """A refusal."""
    answer = json_answer(error.payload(), error.status)
    if error.retry_after_seconds is not None:
        answer.headers["Retry-After"] = str(error.retry_after_seconds)
    return answer


def page(status: int) -> Answer:
    """What a proxy in front of the exchange says for itself."""
    title = f"{status} {HTTPStatus(status).phrase}" if status in set(HTTPStatus) else str(status)
    text = (
        f"<html>\r\n<head><title>{title}</title></head>\r\n<body>\r\n<center><h1>{title}</h1></center>\r\n"
        "<hr><center>nginx</center>\r\n</body>\r\n</html>\r\n"
    )
    return Answer(status, text.encode(), {"Content-Type": _HTML_TYPE})


def gone() -> Answer:
    """A path that does not exist any more."""
    return page(HTTPStatus.GONE)


def not_found(*, as_page: bool) -> Answer:
    """A path that does not exist."""
    if as_page:
        return Answer(HTTPStatus.NOT_FOUND, _NOT_FOUND_PAGE.encode(), {"Content-Type": _HTML_TYPE})
    return Answer(HTTPStatus.NOT_FOUND)


def wrong_method(allowed: Iterable[str]) -> Answer:
    """A path that knows other methods."""
    return Answer(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(allowed))})
