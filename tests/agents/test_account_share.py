"""A part of an account: what an epoch opens with, what the part is, and what may be bought of it."""

from contextlib import asynccontextmanager
from decimal import ROUND_DOWN, Decimal

import pytest

from binance_trade_agent.agents import account_entry
from binance_trade_agent.agents.account_share import SHARED_ACCOUNT, Share, SharedAccount
from binance_trade_agent.agents.epochs import Epochs
from binance_trade_agent.agents.reconciler import Reconciler
from binance_trade_agent.agents.symbols import rules_of_books
from binance_trade_agent.configuration import ConfigError
from binance_trade_agent.control import commands
from binance_trade_agent.control.claims import Claims, ClaimsAwayError
from binance_trade_agent.control.lease import LeaseHeldError
from binance_trade_agent.domain.claims import EXPOSURE_RULE, UNAGREED_RULE, AccountLimits, Halt
from binance_trade_agent.domain.decisions import Outcome
from binance_trade_agent.domain.orders import Side
from binance_trade_agent.domain.values import changed, replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.external_sums import external_sum
from tests.agents.desk import RUN_ID, executing, reopened
from tests.backtest.made import rules
from tests.domain.test_claims import claim
from tests.exchange_process import running_exchange
from tests.ledger.bookkeeping import run_record
from tests.said import warnings_in

SYMBOLS = ("BTCUSDT",)
BALANCE = Decimal(10_000)  # of the simulated account, in USDT


class Meeting:
    """Where daemons meet, in memory."""

    def __init__(self, *claims, live=None):
        self.by_instance = {each.instance: each for each in claims}
        self.live = frozenset(self.by_instance) if live is None else frozenset(live)
        self.whole = ""
        self.halts = {}
        self.is_away = False
        self.failed = 0

    async def look(self):
        return await self.change(lambda _: None)

    async def change(self, decide):
        if self.is_away:
            self.failed += 1
            raise ClaimsAwayError("Redis does not answer")
        seen = Claims(dict(self.by_instance), self.live, self.whole)
        if (decided := decide(seen)) is not None:
            self.by_instance[decided.instance] = decided
        return seen

    async def forget(self, instance):
        return self.by_instance.pop(instance, None) is not None

    async def ask(self, instances, halt):
        for instance in instances:
            self.halts.setdefault(instance, []).append(halt)

    async def hear(self, instance, obey):
        await obey(self.halts.get(instance, []))
        self.halts.pop(instance, None)


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    monkeypatch.setattr(account_entry, "_PATIENCE_SECONDS", 0.05)
    monkeypatch.setattr(account_entry, "_LOOK_SECONDS", 0.01)


def shared(ready, meeting, capital="4000", *, instance="alpha", exposure="0", positions=0):
    limits = AccountLimits(Decimal(exposure), positions)
    return SharedAccount(ready.gateway, ready.ledger, meeting, Share(instance, "here", Decimal(capital), limits))


@asynccontextmanager
async def trader(tmp_path):
    """A desk for one symbol on an exchange of two, without an epoch."""
    async with (
        running_exchange(speed=None, symbols=("BTCUSDT", "ETHUSDT")) as exchange,
        reopened(tmp_path, exchange, symbols=SYMBOLS) as ready,
    ):
        yield ready


async def reconciled(ready, share):
    """What a start does with a part of the account."""
    seen = await share.enter(ready.rules, ready.alarms)
    epochs = Epochs(seen, ready.ledger, ready.clock, ready.rules, may_reset=True, market="m", opening=share.opening)
    reconciler = Reconciler(
        seen, ready.ledger, ready.clock, ready.rules, epochs, ready.keeper, ready.recovery, ready.alarms
    )
    assert await reconciler.run("start") == []
    if not await ready.ledger.read(queries.runs):
        await ready.ledger.begin_run(run_record(RUN_ID))
    return reconciler


async def bought(ready, share, quantity="0.01"):
    """Buy under the limits of the account."""
    intent = await ready.intent(quantity=quantity)
    execution = executing(ready.gateway, ready.ledger, ready.clock, ready.keeper, reservations=share)
    return await execution.execute(ready.decision(intent), intent)


async def another_buys(ready, quantity="1"):
    client = await ready.exchange.client()
    await client.order_market_buy(symbol="ETHUSDT", quantity=quantity)


class TestMoney:
    async def test_an_epoch_opens_with_the_capital_and_the_coins_of_its_symbols(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"], cash="6000"))
        async with trader(tmp_path) as ready:
            assert (await ready.gateway.account()).balances["USDT"] == BALANCE
            await reconciled(ready, shared(ready, meeting))
            assert await ready.ledger.wallet() == {"USDT": 4000}
            assert meeting.by_instance["alpha"].cash_quote == 4000

    async def test_what_others_do_leaves_its_books_equal_to_its_part(self, tmp_path):
        meeting = Meeting()
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting)
            reconciler = await reconciled(ready, share)
            await bought(ready, share)
            await another_buys(ready)
            assert await reconciler.is_equal_at_a_glance()
            assert await reconciler.run("again") == []
            wallet = await ready.ledger.wallet()
            assert set(wallet) == {"USDT", "BTC"}
            assert await ready.ledger.read(lambda connection: external_sum(connection, 1, "USDT")) == 0
            await share._look_after()
            mine = meeting.by_instance["alpha"]
            assert (mine.cash_quote, mine.open_symbols) == (wallet["USDT"], ("BTCUSDT",))
            assert mine.exposure_quote == pytest.approx(4000 - wallet["USDT"], rel=Decimal("0.01"))

    async def test_coins_of_its_own_that_somebody_sells_are_missed(self, tmp_path):
        async with trader(tmp_path) as ready:
            share = shared(ready, Meeting())
            reconciler = await reconciled(ready, share)
            await bought(ready, share)
            client = await ready.exchange.client()
            await client.order_market_sell(symbol="BTCUSDT", quantity="0.005")
            await reconciler.run("again")
            assert ready.alarms.standing("missing_coins") == {"BTCUSDT"}

    async def test_more_and_less_capital_come_from_what_nobody_claims_and_go_there(self, tmp_path):
        async with trader(tmp_path) as ready:
            await reconciled(ready, share := shared(ready, Meeting()))
            await bought(ready, share)
            before = (await ready.ledger.wallet())["USDT"]
            await reconciled(ready, shared(ready, Meeting(), "4500"))
            assert (await ready.ledger.wallet())["USDT"] == before + 500
            await reconciled(ready, shared(ready, Meeting(), "3800"))
            assert (await ready.ledger.wallet())["USDT"] == before - 200
            with pytest.raises(ConfigError, match="TRADING_CAPITAL_QUOTE=10 is less than this daemon has in positions"):
                await reconciled(ready, shared(ready, Meeting(), "10"))

    async def test_what_somebody_may_just_have_sold_is_not_free(self, tmp_path):
        """The account has 10000, beta has just sold for 500, and its claim still says 6000 and a position."""
        sold = claim("beta", ["ETHUSDT"], cash="6000", exposure="500")
        looks = []

        class Telling(Meeting):
            async def change(self, decide):
                looks.append(1)
                if len(looks) == 3:
                    self.by_instance["beta"] = changed(sold, cash_quote=Decimal(6500), noted_wall_ms=1)
                return await super().change(decide)

        async with trader(tmp_path) as ready:
            with pytest.raises(ConfigError, match="only 3500 are claimed by nobody"):
                await reconciled(ready, shared(ready, Telling(sold)))
            await reconciled(ready, shared(ready, Meeting(sold)))  # which says nothing anew: it is in its start

    async def test_who_has_spent_more_than_its_part_may_start_again(self, tmp_path):
        """A market order may cost more than it was sized at; nobody else keeps an account's part."""
        async with trader(tmp_path) as ready:
            share = shared(ready, Meeting(), "500")
            await reconciled(ready, share)
            await bought(ready, share)
            assert (await ready.ledger.wallet())["USDT"] < 0
            await reconciled(ready, shared(ready, Meeting(), "500"))

    async def test_a_ledger_of_all_of_the_account_becomes_one_of_a_part(self, tmp_path):
        async with trader(tmp_path) as ready:
            await ready.reconciler.run("start")
            assert (await ready.ledger.wallet())["USDT"] == BALANCE
            await ready.ledger.name_market("m")
            await reconciled(ready, shared(ready, Meeting()))
            assert (await ready.ledger.wallet())["USDT"] == 4000

    async def test_after_a_reset_of_the_exchange_it_begins_with_its_capital_again(self, tmp_path):
        async with trader(tmp_path) as ready:
            share = shared(ready, Meeting())
            reconciler = await reconciled(ready, share)
            await bought(ready, share)
            await ready.reset()
            await reconciler.run("again")
            assert reconciler.epoch.epoch == 2
            assert await ready.ledger.wallet() == {"USDT": 4000}

    async def test_capital_that_is_not_there_is_not_claimed(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"], cash="6000.01"), live=[])
        async with trader(tmp_path) as ready:
            with pytest.raises(ConfigError) as refused:
                await reconciled(ready, shared(ready, meeting))
            assert str(refused.value) == (
                "TRADING_CAPITAL_QUOTE=4000 wants 4000 USDT of the account, of whose 10000 only 3999.99 are claimed by "
                "nobody (beta claims 6000.01)."
            )
            assert "alpha" not in meeting.by_instance


class TestDust:
    async def test_of_what_it_trades_no_more_keeps_no_symbol_from_others(self, tmp_path):
        meeting = Meeting()
        async with running_exchange(speed=None, symbols=("BTCUSDT", "ETHUSDT")) as exchange:
            async with reopened(tmp_path, exchange, symbols=("BTCUSDT", "ETHUSDT")) as before:
                await reconciled(before, shared(before, meeting))
                await before.trade(symbol="ETHUSDT", quantity="0.1")
                held = (await before.ledger.positions())["ETHUSDT"].quantity
                only_btc = {"BTCUSDT": before.rules["BTCUSDT"]}
                known = await rules_of_books(before.gateway, before.ledger, only_btc, is_shared=True)
                assert set(known) == {"BTCUSDT", "ETHUSDT"}, "a position is its own"
                await before.trade(
                    Side.SELL, symbol="ETHUSDT", quantity=str(held.quantize(Decimal("0.001"), ROUND_DOWN))
                )
                assert (await before.ledger.positions())["ETHUSDT"].quantity > 0
            async with reopened(tmp_path, exchange, symbols=SYMBOLS) as ready:
                assert set(await rules_of_books(ready.gateway, ready.ledger, ready.rules, is_shared=True)) == {
                    "BTCUSDT"
                }
                reconciler = await reconciled(ready, shared(ready, meeting))
                assert meeting.by_instance["alpha"].base_assets == ("BTC",)
                await another_buys(ready)
                assert await reconciler.run("again") == []
                assert await reconciler.is_equal_at_a_glance()
                assert await ready.ledger.read(lambda connection: external_sum(connection, 1, "ETH")) == 0


class TestEntering:
    async def test_a_symbol_of_a_daemon_that_lives_is_not_to_be_had(self, tmp_path):
        meeting = Meeting(claim("beta", SYMBOLS, cash="10"))
        async with trader(tmp_path) as ready:
            with pytest.raises(
                LeaseHeldError, match=r"BTCUSDT in TRADING_SYMBOLS is traded by beta .*: process of beta"
            ):
                await reconciled(ready, shared(ready, meeting))

    async def test_of_one_that_does_not_run_it_is(self, tmp_path):
        meeting = Meeting(claim("beta", SYMBOLS, cash="10"), live=[])
        async with trader(tmp_path) as ready:
            await reconciled(ready, shared(ready, meeting))

    async def test_while_somebody_has_all_of_the_account_there_is_no_part(self, tmp_path):
        meeting = Meeting()
        meeting.whole = "{}"
        async with trader(tmp_path) as ready:
            with pytest.raises(LeaseHeldError, match="another daemon trades all of this account"):
                await reconciled(ready, shared(ready, meeting))

    async def test_what_it_held_is_held_until_its_ledger_is_compared(self, tmp_path):
        """A ledger that was put back from a backup does not know yet what was bought since."""
        before = claim("alpha", ["BTCUSDT"], exposure="500", held=["BTCUSDT"])
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting := Meeting(before, live=[]))
            await share.enter(ready.rules, ready.alarms)
            mine = meeting.by_instance["alpha"]
            assert (mine.exposure_quote, mine.open_symbols, mine.cash_quote) == (500, ("BTCUSDT",), 4000)
            await share._look_after()
            assert meeting.by_instance["alpha"].exposure_quote == 0

    async def test_without_redis_it_does_not_begin(self, tmp_path):
        meeting = Meeting()
        meeting.is_away = True
        async with trader(tmp_path) as ready:
            with pytest.raises(ClaimsAwayError):
                await reconciled(ready, shared(ready, meeting))

    @pytest.mark.parametrize(
        ("symbols", "words"),
        [
            (("BNBUSDT",), "BNBUSDT in TRADING_SYMBOLS cannot be traded on a shared account"),
            (("BTCUSDT", "ETHBTC"), "TRADING_CAPITAL_QUOTE is an amount of one quote asset"),
        ],
    )
    def test_symbols_whose_money_cannot_be_told_apart_are_refused(self, symbols, words):
        known = [replace(rules(symbol), base_asset=symbol[:3], quote_asset=symbol[3:]) for symbol in symbols]
        with pytest.raises(ConfigError, match=words):
            account_entry.common_quote(known)


class TestPurchases:
    async def test_are_refused_when_all_daemons_would_hold_too_much(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"], exposure="700"))
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting, exposure="1500")
            await reconciled(ready, share)
            assert (await bought(ready, share)).outcome is Outcome.EXECUTED
            decision = await bought(ready, share)
            assert (decision.outcome, decision.rule) == (Outcome.REFUSED, EXPOSURE_RULE)
            assert decision.client_order_id is None
            assert await ready.times_sent() == 1

    async def test_count_while_they_are_under_way(self, tmp_path):
        async with trader(tmp_path) as ready:
            share = shared(ready, Meeting(), exposure="1000")
            await reconciled(ready, share)
            intent, other = await ready.intent(), changed(await ready.intent(), client_order_id="another")
            async with share.reserved([intent]) as first, share.reserved([other]) as second:
                assert (first, second.rule) == (None, EXPOSURE_RULE)
            async with share.reserved([other]) as third:
                assert third is None, "the first one bought nothing"

    async def test_count_once_when_the_ledger_has_them(self, tmp_path):
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting := Meeting(), exposure="1000")
            await reconciled(ready, share)
            intent = await ready.intent()
            worth = intent.quantity * intent.reference_price
            async with share.reserved([intent]):
                await ready.ledger.commit_intent(ready.decision(intent), intent, ready.clock.now_ms())
                await share._look_after()
                mine = meeting.by_instance["alpha"]
                assert (mine.exposure_quote, mine.buying_quote) == (worth, worth)

    async def test_do_not_wait_for_a_redis_that_is_known_to_be_away(self, tmp_path):
        meeting = Meeting()
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting, exposure="1000")
            await reconciled(ready, share)
            meeting.is_away = True
            for expected in (1, 1):
                async with share.reserved([await ready.intent()]) as refusal:
                    assert refusal.rule == UNAGREED_RULE
                assert meeting.failed == expected
            meeting.is_away = False
            await share._look_after()
            async with share.reserved([await ready.intent()]) as refusal:
                assert refusal is None

    async def test_sales_are_never_held_up(self, tmp_path):
        meeting = Meeting()
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting, exposure="1")
            await reconciled(ready, share)
            meeting.is_away = True
            async with share.reserved([await ready.intent(Side.SELL)]) as refusal:
                assert refusal is None

    async def test_without_redis_are_refused_only_where_all_daemons_have_a_limit(self, tmp_path, caplog):
        async with trader(tmp_path) as ready:
            for others, rule in (
                ([], None),
                ([claim("beta", ["ETHUSDT"], limits=AccountLimits(Decimal(9)))], "account_unagreed"),
            ):
                meeting = Meeting(*others)
                share = shared(ready, meeting)
                await reconciled(ready, share)
                meeting.is_away = True
                async with share.reserved([await ready.intent()]) as refusal:
                    assert (refusal and refusal.rule) == rule
            assert len(warnings_in(caplog)) == 2


class TestHalts:
    """A person stops all daemons of an account beside one of them."""

    KILL = Halt("kill", "enough", "cli by way of beta", 5)

    async def test_one_that_was_left_for_it_is_in_its_own_ledger_before_anything_is_traded(self, tmp_path):
        meeting = Meeting()
        await meeting.ask(["alpha"], self.KILL)
        async with trader(tmp_path) as ready:
            await reconciled(ready, share := shared(ready, meeting))
            (placed,) = await commands.pending(ready.ledger)
            assert (placed.kind, placed.payload["reason"], placed.requested_by, placed.requested_wall_ms) == (
                "kill",
                "enough",
                "cli by way of beta",
                5,
            )
            assert await commands.is_killed(ready.ledger)
            await share._hear()
            assert len(await commands.pending(ready.ledger)) == 1, "heard once"
            await share._look_after()
            assert meeting.by_instance["alpha"].halted == "killed", "as all others are told"

    async def test_is_passed_on_to_all_others_and_goes_no_further(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"]), claim("gamma", ["XRPUSDT"]), live=["beta"])
        async with trader(tmp_path) as ready:
            await reconciled(ready, share := shared(ready, meeting))
            assert await share.halt_others(self.KILL) == (
                "beta on this account were asked too and obey in a second or two; "
                "gamma will when started, as long as Redis remembers"
            )
            assert meeting.halts == {"beta": [self.KILL], "gamma": [self.KILL]}
            meeting.by_instance["beta"] = changed(meeting.by_instance["beta"], halted="killed")
            await share._look_after()
            assert share.others() == [], "nobody goes on"

    async def test_says_whom_it_has_not_reached(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"]))
        async with trader(tmp_path) as ready:
            await reconciled(ready, share := shared(ready, meeting))
            meeting.is_away = True
            assert await share.halt_others(self.KILL) == (
                "NOT reached on this account: beta; Redis does not answer: `trade-agent kill` where each of them runs"
            )


class TestAlarms:
    async def test_less_than_is_claimed_is_one_when_it_is_there_after_all_have_written_anew(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"], cash="6000"))
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting)
            await reconciled(ready, share)
            await share._look_after()
            assert not ready.alarms.standing(SHARED_ACCOUNT)
            meeting.by_instance["beta"] = claim("beta", ["ETHUSDT"], cash="6000.5")
            share._sum_at = 0
            for _ in range(3):
                await share._look_after()
                assert not ready.alarms.standing(SHARED_ACCOUNT), "beta may have spent what it has not said yet"
            share._short_at -= 300
            await share._look_after()
            assert ready.alarms.standing(SHARED_ACCOUNT), "it does not say anything any more"
            meeting.by_instance["beta"] = claim("beta", ["ETHUSDT"], cash="6000")
            await share._look_after()
            assert not ready.alarms.standing(SHARED_ACCOUNT)
            meeting.by_instance["beta"] = claim("beta", ["ETHUSDT"], cash="6000.5")
            share._sum_at = 0
            await share._look_after()
            meeting.by_instance["beta"] = changed(claim("beta", ["ETHUSDT"], cash="6000.3"), noted_wall_ms=1)
            await share._look_after()
            assert ready.alarms.standing(SHARED_ACCOUNT)
            assert ready.gate.refusal("BTCUSDT")[0] == SHARED_ACCOUNT
            meeting.by_instance["beta"] = claim("beta", ["ETHUSDT"], cash="6000")
            await share._look_after()
            assert ready.gate.refusal("BTCUSDT") is None

    async def test_after_a_reset_less_than_is_claimed_is_told_as_that_and_ends_with_less_capital(self, tmp_path):
        """Alpha has bought before it notices the reset, and begins anew with all of its capital."""
        meeting = Meeting(claim("beta", ["ETHUSDT"], cash="6000"), live=[])
        async with trader(tmp_path) as ready:
            reconciler = await reconciled(ready, share := shared(ready, meeting))
            await bought(ready, share)
            await ready.reset()
            client = await ready.exchange.client()
            await client.order_market_buy(symbol="BTCUSDT", quantity="0.01")
            await reconciler.run("again")
            for _ in range(2):
                await share._look_after()
            _, text = ready.gate.refusal("BTCUSDT")
            assert "the exchange was reset, and each of them began anew with all of its capital" in text
            short = Decimal(text.partition(" more than there is")[0].rpartition(" ")[2])
            assert 600 < short < 700, "what was bought for"
            again = shared(ready, meeting, str(4000 - short))
            await reconciled(ready, again)
            await again._look_after()
            assert ready.gate.refusal("BTCUSDT") is None

    async def test_of_one_that_does_not_run_what_it_was_buying_may_be_paid(self, tmp_path):
        meeting = Meeting(claim("beta", ["ETHUSDT"], cash="6000", buying="500"), live=[])
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting)
            await reconciled(ready, share)
            await another_buys(ready, "0.1")
            for _ in range(3):
                await share._look_after()
            assert not ready.alarms.standing(SHARED_ACCOUNT)
            await another_buys(ready, "0.2")
            share._sum_at = 0
            for _ in range(2):
                await share._look_after()
            assert "(beta has said nothing since 1970-01-01" in ready.gate.refusal("BTCUSDT")[1]

    async def test_whoever_trades_its_symbols_too_is_one(self, tmp_path):
        meeting = Meeting()
        async with trader(tmp_path) as ready:
            share = shared(ready, meeting)
            await reconciled(ready, share)
            await Meeting.change(meeting, lambda _: claim("beta", SYMBOLS, cash="0"))
            meeting.live = frozenset(["beta"])
            await share._look_after()
            assert "traded by beta" in ready.gate.refusal("BTCUSDT")[1]
