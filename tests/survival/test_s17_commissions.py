"""S17: commission in base, in quote, in BNB, and in all of them in turn: wallet, position and fills to the last digit."""

import random
from decimal import Decimal

import pytest

from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import Side
from tests.agents.desk import Desk, desk, reopened

SYMBOLS = ("BTCUSDT", "ETHUSDT", "BNBUSDT")
STEPS = {"BTCUSDT": "0.00001", "ETHUSDT": "0.0001", "BNBUSDT": "0.001"}


async def configure(ready: Desk, **settings) -> None:
    await ready.exchange.control("config", **settings)


async def held_by_the_exchange(ready: Desk, symbol: str) -> Decimal:
    """What the bot's trades left of the base asset, by the exchange's own words, fees in base taken off."""
    base = ready.rules[symbol].base_asset
    client = await ready.exchange.client()
    held = ZERO
    for trade in await client.get_my_trades(symbol=symbol):
        held += Decimal(trade["qty"]) if trade["isBuyer"] else -Decimal(trade["qty"])
        held -= Decimal(trade["commission"]) if trade["commissionAsset"] == base else ZERO
    return held


async def assert_exact(ready: Desk) -> None:
    await ready.assert_reconciled()
    positions = await ready.ledger.positions()
    for symbol in SYMBOLS:
        held = positions[symbol].quantity if symbol in positions else ZERO
        assert held == await held_by_the_exchange(ready, symbol)


async def fees_of(ready: Desk, symbol: str) -> set[tuple[Side, str]]:
    return {(fill.side, fill.commission_asset) for fill in await ready.ledger.fills(symbol)}


async def several_levels(ready: Desk, symbol: str) -> None:
    """A book in which an order takes from more than one price, so that it has more than one commission."""
    book = await ready.gateway.book_ticker(symbol)
    tick = ready.rules[symbol].tick_size
    small, large = STEPS[symbol], "1000"
    bids = [[str(book.bid - tick * level), small if level < 3 else large] for level in range(4)]
    asks = [[str(book.ask + tick * level), small if level < 3 else large] for level in range(4)]
    await ready.exchange.control("book", symbol=symbol, bids=bids, asks=asks)


@pytest.mark.parametrize("rate", ["0.001", "0.00073", "0"])
async def test_s17_commission_in_base_and_in_quote(tmp_path, rate):
    async with desk(tmp_path, symbols=SYMBOLS, commission_rate=Decimal(rate)) as ready:
        await several_levels(ready, "BTCUSDT")
        bought = await ready.trade(Side.BUY, "0.01234")
        assert bought.outcome is Outcome.EXECUTED
        assert len(await ready.ledger.fills("BTCUSDT")) == 4
        await assert_exact(ready)
        sold = await ready.trade(Side.SELL, "0.01232")
        assert sold.outcome is Outcome.EXECUTED
        await assert_exact(ready)
        assert await fees_of(ready, "BTCUSDT") == {(Side.BUY, "BTC"), (Side.SELL, "USDT")}
        wallet, position = await ready.ledger.wallet(), (await ready.ledger.positions())["BTCUSDT"]
        assert wallet["BTC"] == position.quantity
        # What left the purse is in the cost of what is still held, or in the result.
        assert wallet["USDT"] + position.cost_quote - position.realised_pnl_quote == 10_000


async def test_s17_commission_in_bnb_leaves_base_and_quote_whole(tmp_path):
    balances = {"USDT": Decimal(10_000), "BNB": Decimal("0.5")}
    async with desk(tmp_path, symbols=SYMBOLS, balances=balances) as ready:
        await configure(ready, bnb_discount={"enabled": True})
        await several_levels(ready, "ETHUSDT")
        await ready.trade(Side.BUY, "0.1234", "ETHUSDT")
        assert (await ready.ledger.positions())["ETHUSDT"].quantity == Decimal("0.1234")
        await assert_exact(ready)
        await ready.trade(Side.SELL, "0.1234", "ETHUSDT")
        assert (await ready.ledger.positions())["ETHUSDT"].quantity == 0
        await assert_exact(ready)
        assert await fees_of(ready, "ETHUSDT") == {(Side.BUY, "BNB"), (Side.SELL, "BNB")}
        fees = sum((fill.commission for fill in await ready.ledger.fills("ETHUSDT")), ZERO)
        assert fees > 0
        assert (await ready.ledger.wallet())["BNB"] == Decimal("0.5") - fees


@pytest.mark.parametrize(("quantity", "owes"), [("0.500", False), ("1.000", True)])
async def test_s17_commission_in_bnb_of_a_trade_in_bnb_comes_off_what_was_bought(tmp_path, quantity, owes):
    """The commission of the sale may be more than its rounding leaves: then it was paid with BNB that was not the bot's."""
    balances = {"USDT": Decimal(10_000), "BNB": Decimal("0.5")}
    async with desk(tmp_path, symbols=SYMBOLS, balances=balances) as ready:
        await configure(ready, bnb_discount={"enabled": True})
        await ready.trade(Side.BUY, quantity, "BNBUSDT")
        held = (await ready.ledger.positions())["BNBUSDT"].quantity
        assert 0 < held < Decimal(quantity)
        await assert_exact(ready)
        # All of it is sold that makes a lot; the commission is BNB once more, and comes off what is left.
        await ready.trade(Side.SELL, str(ready.rules["BNBUSDT"].round_market_quantity(held)), "BNBUSDT")
        await assert_exact(ready)
        left = await ready.ledger.positions()
        assert (left["BNBUSDT"].quantity < 0) is owes
        assert abs(left["BNBUSDT"].quantity) < Decimal(STEPS["BNBUSDT"])
        assert await ready.reconciler.run("the test wants to know") == []


async def test_s17_commission_falls_back_when_the_bnb_runs_out(tmp_path):
    balances = {"USDT": Decimal(10_000), "BNB": Decimal("0.00005")}
    async with desk(tmp_path, symbols=SYMBOLS, balances=balances) as ready:
        await configure(ready, bnb_discount={"enabled": True})
        await several_levels(ready, "BTCUSDT")
        for side in (Side.BUY, Side.SELL):
            for quantity in ("0.00011", "0.00100", "0.00110"):
                await ready.trade(side, quantity)
                await ready.wait(1000)
                await assert_exact(ready)
        assert {asset for _, asset in await fees_of(ready, "BTCUSDT")} == {"BTC", "BNB", "USDT"}


@pytest.mark.parametrize("seed", range(3))
async def test_s17_any_mixture_of_rates_discounts_and_books_is_exact_and_stays_so_after_a_restart(tmp_path, seed):
    chance = random.Random(seed)
    balances = {"USDT": Decimal(10_000), "BNB": Decimal("0.003")}
    async with desk(tmp_path, symbols=SYMBOLS, balances=balances) as ready:
        for _ in range(15):
            symbol = chance.choice(SYMBOLS)
            if chance.random() < 0.4:
                rate = str(round(chance.uniform(0, 0.002), 6))
                await configure(ready, commission={"maker": rate, "taker": rate})
            if chance.random() < 0.4:
                await configure(ready, bnb_discount={"enabled": chance.random() < 0.5})
            if chance.random() < 0.4:
                await several_levels(ready, symbol)
            held = (await ready.ledger.positions()).get(symbol)
            lots = ready.rules[symbol].round_market_quantity(held.quantity) if held else ZERO
            if lots and chance.random() < 0.5:
                await ready.trade(Side.SELL, str(lots), symbol)
            else:
                await ready.trade(Side.BUY, str(Decimal(chance.randint(200, 1500)) * Decimal(STEPS[symbol])), symbol)
            await ready.wait(chance.randint(1, 90_000))
        await assert_exact(ready)
        assert len(await ready.ledger.fills()) >= 10
        async with reopened(tmp_path, ready.exchange, symbols=SYMBOLS) as again:
            await again.reconciler.run("start")
            await assert_exact(again)
