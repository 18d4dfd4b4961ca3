"""Of many symbols only those in question are asked about: the same is found and booked as by asking about all."""

import random
import shutil
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from decimal import Decimal
from pathlib import Path

import pytest

from binance_trade_agent.agents import in_question
from binance_trade_agent.agents.account_watch import NEWS_MS
from binance_trade_agent.agents.facts import compared, ledger_facts
from binance_trade_agent.agents.order_keeper import QUIET_MS
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.money import plain
from binance_trade_agent.domain.order_ids import client_order_id
from binance_trade_agent.domain.orders import OrderIntent, OrderState, OrderType, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.errors import UnavailableError
from tests.agents.desk import RUN_ID, Desk, desk, executing, reopened
from tests.agents.market import alarms, assert_equal, killed_at, price
from tests.agents.watching import deposit, watched
from tests.ledger.bookkeeping import run_record

SYMBOLS = tuple(f"SIM{number}USDT" for number in range(1, 7))
SEEDS = (3, 17, 26)
_WEIGHTS = {"account": 20, "allOrders": 20, "order": 4, "exchangeInfo": 20}


@pytest.fixture
def many(monkeypatch) -> Callable[[bool], None]:
    """Lets any number of symbols be many, as at first, or few."""

    def be(is_many: bool) -> None:
        monkeypatch.setattr(in_question, "FEW_SYMBOLS", 0 if is_many else 1000)
        monkeypatch.setattr(in_question, "FEW_ORDERS", 0 if is_many else 1000)

    be(True)
    return be


@asynccontextmanager
async def trading(tmp_path: Path, **options) -> AsyncIterator[Desk]:
    """A desk for many symbols, whose first orders are prepared for as the daemon's are."""
    coins = {symbol.removesuffix("USDT"): Decimal(1000) for symbol in SYMBOLS}
    balances = {"USDT": Decimal(100_000), **coins}
    async with desk(tmp_path, symbols=SYMBOLS, balances=balances, history_minutes=10, **options) as ready:
        yield beginning(ready)


def beginning(ready: Desk, *, by_market: bool = False) -> Desk:
    """The desk with an execution that notes where the account's trades stand before the first order on a symbol.

    With `by_market` a stream tells the market's last trade.
    """

    async def begin(symbol: str) -> None:
        client = await ready.exchange.client()
        number = (await client.get_recent_trades(symbol=symbol, limit=1))[-1]["id"] if by_market else None
        await ready.recovery.begin(symbol, number)

    ready.execution = executing(ready.gateway, ready.ledger, ready.clock, ready.keeper, begin=begin)
    return ready


by_market_or_account = pytest.mark.parametrize("by_market", [False, True], ids=["asked", "told"])


async def weight(ready: Desk, since: int) -> int:
    """What the requests after the first `since` have cost."""

    def of(row) -> int:
        path, _, query = row["target"].partition("?")
        name = path.removeprefix("/api/v3/")
        if name == "openOrders":
            return 6 if "symbol=" in query else 80
        if name == "myTrades":
            return 5 if "orderId=" in query else 20
        return _WEIGHTS[name]

    return sum(of(row) for row in (await ready.exchange.log())[since:])


class Interference:
    """What befalls an account, by dice: most of it nobody has told the daemon of."""

    def __init__(self, ready: Desk, seed: int) -> None:
        self._ready = ready
        self._chance = random.Random(seed)
        self._number = 0

    async def happen(self, times: int) -> None:
        """Let so many things happen, a second after each other."""
        kinds = [getattr(self, name) for name in sorted(dir(self)) if name.startswith("do_")]
        for _ in range(times):
            await self._chance.choice(kinds)(self._chance.choice(SYMBOLS))
            await self._ready.wait(1000)

    async def do_trade(self, symbol: str) -> None:
        await self._ready.trade(Side.BUY, await self._quantity(symbol), symbol)

    async def do_sell(self, symbol: str) -> None:
        position = (await self._ready.ledger.positions()).get(symbol)
        if position is not None and position.quantity > 0:
            rules = self._ready.rules[symbol]
            await self._ready.trade(Side.SELL, plain(rules.round_market_quantity(position.quantity)), symbol)

    async def do_lose_an_answer(self, symbol: str) -> None:
        await self._ready.exchange.fault("unknown_executed", method="POST", path="order")
        await self.do_trade(symbol)

    async def do_give_up_what_was_executed(self, symbol: str) -> None:
        for side in self._chance.choice(((Side.BUY,), (Side.BUY, Side.SELL))):
            await self.give_up(symbol, side)

    async def give_up(self, symbol: str, side: Side) -> OrderIntent:
        """An order is executed and counts as proved absent."""
        ready = self._ready
        await ready.wait(1000)
        intent = await ready.intent(side, await self._quantity(symbol), symbol)
        await ready.recovery.begin(symbol)
        await ready.ledger.commit_intent(ready.decision(intent), intent, ready.clock.now_ms())
        await ready.gateway.place_order(intent)
        for state in (OrderState.SENT, OrderState.UNKNOWN, OrderState.NOT_PLACED):
            await ready.ledger.transition(intent.client_order_id, state, ready.clock.now_ms())
        return intent

    async def do_rest(self, symbol: str) -> None:
        """A target of ours rests, and the market may come to it."""
        ready = self._ready
        position = (await ready.ledger.positions()).get(symbol)
        if position is None or position.quantity <= 0:
            return
        book, rules = await ready.gateway.book_ticker(symbol), ready.rules[symbol]
        intent = await ready.intent(Side.SELL, plain(rules.round_market_quantity(position.quantity)), symbol)
        target = rules.round_price(book.ask * Decimal("1.01"))
        intent = replace(intent, type=OrderType.LIMIT, role=Role.TAKE_PROFIT, price=target)
        await ready.execution.place([replace(intent, client_order_id=intent.client_order_id[:-2] + "ff")])
        if self._chance.random() < 0.5:
            await price_at(ready, symbol, target * Decimal("1.01"))

    async def do_cancel_by_hand(self, symbol: str) -> None:
        client = await self._ready.exchange.client()
        for row in await client.get_open_orders(symbol=symbol):
            await client.cancel_order(symbol=symbol, orderId=row["orderId"])

    async def do_trade_by_hand(self, symbol: str) -> None:
        client, wanted = await self._ready.exchange.client(), await self._quantity(symbol)
        await client.order_market_buy(symbol=symbol, quantity=wanted)
        if self._chance.random() < 0.5:
            await client.order_market_sell(symbol=symbol, quantity=wanted)

    async def do_order_by_hand(self, symbol: str) -> None:
        client, wanted = await self._ready.exchange.client(), await self._quantity(symbol)
        await client.order_limit_buy(symbol=symbol, quantity=wanted, price=await self._low(symbol))

    async def do_trade_as_a_stranger(self, symbol: str) -> None:
        for side in self._chance.choice(((Side.BUY,), (Side.BUY, Side.SELL))):
            await self.trade_as_a_stranger(symbol, side)

    async def trade_as_a_stranger(self, symbol: str, side: Side) -> None:
        """An order with our mark that the ledger does not have is executed."""
        client, wanted = await self._ready.exchange.client(), await self._quantity(symbol)
        await client.order_market(symbol=symbol, side=side.value, quantity=wanted, newClientOrderId=self._id(symbol))

    async def do_order_as_a_stranger(self, symbol: str) -> None:
        client, wanted = await self._ready.exchange.client(), await self._quantity(symbol)
        await client.order_limit_buy(
            symbol=symbol, quantity=wanted, price=await self._low(symbol), newClientOrderId=self._id(symbol)
        )

    async def do_deposit(self, symbol: str) -> None:
        asset = self._chance.choice(("USDT", self._ready.rules[symbol].base_asset, "BNB"))
        await deposit(self._ready, asset, self._chance.choice(("1", "7.5")))

    async def _quantity(self, symbol: str) -> str:
        return await quantity(self._ready, symbol)

    async def _low(self, symbol: str) -> str:
        book = await self._ready.gateway.book_ticker(symbol)
        return plain(self._ready.rules[symbol].round_price(book.bid * Decimal("0.9")))

    def _id(self, symbol: str) -> str:
        self._number += 1
        return client_order_id(
            instance="test",
            epoch=1,
            strategy="another",
            symbol=symbol,
            tick_ms=self._number,
            leg="BUY",
            attempt=1,
            fence=9,
        )


async def quantity(ready: Desk, symbol: str) -> str:
    """What some 30 USDT buy."""
    book = await ready.gateway.book_ticker(symbol)
    return plain(ready.rules[symbol].round_market_quantity(Decimal(30) / book.ask))


async def price_at(ready: Desk, symbol: str, bid: Decimal) -> None:
    """Let the market move, and be deep enough for all that is traded."""
    await price(ready, plain(ready.rules[symbol].round_price(bid)), symbol=symbol, quantity="1000000")


def said(caplog) -> set[str]:
    """What was left alone."""
    return {row.message for row in caplog.records if "left alone" in row.message}


async def outcome(folder: Path, exchange, caplog) -> dict[str, object]:
    """What a daemon on a ledger books, says and sounds until it has looked at everything."""
    async with reopened(folder, exchange, symbols=SYMBOLS) as ready:
        found = await ready.reconciler.run("start")
        for _ in range(20):
            if not ready.reconciler.is_suspicious:
                break
            found = await ready.reconciler.run("the exchange has said what it should not")
        found = await ready.reconciler.run("every hour")
        assert not ready.reconciler.is_suspicious
        orders = await ready.orders()
        fills = await ready.ledger.fills()
        external = await ready.ledger.consult(
            lambda books: {asset: books.external_sum(asset) for asset in books.wallet()}
        )
        return {
            "differences": sorted(difference.text for difference in found),
            "alarms": sorted(await alarms(ready)),
            "wallet": await ready.ledger.wallet(),
            "external": external,
            "positions": await ready.ledger.positions(),
            "fills": fills,
            "orders": sorted((entry.order.client_order_id, entry.order.state, entry.filled_base) for entry in orders),
            "locked by others": ready.reconciler.foreign_locked,
            "said": said(caplog),
        }


@pytest.mark.parametrize("seed", SEEDS)
async def test_many_symbols_are_reconciled_as_few_are(tmp_path, many, caplog, seed):
    caplog.set_level("INFO")
    async with trading(tmp_path) as ready:
        interference = Interference(ready, seed)
        await interference.happen(6)
        await ready.reconciler.run("every hour")
        await interference.happen(6)
        await ready.wait(QUIET_MS + 1)
        ours = await ready.ledger.read(lambda connection: ledger_facts(connection, SYMBOLS))
        everything = await compared(ready.gateway, ours, ready.rules.values())
        asked = await compared(ready.gateway, ours, ready.rules.values(), {fill.symbol for fill in ours.fills})
        texts = [{found.text for found in result.differences} for result in (everything, asked)]
        assert texts[0] == texts[1], "what `trade-agent reconcile` finds"
        await ready.ledger.close()
        outcomes, before = [], said(caplog)
        for name, is_many in (("few", False), ("many", True)):
            (tmp_path / name).mkdir()
            shutil.copy(tmp_path / "ledger.db", tmp_path / name / "ledger.db")
            many(is_many)
            caplog.clear()
            outcomes.append(await outcome(tmp_path / name, ready.exchange, caplog))
            outcomes[-1]["said"] |= before
        assert outcomes[0] == outcomes[1]


async def test_a_start_and_what_follows_cost_the_same_for_any_number_of_symbols(tmp_path, many):
    async with trading(tmp_path, opened=False) as ready:
        assert await ready.reconciler.run("start") == []
        assert await weight(ready, 0) == 20 + 20 + 20 + 80, "rules, opening balances, balances, open orders"
        await ready.ledger.begin_run(run_record(RUN_ID))
        for symbol in SYMBOLS[:2]:
            await ready.trade(symbol=symbol, quantity=await quantity(ready, symbol))
        since = len(await ready.exchange.log())
        assert await ready.reconciler.run("every hour") == []
        assert await weight(ready, since) == 4 + 20 + 80 + 2 * 4, (
            "the witness, balances, open orders, the latest orders"
        )


@by_market_or_account
async def test_first_order_on_a_symbol_is_preceded_by_one_question_the_next_by_none(tmp_path, many, by_market):
    async with trading(tmp_path) as ready:
        beginning(ready, by_market=by_market)
        for costs in (0 if by_market else 20, 0):
            since = len(await ready.exchange.log())
            await ready.trade(symbol="SIM1USDT", quantity=await quantity(ready, "SIM1USDT"))
            asked = [row["target"] for row in (await ready.exchange.log())[since:] if "myTrades" in row["target"]]
            assert 20 * len(asked) == costs
            await ready.wait(1000)
        await assert_equal(ready)


async def test_where_the_account_stands_cannot_be_asked_and_nothing_is_committed(tmp_path, many):
    async with trading(tmp_path) as ready:
        wanted = await quantity(ready, "SIM1USDT")
        await ready.exchange.fault("http", method="GET", path="myTrades", status=503)
        with pytest.raises(UnavailableError):
            await ready.trade(symbol="SIM1USDT", quantity=wanted)
        assert await ready.orders() == []
        assert (await ready.trade(symbol="SIM1USDT", quantity=wanted)).outcome is Outcome.EXECUTED


@by_market_or_account
async def test_killed_before_the_first_order_others_trade_and_the_next_one_is_lost_on_its_way(
    tmp_path, many, by_market
):
    """What others have traded since is no sign of ours, nor is what the account traded before."""
    async with trading(tmp_path) as ready:
        beginning(ready, by_market=by_market)
        client, wanted = await ready.exchange.client(), await quantity(ready, "SIM1USDT")
        await client.order_market_buy(symbol="SIM1USDT", quantity=wanted)
        with killed_at("trades.noted"):
            await ready.trade(symbol="SIM1USDT", quantity=wanted)
        await client.order_market_buy(symbol="SIM1USDT", quantity=wanted)
        async with reopened(tmp_path, ready.exchange, symbols=SYMBOLS) as again:
            assert await again.orders() == []
            assert await again.reconciler.run("start") == []
            await again.exchange.fault("unknown_executed", method="POST", path="order")
            decision = await beginning(again, by_market=by_market).trade(symbol="SIM1USDT", quantity=wanted)
            assert decision.outcome is Outcome.UNKNOWN
            assert await again.reconciler.run("every hour") == []
            assert (await again.entry(decision)).order.state is OrderState.FILLED
            assert len(await again.ledger.fills()) == 1
            await assert_equal(again)


@by_market_or_account
async def test_old_trades_of_the_account_are_not_read(tmp_path, many, by_market):
    """They may be thousands, and each of their orders would be asked about."""
    async with trading(tmp_path) as ready:
        beginning(ready, by_market=by_market)
        client, wanted = await ready.exchange.client(), await quantity(ready, "SIM1USDT")
        for _ in range(3):
            await client.order_market_buy(symbol="SIM1USDT", quantity=wanted)
        assert await ready.reconciler.run("balances differ") == []
        await ready.exchange.fault("unknown_not_executed", method="POST", path="order")
        decision = await ready.trade(symbol="SIM1USDT", quantity=wanted)
        await ready.wait(QUIET_MS + 1)
        since = len(await ready.exchange.log())
        assert await ready.reconciler.run("every hour") == []
        assert (await ready.entry(decision)).order.state is OrderState.NOT_PLACED
        rows = [row["target"] for row in (await ready.exchange.log())[since:]]
        assert [target for target in rows if "/order?" in target and "orderId=" in target] == []


async def test_an_order_after_a_reset_is_found_by_trades_that_begin_anew(tmp_path, many):
    """What was noted of a symbol is of another epoch."""
    async with trading(tmp_path) as ready:
        beginning(ready, by_market=True)
        wanted = await quantity(ready, "SIM1USDT")
        await ready.trade(symbol="SIM1USDT", quantity=wanted)
        cursor = await ready.ledger.trade_cursor("SIM1USDT")
        await ready.reset()
        await ready.reconciler.run("every hour")
        assert (await ready.ledger.current_epoch()).epoch == 2
        await ready.wait(1000)
        await ready.exchange.fault("unknown_executed", method="POST", path="order")
        decision = await ready.trade(symbol="SIM1USDT", quantity=wanted)
        assert decision.outcome is Outcome.UNKNOWN
        renewed = await ready.ledger.trade_cursor("SIM1USDT")
        assert None not in {cursor, renewed}
        assert renewed < cursor
        assert await ready.reconciler.run("every hour") == []
        assert (await ready.entry(decision)).order.state is OrderState.FILLED


async def test_two_orders_that_were_given_up_and_left_no_coins_behind_are_found_by_the_money(tmp_path, many):
    async with trading(tmp_path) as ready:
        interference = Interference(ready, 0)
        given_up = [await interference.give_up("SIM1USDT", side) for side in (Side.BUY, Side.SELL)]
        await deposit(ready, "SIM1", "0.068")  # as much as the commission was
        assert not await ready.reconciler.is_equal_at_a_glance()
        assert await ready.reconciler.run("balances differ") == []
        assert {(await ready.entry(intent)).order.state for intent in given_up} == {OrderState.FILLED}
        external = await ready.ledger.consult(lambda books: books.external_sum("USDT"))
        assert external == 0, "nothing but the deposit came from outside"


async def test_many_resting_orders_cost_one_question(tmp_path, many, monkeypatch):
    async with trading(tmp_path) as ready:
        protection = ready.protection()
        for symbol in SYMBOLS[:3]:
            await ready.trade(symbol=symbol, quantity=await quantity(ready, symbol))
        await protection.ensure_all(ready.rules)
        for most, costs in ((5, 80), (6, 6 * 4)):
            monkeypatch.setattr(in_question, "FEW_ORDERS", most)
            since = len(await ready.exchange.log())
            await ready.recovery.catch_up()
            assert await weight(ready, since) == costs


async def test_while_the_stream_is_away_the_balances_are_asked_for_every_few_seconds(tmp_path, many):
    async with trading(tmp_path) as ready:
        watch = watched(ready)
        watch.is_live = False
        fault = await ready.exchange.fault("http", method="GET", path="account", status=503, count=None)
        for after_ms in (NEWS_MS, 1):
            with pytest.raises(UnavailableError):
                await watch.tick(after_ms)
        assert ready.gate.refusal("SIM1USDT")[0] == "no_news"
        await ready.exchange._request("DELETE", f"fault/{fault}", None)
        await deposit(ready, "USDT", "5")
        await watch.tick(60_000)
        assert ready.gate.refusal("SIM1USDT") is None
        assert (await ready.ledger.wallet())["USDT"] == Decimal(100_005)


async def test_alarm_of_a_difference_stands_while_the_symbol_is_in_no_other_question(tmp_path, many):
    async with trading(tmp_path) as ready:
        await ready.trade(symbol="SIM1USDT", quantity=await quantity(ready, "SIM1USDT"))
        await Interference(ready, 1).trade_as_a_stranger("SIM1USDT", Side.BUY)
        for _ in range(2):
            (found,) = await ready.reconciler.run("every hour")
            assert found.subject == "SIM1USDT"
            assert ready.gate.refusal("SIM1USDT") is not None
        assert ready.gate.refusal("SIM2USDT") is None


async def test_missed_fill_of_the_first_order_is_not_hidden_by_later_ones_that_were_booked(tmp_path, many):
    async with trading(tmp_path) as ready:
        missed = await Interference(ready, 0).give_up("SIM1USDT", Side.BUY)
        for _ in range(2):
            await ready.wait(1000)
            await ready.trade(symbol="SIM1USDT", quantity=await quantity(ready, "SIM1USDT"))
        async with reopened(tmp_path, ready.exchange, symbols=SYMBOLS) as again:
            assert await again.reconciler.run("start") == []
            assert (await again.entry(missed)).order.state is OrderState.FILLED
            await assert_equal(again)
            assert await again.ledger.consult(lambda books: books.external_sum("USDT")) == 0
