"""RememberedHoldings: what is held of each symbol, so that one on which nothing has happened costs no way to the file.

At each tick hundreds of symbols are asked about, and on few of them an order has moved since. The writer's connection
is the only one that moves orders (see `lock.py`), so what it has not touched is as it was.
"""

from collections import Counter
from collections.abc import Collection
from typing import NamedTuple

from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.symbols import SymbolRules


class Version(NamedTuple):
    """How often something was written that touched all symbols, and that touched one."""

    all: int
    one: int


class Remembered(NamedTuple):
    """What was held of a symbol by these rules, None for no more than dust, when it was of a version."""

    version: Version
    rules: SymbolRules
    holding: Holding | None


class RememberedHoldings:
    """Told of each transaction on the thread that writes, asked on the event loop."""

    def __init__(self) -> None:
        self._all = 0
        self._touched: Counter[str] = Counter()
        self._known: dict[str, Remembered] = {}

    def touched(self, symbols: Collection[str] | None) -> None:
        """A transaction is over, done or not, that may have moved orders or positions on these; None: on any."""
        if symbols is None:
            self._all += 1
        else:
            self._touched.update(symbols)

    def version(self, symbol: str) -> Version:
        """Which it is now. Read on the thread that writes it is that of what is read there next."""
        return Version(self._all, self._touched[symbol])

    def known(self, symbol: str, rules: SymbolRules) -> Remembered | None:
        """What is remembered of the symbol and still holds; None where it has to be read."""
        known = self._known.get(symbol)
        is_true = known is not None and known.rules is rules and known.version == self.version(symbol)
        return known if is_true else None

    def keep(self, symbol: str, remembered: Remembered) -> None:
        """Remember what was read."""
        self._known[symbol] = remembered
