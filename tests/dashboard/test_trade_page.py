"""Execute trade, over real HTTP: an order is judged as one types, confirmed in words, placed once, and followed."""

import asyncio
import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from urllib.parse import urlencode

import pytest

from binance_trade_agent.cache.market_board import BookSeen, CandlesSeen, MarketBoard, Quote, RulesSeen
from binance_trade_agent.cache.shared import board_namespace, shared_cache
from binance_trade_agent.control import commands
from binance_trade_agent.control.commands import Command, CommandKind
from binance_trade_agent.desk import tickets
from binance_trade_agent.desk.tickets import LIFETIME_SECONDS, TicketError, Tickets
from binance_trade_agent.domain.exits import ExitKind
from binance_trade_agent.domain.orders import OrderState, OrderType, Role, Side
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import queries
from binance_trade_agent.ledger.ledger import Ledger
from binance_trade_agent.ledger.lock import Holder, LedgerLock
from binance_trade_agent.ledger.reader import LedgerReader
from binance_trade_agent.ops import vitals
from binance_trade_agent.ops.clock import monotonic_seconds, sleep_seconds, wall_ms
from tests.dashboard.served import WITH_PASSWORDS, Served, served
from tests.dashboard.stack import AT_SPEED
from tests.dashboard.visitor import Reply, Visitor
from tests.ledger.bookkeeping import intent
from tests.reports.explained_day import STOP, tick_ms, write_explained_day
from tests.reports.test_order_preview import BOOK, CANDLES, NOW_MS, QUOTE, RULES
from tests.sessions.daemon_process import daemon

HOSTILE = "<script>alert(1)</script>"
RESTING = "bta-BTCUSDT-persons"
BUY = {"symbol": "BTCUSDT", "side": "BUY", "type": "market", "amount": "60", "unit": "quote"}


@dataclass
class Desk:
    """A dashboard on the explained day, and the market board that it reads. Nobody carries out what is placed."""

    dashboard: Served
    person: Visitor

    def put(self, *notes: Quote | BookSeen | CandlesSeen | RulesSeen) -> None:
        settings = self.dashboard.desk.settings
        board = MarketBoard(shared_cache(settings), board_namespace(settings))
        for note in notes:
            asyncio.run(board.put(note))

    def put_market(self, *, age_ms: int = 0) -> None:
        read = {"read_wall_ms": wall_ms() - age_ms}
        self.put(RulesSeen(RULES, NOW_MS, read["read_wall_ms"]), CANDLES)
        self.put(*(replace(note, **read) for note in (QUOTE, BOOK)))

    def preview(self, **fields: str) -> Reply:
        reply = self.person.get(f"/trade/preview?{urlencode({**BUY, **fields})}", hx_request="true")
        assert reply.status == 200, reply.text
        return reply

    def confirm(self, path: str = "", **fields: str) -> Reply:
        return self.person.get(path or f"/trade/confirm?{urlencode({**BUY, **fields})}", hx_request="true")

    def placed(self) -> list[Command]:
        with LedgerReader.open(self.dashboard.ledger_path) as reader:
            return reader.snapshot(lambda connection: commands.latest_commands(connection, 10))


@contextmanager
def a_desk(folder: Path, **settings: str) -> Iterator[Desk]:
    path = folder / "ledger.db"
    asyncio.run(write_explained_day(path))
    lock = LedgerLock.acquire(path, Holder(os.getpid(), "run-a", 1))
    try:
        with served(folder, RISK_COOLDOWN_SECONDS="0", **settings) as dashboard:
            yield Desk(dashboard, dashboard.trader())
    finally:
        lock.release()


@pytest.fixture(scope="module")
def shop(tmp_path_factory) -> Iterator[Desk]:
    """One to look at only."""
    with a_desk(tmp_path_factory.mktemp("shop")) as found:
        yield found


@pytest.fixture
def desk(tmp_path) -> Iterator[Desk]:
    """One to order at."""
    with a_desk(tmp_path) as found:
        yield found


def why_not(reply: Reply) -> str:
    """What is said beside the button; it is enabled when that is nothing."""
    found = re.search(r'id="review".*?>', reply.text, re.DOTALL)
    assert found
    said = re.search(r'id="why-not"[^>]*>(.*?)</p>', reply.text, re.DOTALL)[1]
    is_disabled = " disabled" in found[0]
    assert is_disabled is said.startswith("Not yet: ")
    return said.removeprefix("Not yet: ") if is_disabled else ""


def ticket_of(reply: Reply) -> str:
    return re.search(r'name="ticket" value="([^"]+)"', reply.text)[1]


class TestWhatIsShownAsOneTypes:
    def test_an_order_that_all_rules_allow_makes_the_button_live(self, shop):
        shop.put_market()
        reply = shop.preview()
        assert why_not(reply) == ""
        assert "Buy 0.001 BTC (BTCUSDT) at market, on average at most 60,300, worth about 60.00 USDT." in reply.words
        assert "60,000 on average, 0 % from the best price" in reply.words
        assert "about 0.06 USDT, 0.1 %: what the latest 2 fills paid, in BTC" in reply.words
        assert "a stop-loss at about" in reply.words
        assert re.search(r"All 3\d rules allow it now", reply.words)

    def test_a_rule_that_refuses_is_said_beside_the_button(self, shop):
        shop.put_market()
        reply = shop.preview(amount="700")
        assert why_not(reply).startswith("refused by max order: the order is worth")
        assert "max position" in reply.words

    def test_what_is_rounded_down_is_said(self, shop):
        shop.put_market()
        assert "0.0012345 BTC is rounded down to 0.00123 BTC" in shop.preview(amount="0.0012345", unit="base").words

    def test_filters_and_prices_with_their_age_stand_beside_it(self, shop):
        shop.put_market()
        said = shop.person.get("/trade/parts/market?symbol=btcusdt").words
        assert "Bid 59,990.00" in said
        assert "Step 0.00001 BTC" in said
        assert "Worth at least 5 USDT" in said
        assert "s ago" in said

    @pytest.mark.parametrize(
        ("fields", "sentence"),
        [
            ({"amount": ""}, "the amount is missing."),
            ({"amount": "1e9"}, "the amount is &#39;1e9&#39;: write digits with a dot, such as 0.015."),
            ({"type": "limit"}, "the limit price is missing."),
            (
                {"type": "limit", "price": "59990.001"},
                "refused by price filter: the price 59990.001 breaks PRICE_FILTER",
            ),
            ({"symbol": "BTCUSD"}, "BTCUSD is not traded here, only BTCUSDT, ETHUSDT; did you mean BTCUSDT?"),
            ({"symbol": "ETHUSDT"}, "the trader has told nothing of the market of ETHUSDT yet."),
            ({"side": "SELL", "amount": "600"}, "refused by position:"),
            ({"unit": "percent", "amount": "150"}, "the amount is 150 %: at most 100 %"),
            ({"worst_price": "59000"}, "refused by worst price:"),
        ],
    )
    def test_every_reason_is_a_sentence(self, shop, fields, sentence):
        shop.put_market()
        assert sentence in why_not(shop.preview(**fields))

    def test_it_needs_a_fresh_price(self, desk):
        desk.put_market(age_ms=20_000)
        assert "the last prices of BTCUSDT are older than 15 s" in why_not(desk.preview())

    def test_it_needs_the_book(self, desk):
        desk.put(RulesSeen(RULES, NOW_MS, wall_ms()), CANDLES, replace(QUOTE, read_wall_ms=wall_ms()))
        assert "the book of BTCUSDT is not read yet" in why_not(desk.preview())

    def test_where_the_trader_has_another_name_that_is_said(self, desk):
        path = vitals.vitals_path(desk.dashboard.ledger_path)
        vitals.write(path, vitals.Vitals(instance="home"))
        assert "TRADING_INSTANCE is default, and the trader is home" in why_not(desk.preview())

    def test_a_book_of_an_earlier_look_does_not_go_with_the_prices_of_a_tick(self, desk):
        desk.put_market(age_ms=5_000)
        desk.put(replace(QUOTE, last_price=None, read_wall_ms=wall_ms()))
        assert "the book of BTCUSDT is not read yet" in why_not(desk.preview())

    def test_the_emergency_stop_keeps_purchases_back_and_says_so(self, desk):
        desk.put_market()
        path = desk.dashboard.ledger_path
        commands.place(path, CommandKind.KILL, requested_by="cli", requested_wall_ms=1)
        assert "refused by kill switch" in why_not(desk.preview())
        assert why_not(desk.preview(side="SELL", unit="base", amount="0.001")) == ""

    def test_without_scripts_the_page_itself_judges(self, shop):
        shop.put_market()
        page = shop.person.get(f"/trade?{urlencode(BUY)}")
        assert why_not(page) == ""
        assert 'value="60"' in page.text

    def test_hostile_values_are_text(self, shop):
        shop.put_market()
        for name in ("symbol", "side", "type", "amount", "unit", "price", "worst_price"):
            page = shop.person.get(f"/trade?{urlencode({**BUY, name: HOSTILE})}")
            assert page.status == 200
            assert HOSTILE not in page.text
            assert HOSTILE.upper() not in page.text


def test_who_may_look_only_and_another_session_place_nothing(tmp_path):
    with a_desk(tmp_path, **WITH_PASSWORDS) as desk:
        desk.put_market()
        ticket = ticket_of(desk.confirm())
        viewer = Desk(desk.dashboard, desk.dashboard.viewer())
        assert why_not(viewer.preview()).startswith("you are logged in to look only")
        assert "you are logged in to look only" in viewer.confirm("/trade/close/BTCUSDT").words.lower()
        assert 'href="/trade/c' not in viewer.person.get("/trade/parts/open").text
        assert viewer.person.post("/trade/place", {"ticket": ticket}).status == 403
        another = desk.dashboard.trader().post("/trade/place", {"ticket": ticket})
        assert another.status == 409
        assert "This confirmation is not known any more" in another.words
        assert desk.placed() == []


def test_it_needs_a_trader(tmp_path):
    asyncio.run(write_explained_day(tmp_path / "ledger.db"))
    with served(tmp_path, RISK_COOLDOWN_SECONDS="0") as dashboard:
        desk = Desk(dashboard, dashboard.trader())
        desk.put_market()
        assert why_not(desk.preview()) == "no trader runs: it would carry the order out."
        assert "Buy 0.001 BTC" in desk.preview().words, "what it would come to is shown all the same"
        reply = desk.person.post("/trade/place", {"ticket": "any"})
        assert (reply.status, desk.placed()) == (409, [])
        assert "Nothing was placed." in reply.text


class TestConfirming:
    def test_the_order_is_repeated_in_words(self, desk):
        desk.put_market()
        said = desk.confirm().words
        assert "Confirm the order" in said
        for part in (
            "Side BUY",
            "Symbol BTCUSDT",
            "Quantity 0.001 BTC",
            "Type market",
            "Price at market, on average at most 60,300",
            "Worth about 60.00 USDT",
            "Fee about 0.06 USDT",
            "Reserved 60.00 USDT",
            "Protection once it has bought, a stop-loss at about",
        ):
            assert part in said
        assert desk.placed() == []

    def test_what_was_shown_is_placed_with_its_bound_and_its_end(self, desk):
        desk.put_market()
        before = wall_ms()
        reply = desk.person.post("/trade/place", {"ticket": ticket_of(desk.confirm())}, hx_request="true")
        assert reply.status == 200
        assert "Waiting" in reply.words
        (command,) = desk.placed()
        expires = int(command.payload["expires_wall_ms"])
        assert before + 60_000 <= expires <= wall_ms() + 60_000
        assert command.kind is CommandKind.ORDER
        assert command.requested_by.startswith("dashboard (trader")
        assert {name: value for name, value in command.payload.items() if name != "expires_wall_ms"} == {
            "symbol": "BTCUSDT",
            "side": "BUY",
            "type": "market",
            "quantity": "0.001",
            "worst_price": "60300",
        }

    def test_sent_twice_it_is_placed_once(self, desk):
        desk.put_market()
        ticket = ticket_of(desk.confirm())
        first = desk.person.post("/trade/place", {"ticket": ticket})
        second = desk.person.post("/trade/place", {"ticket": ticket})
        assert first.headers["location"] == second.headers["location"] == "/commands/1"
        assert len(desk.placed()) == 1

    def test_two_confirmations_are_two_orders(self, desk):
        desk.put_market()
        for _ in range(2):
            assert desk.person.post("/trade/place", {"ticket": ticket_of(desk.confirm())}).status == 303
        assert len(desk.placed()) == 2

    def test_a_guessed_confirmation_places_nothing(self, desk):
        assert desk.person.post("/trade/place", {"ticket": "guessed"}).status == 409
        assert desk.placed() == []

    def test_what_is_refused_meanwhile_cannot_be_confirmed(self, desk):
        desk.put_market()
        reply = desk.confirm(amount="700")
        assert "Refused by max order" in reply.words
        assert "ticket" not in reply.text

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"type": "limit", "price": "59000"}, "at 59,000 or less"),
            (
                {"type": "stop_limit", "stop_price": "61000", "price": "61100"},
                "once the price has risen to 61,000, at 61,100 or less",
            ),
            (
                {"type": "oco", "price": "59000", "stop_price": "61000", "stop_limit_price": "61100"},
                "at 59,000, or once the price has risen to 61,000 at 61,100 or less: one cancels the other",
            ),
        ],
    )
    def test_every_type_has_its_words(self, desk, fields, words):
        desk.put_market()
        reply = desk.confirm(**fields)
        assert words in reply.words
        assert desk.person.post("/trade/place", {"ticket": ticket_of(reply)}).status == 303
        (command,) = desk.placed()
        assert {name: command.payload[name] for name in fields} == fields


class TestOpenOrdersAndPositions:
    @pytest.fixture
    def resting(self, desk):
        """A purchase of a person that rests on the exchange."""

        async def write() -> None:
            order = intent(RESTING, tick_ms=tick_ms(8), type=OrderType.LIMIT, price=Decimal(50_000))
            async with await Ledger.open(desk.dashboard.ledger_path) as ledger:
                await ledger.commit_protection("run-a", [order], tick_ms(8))
                await ledger.transition(RESTING, OrderState.SENT, tick_ms(8))
                await ledger.transition(RESTING, OrderState.ACCEPTED, tick_ms(8) + 1, exchange_order_id=90)

        asyncio.run(write())
        return desk

    def test_they_are_listed_with_what_can_be_done(self, resting):
        resting.put_market()
        reply = resting.person.get("/trade/parts/open")
        assert "BUY 0.002 BTCUSDT at 50,000" in reply.words
        assert f'href="/trade/cancel/{RESTING}"' in reply.text
        assert 'href="/trade/close/BTCUSDT"' in reply.text
        assert "0.002006 BTC" in reply.words

    def test_a_cancel_is_confirmed_and_placed(self, resting):
        reply = resting.confirm(f"/trade/cancel/{RESTING}")
        assert "BUY 0.002 BTCUSDT at 50,000, 0 executed so far." in reply.words
        resting.person.post("/trade/place", {"ticket": ticket_of(reply)})
        (command,) = resting.placed()
        assert (command.kind, command.payload["client_order_id"]) == (CommandKind.CANCEL, RESTING)

    def test_what_protects_or_is_over_is_not_cancelled(self, desk):
        assert "it is over already" in desk.confirm("/trade/cancel/bta-BTCUSDT-first").words.lower()
        assert "It protects the position" in desk.confirm(f"/trade/cancel/{STOP}").words
        assert desk.confirm("/trade/cancel/none").status == 404

    def test_a_close_says_what_it_would_bring_and_is_placed(self, desk):
        desk.put_market()
        reply = desk.confirm("/trade/close/BTCUSDT")
        assert "0.002006 BTC are sold at market" in reply.words
        assert "At the last bid, 59,990, that is 120.34 USDT: a gain of 3.86 USDT before the fee." in reply.words
        desk.person.post("/trade/place", {"ticket": ticket_of(reply)})
        (command,) = desk.placed()
        assert (command.kind, command.payload["symbol"]) == (CommandKind.CLOSE, "BTCUSDT")
        assert desk.confirm("/trade/close/ETHUSDT").status == 404

    def test_what_persons_asked_for_stands_below(self, desk):
        commands.place(
            desk.dashboard.ledger_path,
            CommandKind.ORDER,
            requested_by=HOSTILE,
            requested_wall_ms=1,
            payload={"symbol": HOSTILE, "side": "BUY", "type": "market", "quantity": "1"},
        )
        reply = desk.person.get("/trade/parts/open")
        assert "pending" in reply.words
        assert HOSTILE not in reply.text


class TestTickets:
    async def test_one_that_is_too_old_is_not_placed(self, monkeypatch):
        now = [100.0]
        monkeypatch.setattr(tickets, "monotonic_seconds", lambda: now[0])
        kept, placed = Tickets(), []

        async def place(ticket) -> int:
            placed.append(ticket.name)
            return len(placed)

        late = kept.issue(CommandKind.CLOSE, {}, "me")
        soon = kept.issue(CommandKind.CLOSE, {}, "me")
        assert await kept.redeem(soon.name, "me", place) == 1
        now[0] += LIFETIME_SECONDS + 1
        with pytest.raises(TicketError, match="older than 60 s"):
            await kept.redeem(late.name, "me", place)
        assert await kept.redeem(soon.name, "me", place) == 1, "what was placed is still known"
        assert placed == [soon.name]

    async def test_sent_at_the_same_time_it_is_placed_once(self):
        kept, placed = Tickets(), []

        async def place(ticket) -> int:
            placed.append(ticket)
            await sleep_seconds(0)
            return 7

        ticket = kept.issue(CommandKind.CLOSE, {}, "me")
        assert await asyncio.gather(*(kept.redeem(ticket.name, "me", place) for _ in range(5))) == [7] * 5
        assert len(placed) == 1

    async def test_who_gives_up_while_it_is_placed_and_asks_again_finds_that_command(self):
        kept, placed = Tickets(), []
        has_begun, may_end = asyncio.Event(), asyncio.Event()

        async def place(ticket) -> int:
            placed.append(ticket)
            has_begun.set()
            await may_end.wait()
            return len(placed)

        ticket = kept.issue(CommandKind.CLOSE, {}, "me")
        first = asyncio.ensure_future(kept.redeem(ticket.name, "me", place))
        await has_begun.wait()
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        second = asyncio.ensure_future(kept.redeem(ticket.name, "me", place))
        may_end.set()
        assert await second == 1
        assert len(placed) == 1

    async def test_one_whose_placing_failed_can_be_sent_again(self):
        kept, tries = Tickets(), []

        async def place(ticket) -> int:
            tries.append(ticket)
            if len(tries) == 1:
                raise OSError
            return 3

        ticket = kept.issue(CommandKind.CLOSE, {}, "me")
        with pytest.raises(OSError, match=r"^$"):
            await kept.redeem(ticket.name, "me", place)
        assert await kept.redeem(ticket.name, "me", place) == 3


@pytest.mark.slow
async def test_the_whole_way_of_an_order_with_a_trader_on_the_simulated_exchange(tmp_path):
    quiet = {**AT_SPEED, "TRADING_SYMBOLS": "BTCUSDT", "RISK_COOLDOWN_SECONDS": "0", "RECORD_KEEP_MB": "0"}
    async with daemon(tmp_path, **quiet) as trader:
        await trader.until_logged("Trading Cycle #")
        with served(tmp_path, RISK_COOLDOWN_SECONDS="0", TRADING_INSTANCE=quiet["TRADING_INSTANCE"]) as dashboard:
            desk = Desk(dashboard, dashboard.trader())
            await until(lambda: why_not(desk.preview()) == "", desk.preview)
            bought = desk.person.post("/trade/place", {"ticket": ticket_of(desk.confirm())})
            life = f"/commands/life?command_id={bought.headers['location'].rpartition('/')[2]}"
            await until(lambda: "Filled" in desk.person.get(life).words, lambda: desk.person.get(life))
            await until(
                lambda: "stop loss" in desk.person.get("/trade/parts/open").words,
                lambda: desk.person.get("/trade/parts/open"),
            )
            assert "Carried out" in desk.person.get(life).words
            sold = desk.person.post("/trade/place", {"ticket": ticket_of(desk.confirm("/trade/close/BTCUSDT"))})
            life = f"/commands/life?command_id={sold.headers['location'].rpartition('/')[2]}"
            await until(lambda: "Carried out" in desk.person.get(life).words, lambda: desk.person.get(life))
    with LedgerReader.open(tmp_path / "ledger.db") as reader:
        orders = reader.snapshot(lambda connection: [entry.order for entry in queries.orders(connection)])
    entry = next(order for order in orders if order.role is Role.ENTRY)
    exit_order = next(order for order in orders if order.exit is ExitKind.MANUAL)
    assert (entry.side, exit_order.side) == (Side.BUY, Side.SELL)
    assert (entry.state, exit_order.state) == (OrderState.FILLED, OrderState.FILLED)


async def until(is_so, shown) -> None:
    """Look again until it is so; at the end say what was shown instead."""
    deadline = monotonic_seconds() + 20
    while not is_so():
        assert monotonic_seconds() < deadline, shown().words
        await sleep_seconds(0.1)
