"""AccountWatch: what it looks at and how often, what keeps entries away meanwhile, and fees in a third asset."""

from decimal import Decimal

import pytest

from binance_trade_agent.agents.account_watch import NEWS_MS
from binance_trade_agent.domain.orders import OrderIntent, OrderState, OrderType, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import ExchangeError, UnavailableError
from binance_trade_agent.ledger import fee_values
from binance_trade_agent.ledger.errors import LedgerUnavailable
from tests.agents.desk import Desk, desk
from tests.agents.market import killed_at, price, resting
from tests.agents.played import played_desk
from tests.agents.watching import Watched, deposit, watched


async def asked(ready: Desk, path: str, since: int = 0) -> int:
    return sum(f"/api/v3/{path}?" in f"{row['target']}?" for row in (await ready.exchange.log())[since:])


def reasons_of(watch: Watched) -> list[str]:
    """The reasons of the reconciliations from now on."""
    reasons: list[str] = []
    run = watch.desk.reconciler.run

    async def noted(reason: str):
        reasons.append(reason)
        return await run(reason)

    watch.desk.reconciler.run = noted
    return reasons


async def fees(ready: Desk) -> list[tuple]:
    return await ready.ledger.read(
        lambda connection: [
            tuple(row)
            for row in connection.execute("SELECT asset, quote_asset, price, value_quote FROM fee_values ORDER BY 1, 2")
        ]
    )


async def test_quiet_account_costs_a_glance_a_minute_and_a_reconciliation_an_hour(tmp_path):
    async with desk(tmp_path) as ready:
        watch, since = watched(ready), len(await ready.exchange.log())
        reasons = reasons_of(watch)
        for _ in range(59):
            await watch.tick()
        assert reasons == []
        assert await asked(ready, "account", since) == 59
        assert len(await ready.exchange.log()) == since + 59
        await watch.tick()
        assert reasons == ["every hour"]
        await watch.tick()
        assert reasons == ["every hour"]


async def test_balance_that_differs_is_reconciled_at_the_next_glance(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        reasons = reasons_of(watch)
        await deposit(ready, "USDT", "5")
        await watch.tick(59_999)
        assert reasons == []
        await watch.tick(1)
        assert reasons == ["balances differ"]
        assert (await ready.ledger.wallet())["USDT"] == 10_005
        await watch.tick()
        assert reasons == ["balances differ"]


async def test_between_the_ticks_of_a_stepped_market_nothing_is_asked(tmp_path):
    async with desk(tmp_path) as ready:
        watch, since = watched(ready), len(await ready.exchange.log())
        await deposit(ready, "USDT", "5")
        await watch.watch.between_ticks()
        assert len(await ready.exchange.log()) == since
        watch.watch._is_stepped = False
        await ready.wait(60_000)
        await watch.watch.between_ticks()
        assert (await ready.ledger.wallet())["USDT"] == 10_005


async def test_without_the_stream_every_trade_is_asked_for_and_found(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        watch.is_live = False
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        await watch.tick(1)
        assert len(await resting(ready)) == 2
        await price(ready, "62000")  # the stop fires, and nobody tells
        await watch.tick(1)
        assert await resting(ready) == []
        assert ready.gate.reasons() == {}
        await ready.assert_reconciled()


async def test_no_news_keeps_entries_away_until_asking_works_again(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        watch.is_live = False
        fault = await ready.exchange.fault("http", method="GET", path="myTrades", status=503, count=None)
        with pytest.raises(ExchangeError):
            await watch.tick(NEWS_MS)
        assert ready.gate.refusal("BTCUSDT") is None
        with pytest.raises(ExchangeError):
            await watch.tick(1)
        assert ready.gate.refusal("BTCUSDT")[0] == "no_news"
        assert watch.watch.health()[:2] == (
            "no news of the account for 20 s: the stream is away and asking fails",
            False,
        )
        await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await watch.tick(1)
        assert ready.gate.refusal("BTCUSDT") is None
        watch.is_live = True
        await ready.exchange.fault("http", method="GET", path="account", status=503)
        with pytest.raises(UnavailableError):
            await watch.tick()
        assert ready.gate.refusal("BTCUSDT") is None  # the stream tells


@pytest.mark.parametrize(("name", "gate"), [("disk", "disk"), ("exchange", "exchange"), ("keys", "keys")])
async def test_trouble_shuts_the_gate_by_its_name_and_its_end_opens_it(tmp_path, name, gate):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        setattr(watch, name, "something is wrong")
        await watch.tick()
        assert ready.gate.refusal("BTCUSDT") == (gate, "something is wrong")
        setattr(watch, name, None)
        await watch.tick()
        assert ready.gate.reasons() == {}


async def test_ledger_that_cannot_be_written_shuts_the_gate_until_it_can(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        await deposit(ready, "USDT", "5")
        post = ready.ledger.post_external

        async def full(*_):
            raise LedgerUnavailable("the disk is full")

        ready.ledger.post_external = full
        with pytest.raises(LedgerUnavailable):
            await watch.tick()
        assert ready.gate.refusal("BTCUSDT") == ("ledger", "the ledger cannot be written: the disk is full")
        ready.ledger.post_external = post
        await watch.tick()
        assert ready.gate.reasons() == {}
        assert (await ready.ledger.wallet())["USDT"] == 10_005


async def test_exchange_that_is_away_hides_neither_the_ledger_nor_the_protection(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        looked_after = []

        async def away() -> None:
            raise UnavailableError("the exchange cannot be reached")

        async def full(_) -> None:
            looked_after.append("protection")
            raise LedgerUnavailable("the disk is full")

        watch.watch._recovery.ask_about_unsettled = away
        watch.protection.ensure_all = full
        with pytest.raises(LedgerUnavailable):
            await watch.tick()
        assert looked_after == ["protection"]
        assert ready.gate.refusal("BTCUSDT") == ("ledger", "the ledger cannot be written: the disk is full")


async def test_commission_in_bnb_is_converted_once_at_the_price_that_is_noted(tmp_path):
    balances = {"USDT": Decimal(10_000), "BNB": Decimal(1)}
    symbols = ("BTCUSDT", "BNBUSDT")
    async with desk(tmp_path, balances=balances, symbols=symbols) as ready:
        await ready.exchange.control("config", bnb_discount={"enabled": True})
        watch = watched(ready)
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        (fill,) = await ready.ledger.fills()
        assert (await fees(ready)) == [("BNB", "USDT", None, None)]
        await price(ready, "600", symbol="BNBUSDT")
        await watch.watch.before_tick()
        wanted = [("BNB", "USDT", "600", str((fill.commission * 600).normalize()))]
        assert await fees(ready) == wanted
        await price(ready, "700", symbol="BNBUSDT")
        await watch.watch.before_tick()
        assert await fees(ready) == wanted
        total = await ready.ledger.read(lambda connection: fee_values.total(connection, 1))
        assert total == (fill.commission * 600, 0)


async def test_commission_that_nothing_prices_stays_unknown_and_is_not_asked_for_again(tmp_path):
    """As where there is no BNBUSDT, or none any more: unknown is unknown, never 0."""
    balances = {"USDT": Decimal(10_000), "BNB": Decimal(1)}
    async with desk(tmp_path, balances=balances, symbols=("BTCUSDT", "BNBUSDT")) as ready:
        await ready.exchange.control("config", bnb_discount={"enabled": True})
        watch = watched(ready)
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        none = '{"code": -1121, "msg": "Invalid symbol."}'
        await ready.exchange.fault("http", path="ticker/bookTicker", status=400, body=none, count=None)
        since = len(await ready.exchange.log())
        for _ in range(3):
            await watch.tick()
        assert await fees(ready) == [("BNB", "USDT", None, None)]
        assert await asked(ready, "ticker/bookTicker", since) == 1
        assert await ready.ledger.read(lambda connection: fee_values.total(connection, 1)) == (0, 1)
        await ready.assert_reconciled()


async def test_price_that_could_not_be_asked_for_is_asked_for_later(tmp_path):
    balances = {"USDT": Decimal(10_000), "BNB": Decimal(1)}
    async with desk(tmp_path, balances=balances, symbols=("BTCUSDT", "BNBUSDT")) as ready:
        await ready.exchange.control("config", bnb_discount={"enabled": True})
        watch = watched(ready)
        await price(ready, "64000")
        await ready.trade(quantity="0.01")
        await ready.exchange.fault("http", method="GET", path="ticker/bookTicker", status=503)
        with pytest.raises(UnavailableError):
            await watch.tick()
        assert (await fees(ready))[0][2] is None
        await watch.tick()
        assert (await fees(ready))[0][2] is not None


async def resting_entry(ready: Desk, symbol: str) -> OrderIntent:
    """An entry that waits far below the market."""
    intent = await ready.intent(Side.BUY, symbol=symbol)
    waiting = replace(
        intent, type=OrderType.LIMIT_MAKER, price=ready.rules[symbol].round_price(intent.reference_price / 2)
    )
    await ready.execution.execute(ready.decision(waiting), waiting)
    assert (await ready.entry(waiting)).order.state is OrderState.ACCEPTED
    return waiting


async def test_entries_that_rest_are_cancelled_and_protection_stays(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await ready.trade()
        await watch.tick()
        protection = {order.client_order_id for order in await resting(ready)}
        entries = [await resting_entry(ready, symbol) for symbol in ready.rules]
        assert len(protection) == 2
        await watch.watch.cancel_unprotective("the kill switch is on")
        assert {order.client_order_id for order in await resting(ready)} == protection
        assert [(await ready.entry(entry)).order.state for entry in entries] == [OrderState.CANCELED] * 2
        before = await asked(ready, "order")
        await watch.watch.cancel_unprotective("the kill switch is on")
        assert await asked(ready, "order") == before, "there is nothing left to cancel"


async def test_entry_whose_cancel_did_not_arrive_is_cancelled_at_the_next_look(tmp_path):
    async with desk(tmp_path) as ready:
        watch = watched(ready)
        first, second = [await resting_entry(ready, symbol) for symbol in ready.rules]
        await ready.exchange.fault("http", method="DELETE", path="order", status=503)
        await watch.watch.cancel_unprotective("the kill switch is on")
        assert (await ready.entry(first)).order.state is OrderState.ACCEPTED
        assert (await ready.entry(second)).order.state is OrderState.CANCELED
        await watch.watch.cancel_unprotective("the kill switch is on")
        assert (await ready.entry(first)).order.state is OrderState.CANCELED


@pytest.mark.parametrize(("orders_on_stop", "stand"), [("keep", 2), ("cancel_entries", 2), ("cancel_all", 0)])
async def test_stop_in_the_middle_of_a_move_leaves_the_protection_that_is_to_stay(tmp_path, orders_on_stop, stand):
    async with desk(tmp_path) as ready:
        watch = watched(ready, "2", "4")
        await ready.trade()
        await watch.tick()
        with killed_at("recovery.booked"):  # the list is off, and there is none in its place yet
            await ready.trade()
            await watch.tick()
        await watch.watch.close_down(orders_on_stop)
        assert len(await resting(ready)) == stand


async def test_protection_that_was_cancelled_at_the_stop_is_not_put_back_by_a_price(tmp_path):
    async with played_desk(tmp_path) as ready:
        watch = Watched(ready, ready.protection("0", "0", trailing_stop_pct="2"))
        await price(ready, "64000")
        await ready.trade()
        await watch.tick()
        assert len(await resting(ready)) == 1
        await watch.watch.close_down("cancel_all")
        await ready.wait(10_000)
        await price(ready, "66000")
        await watch.protection.on_price("BTCUSDT", Decimal(66000), Decimal(66001))
        assert await resting(ready) == []
