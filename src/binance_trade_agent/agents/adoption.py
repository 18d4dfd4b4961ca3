"""Adoption: after a ledger was restored from a backup, what this trader did since is taken back from the exchange.

The orders that the backup lacks are told by their ids, which carry the mark of this TRADING_INSTANCE. They are written
into the ledger as the exchange knows them; their trades are then booked as any that nobody listened to. Only a ledger
that was restored on purpose adopts: otherwise such orders are another daemon's, and an alarm.
"""

import logging
import sqlite3
from collections.abc import Mapping
from functools import partial

from binance_trade_agent.agents.epochs import Epochs
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.order_ids import instance_tag, parse_order_id
from binance_trade_agent.domain.placed_orders import PlacedOrder
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import changed
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.ledger import restorations
from binance_trade_agent.ledger.ledger import Ledger

log = logging.getLogger(__name__)


class Adoption:
    """Adopts, once after each restoration.

    Args:
        rules: of the traded symbols, and of others that the ledger holds something of.
        instance: name of this daemon; orders of others are foreign.
    """

    def __init__(
        self, gateway: Gateway, ledger: Ledger, clock: Clock, rules: Mapping[str, SymbolRules], *, instance: str
    ) -> None:
        self._gateway = gateway
        self._ledger = ledger
        self._clock = clock
        self._rules = rules
        self._tag = instance_tag(instance)

    async def after_restoration(self, epochs: Epochs) -> None:
        """Adopt what was ordered since the backup, where the ledger was restored and nothing was adopted yet.

        What an exchange did that has been reset since is forgotten by it: nothing is adopted then.

        Raises:
            CannotReconcileError: see Epochs.current.
            ExchangeError: the exchange could not be asked; what was adopted until then stays adopted.
            LedgerError: something could not be written.
        """
        restoration = await self._ledger.read(restorations.to_adopt)
        if restoration is None:
            return
        epoch = await epochs.current()
        adopted = 0
        if epoch.epoch == restoration.epoch:
            for symbol in self._rules:
                adopted += await self._adopt(symbol, epoch.opened_ms)
        at_ms = self._clock.now_ms()
        await self._ledger.write(lambda inside: restorations.close(inside, at_ms, adopted))
        log.warning(
            "the ledger was restored from %s: %d orders that the exchange was given since are adopted",
            restoration.backup,
            adopted,
        )

    async def _adopt(self, symbol: str, since_ms: int) -> int:
        """How many orders on `symbol` were adopted. Those from before the epoch are an earlier ledger's."""
        rules, adopted = self._rules[symbol], 0
        last = await self._ledger.read(lambda inside: restorations.last_exchange_order_id(inside, symbol))
        for placed in await self._gateway.orders_since(symbol, last + 1):
            if placed.placed_ms >= since_ms and (own := await self._own(placed)):
                write = partial(_adopt, placed=own, base_asset=rules.base_asset, quote_asset=rules.quote_asset)
                adopted += await self._ledger.write(write)
        return adopted

    async def _own(self, placed: PlacedOrder) -> PlacedOrder | None:
        """The order under an id of ours; None where it is none of ours.

        A cancelled order shows the cancel's id. What it had traded is known by the list that it was in, whose id it is
        given: of the two in a list only one trades.
        """
        report = placed.report
        if self._is_marked(report.client_order_id):
            return placed
        if placed.list_id is None or report.status != "CANCELED" or not report.executed_base:
            return None
        name = await self._gateway.list_client_id(placed.list_id)
        return changed(placed, report=changed(report, client_order_id=name)) if self._is_marked(name) else None

    def _is_marked(self, client_id: str) -> bool:
        own = parse_order_id(client_id)
        return own is not None and own.tag == self._tag


def _adopt(connection: sqlite3.Connection, *, placed: PlacedOrder, base_asset: str, quote_asset: str) -> bool:
    return restorations.adopt(connection, placed, base_asset=base_asset, quote_asset=quote_asset)
