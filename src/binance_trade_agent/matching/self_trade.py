"""Self-trade prevention: an account's order does not trade with another of its own (binance-protocol.md 4.2).

The taker's mode decides. There are no trade groups here, so only orders of one account prevent each other, and TRANSFER
is DECREMENT (docs of Binance: faqs/stp_faq.md).
"""

from decimal import Decimal

import msgspec

from binance_trade_agent.matching.orders import ExchangeOrder, SelfTradePrevention

NO_TRADE_GROUP = -1
ENDS_TAKER = frozenset({SelfTradePrevention.EXPIRE_TAKER, SelfTradePrevention.EXPIRE_BOTH})
ENDS_MAKER = frozenset({SelfTradePrevention.EXPIRE_MAKER, SelfTradePrevention.EXPIRE_BOTH})


class Prevention(msgspec.Struct, frozen=True):
    """A match that is not to happen.

    `quantity` would have traded; `taker_quantity` and `maker_quantity` are what each side loses, None where it loses
    nothing. All are base asset.
    """

    price: Decimal
    quantity: Decimal
    maker: ExchangeOrder
    taker_quantity: Decimal | None
    maker_quantity: Decimal | None


def prevents(taker: ExchangeOrder, maker: ExchangeOrder) -> bool:
    """Whether the two may not trade with each other."""
    return taker.self_trade_prevention is not SelfTradePrevention.NONE and taker.account == maker.account
