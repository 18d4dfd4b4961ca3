"""POST /sim/config: what the exchange is set to, one key a setting (binance-protocol.md Appendix A)."""

from collections.abc import Callable, Mapping
from typing import Any

from binance_trade_agent.simulator.control import settings
from binance_trade_agent.simulator.fields import read_choice
from binance_trade_agent.simulator.simulation import Simulation

_SETTINGS: Mapping[str, Callable[[Simulation, Any], None]] = {
    "api_key": settings.register_key,
    "revoke_api_key": settings.revoke_key,
    "account": settings.open_account,
    "deposit": settings.deposit,
    "commission": settings.set_commission,
    "bnb_discount": settings.set_bnb_discount,
    "symbol": settings.change_symbol,
    "account_permissions": settings.set_account_permissions,
    "websocket": settings.set_socket_rules,
    "cancel_replaces_client_id": settings.set_cancel_replaces_client_id,
    "event_before_response": settings.set_event_before_response,
    "liquidity_is_consumed": settings.set_liquidity_is_consumed,
    "rejected_reports": settings.set_rejected_reports,
}
_OTHER_NAMES = {"keys": "api_key", "api_keys": "api_key", "apiKey": "api_key"}  # read as well, not documented


def configure(simulation: Simulation, body: Mapping[str, Any]) -> None:
    """Apply settings in their order. A value that is an array is applied one by one.

    Raises:
        ValueError: an unknown key or a wrong value; the settings before it are applied.
    """
    named = [(read_choice(_OTHER_NAMES.get(key, key), list(_SETTINGS), "config key"), body[key]) for key in body]
    for key, value in named:
        for each in value if isinstance(value, list) else [value]:
            _SETTINGS[key](simulation, each)
