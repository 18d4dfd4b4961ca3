"""A trading desk for tests: the agents on a real ledger and, through python-binance, on a stepped simulated exchange."""

from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.epochs import Epochs
from binance_trade_agent.agents.execution import TradeExecutionAgent
from binance_trade_agent.agents.exit_watch import PriceSource, QuoteSource
from binance_trade_agent.agents.market_data import MarketDataAgent
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.protection import Protection
from binance_trade_agent.agents.reconciler import Reconciler
from binance_trade_agent.agents.recovery import Recovery
from binance_trade_agent.agents.risk import Identity
from binance_trade_agent.cache.cache import InProcessCache
from binance_trade_agent.domain.decisions import Decision, Outcome
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.orders import OrderIntent, OrderState, OrderType, Side, client_order_id
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.exchange.binance_gateway import BinanceGateway
from binance_trade_agent.exchange.connect import SIMULATED_KEY, SIMULATED_SECRET
from binance_trade_agent.exchange.endpoints import simulated
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.records import OrderEntry
from binance_trade_agent.ops.clock import SteppedClock
from binance_trade_agent.risk.exits import ExitSettings
from tests.exchange_process import RunningExchange, running_exchange
from tests.ledger.bookkeeping import run_record

SYMBOLS = ("BTCUSDT", "ETHUSDT")
RUN_ID = "run-a"
AT_ONCE = 1_000_000  # market seconds a second: waiting takes no time


@dataclass
class Desk:
    """Everything that trades, and the exchange that it trades on."""

    exchange: RunningExchange
    clock: SteppedClock
    gateway: BinanceGateway
    ledger: Ledger
    rules: Mapping[str, SymbolRules]
    gate: EntryGate
    alarms: Alarms
    keeper: OrderKeeper
    execution: TradeExecutionAgent
    recovery: Recovery
    epochs: Epochs
    reconciler: Reconciler
    refusals: list[str]

    def protection(
        self,
        stop: str = "2",
        target: str = "4",
        *,
        closes: bool = False,
        fence: int = 1,
        prices: PriceSource | None = None,
        quotes: QuoteSource | None = None,
        **exits: Any,
    ) -> Protection:
        """Protection of positions at these distances in percent, by the daemon's generation `fence`.

        `exits` are further ExitSettings: text stands for an amount.
        """
        amounts = {name: Decimal(value) if isinstance(value, str) else value for name, value in exits.items()}
        wanted = ExitSettings(
            stop_loss_pct=Decimal(stop), take_profit_pct=Decimal(target), closes_when_refused=closes, **amounts
        )
        identity = Identity("test", "s", fence)
        doing = self.keeper, self.execution, self.alarms, identity, prices, quotes
        return Protection(wanted, self.gateway, self.ledger, self.clock, *doing)

    async def orders(self) -> list[OrderEntry]:
        """Every order in the ledger, oldest first."""
        return await self.ledger.read(queries.orders)

    async def wait(self, milliseconds: int) -> None:
        """Let market time pass."""
        await self.clock.sleep_until(self.clock.now_ms() + milliseconds)

    async def reset(self) -> None:
        """Let the exchange forget everything, as the testnet does each month."""
        await self.exchange.fault("monthly_reset")

    def market_data(self, cache=None, *, interval: str = "1m", larger_interval: str | None = None) -> MarketDataAgent:
        """A market data agent on `cache`, or on one of its own."""
        return MarketDataAgent(
            self.gateway,
            cache or InProcessCache(),
            self.clock,
            namespace="test",
            interval=interval,
            warm_up=always(300),
            larger_interval=larger_interval,
        )

    async def intent(self, side: Side = Side.BUY, quantity: str = "0.01", symbol: str = "BTCUSDT") -> OrderIntent:
        """An order at the present market time."""
        now_ms = self.clock.now_ms()
        order_id = client_order_id(
            instance="test", epoch=1, strategy="s", symbol=symbol, tick_ms=now_ms, leg=side, attempt=1
        )
        book = await self.gateway.book_ticker(symbol)
        return OrderIntent(
            order_id, symbol, side, OrderType.MARKET, Decimal(quantity), book.ask, now_ms, now_ms - 60_000
        )

    async def trade(self, side: Side = Side.BUY, quantity: str = "0.01", symbol: str = "BTCUSDT") -> Decision:
        """Execute an order of the bot at the present market time."""
        intent = await self.intent(side, quantity, symbol)
        return await self.execution.execute(self.decision(intent), intent)

    def decision(self, intent: OrderIntent) -> Decision:
        """A decision that leads to `intent`."""
        return Decision(RUN_ID, intent.tick_ms, 1, intent.symbol, Outcome.ORDERED, "")

    async def sent(self, side: Side = Side.BUY, quantity: str = "0.01") -> OrderIntent:
        """An order as a daemon leaves it that is killed between the note that it is sent and the sending."""
        intent = await self.intent(side, quantity)
        await self.ledger.commit_intent(self.decision(intent), intent, self.clock.now_ms())
        await self.ledger.transition(intent.client_order_id, OrderState.SENT, self.clock.now_ms())
        return intent

    async def entry(self, intent_or_decision: OrderIntent | Decision) -> OrderEntry:
        """The ledger's word on an order."""
        entry = await self.ledger.order(intent_or_decision.client_order_id or "")
        assert entry is not None
        return entry

    async def times_sent(self) -> int:
        """How many orders have reached the exchange, executed or not."""
        return sum(
            request["method"] == "POST" and request["target"].startswith("/api/v3/order")
            for request in await self.exchange.log()
        )

    async def assert_reconciled(self) -> None:
        """Ledger and exchange agree on every balance, order and trade, to the last digit."""
        balances = {
            row["asset"]: Decimal(row["free"]) + Decimal(row["locked"])
            for row in (await self.exchange.state())["balances"]["main"]
        }
        wallet = await self.ledger.wallet()
        assert {asset: wallet.get(asset, ZERO) for asset in balances} == balances
        assert await self.ledger.open_orders() == []
        for symbol in self.rules:
            ours = [replace(fill, client_order_id="") for fill in await self.ledger.fills(symbol)]
            assert ours == await self.gateway.trades_since(symbol, 0)


def always(value):
    """The same for every symbol."""
    return lambda _symbol: value


def executing(gateway, ledger, clock, keeper, refusals: list[str] | None = None, **others) -> TradeExecutionAgent:
    """An execution agent that may always send, and keeps what was refused; `others` are those of TradeExecutionAgent."""

    async def refused(_, refusal) -> None:
        if refusals is not None:
            refusals.append(str(refusal))

    return TradeExecutionAgent(
        gateway,
        ledger,
        clock,
        keeper,
        run_id=RUN_ID,
        may_send=lambda: None,
        refused=refused,
        **others,
    )


@asynccontextmanager
async def desk(
    tmp_path: Path, *, opened: bool = True, symbols: Sequence[str] = SYMBOLS, **exchange_options
) -> AsyncIterator[Desk]:
    """A desk on a new ledger in `tmp_path`; with `opened` its first epoch has begun."""
    async with (
        running_exchange(speed=None, symbols=tuple(symbols), **exchange_options) as exchange,
        reopened(tmp_path, exchange, symbols=symbols) as ready,
    ):
        if opened:
            await ready.reconciler.run("start")
            await ready.ledger.begin_run(run_record(RUN_ID))
        yield ready


@asynccontextmanager
async def reopened(
    tmp_path: Path,
    exchange: RunningExchange,
    *,
    may_reset: bool = True,
    market: str | None = None,
    symbols: Sequence[str] = SYMBOLS,
) -> AsyncIterator[Desk]:
    """The desk after a restart of the daemon: the same ledger and exchange, everything else new."""
    clock = SteppedClock(exchange.control_url, speed=AT_ONCE, now_ms=await exchange.advance(0))
    async with (
        BinanceGateway(simulated(exchange.url), SIMULATED_KEY, SIMULATED_SECRET, clock) as gateway,
        await Ledger.open(tmp_path / "ledger.db") as ledger,
    ):
        rules = await gateway.symbol_rules(symbols)
        gate = EntryGate()
        alarms = Alarms(ledger, clock, gate)
        await alarms.load()
        keeper = OrderKeeper(gateway, ledger, clock, rules, alarms, instance="test")
        refusals: list[str] = []
        execution = executing(gateway, ledger, clock, keeper, refusals)
        market = market or f"simulated {(await exchange.state())['session']}"
        recovery = Recovery(gateway, ledger, keeper, rules)
        epochs = Epochs(gateway, ledger, clock, rules, may_reset=may_reset, market=market)
        reconciler = Reconciler(gateway, ledger, clock, rules, epochs, keeper, recovery, alarms)
        yield Desk(
            exchange,
            clock,
            gateway,
            ledger,
            rules,
            gate,
            alarms,
            keeper,
            execution,
            recovery,
            epochs,
            reconciler,
            refusals,
        )
