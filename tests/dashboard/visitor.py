"""A browser without a screen: real HTTP, one jar of cookies, the page's token and the Origin that a browser would send."""

import http.client
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlencode, urlsplit

from websockets.sync.client import ClientConnection, connect

_TOKEN = re.compile(r'name="csrf" value="([^"]+)"')


@dataclass(frozen=True)
class Reply:
    """What came back. `headers` by lower-case name."""

    status: int
    headers: dict[str, str]
    text: str

    def json(self) -> Any:
        return json.loads(self.text)

    @property
    def words(self) -> str:
        """The text without markup, with single spaces between."""
        return re.sub(r"\s+", " ", re.sub(r"<[^>]*>", " ", self.text)).strip()


class Visitor:
    """One browser at one dashboard."""

    def __init__(self, base: str) -> None:
        self.base = base
        self.host = urlsplit(base).netloc
        self.cookies: dict[str, str] = {}

    def request(
        self, method: str, path: str, body: str | bytes | None = None, headers: Mapping[str, str] | None = None
    ) -> Reply:
        """One request; cookies are sent and kept, redirects are not followed."""
        sent = {"Accept": "text/html", **({"Cookie": self._cookie} if self.cookies else {}), **(headers or {})}
        connection = http.client.HTTPConnection(self.host, timeout=30)
        try:
            connection.request(method, path, body, {name: value for name, value in sent.items() if value is not None})
            answer = connection.getresponse()
            text = answer.read().decode()
            received = answer.headers
        finally:
            connection.close()
        for line in received.get_all("Set-Cookie", ()):
            self._keep(line)
        joined = {name.lower(): ", ".join(received.get_all(name)) for name in received}
        return Reply(answer.status, joined, text)

    def get(self, path: str, **headers: str) -> Reply:
        """`headers` with `_` for `-`: get("/bar", hx_request="true")."""
        return self.request("GET", path, headers=_named(headers))

    def post(self, path: str, fields: Mapping[str, Any] | None = None, **headers: str | None) -> Reply:
        """A form as the page would send it: with its token and this dashboard's Origin, unless they are given.

        A header that is None, or `csrf=None` in the fields, is left out.
        """
        sent = {"csrf": self.token(), **(fields or {})} if "csrf" not in (fields or {}) else dict(fields or {})
        body = urlencode({name: value for name, value in sent.items() if value is not None}, doseq=True)
        own = {"Content-Type": "application/x-www-form-urlencoded", "Origin": self.base}
        return self.request("POST", path, body, {**own, **_named(headers)})

    def log_in(self, password: str, **fields: str) -> Reply:
        """The login form, sent."""
        return self.post("/login", {"csrf": None, "password": password, **fields})

    def token(self) -> str:
        """The token that is in this session's forms; empty without a session."""
        found = _TOKEN.search(self.get("/stop").text)
        return found[1] if found else ""

    def live(self, origin: str | None = "") -> ClientConnection:
        """The WebSocket of a tab, with this browser's cookies. origin: this dashboard's unless another or None is given."""
        return connect(
            f"ws://{self.host}/live",
            origin=self.base if origin == "" else origin,
            additional_headers={"Cookie": self._cookie} if self.cookies else None,
            proxy=None,
            compression=None,
            open_timeout=10,
            close_timeout=2,
        )

    @property
    def _cookie(self) -> str:
        return "; ".join(f"{name}={value}" for name, value in self.cookies.items())

    def _keep(self, line: str) -> None:
        for name, morsel in SimpleCookie(line).items():
            if morsel["max-age"] == "0" or not morsel.value:
                self.cookies.pop(name, None)
            else:
                self.cookies[name] = morsel.value


def _named(headers: Mapping[str, str | None]) -> dict[str, str | None]:
    return {name.replace("_", "-").title(): value for name, value in headers.items()}
