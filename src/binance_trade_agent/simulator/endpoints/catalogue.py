"""Every endpoint, findable by REST path and by WebSocket API method."""

from binance_trade_agent.simulator.endpoints.account import ENDPOINTS as ACCOUNT
from binance_trade_agent.simulator.endpoints.endpoint import Endpoint
from binance_trade_agent.simulator.endpoints.general import ENDPOINTS as GENERAL
from binance_trade_agent.simulator.endpoints.market_data import ENDPOINTS as MARKET_DATA
from binance_trade_agent.simulator.endpoints.orders.cancel_replace import ENDPOINTS as CANCEL_REPLACE
from binance_trade_agent.simulator.endpoints.orders.cancellation import ENDPOINTS as CANCELLATION
from binance_trade_agent.simulator.endpoints.orders.order_lists import ENDPOINTS as ORDER_LISTS
from binance_trade_agent.simulator.endpoints.orders.placement import ENDPOINTS as PLACEMENT
from binance_trade_agent.simulator.endpoints.orders.queries import ENDPOINTS as QUERIES
from binance_trade_agent.simulator.endpoints.tickers import ENDPOINTS as TICKERS

ENDPOINTS: tuple[Endpoint, ...] = (
    *GENERAL,
    *MARKET_DATA,
    *TICKERS,
    *PLACEMENT,
    *CANCELLATION,
    *CANCEL_REPLACE,
    *ORDER_LISTS,
    *QUERIES,
    *ACCOUNT,
)

BY_PATH: dict[str, dict[str, Endpoint]] = {}
for _endpoint in ENDPOINTS:
    BY_PATH.setdefault(_endpoint.path, {})[_endpoint.method] = _endpoint

BY_WEBSOCKET_METHOD = {endpoint.websocket_method: endpoint for endpoint in ENDPOINTS if endpoint.websocket_method}
