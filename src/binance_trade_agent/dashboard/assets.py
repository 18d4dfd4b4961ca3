"""Style sheets and scripts: read once, kept packed in memory, under an address that changes when one of them does."""

import gzip
import hashlib
from dataclasses import dataclass
from importlib import resources
from importlib.resources.abc import Traversable

from starlette.datastructures import Headers
from starlette.responses import PlainTextResponse, Response
from starlette.types import Receive, Scope, Send

_KINDS = {
    ".css": "text/css; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".svg": "image/svg+xml",
    ".webmanifest": "application/manifest+json",
}
_FOR_EVER = "public, max-age=31536000, immutable"


@dataclass(frozen=True, slots=True)
class _Asset:
    kind: str
    plain: bytes
    packed: bytes


class Assets:
    """An ASGI application that serves them.

    Attributes:
        build: part of their addresses (`/static/{build}/js/app.js`); scripts import each other by relative addresses.
    """

    def __init__(self) -> None:
        root = resources.files("binance_trade_agent.dashboard") / "static"
        self._assets = dict(sorted(_found(root, "")))
        digest = hashlib.sha256()
        for name, asset in self._assets.items():
            digest.update(name.encode() + b"\0" + asset.plain)
        self.build = digest.hexdigest()[:12]

    def weight(self, *names: str) -> int:
        """Compressed bytes of these files together."""
        return sum(len(self._assets[name].packed) for name in names)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one request; the path below the mount is `/{build}/{name}`."""
        path = scope["path"].removeprefix(scope.get("root_path", "")).lstrip("/")
        build, _, name = path.partition("/")
        asset = self._assets.get(name)
        if scope["method"] not in {"GET", "HEAD"} or asset is None:
            response: Response = PlainTextResponse("There is no such file.", 404)
        else:
            packs = "gzip" in Headers(scope=scope).get("accept-encoding", "")
            headers = {"Vary": "Accept-Encoding", "Cache-Control": _FOR_EVER if build == self.build else "no-cache"}
            if packs:
                headers["Content-Encoding"] = "gzip"
            response = Response(asset.packed if packs else asset.plain, media_type=asset.kind, headers=headers)
        await response(scope, receive, send)


def _found(folder: Traversable, prefix: str) -> list[tuple[str, _Asset]]:
    found = []
    for entry in folder.iterdir():
        if entry.is_dir():
            found += _found(entry, f"{prefix}{entry.name}/")
        elif kind := _KINDS.get(f".{entry.name.rpartition('.')[2]}"):
            content = entry.read_bytes()
            found.append((f"{prefix}{entry.name}", _Asset(kind, content, gzip.compress(content, mtime=0))))
    return found
