"""Visitors of the published ports: a browser that can log in, and an MCP client, by the standard library."""

import json
import re
import urllib.error
import urllib.parse
import urllib.request
from dataclasses import dataclass, field
from http.cookiejar import CookieJar
from typing import Any

DASHBOARD = "http://127.0.0.1:8050"
MCP = "http://127.0.0.1:8080/mcp"
PAGES = ("/portfolio", "/market", "/signals", "/trade", "/system", "/logs", "/advanced")
_SECONDS = 20


@dataclass(frozen=True)
class Answer:
    """Status 0: nobody listens, or the connection was closed."""

    status: int
    text: str
    headers: dict[str, str] = field(default_factory=dict)


class Visitor:
    """Has cookies as a browser has, and keeps all that it was shown."""

    def __init__(self) -> None:
        self._opener = urllib.request.build_opener(
            urllib.request.ProxyHandler({}), urllib.request.HTTPCookieProcessor(CookieJar())
        )
        self.seen: list[str] = []

    def get(self, path: str) -> Answer:
        """A page of the dashboard."""
        return self.ask(urllib.request.Request(DASHBOARD + path, headers={"Accept": "text/html"}))

    def log_in(self, password: str) -> Answer:
        """Fill in the form."""
        form = self.get("/login").text
        hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form))
        sent = urllib.parse.urlencode({**hidden, "password": password}).encode()
        return self.ask(urllib.request.Request(DASHBOARD + "/login", sent, {"Origin": DASHBOARD}))

    def ask(self, request: urllib.request.Request) -> Answer:
        """Whatever is answered, an error too."""
        try:
            with self._opener.open(request, timeout=_SECONDS) as answer:
                found = Answer(answer.status, answer.read().decode(errors="replace"), dict(answer.headers.items()))
        except urllib.error.HTTPError as error:
            found = Answer(error.code, error.read().decode(errors="replace"), dict(error.headers.items()))
        except OSError as error:
            found = Answer(0, str(error))
        self.seen.append(f"{found.headers}\n{found.text}")
        return found


class Assistant:
    """An MCP client over streamable HTTP, with a token or without."""

    def __init__(self, token: str | None) -> None:
        self.visitor = Visitor()
        self._headers = {"Accept": "application/json, text/event-stream", "Content-Type": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token}"

    def begin(self) -> Answer:
        """`initialize`, and the session that it begins."""
        about = {"protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"}}
        answer = self._post({"id": 1, "method": "initialize", "params": about})
        session = next((value for name, value in answer.headers.items() if name.lower() == "mcp-session-id"), None)
        if session is not None:
            self._headers |= {"Mcp-Session-Id": session, "MCP-Protocol-Version": "2025-06-18"}
            self._post({"method": "notifications/initialized"})
        return answer

    def ask(self, method: str, **parameters: Any) -> Any:
        """The result of a request, or its error."""
        answer = self._post({"id": 2, "method": method, "params": parameters})
        events = re.findall(r"^data: ?(\{.*)$", answer.text, re.MULTILINE)
        said = json.loads(events[-1] if events else answer.text)
        return said.get("result", said)

    def _post(self, message: dict[str, Any]) -> Answer:
        body = json.dumps({"jsonrpc": "2.0", **message}).encode()
        return self.visitor.ask(urllib.request.Request(MCP, body, self._headers))
