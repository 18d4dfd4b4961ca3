"""Daemons as processes of their own on one account of a simulated exchange, over a real Redis: whose is what."""

import asyncio
import signal
from contextlib import AsyncExitStack, asynccontextmanager
from decimal import Decimal

import pytest

from binance_trade_agent.domain.claims import EXPOSURE_RULE
from binance_trade_agent.ledger import queries, switches
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds
from binance_trade_agent.ops.ledger_commands import back_up_ledger, restore_ledger
from tests.cache.redis_server import needs_redis
from tests.exchange_process import exchange_process
from tests.sessions.command import trade_agent
from tests.sessions.daemon_process import EAGER, assert_books_balance, daemon, ids_sent

pytestmark = needs_redis
SYMBOLS = {"alpha": "BTCUSDT", "beta": "ETHUSDT"}
CAPITAL = {"alpha": Decimal(4000), "beta": Decimal(3000)}
MOST_HELD = Decimal(1500)
NO_LIMITS = {"ACCOUNT_MAX_EXPOSURE_QUOTE": "0", "ACCOUNT_MAX_OPEN_POSITIONS": "0"}
_LONGEST_SECONDS = 90


def of(name, common, **more):
    return {
        **EAGER,
        **common,
        "TRADING_SYMBOLS": SYMBOLS[name],
        "TRADING_INSTANCE": name,
        "TRADING_CAPITAL_QUOTE": str(CAPITAL[name]),
        "ACCOUNT_MAX_EXPOSURE_QUOTE": str(MOST_HELD),
        "ACCOUNT_MAX_OPEN_POSITIONS": "2",
        **more,
    }


def of_ledger(folder, look):
    with LedgerReader.open(folder / "ledger.db") as reader:
        return reader.snapshot(look)


async def until(look, least, *folders):
    """Return when the ledgers' answers together are so large."""
    deadline = monotonic_seconds() + _LONGEST_SECONDS
    while sum(of_ledger(folder, look) for folder in folders) < least:
        assert monotonic_seconds() < deadline
        await sleep_seconds(0.1)


def fill_count(connection):
    return len(queries.fills(connection))


def decision_count(connection):
    return connection.execute("SELECT count(*) FROM decisions").fetchone()[0]


def refusals(connection):
    return connection.execute("SELECT count(*) FROM decisions WHERE rule = ?", (EXPOSURE_RULE,)).fetchone()[0]


def highest_held(*folders):
    """Most that the daemons have ever held together, at what it cost, by all fills in the order of their times."""
    fills = sorted(
        (fill for folder in folders for fill in of_ledger(folder, queries.fills)), key=lambda fill: fill.traded_ms
    )
    held, highest = {}, Decimal(0)
    for fill in fills:
        quantity, cost = held.get(fill.symbol, (Decimal(0), Decimal(0)))
        if fill.side == "BUY":
            held[fill.symbol] = quantity + fill.quantity, cost + fill.quote_quantity
        else:
            left = max(Decimal(0), quantity - fill.quantity)
            held[fill.symbol] = left, cost * left / quantity if quantity else Decimal(0)
        highest = max(highest, sum(cost for _, cost in held.values()))
    return highest


@pytest.mark.timeout(300)
async def test_two_daemons_on_one_account_are_each_equal_to_their_part_of_it(tmp_path, redis_server):
    folders = {name: tmp_path / name for name in (*SYMBOLS, "gamma", "elsewhere")}
    for folder in folders.values():
        folder.mkdir()
    async with (
        exchange_process(symbols=tuple(SYMBOLS.values()), speed=Decimal(60)) as exchange,
        AsyncExitStack() as stack,
    ):
        common = {
            "REDIS_URL": redis_server.url,
            "EXCHANGE_URL": exchange.url,
            "TRADING_DURATION_MINUTES": "0",
            "TRADING_INTERVAL_SECONDS": "30",
            "TRADING_ORDER_QUOTE": "400",
        }
        running = {name: await stack.enter_async_context(daemon(folders[name], **of(name, common))) for name in SYMBOLS}
        for name, each in running.items():
            await each.until_logged(f"Trading {SYMBOLS[name]}")
            await until(fill_count, 1, folders[name])
        await nobody_is_disturbed(folders["gamma"], common)

        running["alpha"].send(signal.SIGKILL)
        await until(decision_count, of_ledger(folders["beta"], decision_count) + 5, folders["beta"])
        running["alpha"] = await stack.enter_async_context(daemon(folders["alpha"], **of("alpha", common)))
        both = [folders[name] for name in SYMBOLS]
        await until(fill_count, of_ledger(folders["alpha"], fill_count) + 2, folders["alpha"])
        await until(refusals, 1, *both)
        said = await trade_agent(folders["alpha"], "account", **of("alpha", common))
        assert said.code == 0
        assert f"of at most {MOST_HELD} USDT" in said.out
        assert "of at most 2 symbols" in said.out
        for name in SYMBOLS:
            assert f"{name}  " in said.out
        # A limit is kept at the prices of the decisions; a fill may cost a little more than was expected.
        assert MOST_HELD / 2 < highest_held(*both) < MOST_HELD * Decimal("1.01")

        new = await stack.enter_async_context(taken_over(running["beta"], folders, common))
        running["beta"], folders["beta"] = new, folders["elsewhere"]
        await all_are_stopped_by_one(folders, common)

        for each in running.values():
            each.send(signal.SIGTERM)
            assert await each.ended() == 0, each.everything
            assert "alarm" not in each.everything
        sent = await ids_sent(exchange)
        assert len(sent) == len(set(sent)), "no order is sent twice"
        balances = {row["asset"]: Decimal(row["free"]) for row in (await exchange.state())["balances"]["main"]}
        wallets = [of_ledger(folders[name], lambda connection: queries.wallet(connection, 1)) for name in SYMBOLS]
        unclaimed = Decimal(10_000) - sum(CAPITAL.values())
        assert balances["USDT"] == unclaimed + sum(wallet["USDT"] for wallet in wallets)
        for name, wallet in zip(SYMBOLS, wallets, strict=True):
            base = SYMBOLS[name].removesuffix("USDT")
            assert balances.get(base, Decimal(0)) == wallet.get(base, Decimal(0))
            assert_books_balance(folders[name] / "ledger.db")
            compared = await trade_agent(folders[name], "reconcile", **of(name, common))
            assert (compared.code, compared.out.strip().splitlines()[-1]) == (0, "0 differences")


async def nobody_is_disturbed(folder, common):
    """Whoever wants a symbol that is traded, or all of the account, is told who has it."""
    for more, words in (
        ({"TRADING_INSTANCE": "gamma", "TRADING_CAPITAL_QUOTE": "5"}, "is traded by beta on this account already"),
        (
            {"TRADING_INSTANCE": "gamma", "TRADING_CAPITAL_QUOTE": "0", **NO_LIMITS},
            "trades a part of this account",
        ),
    ):
        async with daemon(folder, **of("beta", common, **more)) as third:
            assert await third.ended() == 2
            assert words in third.log[-1]


@asynccontextmanager
async def taken_over(old, folders, common):
    """Beta, taken over from another machine, with a ledger from a backup that knows nothing of its last trades."""
    ledger, backup = folders["elsewhere"] / "ledger.db", folders["beta"] / "backup"
    assert await asyncio.to_thread(back_up_ledger, folders["beta"] / "ledger.db", backup) == 0
    assert await asyncio.to_thread(restore_ledger, ledger, backup) == 0
    await until(fill_count, of_ledger(folders["elsewhere"], fill_count) + 1, folders["beta"])
    async with daemon(folders["elsewhere"], "--takeover", **of("beta", common)) as new:
        assert await old.ended() == 2, "started again it would be refused"
        assert "another daemon took over" in old.everything
        known = of_ledger(folders["beta"], fill_count)
        await new.until_logged(f"Trading {SYMBOLS['beta']}")
        assert of_ledger(folders["elsewhere"], fill_count) >= known, "the old one's trades are found"
        await until(fill_count, known + 1, folders["elsewhere"])
        yield new


async def all_are_stopped_by_one(folders, common):
    """A person stops all that trades on the account, beside one of its daemons."""
    alone = await trade_agent(folders["alpha"], "pause", **of("alpha", common))
    assert "beta trades on this account too and goes on: `trade-agent pause --account`" in alone.out
    said = await trade_agent(folders["alpha"], "kill", "--account", "--reason", "enough", **of("alpha", common))
    assert (said.code, "beta on this account were asked too" in said.out) == (0, True), said.out
    await until(switches.killed, 2, folders["alpha"], folders["beta"])
    assert of_ledger(folders["beta"], switches.kill_reason) == "enough"
