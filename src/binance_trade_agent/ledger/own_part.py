"""What of a shared account's common assets is this daemon's own, by its books."""

import sqlite3
from collections.abc import Mapping
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.values import Value
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.external_sums import external_sum


class OwnPart(Value, frozen=True):
    """What the books say.

    Attributes:
        wallet: by asset.
        to_come_quote: quote asset that is still to be taken from what nobody claims, or left to it when negative, until
            as much as is set has come from there: profit and loss are the daemon's own.
    """

    wallet: Mapping[str, Decimal]
    to_come_quote: Decimal

    def cash_quote(self, quote_asset: str) -> Decimal:
        """What of the quote asset is its own, with what is to come."""
        return self.wallet.get(quote_asset, ZERO) + self.to_come_quote


def own_part(connection: sqlite3.Connection, quote_asset: str, capital_quote: Decimal) -> OwnPart:
    """The part of the current epoch; before the first one all of the capital is to come."""
    epoch = queries.epoch_number(connection)
    opening = connection.execute(
        "SELECT amount FROM postings WHERE epoch = ? AND kind = 'opening' AND asset = ? AND account = 'wallet'",
        (epoch, quote_asset),
    ).fetchone()
    came_quote = (Decimal(opening["amount"]) if opening else ZERO) + external_sum(connection, epoch, quote_asset)
    return OwnPart(queries.wallet(connection, epoch), capital_quote - came_quote)
