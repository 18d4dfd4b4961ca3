"""Two daemons on one account: each with symbols and capital of its own, killed and started again by dice of its own.

They meet in a Redis that is away, silent, full or empty as the seed has it. Whatever happens to either, each is equal to
its part of the account at the end, and the account is the parts and what nobody claims, to the last digit.
"""

import contextlib
import random
from collections.abc import Callable, Iterator
from decimal import Decimal
from functools import partial
from typing import Any
from urllib.parse import parse_qs

from redis.exceptions import RedisError

from binance_trade_agent.agents.account_share import SHARED_ACCOUNT, Share, SharedAccount
from binance_trade_agent.control.lease import LEASE_SECONDS, lease_key
from binance_trade_agent.control.redis_claims import RedisClaims
from binance_trade_agent.control.redis_lease import RENEW_SECONDS
from binance_trade_agent.domain.claims import AccountLimits
from binance_trade_agent.domain.money import ZERO
from binance_trade_agent.domain.order_ids import is_bta_order_id
from binance_trade_agent.ledger import queries
from binance_trade_agent.ops.clock import sleep_seconds
from binance_trade_agent.ops.tasks import spawn, stop
from tests.torture.daemon import Daemon, settings_of
from tests.torture.exchange import order_ids_in
from tests.torture.invariants import Invariants
from tests.torture.machine import MACHINE, Machine
from tests.torture.plan import Deed, Plan
from tests.torture.redis import LOSSES, TROUBLES, MemoryRedis
from tests.torture.strategy import CoinStrategy
from tests.torture.world import World, put_empty_ledger

ACCOUNT = "exchange.test:main"
SYMBOLS = {"alpha": ("BTCUSDT", "SIM1USDT"), "beta": ("ETHUSDT", "SIM2USDT")}
USDT = Decimal(10_000)
# What a purchase may have cost more than it was let through for: prices move between a look and the order's arrival.
_MOST_SLIP = Decimal("1.01")
_ON_ITS_WAY_SECONDS = 15.0  # for an order that was let through before a claim was known
_LEAST_POSITION_QUOTE = Decimal(6)  # less is dust


class Trader:
    """One of the daemons, one life after the other; whoever is given it instead of a World sees its part of one."""

    until, converged, differences, read = World.until, World.converged, World.differences, World.read

    def __init__(self, world: World, redis: MemoryRedis, name: str, capital: Decimal, limits: AccountLimits) -> None:
        self.name, self.capital, self.limits, self.symbols = name, capital, limits, SYMBOLS[name]
        self.seed = f"{world.seed} {name}"
        self.folder = world.folder / name
        self.folder.mkdir()
        put_empty_ledger(self.folder)
        self.settings = settings_of(
            self.folder,
            **world.settings_changes,
            REDIS_URL="redis://nowhere",
            TRADING_SYMBOLS=",".join(self.symbols),
            TRADING_INSTANCE=name,
            TRADING_CAPITAL_QUOTE=str(capital),
        )
        assets = [symbol.removesuffix("USDT") for symbol in self.symbols]
        self.invariants = Invariants(world.exchange, self.settings.ledger_path, instance=name, assets=assets)
        self.coin = CoinStrategy(random.Random(f"coin {self.seed}"))
        self.daemons: list[Daemon] = []
        self.crash_when: Callable[[str], bool] = lambda _: False
        self._world = world
        self._redis = redis

    def __getattr__(self, name: str) -> Any:
        return getattr(self._world, name)

    def start(self) -> Daemon:
        """See World."""
        daemon = self._world.start(
            settings=self.settings,
            strategy=self.coin,
            share=self._share,
            ledger_hooks={
                "on_written": partial(self._world._on_written, invariants=self.invariants),
                "on_fault": self._world._on_disk_fault,
            },
        )
        self.daemons.append(daemon)
        return daemon

    def has(self, machine: Machine | None) -> bool:
        """Whether it lives on this machine, or has."""
        return any(daemon.machine is machine for daemon in self.daemons)

    async def _share(self, daemon: Daemon, stack: contextlib.AsyncExitStack) -> SharedAccount:
        client = self._redis.client(daemon.machine)
        lease = spawn(_keep(client, lease_key(ACCOUNT, self.name), daemon.run_id), name="lease")
        stack.push_async_callback(stop, lease)
        claims = RedisClaims("redis://nowhere", ACCOUNT)
        claims._redis = client
        assert daemon.connection is not None
        share = Share(self.name, daemon.machine.name, self.capital, self.limits)
        return SharedAccount(daemon.connection.gateway, daemon.ledger, claims, share)


async def _keep(client: Any, key: str, run_id: str) -> None:
    """Hold a lease as RedisLease does."""
    try:
        while True:
            with contextlib.suppress(RedisError):
                await client.set(key, run_id, LEASE_SECONDS)
            await sleep_seconds(RENEW_SECONDS)
    finally:
        if not client._machine.is_dead:
            with contextlib.suppress(RedisError):
                await client.delete(key)


class SharedAccountOfWorld:
    """Both daemons, their Redis, and what must be true of the account."""

    def __init__(self, world: World) -> None:
        chance = random.Random(f"account {world.seed}")
        self.redis = MemoryRedis(random.Random(f"redis {world.seed}"))
        self._world = world
        parts = chance.choice((("6000", "4000"), ("5000", "3000"), ("1500", "8500")))
        self.redis.on_change = self._on_claims
        self._known_since: float | None = None
        self.limits = [_limits(chance) for _ in SYMBOLS]
        self.traders = [
            Trader(world, self.redis, name, Decimal(part), limits)
            for name, part, limits in zip(SYMBOLS, parts, self.limits, strict=True)
        ]
        world.watching[:] = [trader.invariants for trader in self.traders]
        world.exchange.request_listeners.append(self._on_request)
        world.crash_when = lambda point: any(
            trader.crash_when(point) for trader in self.traders if trader.has(MACHINE.get())
        )

    async def fail(self, deeds: list[Deed]) -> None:
        """Let what the plan has for Redis happen."""
        began = self._world.loop.time()
        for deed in deeds:
            await sleep_seconds(began + deed.at_seconds - self._world.loop.time())
            self._world.trace.add("redis", f"{deed.what} {deed.fields}")
            if deed.what in LOSSES:
                self.redis.lose(deed.what)
            else:
                self.redis.trouble(deed.what, **deed.fields)

    async def converged(self, seconds: float = 60.0) -> list[str]:
        """Wait until the account agrees with its daemons; returns the differences that are left after `seconds`."""
        deadline = self._world.loop.time() + seconds
        while True:
            found = [*self.differences(), *(each for trader in self.traders for each in trader.differences())]
            if not found or self._world.loop.time() >= deadline:
                return found
            await sleep_seconds(1.0)

    def differences(self) -> Iterator[str]:
        """In what the account is not the parts and what nobody claims; and alarms about it."""
        balances = self._world.exchange.balances()
        wallets = [trader.read(_wallet) for trader in self.traders]
        for asset, rest in (("USDT", USDT - sum(trader.capital for trader in self.traders)), ("BNB", self._world.bnb)):
            parts = sum((wallet.get(asset, ZERO) for wallet in wallets), ZERO)
            if balances.get(asset, ZERO) != rest + parts:
                yield f"{asset}: the account has {balances.get(asset)}, its daemons {parts}, nobody {rest}"
        for trader in self.traders:
            for kind, text in trader.read(_alarms):
                yield f"{trader.name}: alarm {kind}: {text}"

    def _on_claims(self) -> None:
        """Of one that has not claimed anything yet, or that Redis has forgotten and nobody remembers, nobody can know."""
        claims = next(iter(self.redis.hashes.values()), {})
        if not all(name.encode() in claims for name in SYMBOLS):
            self._known_since = None
        elif self._known_since is None:
            self._known_since = self._world.loop.time()

    def _on_request(self, method: str, target: str, body: str) -> None:
        """An order arrives: what all hold with it is within the limits, where each is known of."""
        now = self._world.loop.time()
        if self._known_since is None or now < self._known_since + _ON_ITS_WAY_SECONDS:
            return
        if not any(is_bta_order_id(each) for each in order_ids_in(method, target, body)):
            return
        asked = {name: values[0] for name, values in parse_qs(f"{target.partition('?')[2]}&{body}").items()}
        if asked["side"] != "BUY":
            return
        worth = self._worth(asked["symbol"], Decimal(asked["quantity"]))
        most_quote = min((each.max_exposure_quote for each in self.limits if each.max_exposure_quote), default=ZERO)
        if most_quote and sum(worth.values()) > most_quote * _MOST_SLIP:
            self.traders[0].invariants.violated(f"all hold {sum(worth.values())} of at most {most_quote} with {asked}")
        most = min((each.max_open_positions for each in self.limits if each.max_open_positions), default=0)
        held = [symbol for symbol, each in worth.items() if each >= _LEAST_POSITION_QUOTE]
        if most and len(held) > most:
            self.traders[0].invariants.violated(f"all hold {held} of at most {most} positions")

    def _worth(self, bought: str, quantity: Decimal) -> dict[str, Decimal]:
        """By symbol what is held, what orders that rest may add, and what is about to be bought."""
        exchange = self._world.exchange.exchange
        worth: dict[str, Decimal] = {}
        for symbol in (symbol for symbols in SYMBOLS.values() for symbol in symbols):
            price = exchange.market.last_price(symbol) or ZERO
            worth[symbol] = self._world.exchange.balances().get(symbol.removesuffix("USDT"), ZERO) * price
            if symbol == bought:
                worth[symbol] += quantity * price
        resting: dict[tuple[str, int], Decimal] = {}  # of the two orders of a list one trades
        for order in exchange.engine.history.all_orders():
            if order.side.value == "BUY" and order.status.value in {"NEW", "PARTIALLY_FILLED", "PENDING_NEW"}:
                key = (order.symbol, order.order_id if order.order_list_id is None else -order.order_list_id)
                left = (order.quantity - order.executed_base) * order.price
                resting[key] = max(left, resting.get(key, ZERO))
        for (symbol, _), left in resting.items():
            worth[symbol] += left
        return worth


def redis_deeds(plan: Plan) -> list[Deed]:
    """What goes wrong with Redis, by dice of its own."""
    chance = random.Random(f"redis deeds {plan.seed}")
    kinds = [chance.choice((*TROUBLES, *LOSSES)) for _ in range(chance.choice((0, 2, 5)))]
    deeds = [
        Deed(chance.uniform(0, plan.chaos_seconds), kind, {} if kind in LOSSES else {"seconds": chance.uniform(1, 30)})
        for kind in kinds
    ]
    return sorted(deeds, key=lambda deed: deed.at_seconds)


def _limits(chance: random.Random) -> AccountLimits:
    return AccountLimits(Decimal(chance.choice((0, 700, 1500, 2500))), chance.choice((0, 0, 0, 2)))


def _wallet(connection: Any) -> dict[str, Decimal]:
    found: dict[str, Decimal] = queries.wallet(connection, queries.epoch_number(connection))
    return found


def _alarms(connection: Any) -> list[tuple[str, str]]:
    """Those that ever were of the account, where nobody takes anything out of it, and those that stand of orders."""
    rows = connection.execute("SELECT kind, text, cleared_ms FROM alarms")
    return [
        (row["kind"], row["text"])
        for row in rows
        if row["kind"] == SHARED_ACCOUNT
        or (row["cleared_ms"] is None and row["kind"] in {"difference", "stranger", "missing_coins"})
    ]
