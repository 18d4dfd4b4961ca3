"""What trading costs, as far as the ledger's own fills show it."""

import sqlite3
from decimal import Decimal

from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import Value

USUAL_FRACTION = Decimal("0.001")  # Binance's spot schedule without a discount (binance-protocol.md 4.4)
_FILLS = 50
_RATE_UNIT = Decimal("0.0000001")


class FeeRate(Value, frozen=True):
    """A fee as a fraction of what is traded.

    Attributes:
        fills: how many fills it was taken from; 0: it is the usual one, an assumption.
        asset: in which the newest of them paid; empty when none is known.
    """

    fraction: Decimal
    fills: int = 0
    asset: str = ""


def fee_rate(connection: sqlite3.Connection, epoch: int, rules: SymbolRules, side: Side, *, is_maker: bool) -> FeeRate:
    """The rate of the symbol's latest fills on this side as maker or taker; the usual one where none is known.

    A fee in a third asset counts at what it was converted to; one that is not converted does not count.
    """
    rows = connection.execute(
        "SELECT quantity, quote_quantity, commission, commission_asset, value_quote FROM fills"
        " LEFT JOIN fee_values USING (epoch, symbol, trade_id)"
        " WHERE fills.epoch = ? AND fills.symbol = ? AND side = ? AND is_maker = ? ORDER BY trade_id DESC LIMIT ?",
        (epoch, rules.symbol, side, int(is_maker), _FILLS),
    )
    paid = traded = ZERO
    fills, asset = 0, ""
    for quantity, quote_quantity, commission, commission_asset, value_quote in rows:
        worth = Decimal(quote_quantity)
        if commission_asset == rules.base_asset:
            fee = Decimal(commission) * worth / Decimal(quantity)
        elif commission_asset == rules.quote_asset:
            fee = Decimal(commission)
        elif value_quote is not None or not Decimal(commission):
            fee = Decimal(value_quote or 0)
        else:
            continue
        paid, traded, fills, asset = paid + fee, traded + worth, fills + 1, asset or commission_asset
    if not traded:
        return FeeRate(USUAL_FRACTION)
    return FeeRate((paid / traded).quantize(_RATE_UNIT), fills, asset)
