"""Judging an order: CPU microseconds for an entry and an exit, with the default limits and with sizing by equity.

The clock is the processor's, so that other programs on the machine count little. Reading the words is measured apart:
a judgement says some thirty sentences, which are made for whoever reads them. The reference is the least that sizing an
order takes: one division, rounding to the step, one product.
"""

from collections.abc import Callable
from dataclasses import replace as changed
from decimal import ROUND_DOWN, Decimal
from time import process_time
from timeit import timeit

from binance_trade_agent.domain.market import BookTicker, Depth, MarketView
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import Fill, Side
from binance_trade_agent.domain.positions import Position, apply_fill
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.symbols import SymbolRules, symbol_rules
from binance_trade_agent.ledger.accounting import fill_postings
from binance_trade_agent.limits import risk_settings
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import Judgement, RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from binance_trade_agent.risk.state import RiskState
from binance_trade_agent.settings import Settings
from binance_trade_agent.simulator.symbols import listing
from support.machine import print_head

BATCHES, BATCH = 100, 200
PRICE, STEP, PAID = Decimal("60000.01"), Decimal("0.00001"), Decimal(100)
RULES: SymbolRules = symbol_rules(listing("BTCUSDT", PRICE))
FILL = Fill(
    "BTCUSDT", 1, 1, "x", Side.BUY, PRICE, Decimal("0.00166"), Decimal("99.6"), Decimal("0.0996"), "USDT", False, 1
)


def main() -> None:
    """Measure and print."""
    print_head("benchmarks/risk.py")
    defaults = risk_settings(Settings(_env_file=None))
    policy, by_equity = RiskPolicy(defaults), RiskPolicy(sized_by_equity(defaults))
    entry, leaving = situation(Action.BUY), situation(Action.SELL)
    works: dict[str, Callable[[], object]] = {
        "entry, default limits": lambda: policy.judge(entry),
        "entry, a fraction of the equity": lambda: by_equity.judge(entry),
        "entry, and all its words read": lambda: spoken(policy.judge(entry)),
        "exit": lambda: policy.judge(leaving),
        "client order id": order_id,
        "round_market_quantity": lambda: RULES.round_market_quantity(FILL.quantity),
        "is_dust": lambda: RULES.is_dust(FILL.quantity, PRICE),
        "apply_fill": lambda: apply_fill(leaving.position, FILL, base_asset="BTC", quote_asset="USDT"),
        "fill_postings": lambda: fill_postings(FILL, base_asset="BTC", quote_asset="USDT"),
        "division, step, product (reference)": lambda: (PAID / PRICE).quantize(STEP, ROUND_DOWN) * PRICE,
    }
    assert policy.judge(entry).size is not None
    assert policy.judge(leaving).size is not None
    print(f"CPU us each, the fastest of {BATCHES} batches of {BATCH}")
    for name, work in works.items():
        print(f"  {name:40} {microseconds(work):7.2f}")


def situation(action: Action) -> RiskContext:
    """BTCUSDT at 60,000 with an account of 10,000 USDT, half a minute after its last equity point; nothing unusual."""
    held = Decimal("0.00498") if action is Action.SELL else Decimal(0)
    return RiskContext(
        signal=Signal("BTCUSDT", "rsi_momentum", action, 0.62, "RSI 27.4 < 30", 0),
        view=MarketView("BTCUSDT", RULES, (), BookTicker("BTCUSDT", PRICE - 1, held, PRICE, held, 0), 0, 120),
        position=Position("BTCUSDT", held, held * PRICE),
        open_positions=1,
        free_quote=Decimal("9700.12345678"),
        equity_quote=Decimal("9987.65432109"),
        last_filled_ms=0,
        now_ms=3_600_000,
        exposure_quote=Decimal("287.53086431"),
        state=RiskState(1, 4, 1, 2, 1, (), Decimal("9987.65432109"), Decimal("10034.2"), Decimal("10001.4"), {}),
        depth=Depth((), ((PRICE, Decimal("0.4")), (PRICE + 1, Decimal(2))), 0),
        last_price=PRICE,
        atr_quote=Decimal("85.125"),
        stop_fraction=Decimal("0.9604"),
    )


def sized_by_equity(limits: RiskSettings) -> RiskSettings:
    """Entries of a hundredth of the equity, which the limits may cut down."""
    return changed(limits, sizing=changed(limits.sizing, sizing="fraction", order_fraction=Decimal("0.01")))


def spoken(judgement: Judgement) -> list[tuple[str, Decimal | None, Decimal | None]]:
    """Everything that the rules said."""
    return [(found.detail, found.value, found.limit) for found in judgement.findings]


def order_id() -> str:
    """The id of an entry."""
    return client_order_id(
        instance="main",
        epoch=3,
        strategy="rsi_momentum",
        symbol="BTCUSDT",
        tick_ms=1_767_225_600_000,
        leg="entry",
        attempt=1,
        fence=100,
    )


def microseconds(work: Callable[[], object]) -> float:
    """CPU time of one call, by the fastest of many short batches: what runs beside it slows some of them only."""
    fastest = min(timeit(work, timer=process_time, number=BATCH) for _ in range(BATCHES))
    return fastest / BATCH * 1e6


if __name__ == "__main__":
    main()
