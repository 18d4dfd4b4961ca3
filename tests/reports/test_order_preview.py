"""What an order would come to: by the ledger's account, the board's market, and every rule that the trader asks."""

from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from binance_trade_agent.agents.risk_context import average_true_range as by_talib
from binance_trade_agent.cache.market_board import BookSeen, CandlesSeen, Quote
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.candles import MINUTE_MS, Candle
from binance_trade_agent.domain.claims import EXPOSURE_RULE, POSITIONS_RULE, UNAGREED_RULE, AccountLimits
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.vitals import AccountVitals, ClaimVitals
from binance_trade_agent.reports.fee_rates import USUAL_FRACTION, FeeRate, fee_rate
from binance_trade_agent.reports.order_draft import Draft
from binance_trade_agent.reports.order_preview import Market, Preview, average_true_range, preview
from binance_trade_agent.reports.risk_limits import Trader
from binance_trade_agent.settings import Settings
from tests.ledger.bookkeeping import intent
from tests.reports.explained_day import tick_ms, write_explained_day

NOW_MS = tick_ms(9)
RULES = SymbolRules(
    "BTCUSDT",
    "BTC",
    "USDT",
    order_types=("LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT"),
    step_size=Decimal("0.00001"),
    min_quantity=Decimal("0.00001"),
    tick_size=Decimal("0.01"),
    min_notional=Decimal(5),
)
QUOTE = Quote("BTCUSDT", Decimal(59_990), Decimal(1), Decimal(60_000), Decimal(1), Decimal(59_995), NOW_MS, NOW_MS)
BOOK = BookSeen(
    "BTCUSDT",
    bids=((Decimal(59_990), Decimal("0.001")), (Decimal(59_000), Decimal(5))),
    asks=((Decimal(60_000), Decimal("0.001")), (Decimal(60_060), Decimal(5))),
    read_ms=NOW_MS,
    read_wall_ms=NOW_MS,
)
CANDLES = CandlesSeen(
    "BTCUSDT",
    "1m",
    tuple(
        Candle(
            NOW_MS - (200 - number) * MINUTE_MS,
            NOW_MS - (199 - number) * MINUTE_MS - 1,
            *(Decimal(60_000 + part) for part in (0, 60, -60, number % 7)),
            Decimal(1),
        )
        for number in range(199)
    ),
    NOW_MS,
    NOW_MS,
)
MARKET = Market(RULES, QUOTE, BOOK, CANDLES)
TRADER = Trader(is_running=True, gate="", wall_ms=NOW_MS)
BUY = Draft("BTCUSDT", amount="60")
SELL = Draft("BTCUSDT", side="SELL", unit="base", amount="0.001")


@pytest.fixture
async def path(tmp_path):
    """Ten thousand dollars, and 0.002006 BTC, nearly all of it bought at 58,000 five minutes ago."""
    await write_explained_day(tmp_path / "ledger.db")
    return tmp_path / "ledger.db"


def shown(path, draft: Draft, market: Market = MARKET, trader: Trader = TRADER, **settings) -> Preview:
    limits = Settings(**{"risk_cooldown_seconds": 0, **settings})
    with LedgerReader.open(path) as reader:
        return reader.snapshot(lambda connection: preview(connection, limits, trader, market, draft))


def refusing(found: Preview) -> list[str]:
    return [finding.rule for finding in found.against]


class TestWhatItCosts:
    def test_a_purchase_at_market_is_reckoned_over_the_book(self, path):
        found = shown(path, replace(BUY, unit="base", amount="0.002"))
        assert found.average_price == Decimal(60_030)
        assert found.slippage_pct == Decimal("0.05")
        assert found.worth_quote == Decimal("120.06")
        assert (found.reserved, found.is_whole) == ((Decimal(120), "USDT"), True)
        assert found.against == []

    def test_a_sale_at_market_meets_the_bids(self, path):
        found = shown(path, replace(SELL, amount="0.0015"))
        assert found.average_price == Decimal(59660)
        assert found.reserved == (Decimal("0.0015"), "BTC")

    def test_a_limit_that_crosses_the_book_trades_in_part_at_once(self, path):
        found = shown(path, replace(BUY, type="limit", price="60000", unit="base", amount="0.003"))
        assert (found.now_base, found.average_price) == (Decimal("0.001"), Decimal(60_000))

    def test_a_limit_under_the_market_waits(self, path):
        found = shown(path, replace(BUY, type="limit", price="55000"))
        assert (found.now_base, found.average_price, found.slippage_pct) == (0, None, None)
        assert found.worth_quote == found.order.quantity * 55_000

    def test_a_book_too_thin_is_told(self, path):
        thin = replace(MARKET, book=replace(BOOK, asks=BOOK.asks[:1]))
        found = shown(path, replace(BUY, unit="base", amount="0.002"), thin)
        assert found.is_whole is False
        assert {"slippage", "worst_price"} <= set(refusing(found))

    def test_the_fee_is_what_fills_of_its_kind_have_paid(self, path):
        assert shown(path, BUY).fee == FeeRate(Decimal("0.001"), fills=2, asset="BTC")
        assert shown(path, SELL).fee == FeeRate(Decimal("0.001"), fills=1, asset="USDT")

    def test_where_no_such_fill_is_known_it_is_the_usual_one_and_says_so(self, path):
        assert shown(path, replace(BUY, type="limit", price="55000")).fee == FeeRate(USUAL_FRACTION)
        with LedgerReader.open(path) as reader:
            other = replace(RULES, symbol="ETHUSDT")
            of_other = reader.snapshot(lambda connection: fee_rate(connection, 1, other, Side.BUY, is_maker=False))
        assert of_other == FeeRate(USUAL_FRACTION, fills=0, asset="")


class TestASharedAccount:
    """What all of its daemons may hold is asked too, of what the trader was told of the others last."""

    LIMITS = AccountLimits(Decimal(500), 2)

    def trader(self, beta="450", away=""):
        own = ClaimVitals(instance="alpha", quote_asset="USDT", exposure_quote=Decimal(20), limits=self.LIMITS)
        other = ClaimVitals(
            instance="beta", quote_asset="USDT", exposure_quote=Decimal(beta), open_symbols=("ETHUSDT", "XRPUSDT")
        )
        told = AccountVitals(claims=(own, other), max_exposure_quote=Decimal(500), away_because=away)
        return replace(TRADER, account=told)

    def test_refuses_what_all_would_hold_too_much_with_and_says_what_is_left(self, path):
        found = shown(path, BUY, trader=self.trader())
        assert refusing(found) == [EXPOSURE_RULE, POSITIONS_RULE]
        assert "beta has 450, alpha 20, so 30 are left" in found.against[0].detail
        assert refusing(shown(path, BUY, trader=self.trader(beta="400"))) == [POSITIONS_RULE]

    def test_says_so_where_nobody_knows_what_all_hold(self, path):
        assert refusing(shown(path, BUY, trader=self.trader(away="Redis is away"))) == [UNAGREED_RULE]

    def test_is_not_asked_of_sales(self, path):
        assert shown(path, SELL, trader=self.trader()).against == []


class TestProtection:
    def test_stop_and_target_are_those_of_the_whole_position(self, path):
        found = shown(path, replace(BUY, unit="base", amount="0.002"), risk_stop_loss_pct=2, risk_take_profit_pct=4)
        with LedgerReader.open(path) as reader:
            held = reader.snapshot(lambda connection: queries.position(connection, 1, "BTCUSDT"))
        # 0.002 for 120.06 USDT, of which the fee leaves 0.001998, beside what is held.
        average = (held.cost_quote + Decimal("120.06")) / (held.quantity + Decimal("0.001998"))
        assert found.stop_price == RULES.round_price(average * Decimal("0.98"))
        assert found.target_price == RULES.round_price(average * Decimal("1.04"))

    def test_without_exits_and_for_sales_there_are_none(self, path):
        none = {"risk_stop_loss_pct": 0, "risk_take_profit_pct": 0}
        assert (shown(path, BUY, **none).stop_price, shown(path, BUY, **none).target_price) == (None, None)
        assert shown(path, SELL).stop_price is None


class TestBounds:
    def test_the_worst_price_of_a_market_order_is_what_the_setting_leaves(self, path):
        assert shown(path, BUY, risk_max_slippage_pct=1).order.worst_price == Decimal(60_600)
        assert shown(path, SELL, risk_max_slippage_pct=1).order.worst_price == Decimal("59390.1")

    def test_a_worst_price_of_the_person_holds_instead(self, path):
        found = shown(path, replace(BUY, unit="base", amount="0.002", worst_price="60010"))
        assert found.order.worst_price == Decimal(60_010)
        assert "worst_price" in refusing(found)

    def test_without_the_setting_there_is_none(self, path):
        assert shown(path, BUY, risk_max_slippage_pct=0).order.worst_price is None


class TestRules:
    def test_a_limit_refuses_with_its_numbers(self, path):
        found = shown(path, replace(BUY, amount="400"), risk_max_order_quote=300)
        (refusal,) = [finding for finding in found.against if finding.rule == "max_order"]
        assert (refusal.limit, refusal.unit) == (300, "USDT")

    def test_no_more_is_sold_than_is_held(self, path):
        assert "position" in refusing(shown(path, replace(SELL, amount="0.5")))

    async def test_what_a_person_has_on_sale_is_not_sold_again(self, path):
        sale = intent(
            "bta-BTCUSDT-sale",
            Side.SELL,
            tick_ms(8),
            quantity=Decimal("0.0015"),
            type=OrderType.LIMIT,
            price=Decimal(70_000),
            role=Role.EXIT,
            exit=ExitKind.MANUAL,
        )
        async with await Ledger.open(path) as ledger:
            await ledger.commit_protection("run-a", [sale], tick_ms(8))
            await ledger.transition(sale.client_order_id, OrderState.SENT, tick_ms(8))
            await ledger.transition(sale.client_order_id, OrderState.ACCEPTED, tick_ms(8) + 1, exchange_order_id=90)
        found = shown(path, SELL)
        assert (found.funds.free_base, found.funds.on_sale_base) == (Decimal("0.000506"), Decimal("0.0015"))
        assert "position" in refusing(found)

    @pytest.mark.parametrize(
        ("limit", "rule"), [({"type": "limit", "price": "59990.001"}, "price_filter"), ({"amount": "4"}, "notional")]
    )
    def test_filters_of_the_symbol_are_asked(self, path, limit, rule):
        assert rule in refusing(shown(path, replace(BUY, **limit)))

    def test_an_old_book_refuses_an_entry(self, path):
        old = replace(MARKET, quote=replace(QUOTE, read_wall_ms=NOW_MS - 31_000))
        assert refusing(shown(path, BUY, old)) == ["data_age"]

    def test_what_is_not_known_refuses_where_a_limit_needs_it(self, path):
        bare = Market(RULES, replace(QUOTE, last_price=None))
        assert {"price_deviation", "volatility", "slippage"} <= set(refusing(shown(path, BUY, bare)))

    async def test_a_switch_refuses_entries_and_leaves_sales(self, path):
        commands.place(path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        assert "kill_switch" in refusing(shown(path, BUY))
        assert shown(path, SELL).against == []

    async def test_a_pause_refuses_entries(self, path):
        number = commands.place(path, CommandKind.PAUSE, requested_by="cli", requested_wall_ms=1)
        async with await Ledger.open(path) as ledger:
            await commands.answer(ledger, number, CommandState.DONE, "paused", NOW_MS)
        assert "pause" in refusing(shown(path, BUY))

    async def test_an_alarm_that_blocks_refuses_entries_by_its_name(self, path):
        async with await Ledger.open(path) as ledger:
            await ledger.raise_alarm("late_fill", "BTCUSDT", "a fill came late", NOW_MS, blocks=True)
        assert refusing(shown(path, BUY)) == ["late_fill"]

    def test_what_keeps_the_trader_from_entering_refuses_too(self, path):
        assert refusing(shown(path, BUY, trader=replace(TRADER, gate="the disk is full"))) == ["entry_gate"]

    def test_a_limit_that_a_person_has_changed_holds(self, path):
        assert refusing(shown(path, BUY, risk_max_symbol_trades_per_hour=2)) == ["symbol_trades_per_hour"]


class TestSymbols:
    def test_what_is_not_traded_is_not_bought_and_the_nearest_is_named(self, path):
        other = replace(MARKET, rules=replace(RULES, symbol="BTCUSDC"))
        with pytest.raises(ValueError, match=r"BTCUSDC is not traded here.*did you mean BTCUSDT"):
            shown(path, replace(BUY, symbol="BTCUSDC"), other)

    async def test_without_a_run_there_is_no_account(self, tmp_path):
        async with await Ledger.open(tmp_path / "new.db"):
            pass
        with pytest.raises(ValueError, match="no trader has ever run"):
            shown(tmp_path / "new.db", BUY)


prices = st.integers(1, 2_000).map(lambda cents: Decimal(cents) / 100 + 50)


@given(st.lists(st.tuples(prices, prices, prices), min_size=3, max_size=99), st.integers(2, 14))
def test_the_true_range_is_that_of_the_trader(parts, period):
    candles = [
        Candle(number, number, close, max(close, high), min(close, low), close, Decimal(1))
        for number, (high, low, close) in enumerate(parts)
    ][-7 * period - 1 :]
    mine, its = average_true_range(candles, period), by_talib(candles, period)
    assert float(its or 0) == pytest.approx(mine or 0)
