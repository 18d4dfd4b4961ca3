"""The tape of a decision: the answers that its run was given, handed out again to whoever asks the same."""

import contextlib
from collections.abc import Callable, Collection, Iterator, Mapping
from contextvars import ContextVar
from decimal import Decimal
from typing import Any, TypeVar, cast, get_origin, get_type_hints

import msgspec

from binance_trade_agent.agents import recorder
from binance_trade_agent.agents.entry_gate import EntryGate
from binance_trade_agent.agents.recorder import Witness, question_key
from binance_trade_agent.domain.clock import Clock
from binance_trade_agent.domain.decisions import Decision
from binance_trade_agent.domain.holdings import Holding
from binance_trade_agent.domain.market import Depth
from binance_trade_agent.domain.orders import Order
from binance_trade_agent.domain.symbols import SymbolRules
from binance_trade_agent.domain.words import Text
from binance_trade_agent.exchange.errors import ExchangeError
from binance_trade_agent.exchange.gateway import Gateway
from binance_trade_agent.history.recording import Answered, Look, RecordedLook, answer_of
from binance_trade_agent.ledger.books import Books, BooksView
from binance_trade_agent.ledger.errors import LedgerError, LedgerUnavailable
from binance_trade_agent.ledger.records import OrderEntry

T = TypeVar("T")

_KINDS: Mapping[str, Any] = {
    recorder.NOW: int,
    recorder.GATE: tuple[str, str] | None,
    recorder.DEPTH: Depth | None,
    recorder.LAST_PRICE: Decimal | None,
    recorder.BOOKS_FAILED: str,
    recorder.SILENT: str,
    recorder.EPOCH: int,
    recorder.LOCKED_BY_OTHERS: dict[str, Decimal],
    recorder.IS_STOPPING: bool,
}

_ORDER_FIELDS: dict[str, Any] = {name: str if kind is Text else kind for name, kind in get_type_hints(Order).items()}
_ENTRY_FIELDS: dict[str, Any] = get_type_hints(OrderEntry)


class NotRecordedError(Exception):
    """Something was asked that the run did not ask for this decision."""


class Tape:
    """The look and the answers of one decision.

    A question that was asked several times has several answers, in their order; the last one stays.
    """

    def __init__(self, recorded: RecordedLook) -> None:
        self.look: Look = recorded.look
        self._answers: dict[tuple[str, ...], list[Answered]] = {}
        for each in recorded.asked:
            self._answers.setdefault((each[0], *each[1]), []).append(each)

    def holds(self, name: str) -> bool:
        """Whether something was answered under this name, without arguments."""
        return (name,) in self._answers

    def answer(self, name: str, arguments: Collection[str] = ()) -> Any:
        """The next answer.

        Raises:
            NotRecordedError: there is none.
            HistoryError: it is not what such an answer is.
        """
        answers = self._answers.get((name, *arguments))
        if answers is None:
            asked = f"{name}({', '.join(arguments)})"
            raise NotRecordedError(f"{asked} is asked for this decision, which the run did not ask")
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if name == "unsettled_orders":
            return [_order_entry(each) for each in answer_of(answer, list[dict[str, Any]])]
        return answer_of(answer, _kind_of(name))


def _kind_of(name: str) -> Any:
    if name in _KINDS:
        return _KINDS[name]
    kind = get_type_hints(getattr(BooksView, name))["return"]
    return list[kind.__args__[0]] if get_origin(kind) is Iterator else kind  # type: ignore[name-defined]


def _order_entry(said: dict[str, Any]) -> OrderEntry:
    """An entry from its fields: msgspec reads no value that has words of its own (domain/words.py)."""
    order: dict[str, Any] = {name: msgspec.convert(value, _ORDER_FIELDS[name]) for name, value in said["order"].items()}
    rest: dict[str, Any] = {
        name: msgspec.convert(value, _ENTRY_FIELDS[name]) for name, value in said.items() if name != "order"
    }
    return OrderEntry(order=Order(**order), **rest)


_current: ContextVar[Tape] = ContextVar("_current")  # symbols are decided on side by side


def current() -> Tape:
    """The tape of the decision that is made in this task."""
    return _current.get()


class TapeWitness(Witness):
    """Stands where the recorder stood, and answers from the tapes of a tick.

    Attributes:
        tapes: by symbol.
    """

    def __init__(self) -> None:
        self.tapes: Mapping[str, Tape] = {}

    @contextlib.contextmanager
    def deciding(self, decision: Decision, rests: str | None) -> Iterator[None]:  # noqa: ARG002 (it is on the tape)
        """See Witness."""
        token = _current.set(self.tapes[decision.symbol])
        try:
            yield
        finally:
            _current.reset(token)

    def asking(self, name: str, ask: Callable[[], T]) -> Callable[[], T]:  # noqa: ARG002 (it is on the tape)
        """See Witness."""
        return lambda: cast(T, current().answer(name))


class TapeClock(Clock):
    """The times that were read."""

    def now_ms(self) -> int:
        """See Clock."""
        return cast(int, current().answer(recorder.NOW))

    def monotonic_ms(self) -> float:
        """Nothing that is decided again hangs on it."""
        return 0.0

    async def sleep_until(self, monotonic_ms: float) -> None:
        """Nothing waits."""


class TapeGate(EntryGate):
    """What the gate said."""

    def refusal(self, symbol: str) -> tuple[str, str] | None:
        """See EntryGate."""
        return cast("tuple[str, str] | None", current().answer(recorder.GATE, [symbol]))


class _TapeMarket:
    async def depth(self, symbol: str, limit: int) -> Depth:  # noqa: ARG002 (as the gateway's)
        return _came(cast("Depth | None", current().answer(recorder.DEPTH, [symbol])))

    async def last_price(self, symbol: str) -> Decimal:
        return _came(cast("Decimal | None", current().answer(recorder.LAST_PRICE, [symbol])))


def _came(answer: T | None) -> T:
    if answer is None:
        raise ExchangeError("it did not come in the run")
    return answer


class _TapeBooks:
    async def consult(self, work: Callable[[BooksView], T]) -> T:
        try:
            return work(cast(BooksView, _TapeView()))
        except NotRecordedError:
            if current().holds(recorder.BOOKS_FAILED):
                raise LedgerUnavailable(current().answer(recorder.BOOKS_FAILED)) from None
            raise

    async def held(self, symbol: str, rules: SymbolRules) -> Holding | None:
        return await self.consult(lambda books: books.holding(symbol, rules))

    def __getattr__(self, name: str) -> Any:
        raise LedgerError(f"a replay does not write, and so has no {name}")


class _TapeView:
    def __getattr__(self, name: str) -> Callable[..., Any]:
        def answer(*arguments: Any) -> Any:
            said = current().answer(name, question_key(arguments))
            return iter(said) if isinstance(said, list) and name == "exits_backwards" else said

        return answer


def tape_market() -> Gateway:
    """The market as it answered; it has no more than what is asked for an entry."""
    return cast(Gateway, _TapeMarket())


def tape_books() -> Books:
    """The books as they were read; nothing is written."""
    return cast(Books, _TapeBooks())
