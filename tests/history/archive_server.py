"""A local stand-in for Binance's public archive: zip files with checksums, and the faults that a network has."""

import hashlib
import io
import zipfile
from collections import Counter, defaultdict
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from aiohttp import web

from binance_trade_agent.history.archive import ArchiveFile
from binance_trade_agent.history.table import CandleTable
from tests.history.candles import lines_of

_REFUSALS = {"429": (429, {"Retry-After": "7"}), "ban": (418, {"Retry-After": "7200"}), "503": (503, {})}


class Archive:
    """Serves files; `faults` of a path, such as `reset`, meet one request each, in their order."""

    def __init__(self) -> None:
        self.url = ""
        self.files: dict[str, bytes] = {}
        self.faults: defaultdict[str, list[str]] = defaultdict(list)
        self.asked: Counter[str] = Counter()
        self.headers: list[dict[str, str]] = []

    def put(self, table: CandleTable, file: ArchiveFile, *, unit: int = 1) -> str:
        """Add the candles of a file's span, with times in parts of a millisecond; returns its path."""
        lines = lines_of(table.between(*file.span))
        times = [(int(line.split(",")[0]), line.split(",", 1)[1]) for line in lines]
        closes = "0,1,2,3,4,0"
        self.put_text("".join(f"{at * unit},{rest},{closes}\n" for at, rest in times), file)
        return file.path

    def put_text(self, text: str, file: ArchiveFile) -> None:
        """Add a file with any content."""
        packed = io.BytesIO()
        with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr(f"{file.name}.csv", text)
        self.put_bytes(packed.getvalue(), file)

    def put_bytes(self, content: bytes, file: ArchiveFile) -> None:
        """Add what need not be a zip file, with its right checksum."""
        self.files[file.path] = content
        self.files[f"{file.path}.CHECKSUM"] = f"{hashlib.sha256(content).hexdigest()}  {file.name}.zip\n".encode()

    def names_asked(self) -> list[str]:
        """Files that were asked for, without checksums, by their names' periods."""
        return sorted(path.rsplit("/", 1)[1].removesuffix(".zip") for path in self.asked if path.endswith(".zip"))

    async def answer(self, request: web.Request) -> web.StreamResponse:
        """One request."""
        path = request.path.lstrip("/")
        self.asked[path] += 1
        self.headers.append(dict(request.headers))
        fault = self.faults[path].pop(0) if self.faults[path] else None
        content = self.files.get(path)
        if fault in _REFUSALS:
            status, headers = _REFUSALS[fault]
            return web.Response(status=status, headers=headers)
        if content is None:
            return web.Response(status=404)
        if fault == "wrong":
            return web.Response(body=content[:-1] + bytes([content[-1] ^ 1]))
        if fault == "reset":
            response = web.StreamResponse(headers={"Content-Length": str(len(content))})
            await response.prepare(request)
            await response.write(content[: len(content) // 2])
            assert request.transport is not None
            request.transport.abort()
            return response
        return web.Response(body=content)


@asynccontextmanager
async def running_archive() -> AsyncIterator[Archive]:
    """An archive on a free port."""
    archive = Archive()
    application = web.Application()
    application.router.add_get("/{path:.*}", archive.answer)
    runner = web.AppRunner(application)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    archive.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
    try:
        yield archive
    finally:
        await runner.cleanup()
