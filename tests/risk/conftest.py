"""A symbol, an account and a signal to judge. The fixtures hand out functions, so that hypothesis may call them."""

from collections.abc import Callable
from dataclasses import fields
from decimal import Decimal
from typing import Any

import pytest

from binance_trade_agent.domain.decisions import Finding
from binance_trade_agent.domain.market import BookTicker, MarketView
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.policy import Judgement, RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from tests.risk.rules import RULES


def _context(
    action: Action = Action.BUY,
    *,
    bid: str = "49990",
    ask: str = "50000",
    held: str = "0",
    confidence: float = 0.6,
    book_age_ms: int = 0,
    rules: dict[str, Any] | None = None,
    **account: Any,
) -> RiskContext:
    """BTCUSDT at 50,000 with 10,000 USDT free and nothing held, unless said otherwise; prices as text."""
    symbol_rules = replace(RULES, **(rules or {}))
    book = BookTicker("BTCUSDT", Decimal(bid), Decimal(1), Decimal(ask), Decimal(1), read_ms=0)
    known: dict[str, Any] = {
        "signal": Signal("BTCUSDT", "rsi_momentum", action, confidence, "RSI 27.4 < 30", 0),
        "view": MarketView("BTCUSDT", symbol_rules, (), book, 0, book_age_ms),
        "position": Position("BTCUSDT", quantity=Decimal(held)),
        "open_positions": 0,
        "free_quote": Decimal(10_000),
        "equity_quote": Decimal(10_000),
        "last_filled_ms": None,
        "now_ms": 1_000_000,
    }
    return RiskContext(**(known | account))


def _settings(**changes: Any) -> RiskSettings:
    """Entries of 100 USDT and no limit, unless said otherwise; fields of the sizing by their own names."""
    sizing = {field.name for field in fields(SizingSettings)} & set(changes)
    sizes = SizingSettings(**{name: changes.pop(name) for name in sizing})
    return RiskSettings(**changes, sizing=sizes)


def finding(judgement: Judgement, rule: str) -> Finding:
    """What `rule` found."""
    (found,) = (each for each in judgement.findings if each.rule == rule)
    return found


@pytest.fixture(scope="session")
def context_of() -> Callable[..., RiskContext]:
    return _context


@pytest.fixture(scope="session")
def settings_of() -> Callable[..., RiskSettings]:
    return _settings


@pytest.fixture(scope="session")
def judge() -> Callable[..., Judgement]:
    """`judge(action, limits={...}, **situation)`: the judgement on one situation."""

    def judged(action: Action = Action.BUY, *, limits: dict[str, Any] | None = None, **situation: Any) -> Judgement:
        return RiskPolicy(_settings(**(limits or {}))).judge(_context(action, **situation))

    return judged
