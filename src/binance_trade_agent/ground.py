"""What trading begins from: a run with its name, symbols and keys that will do, and a ledger that is up to date."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field

from binance_trade_agent.agents.account_share import SHARED_ACCOUNT, SharedAccount
from binance_trade_agent.agents.adoption import Adoption
from binance_trade_agent.agents.alarms import Alarms
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.epochs import Epochs
from binance_trade_agent.agents.order_keeper import OrderKeeper
from binance_trade_agent.agents.reconciler import Reconciler
from binance_trade_agent.agents.recovery import Recovery
from binance_trade_agent.agents.symbols import rules_of_books, tradable_rules
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.exchange.connect import Connection
from binance_trade_agent.exchange.errors import AuthError
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ops.clock import wall_ms
from binance_trade_agent.settings import Settings


@dataclass(frozen=True, slots=True)
class RunName:
    """What tells this run from others.

    Attributes:
        fence: generation of the daemon on its account; it stands in the client order ids.
        may_send: why no order may be sent now, such as a lease that another daemon has taken; None when it may.
        lease_away_since: wall time since when the lease cannot be renewed, as Redis is away; None while it can.
        started_wall_ms: when the process began.
        share: its part of an account that others trade on too; None: it has all of it.
    """

    run_id: str
    fence: int
    may_send: Callable[[], str | None] = lambda: None
    lease_away_since: Callable[[], int | None] = lambda: None
    started_wall_ms: int = field(default_factory=wall_ms)
    share: SharedAccount | None = None


@dataclass(frozen=True, slots=True)
class Ground:
    """What trading begins from: the rules of what is traded, and a ledger that says what the exchange says."""

    rules: Mapping[str, SymbolRules]
    known_rules: Mapping[str, SymbolRules]
    gate: EntryGate
    alarms: Alarms
    keeper: OrderKeeper
    recovery: Recovery
    reconciler: Reconciler

    def epoch(self) -> int:
        """Number of the epoch that is traded in."""
        assert self.reconciler.epoch is not None, "reconciled before anything is traded"
        return self.reconciler.epoch.epoch


async def recovered(settings: Settings, ledger: Ledger, connection: Connection, name: RunName) -> Ground:
    """Check symbols and keys, and bring the ledger up to date. May be done again when it failed half-way.

    Raises:
        ConfigError: symbols or order size do not fit the exchange.
        AuthError: the keys do not.
        CannotReconcileError: the ledger contradicts the exchange.
        LeaseHeldError, ClaimsAwayError: a part of an account is not to be had.
        ExchangeError: the exchange could not be asked.
    """
    gateway, clock, share = connection.gateway, connection.clock, name.share
    rules = await tradable_rules(gateway, settings)
    account = await gateway.account()
    if not account.can_trade:
        raise AuthError("these API keys may not trade: enable spot trading for them")
    known_rules = await rules_of_books(gateway, ledger, rules, is_shared=share is not None)
    gate = EntryGate()
    alarms = Alarms(ledger, clock, gate)
    await alarms.load()
    keeper = OrderKeeper(gateway, ledger, clock, known_rules, alarms, instance=settings.trading_instance)
    recovery = Recovery(gateway, ledger, keeper, known_rules)
    may_reset = settings.mode != "live"
    if share is None:
        await alarms.clear(SHARED_ACCOUNT)  # of a run before, whose account was shared
    seen = gateway if share is None else await share.enter(known_rules, alarms)
    opening = None if share is None else share.opening
    epochs = Epochs(seen, ledger, clock, known_rules, may_reset=may_reset, market=connection.market, opening=opening)
    reconciler = Reconciler(seen, ledger, clock, known_rules, epochs, keeper, recovery, alarms)
    await Adoption(gateway, ledger, clock, known_rules, instance=settings.trading_instance).after_restoration(epochs)
    await reconciler.run("start")
    await ledger.take_over(name.run_id)
    return Ground(rules, known_rules, gate, alarms, keeper, recovery, reconciler)
