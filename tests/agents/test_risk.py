"""The risk agent: the ledger's state is what it judges by, and what may enter is not what may leave."""

from decimal import Decimal

from binance_trade_agent.agents.risk import Identity, RiskManagementAgent, equity_quote
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import CommandKind, CommandState
from binance_trade_agent.domain.decisions import Refusal
from binance_trade_agent.domain.orders import OrderIntent, OrderState, OrderType, Side, is_own_order_id
from binance_trade_agent.domain.signals import Action, Signal
from binance_trade_agent.risk.policy import RiskPolicy
from binance_trade_agent.risk.settings import RiskSettings
from tests.agents.desk import Desk, desk


def agent(ready: Desk, epoch: int = 1, **limits) -> RiskManagementAgent:
    known = {"max_position_quote": Decimal(500), "max_open_positions": 5, "cooldown_seconds": 300}
    size = {} if "order_fraction" in limits else {"order_quote": Decimal(100)}
    policy = RiskPolicy(RiskSettings(**{**known, **size, **limits}))
    return RiskManagementAgent(
        policy, ready.ledger, Identity("test", "s"), ready.gate, epoch=lambda: epoch, locked_by_others=dict
    )


async def verdict(ready: Desk, action: Action, symbol: str = "BTCUSDT", **limits) -> OrderIntent | Refusal:
    return await reviewed(ready, agent(ready, **limits), action, symbol)


async def reviewed(ready: Desk, risk: RiskManagementAgent, action: Action, symbol: str) -> OrderIntent | Refusal:
    view = await ready.market_data().observe(symbol)
    signal = Signal(symbol, "s", action, 0.5, "because", view.candles[-1].open_time_ms)
    return await risk.review(signal, view, ready.clock.now_ms())


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
        refusal = await verdict(
            ready, Action.BUY, "ETHUSDT", order_quote=Decimal(5000), max_position_quote=Decimal(9999)
        )
        assert refusal.rule == "balance"


async def test_order_refused_by_the_exchange_blocks_nothing(tmp_path):
    async with desk(tmp_path) as ready:
        refused = await ready.trade(quantity="0.00001")
        assert (await ready.entry(refused)).order.state is OrderState.REJECTED
        assert isinstance(await verdict(ready, Action.BUY), OrderIntent)


async def test_pause_blocks_entries_and_lets_exits_pass_until_resume(tmp_path):
    async def carry_out(ready: Desk, kind: CommandKind) -> None:
        number = commands.place(ready.ledger.path, kind, requested_by="test", requested_wall_ms=1)
        await commands.answer(ready.ledger, number, CommandState.DONE, "done", 1)

    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(400_000)
        await carry_out(ready, CommandKind.PAUSE)
        assert (await verdict(ready, Action.BUY)).rule == "pause"
        assert isinstance(await verdict(ready, Action.SELL), OrderIntent)
        await carry_out(ready, CommandKind.RESUME)
        assert isinstance(await verdict(ready, Action.BUY, max_position_quote=Decimal(5000)), OrderIntent)


async def test_cooldown_counts_market_time_from_the_last_entry(tmp_path):
    limits = {"max_position_quote": Decimal(5000)}
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        assert (await verdict(ready, Action.BUY, **limits)).rule == "cooldown"
        await ready.wait(299_999)
        assert (await verdict(ready, Action.BUY, **limits)).rule == "cooldown"
        await ready.wait(1)
        assert isinstance(await verdict(ready, Action.BUY, **limits), OrderIntent)


async def test_other_symbols_are_valued_by_the_tick_before(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.5", symbol="ETHUSDT")
        risk = agent(ready, order_fraction=Decimal("0.04"))
        blind = await reviewed(ready, risk, Action.BUY, "BTCUSDT")
        risk.marks = {"ETHUSDT": await ready.market_data().observe("ETHUSDT")}
        seeing = await reviewed(ready, risk, Action.BUY, "BTCUSDT")
        assert seeing.quantity > blind.quantity
        wallet = await ready.ledger.wallet()
        worth = equity_quote(wallet, risk.marks.values(), "USDT")
        assert worth == wallet["USDT"] + wallet["ETH"] * risk.marks["ETHUSDT"].book.bid


async def test_dust_of_another_symbol_is_no_open_position(tmp_path):
    async with desk(tmp_path) as ready:
        await ready.trade(quantity="0.01")
        await ready.wait(1000)
        await ready.trade(Side.SELL, "0.00998")
        assert (await ready.ledger.positions())["BTCUSDT"].quantity == Decimal("0.00001")
        risk = agent(ready, max_open_positions=1)
        assert (await reviewed(ready, risk, Action.BUY, "ETHUSDT")).rule == "max_open_positions"
        risk.marks = {"BTCUSDT": await ready.market_data().observe("BTCUSDT")}
        assert isinstance(await reviewed(ready, risk, Action.BUY, "ETHUSDT"), OrderIntent)
