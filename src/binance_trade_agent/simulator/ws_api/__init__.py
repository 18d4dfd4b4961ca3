"""The WebSocket API, `/ws-api/v3`: endpoints of REST, sessions, user data (binance-protocol.md 5.2, 5.3).

connection.py serves one client, requests.py reads its frames, session.py knows whom it has logged on as, and
session_methods.py answers what REST has not.
"""

from binance_trade_agent.simulator.ws_api.connection import WS_API_PATH, WsApi

__all__ = ["WS_API_PATH", "WsApi"]
