"""The risk agent: the ledger's state is what it judges by, and what may enter is not what may leave."""

import sqlite3
from contextlib import closing
from decimal import Decimal

import numpy as np
import pytest

from binance_trade_agent.agents.risk import Asked, RiskManagementAgent
from binance_trade_agent.agents.risk_context import FollowedMarket, average_true_range, conditions, quoted
from binance_trade_agent.agents.valuation import Valuation
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.candle_window import window_of
from binance_trade_agent.domain.decisions import Finding, Refusal
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.manual_orders import manual_order
from binance_trade_agent.domain.orders import OrderIntent, OrderState, OrderType, Role, Side, is_own_order_id
from binance_trade_agent.domain.positions import Position
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger.pauses import begin_pause
from binance_trade_agent.risk.context import RiskContext
from binance_trade_agent.risk.exits import ExitSettings
from binance_trade_agent.risk.settings import RiskSettings, SizingSettings
from binance_trade_agent.risk.state import Pause
from binance_trade_agent.strategies import indicators
from tests.agents.desk import RUN_ID, SYMBOLS, Desk, desk
from tests.agents.risk_desk import ATR_PERIOD, risk_agent


async def reviewed(
    ready: Desk, risk: RiskManagementAgent, action: Action, symbol: str = "BTCUSDT", exit_kind: ExitKind | None = None
):
    view = await ready.market_data().observe(symbol)
    signal = Signal(symbol, "s", action, 0.5, "because", view.candles[-1].open_time_ms)
    return await risk.review(signal, view, ready.clock.now_ms(), exit_kind)


async def verdict(ready: Desk, action: Action, symbol: str = "BTCUSDT", **limits) -> OrderIntent | Refusal:
    return (await reviewed(ready, risk_agent(ready, **limits), action, symbol)).verdict


async def found(ready: Desk, rule: str, symbol: str = "BTCUSDT", **limits) -> Finding:
    """What a rule found about an entry."""
    review = await reviewed(ready, risk_agent(ready, **limits), Action.BUY, symbol)
    (finding,) = [finding for finding in review.findings if finding.rule == rule]
    return finding


async def carry_out(ready: Desk, kind: CommandKind) -> None:
    number = commands.place(ready.ledger.path, kind, requested_by="test", requested_wall_ms=1)
    await commands.answer(ready.ledger, number, CommandState.DONE, "done", 1)


async def test_entry_is_sized_by_the_ask_within_the_filters(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await verdict(ready, Action.BUY)
        book = await ready.gateway.book_ticker("BTCUSDT")
        step = ready.rules["BTCUSDT"].market_step
        assert intent.type is OrderType.MARKET
        assert intent.quantity * book.ask <= 100 < (intent.quantity + step) * book.ask
        assert is_own_order_id(intent.client_order_id)
        assert intent.candle_open_ms == ready.clock.now_ms() - 60_000


async def test_same_decision_has_the_same_id_and_another_has_not(tmp_path):
    async with desk(tmp_path) as ready:
        intent = await verdict(ready, Action.BUY)
        assert (await verdict(ready, Action.BUY)).client_order_id == intent.client_order_id
        ids = {intent.client_order_id, (await verdict(ready, Action.BUY, epoch=2)).client_order_id}
        ids.add((await verdict(ready, Action.BUY, "ETHUSDT")).client_order_id)
        await ready.wait(1000)
        ids.add((await verdict(ready, Action.BUY)).client_order_id)
        await ready.trade()
        ids.add((await verdict(ready, Action.SELL)).client_order_id)
        assert len(ids) == 5


async def test_exit_sells_what_the_ledger_holds_not_what_the_wallet_holds(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(10_000), "BTC": Decimal(3)}) as ready:
        await ready.trade(quantity="0.01")
        assert (await verdict(ready, Action.SELL)).quantity == Decimal("0.00999")


async def test_book_is_as_old_as_it_is_when_the_entry_is_decided_on(tmp_path):
    async with desk(tmp_path) as ready:
        view = await ready.market_data().observe("BTCUSDT")
        signal = Signal("BTCUSDT", "s", Action.BUY, 0.5, "because", view.candles[-1].open_time_ms)
        risk = risk_agent(ready, max_data_age_seconds=30)
        await ready.wait(30_000)
        assert isinstance((await risk.review(signal, view, ready.clock.now_ms())).verdict, OrderIntent)
        await ready.wait(1)  # other symbols had their turn
        text = "the book is 30.001 s old, at most 30 s allowed (RISK_MAX_DATA_AGE_SECONDS)"
        assert (await risk.review(signal, view, ready.clock.now_ms())).verdict == Refusal("data_age", text)


async def test_unsettled_order_blocks_its_symbol_and_no_other(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(400_000)
        waiting = await ready.sent(Side.BUY)
        for action in (Action.BUY, Action.SELL):
            refusal = await verdict(ready, action)
            assert refusal == Refusal("open_order", f"order {waiting.client_order_id} is SENT")
        assert isinstance(await verdict(ready, Action.BUY, "ETHUSDT"), OrderIntent)


async def test_entry_under_way_counts_as_a_position_and_reserves_its_money(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.sent(Side.BUY, "0.1")
        refusal = await verdict(ready, Action.BUY, "ETHUSDT", max_open_positions=1)
        assert refusal.rule == "max_open_positions"
        large = SizingSettings(order_quote=Decimal(5000))
        unlimited = {"max_position_quote": Decimal("Infinity"), "max_exposure_pct": Decimal("Infinity")}
        refusal = await verdict(ready, Action.BUY, "ETHUSDT", sizing=large, **unlimited)
        assert refusal.rule == "balance"


async def test_order_refused_by_the_exchange_blocks_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        refused = await ready.trade(quantity="0.00001")
        assert (await ready.entry(refused)).order.state is OrderState.REJECTED
        assert isinstance(await verdict(ready, Action.BUY), OrderIntent)


async def test_pause_blocks_entries_and_lets_exits_pass_until_resume(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(400_000)
        await carry_out(ready, CommandKind.PAUSE)
        assert (await verdict(ready, Action.BUY)).rule == "pause"
        assert isinstance(await verdict(ready, Action.SELL), OrderIntent)
        await carry_out(ready, CommandKind.RESUME)
        assert isinstance(await verdict(ready, Action.BUY, max_position_quote=Decimal(5000)), OrderIntent)


async def test_cooldown_counts_market_time_from_the_last_entry(tmp_path):
    limits = {"max_position_quote": Decimal(5000), "cooldown_seconds": 300}
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        assert (await verdict(ready, Action.BUY, **limits)).rule == "cooldown"
        await ready.wait(299_999)
        assert (await verdict(ready, Action.BUY, **limits)).rule == "cooldown"
        await ready.wait(1)
        assert isinstance(await verdict(ready, Action.BUY, **limits), OrderIntent)


async def test_other_symbols_are_valued_by_the_tick_before_and_at_cost_until_there_is_one(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.5", symbol="ETHUSDT")
        wallet, position = await ready.ledger.wallet(), (await ready.ledger.positions())["ETHUSDT"]
        whole = SizingSettings(sizing="fraction", order_fraction=Decimal("0.01"))
        risk = risk_agent(ready, sizing=whole, max_exposure_pct=Decimal(50))

        exposure = await found_by(ready, risk, "max_exposure")
        assert exposure.limit == (wallet["USDT"] + position.cost_quote) / 2
        assert exposure.value == position.cost_quote + await bought_quote(ready, risk)

        view = await ready.market_data().observe("ETHUSDT")
        higher = replace(view, book=replace(view.book, bid=view.book.bid * 2))
        risk.marks = {"ETHUSDT": higher}
        exposure = await found_by(ready, risk, "max_exposure")
        assert exposure.limit == (wallet["USDT"] + position.quantity * higher.book.bid) / 2
        assert exposure.value == position.quantity * higher.book.bid + await bought_quote(ready, risk)


async def found_by(ready: Desk, risk: RiskManagementAgent, rule: str) -> Finding:
    review = await reviewed(ready, risk, Action.BUY)
    return next(finding for finding in review.findings if finding.rule == rule)


async def bought_quote(ready: Desk, risk: RiskManagementAgent) -> Decimal:
    intent = (await reviewed(ready, risk, Action.BUY)).verdict
    return intent.quantity * intent.reference_price


async def test_dust_of_another_symbol_is_no_open_position(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(1000)
        await ready.trade(Side.SELL, "0.00998")
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00001")
        risk = risk_agent(ready, max_open_positions=1)
        assert (await reviewed(ready, risk, Action.BUY, "ETHUSDT")).verdict.rule == "max_open_positions"
        risk.marks = {"BTCUSDT": await ready.market_data().observe("BTCUSDT")}
        assert isinstance((await reviewed(ready, risk, Action.BUY, "ETHUSDT")).verdict, OrderIntent)


async def test_foreign_coins_are_no_equity_and_no_exposure(tmp_path):
    async with desk(tmp_path, balances={"USDT": Decimal(1000), "BTC": Decimal(3)}) as ready:
        exposure = await found(ready, "max_exposure", max_exposure_pct=Decimal(50))
        assert (exposure.limit, exposure.allows) == (500, True)
        assert exposure.value <= 100


async def test_entry_that_is_under_way_is_at_risk_already(tmp_path):
    async with desk(tmp_path) as ready:
        waiting = await ready.sent(Side.BUY, "0.02")
        exposure = await found(ready, "max_exposure", "ETHUSDT", max_exposure_pct=Decimal(90))
        assert exposure.value > waiting.quantity * waiting.reference_price


async def test_what_the_exchange_executed_and_the_ledger_has_no_trade_of_stays_reserved_and_at_risk(tmp_path):
    async with desk(tmp_path) as ready:
        waiting = await ready.sent(Side.BUY, "0.02")
        reserved = waiting.quantity * waiting.reference_price
        await ready.ledger.transition(
            waiting.client_order_id, OrderState.FILLED, ready.clock.now_ms(), executed_base=waiting.quantity
        )
        exposure = await found(ready, "max_exposure", "ETHUSDT", max_exposure_pct=Decimal(90))
        assert exposure.value > reserved
        assert (await found(ready, "balance", "ETHUSDT")).limit == 10_000 - reserved


async def test_every_rule_is_told_of_though_the_first_refuses(tmp_path):
    async with desk(tmp_path) as ready:
        await carry_out(ready, CommandKind.KILL)
        await carry_out(ready, CommandKind.PAUSE)
        ready.gate.block("disk", "the disk is full")
        review = await reviewed(ready, risk_agent(ready), Action.BUY)
        assert review.verdict.rule == "kill_switch"
        refusing = [finding.rule for finding in review.findings if not finding.allows]
        assert refusing == ["kill_switch", "pause", "disk"]
        assert len(review.findings) > 20


async def test_order_of_unknown_outcome_on_any_symbol_counts(tmp_path):
    async with desk(tmp_path) as ready:
        waiting = await ready.sent(Side.BUY)
        await ready.ledger.transition(waiting.client_order_id, OrderState.UNKNOWN, ready.clock.now_ms())
        assert (await found(ready, "unknown_orders", "ETHUSDT", max_unknown_orders=1)).value == 1


@pytest.mark.parametrize("rule", ["drawdown", "daily_loss", "consecutive_losses"])
async def test_pause_of_a_breaker_refuses_entries_and_lets_exits_pass(tmp_path, rule):
    limits = {"max_drawdown_pct": Decimal(10), "max_daily_loss_pct": Decimal(5), "max_consecutive_losses": 3}
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(60_000)
        now_ms = ready.clock.now_ms()
        await Valuation(ready.market_data(), ready.ledger, SYMBOLS).record(RUN_ID, now_ms, 1, {})
        pause = Pause(rule, now_ms - 1, now_ms + 60_000, "the test says so")
        await ready.ledger.write(lambda connection: begin_pause(connection, 1, pause))
        assert not (await found(ready, rule, **limits)).allows
        assert isinstance(await verdict(ready, Action.SELL, **limits), OrderIntent)
        await ready.wait(60_000)
        assert (await found(ready, rule, **limits)).allows


async def test_entry_that_may_have_filled_is_counted(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.exchange.fault("unknown_executed", method="POST")
        await ready.trade(quantity="0.001")
        refused = await verdict(ready, Action.BUY, "ETHUSDT", max_trades_per_hour=1)
        assert isinstance(refused, Refusal)
        assert refused.rule == "trades_per_hour"


async def test_filled_entries_are_counted(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.001")
        await ready.wait(1000)
        await ready.trade(quantity="0.01", symbol="ETHUSDT")
        await ready.wait(1000)
        await ready.trade(Side.SELL, quantity="0.0009")
        counts = {
            name: (await found(ready, name.removeprefix("max_"), **{name: 9})).value
            for name in ("max_trades_per_hour", "max_trades_per_day", "max_symbol_trades_per_hour")
        }
        assert counts == {"max_trades_per_hour": 2, "max_trades_per_day": 2, "max_symbol_trades_per_hour": 1}


@pytest.mark.parametrize(
    ("path", "limit", "rule"),
    [("depth", "max_slippage_pct", "slippage"), ("ticker/price", "max_price_deviation_pct", "price_deviation")],
)
async def test_market_is_asked_only_for_what_a_limit_needs_and_a_failure_there_refuses(tmp_path, path, limit, rule):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(60_000)
        best = (await ready.gateway.book_ticker("BTCUSDT")).ask
        await offer(ready, "0.001", "1", best=best)  # less than is bought
        wanted = {limit: Decimal(1), "max_position_quote": Decimal(5000)}
        asked = len(await requests_of(ready, path))
        assert (await found(ready, rule, **wanted)).allows
        assert len(await requests_of(ready, path)) == asked + 1
        await ready.exchange.fault("http", path=path, status=400, body='{"code": -1100, "msg": "No."}', count=None)
        assert not (await found(ready, rule, **wanted)).allows
        asked = len(await requests_of(ready, path))
        assert isinstance(await verdict(ready, Action.BUY, max_position_quote=Decimal(5000)), OrderIntent)
        assert isinstance(await verdict(ready, Action.SELL, **wanted), OrderIntent)
        assert len(await requests_of(ready, path)) == asked


async def offer(ready: Desk, *quantities: str, best: Decimal = Decimal(64_000)) -> None:
    """A book of BTCUSDT that offers these, each a dollar above the one before."""
    levels = [[str(best + above), quantity] for above, quantity in enumerate(quantities)]
    await ready.exchange.control("book", symbol="BTCUSDT", bids=[[str(best - 1), "1"]], asks=levels)


@pytest.mark.parametrize(("offered", "asks"), [("0.00156", 0), ("0.00155", 1)])
async def test_depth_is_asked_only_for_an_order_that_takes_more_than_the_best_ask_offers(tmp_path, offered, asks):
    async with desk(tmp_path) as ready:
        await offer(ready, offered, "1")
        slippage = await found(ready, "slippage", max_slippage_pct=Decimal("0.5"))  # 0.00156 BTC are bought
        expected = "expected to fill 0 % above the ask 64000, at most 0.5 % allowed (RISK_MAX_SLIPPAGE_PCT)"
        assert slippage.detail == expected
        assert len(await requests_of(ready, "depth")) == asks


async def test_depth_is_asked_for_when_the_quote_is_old(tmp_path):
    async with desk(tmp_path) as ready:
        view = await ready.market_data().observe("BTCUSDT")
        signal = Signal("BTCUSDT", "s", Action.BUY, 0.5, "because", view.candles[-1].open_time_ms)
        risk = risk_agent(ready, max_slippage_pct=Decimal("0.5"))
        for waited_ms, asks in ((2_000, 0), (1, 1)):
            await ready.wait(waited_ms)
            await risk.review(signal, view, ready.clock.now_ms())
            assert len(await requests_of(ready, "depth")) == asks


async def test_depth_is_asked_for_an_order_that_outgrows_the_quote_while_it_waits_for_its_turn(tmp_path):
    async with desk(tmp_path) as ready:
        await offer(ready, "0.002", "0.002")
        risk = risk_agent(ready, max_slippage_pct=Decimal("0.5"), sizing=SizingSettings(order_quote=Decimal(100)))
        larger = RiskSettings(max_slippage_pct=Decimal("0.5"), sizing=SizingSettings(order_quote=Decimal(200)))
        asked_at_its_turn = []

        async def turn():
            asked_at_its_turn.append(len(await requests_of(ready, "depth")))
            risk.use(larger)

        view = await ready.market_data().observe("BTCUSDT")
        signal = Signal("BTCUSDT", "s", Action.BUY, 0.5, "because", view.candles[-1].open_time_ms)
        review = await risk.review(signal, view, ready.clock.now_ms(), may_enter=turn)
        assert (review.verdict.quantity, asked_at_its_turn) == (Decimal("0.00312"), [0])
        assert len(await requests_of(ready, "depth")) == 1


@pytest.mark.parametrize(
    ("fields", "asks"), [({}, 0), ({"quantity": "2"}, 1), ({"type": "limit", "price": "63999"}, 0)]
)
async def test_depth_is_asked_for_a_persons_order_only_where_the_best_price_does_not_hold_it(tmp_path, fields, asks):
    async with desk(tmp_path, balances={"USDT": Decimal(1_000_000)}) as ready:
        await offer(ready, "1.5", "1")
        unlimited = {"max_position_quote": Decimal("Infinity")}
        risk = risk_agent(ready, max_slippage_pct=Decimal("0.5"), **unlimited)
        order = manual_order({"symbol": "BTCUSDT", "side": "BUY", "type": "market", "quantity": "0.01", **fields})
        view = await ready.market_data().observe("BTCUSDT")
        review = await risk.review_order(order, view, Asked(1, 1, "somebody"))
        assert review.refusal is None
        assert len(await requests_of(ready, "depth")) == asks


class Knows:
    """A feed that has heard of a trade at this price, or not."""

    def __init__(self, price: str | None) -> None:
        self.price = price

    def last_price(self, _symbol: str) -> Decimal | None:
        return None if self.price is None else Decimal(self.price)


@pytest.mark.parametrize(("known", "asks", "allows"), [("64000", 0, True), ("60000", 0, False), (None, 1, True)])
async def test_last_price_is_asked_only_where_the_feed_does_not_know_it(tmp_path, known, asks, allows):
    async with desk(tmp_path) as ready:
        await offer(ready, "1")
        market = FollowedMarket(ready.gateway, Knows(known))
        risk = risk_agent(ready, market=market, max_price_deviation_pct=Decimal(2))
        review = await reviewed(ready, risk, Action.BUY)
        (deviation,) = [finding for finding in review.findings if finding.rule == "price_deviation"]
        assert deviation.allows is allows
        assert known is None or f"from the last price {known}" in deviation.detail
        assert len(await requests_of(ready, "ticker/price")) == asks


async def test_where_all_is_known_nothing_is_waited_for(tmp_path):
    async with desk(tmp_path) as ready:
        await offer(ready, "1")
        view = await ready.market_data().observe("BTCUSDT")
        context = RiskContext(
            signal=Signal("BTCUSDT", "s", Action.BUY, 0.5, "because", 0),
            view=view,
            position=Position("BTCUSDT"),
            open_positions=0,
            free_quote=Decimal(0),
            equity_quote=Decimal(0),
            last_filled_ms=None,
            now_ms=0,
            depth=quoted(view).depth,
            is_depth_asked=False,
            is_price_asked=False,
        )
        market = FollowedMarket(ready.gateway, Knows("64000"))
        asking = conditions(market, context, {"price_deviation"}, at_once=True)
        with pytest.raises(StopIteration) as answered:
            asking.send(None)
        known = answered.value.value
        assert (known.depth.asks, known.last_price) == (((64_000, 1),), 64_000)


async def test_market_is_not_asked_for_an_entry_that_is_refused_without_it(tmp_path):
    async with desk(tmp_path) as ready:
        await offer(ready, "0.001", "1")
        limits = {"max_slippage_pct": Decimal(1), "max_price_deviation_pct": Decimal(2), "min_confidence": 0.9}
        before = len(await ready.exchange.log())
        review = await reviewed(ready, risk_agent(ready, **limits), Action.BUY)
        assert review.verdict.rule == "min_confidence"
        assert not [
            request["target"]
            for request in (await ready.exchange.log())[before:]
            if "/depth" in request["target"] or "/ticker/price" in request["target"]
        ]
        by_rule = {finding.rule: finding for finding in review.findings}
        for rule, what in (("slippage", "the depth of the book"), ("price_deviation", "the last price")):
            assert by_rule[rule].allows is None
            assert by_rule[rule].detail.startswith(f"{what} was not asked for, as another rule refuses (RISK_")


async def requests_of(ready: Desk, path: str) -> list[str]:
    targets = [request["target"] for request in await ready.exchange.log()]
    return [target for target in targets if target.split("?")[0].endswith(f"/{path}")]


async def test_entry_keeps_the_range_of_its_candles_and_has_room_for_its_stop(tmp_path):
    async with desk(tmp_path) as ready:
        view = await ready.market_data().observe("BTCUSDT")
        expected = average_true_range(view.candles, ATR_PERIOD)
        intent = await verdict(ready, Action.BUY)
        assert (intent.atr_quote, intent.role, intent.exit) == (expected, Role.ENTRY, None)
        assert expected > 0
        stops = ExitSettings(stop_loss_pct=Decimal(90))
        small = SizingSettings(order_quote=Decimal(30))
        assert (await verdict(ready, Action.BUY, exits=stops, sizing=small)).rule == "room_for_stop"
        assert isinstance(await verdict(ready, Action.BUY, sizing=small), OrderIntent)


async def test_range_is_that_of_the_last_seven_periods_whatever_else_was_seen(tmp_path):
    async with desk(tmp_path) as ready:
        candles = list((await ready.market_data().observe("BTCUSDT")).candles)
    seen = candles[-(7 * ATR_PERIOD + 1) :]
    high, low, close = (np.array([float(getattr(c, name)) for c in seen]) for name in ("high", "low", "close"))
    value = indicators.atr(high, low, close, ATR_PERIOD)[-1]
    assert float(average_true_range(candles, ATR_PERIOD)) == value
    assert average_true_range(seen, ATR_PERIOD) == average_true_range(candles, ATR_PERIOD)
    assert average_true_range(candles[-ATR_PERIOD:], ATR_PERIOD) is None
    still = [replace(candle, high=candle.close, low=candle.close) for candle in [candles[-1]] * 40]
    assert average_true_range(still, ATR_PERIOD) is None


async def test_range_of_a_window_is_that_of_its_candles_and_measured_once(tmp_path):
    async with desk(tmp_path) as ready:
        candles = list((await ready.market_data().observe("BTCUSDT")).candles)
    window = window_of(candles)
    for period in (ATR_PERIOD, 5, len(candles)):
        measured = average_true_range(window, period)
        assert repr(measured) == repr(average_true_range(candles, period))
        assert average_true_range(window, period) is measured
    assert average_true_range(window[:-1], ATR_PERIOD) == average_true_range(candles[:-1], ATR_PERIOD)


@pytest.mark.parametrize(
    ("action", "exit_kind", "noted"),
    [
        (Action.SELL, None, ExitKind.STRATEGY),
        (Action.SELL, ExitKind.TIME_STOP, ExitKind.TIME_STOP),
        (Action.HOLD, ExitKind.TRAILING_STOP, ExitKind.TRAILING_STOP),
        (Action.BUY, ExitKind.TRAILING_STOP, ExitKind.TRAILING_STOP),
    ],
)
async def test_exit_keeps_what_made_the_bot_leave_and_meets_no_limit_on_entries(tmp_path, action, exit_kind, noted):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(60_000)
        await carry_out(ready, CommandKind.KILL)
        risk = risk_agent(ready, max_trades_per_hour=1, max_order_quote=Decimal(1), max_data_age_seconds=0)
        intent = (await reviewed(ready, risk, action, exit_kind=exit_kind)).verdict
        assert (intent.side, intent.role, intent.exit, intent.atr_quote) == (Side.SELL, Role.EXIT, noted, None)


async def test_hold_needs_no_decision(tmp_path):
    async with desk(tmp_path) as ready:
        with pytest.raises(ValueError, match="HOLD needs no risk decision"):
            await verdict(ready, Action.HOLD)


async def test_position_in_another_quote_asset_is_neither_equity_nor_exposure(tmp_path):
    async with desk(tmp_path) as ready:
        with closing(sqlite3.connect(ready.ledger.path, isolation_level=None)) as connection:
            connection.execute("INSERT INTO positions VALUES (1, 'ETHBTC', 'ETH', 'BTC', '7', '7', '0', 1, 1)")
        exposure = await found(ready, "max_exposure", max_exposure_pct=Decimal(50))
        assert (exposure.limit, exposure.value <= 100) == (5000, True)
