"""Where each mode's exchange is (binance-protocol.md 5.4). Only `live` names a production host."""

from dataclasses import dataclass
from urllib.parse import urlsplit


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Base addresses: `rest` ends in `/api`, `websocket_api` in `/ws-api/v3`; `market_streams` has no path."""

    rest: str
    websocket_api: str
    market_streams: str


TESTNET = Endpoints(
    "https://testnet.binance.vision/api",
    "wss://ws-api.testnet.binance.vision/ws-api/v3",
    "wss://stream.testnet.binance.vision",
)
LIVE = Endpoints(
    "https://api.binance.com/api", "wss://ws-api.binance.com:443/ws-api/v3", "wss://stream.binance.com:443"
)


def simulated(url: str) -> Endpoints:
    """Endpoints of a simulated exchange at `url`, such as `http://127.0.0.1:8090`."""
    parts = urlsplit(url)
    scheme = "wss" if parts.scheme == "https" else "ws"
    streams = f"{scheme}://{parts.netloc}"
    return Endpoints(f"{url}/api", f"{streams}/ws-api/v3", streams)
