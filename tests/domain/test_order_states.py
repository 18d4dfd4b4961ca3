"""The life of an order: the table as it is written, and as the ledger lives it."""

import sqlite3
from decimal import Decimal

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from binance_trade_agent.domain.order_states import (
    ENDED_STATES,
    GIVEN_UP_STATES,
    STATE_OF_STATUS,
    TABLE,
    TERMINAL_STATES,
    TRANSITIONS,
    TRIGGER_OF_STATUS,
    OrderState,
    Trigger,
)
from binance_trade_agent.domain.values import replace
from binance_trade_agent.ledger import journal, orders, queries
from binance_trade_agent.ledger.errors import DuplicateIntent
from binance_trade_agent.ledger.migrations import migrate
from tests.ledger.bookkeeping import BTCUSDT, OPENING, decision, fill, intent, report, run_record

ORDER_ID = "bta-BTCUSDT-1"
STEP = Decimal("0.0005")
STEPS = 4  # so many steps are ordered
EXCHANGE_SAYS = set(Trigger) - {Trigger.SEND, Trigger.DENY, Trigger.LOSE_OUTCOME, Trigger.PROVE_ABSENT}


class TestTable:
    def test_it_is_total_over_the_states(self):
        assert set(TABLE) == set(OrderState)
        for moves in TABLE.values():
            assert set(moves) <= set(Trigger)
            assert set(moves.values()) <= set(OrderState)

    def test_every_state_can_be_reached_and_every_order_can_end(self):
        reached = {OrderState.INTENT}
        while more := {state for known in reached for state in TRANSITIONS[known]} - reached:
            reached |= more
        assert reached == set(OrderState)
        for state in set(OrderState) - TERMINAL_STATES:
            assert TRANSITIONS[state], f"{state} leads nowhere"

    def test_what_the_exchange_has_ended_stays_ended(self):
        for state in ENDED_STATES:
            assert TABLE[state] == {}

    def test_nothing_leads_back_to_a_state_of_before_the_answer(self):
        for state, followers in TRANSITIONS.items():
            assert OrderState.INTENT not in followers
            if state is not OrderState.INTENT:
                assert OrderState.SENT not in followers, "nothing is sent twice"
            if state is not OrderState.SENT:
                assert OrderState.UNKNOWN not in followers, "what was known is not forgotten"

    def test_the_exchanges_word_counts_against_every_guess_of_ours(self):
        for state in GIVEN_UP_STATES:
            for trigger in (Trigger.ACCEPT, Trigger.FILL_PARTLY, Trigger.FILL, Trigger.CANCEL, Trigger.EXPIRE):
                assert TABLE[state][trigger] is TABLE[OrderState.SENT][trigger]

    def test_only_an_unknown_outcome_can_be_proved_absent(self):
        assert [state for state, moves in TABLE.items() if Trigger.PROVE_ABSENT in moves] == [OrderState.UNKNOWN]

    def test_a_trigger_means_the_same_in_every_state(self):
        for moves in TABLE.values():
            for trigger, state in moves.items():
                assert {other[trigger] for other in TABLE.values() if trigger in other} == {state}

    def test_every_status_of_the_exchange_has_its_state(self):
        assert set(TRIGGER_OF_STATUS.values()) == EXCHANGE_SAYS
        assert set(STATE_OF_STATUS) == set(TRIGGER_OF_STATUS)

    def test_states_are_ended_or_given_up_or_neither(self):
        assert ENDED_STATES | GIVEN_UP_STATES == TERMINAL_STATES
        assert not ENDED_STATES & GIVEN_UP_STATES


def _trades(*numbers: int):
    """Trades of one step each; their ids grow with their number."""
    return tuple(
        fill(8 + number, ORDER_ID, quantity=STEP, quote_quantity=STEP * 60_000, commission=Decimal("0.0000005"))
        for number in numbers
    )


class AnOrdersLife(RuleBasedStateMachine):
    """One order in a real ledger, told anything in any order and as often as you like."""

    def __init__(self) -> None:
        super().__init__()
        self.connection = _new_ledger()
        self.told: list = []
        self.trades: set[int] = set()
        self.claimed = Decimal(0)
        self.now_ms = 2_000
        self.last = None

    def teardown(self) -> None:
        self.connection.close()

    @initialize()
    def commit(self) -> None:
        with self.connection:
            wanted = intent(ORDER_ID, quantity=STEP * STEPS)
            orders.commit_intent(self.connection, decision(client_order_id=ORDER_ID), wanted, 1_000)

    @rule(state=st.sampled_from([OrderState.SENT, OrderState.DENIED, OrderState.UNKNOWN, OrderState.NOT_PLACED]))
    def we_say(self, state: OrderState) -> None:
        before = self._entry().order
        self.now_ms += 1
        with self.connection:
            orders.transition(self.connection, ORDER_ID, state, self.now_ms)
        after = self._entry().order
        assert after.state is (state if state in TRANSITIONS[before.state] else before.state)

    @rule(
        status=st.sampled_from([*STATE_OF_STATUS, "A_STATUS_OF_THE_FUTURE"]),
        executed=st.integers(0, STEPS),
        fills=st.sets(st.integers(1, STEPS)),
    )
    def exchange_says(self, status: str, executed: int, fills: set[int]) -> None:
        self.now_ms += 1
        news = report(
            status, str(STEP * executed), *_trades(*fills), order_id=ORDER_ID, quantity=STEP * STEPS, at_ms=self.now_ms
        )
        self.told.append(news)
        self._apply(news)

    @precondition(lambda self: self.told)
    @rule(data=st.data(), again=st.booleans())
    def it_is_said_again(self, data: st.DataObject, again: bool) -> None:
        news = data.draw(st.sampled_from(self.told))
        self._apply(news)
        before = _rows(self.connection)
        applied = self._apply(news)
        assert not applied.is_changed
        assert applied.repeated_fills == len(news.fills)
        assert _rows(self.connection) == before
        if again:
            self._apply(replace(news, at_ms=news.at_ms + 1))
            assert _rows(self.connection) == before, "a later repetition is a repetition"

    @rule()
    def decision_is_executed_again(self) -> None:
        before = _rows(self.connection)
        try:
            with self.connection:
                orders.commit_intent(self.connection, decision(client_order_id=ORDER_ID), intent(ORDER_ID), 9_000)
        except DuplicateIntent:
            assert _rows(self.connection) == before
        else:
            raise AssertionError("the same decision had a second order")

    @invariant()
    def it_goes_forward_only(self) -> None:
        if self.connection is None or (entry := queries.order_entry(self.connection, ORDER_ID)) is None:
            return
        order, last = entry.order, self.last
        if last is not None:
            if last.order.state in ENDED_STATES:
                assert order.state is last.order.state
            assert order.executed_base >= last.order.executed_base
            assert order.executed_quote >= last.order.executed_quote
            assert entry.filled_base >= last.filled_base
        self.last = entry
        assert entry.filled_base == STEP * len(self.trades), "each trade once, whatever the state"
        assert order.executed_base == max(self.claimed, entry.filled_base)
        assert entry.is_settled == (order.is_terminal and entry.filled_base == order.executed_base)
        assert (order.deadline_ms is not None) == (order.state is OrderState.UNKNOWN)
        assert order.reserved_quote == (0 if order.is_terminal else (order.quantity - order.executed_base) * 60_000)
        open_ids = [found.order.client_order_id for found in queries.unsettled_orders(self.connection, 1)]
        assert open_ids == ([] if entry.is_settled else [ORDER_ID])

    @invariant()
    def wallet_and_position_follow_the_trades(self) -> None:
        held = len(self.trades) * (STEP - Decimal("0.0000005"))
        assert queries.position(self.connection, 1, "BTCUSDT").quantity == held
        wallet = queries.wallet(self.connection, 1)
        assert wallet["BTC"] == OPENING["BTC"] + held
        assert wallet["USDT"] == OPENING["USDT"] - len(self.trades) * STEP * 60_000

    def _apply(self, news):
        with self.connection:
            applied = orders.apply_report(self.connection, news, **BTCUSDT)
        self.trades |= {trade.trade_id for trade in news.fills}
        self.claimed = max(self.claimed, news.executed_base)
        return applied

    def _entry(self):
        entry = queries.order_entry(self.connection, ORDER_ID)
        assert entry is not None
        return entry


def _new_ledger() -> sqlite3.Connection:
    """A ledger in memory, with the schema of files."""
    connection = sqlite3.connect(":memory:", isolation_level=None)
    connection.row_factory = sqlite3.Row
    migrate(connection)
    journal.open_epoch(connection, 500, "new market", OPENING)
    journal.begin_run(connection, run_record())
    return connection


def _rows(connection: sqlite3.Connection):
    return [
        [tuple(row) for row in connection.execute(f"SELECT * FROM {table}")]
        for table in ("orders", "fills", "postings", "positions", "wallets", "order_events")
    ]


TestAnOrdersLife = AnOrdersLife.TestCase
TestAnOrdersLife.settings = settings(max_examples=40, stateful_step_count=20)
