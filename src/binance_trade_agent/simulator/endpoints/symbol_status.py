"""The parameter `symbolStatus`: only symbols of this status are meant (binance-protocol.md 1.0)."""

from binance_trade_agent.simulator.endpoints.endpoint import Call
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.parameters import Parameter

STATUS_PARAMETER = Parameter("symbolStatus")

_STATUSES = frozenset({"TRADING", "HALT", "BREAK"})


def wanted_status(call: Call) -> str | None:
    """The status that was asked for, None when any will do.

    Raises:
        ApiError: -1122 there is no such status.
    """
    status = call.arguments.text("symbolStatus")
    if status is not None and status not in _STATUSES:
        raise ApiError(-1122, "Invalid symbolStatus.")
    return status


def symbol_of_status(call: Call) -> str:
    """The one symbol that the request is about.

    Raises:
        ApiError: -1102, -1121, -1122, and -1220 for a symbol of another status.
    """
    symbol, wanted = call.symbol(), wanted_status(call)
    if wanted not in {None, call.exchange.listings[symbol]["status"]}:
        raise ApiError(-1220, "The symbol's status does not match the requested symbolStatus.")
    return symbol


def symbols_of_status(call: Call) -> list[str]:
    """The symbols that the request is about; of several those are left out that have another status.

    Raises:
        ApiError: as `symbol_of_status` and Call.symbols.
    """
    symbols, wanted = call.symbols(), wanted_status(call)
    if "symbol" in call.arguments:
        return [symbol_of_status(call)]
    return [symbol for symbol in symbols if wanted in {None, call.exchange.listings[symbol]["status"]}]
