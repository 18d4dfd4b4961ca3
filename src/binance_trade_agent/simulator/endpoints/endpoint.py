"""What an endpoint is, and what it is given."""

from collections.abc import Callable, Container, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from binance_trade_agent.simulator.errors import bad_combination, invalid_symbol, missing
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import SIGNED_PARAMETERS, SYMBOL, SYMBOLS, Arguments, Form, Parameter

SYMBOL_PARAMETER = Parameter("symbol", SYMBOL)
SYMBOLS_PARAMETER = Parameter("symbols", SYMBOLS)
REQUIRED_SYMBOL = Parameter("symbol", SYMBOL, required=True)


@dataclass(slots=True)
class Call:
    """One request at its endpoint, authorised and with sound syntax.

    Attributes:
        account: whose request it is; empty at public endpoints.
        now_ms: market time.
    """

    exchange: Exchange
    arguments: Arguments
    account: str
    now_ms: int

    def symbol(self) -> str:
        """The listed symbol that the request is about.

        Raises:
            ApiError: -1102 not sent, -1121 not listed.
        """
        symbol = self.arguments.text("symbol")
        if symbol is None:
            raise missing("symbol")
        return self._listed(symbol)

    def optional_symbol(self) -> str | None:
        """The listed symbol, None when none was sent."""
        return self.symbol() if "symbol" in self.arguments else None

    def symbols(self) -> list[str]:
        """The symbols that `symbol` or `symbols` name, all when neither was sent.

        Raises:
            ApiError: -1128 both, -1121 not listed, -1151 repeated.
        """
        names = self.arguments.names("symbols")
        if names is not None and "symbol" in self.arguments:
            raise bad_combination()
        if "symbol" in self.arguments:
            return [self.symbol()]
        return [self._listed(name) for name in names] if names is not None else list(self.exchange.listings)

    def _listed(self, symbol: str) -> str:
        if symbol not in self.exchange.listings:
            raise invalid_symbol()
        return symbol


def by_symbol(single: int, several: int) -> Callable[[Mapping[str, str]], int]:
    """Weight of an endpoint that costs `single` with the parameter `symbol` and `several` without."""
    return lambda sent: single if "symbol" in sent else several


@dataclass(frozen=True)
class Endpoint:
    """One endpoint of the protocol.

    Attributes:
        websocket_method: its name in the WebSocket API; None when it has none there.
        weight: request weight, or a function of the raw parameters.
        bad_symbol_weight: of a request whose symbol is not listed, where it is another.
        own_parameters: without those that every signed request has.
        free_when_accepted: whether the weight is charged only when the answer is an error.
        places_orders: whether answers show the account's order count (binance-protocol.md 2.8).
    """

    method: str
    path: str
    websocket_method: str | None
    permission: Permission
    weight: int | Callable[[Mapping[str, str]], int]
    handle: Callable[[Call], Any]
    own_parameters: Sequence[Parameter] = ()
    bad_symbol_weight: int | None = None
    free_when_accepted: bool = False
    places_orders: bool = False

    @cached_property
    def is_signed(self) -> bool:
        """Whether a key and a signature are needed."""
        return self.permission is not Permission.NONE

    @cached_property
    def form(self) -> Form:
        """Every parameter that may be sent."""
        return Form((*self.own_parameters, *SIGNED_PARAMETERS) if self.is_signed else self.own_parameters)

    def weight_of(self, sent: Sequence[tuple[str, str]], listed: Container[str]) -> int:
        """Weight of a request with these raw parameters on an exchange with these symbols."""
        if isinstance(self.weight, int):
            return self.weight
        parameters = dict(sent)
        if self.bad_symbol_weight is not None and parameters.get("symbol") not in listed:
            return self.bad_symbol_weight
        return self.weight(parameters)
