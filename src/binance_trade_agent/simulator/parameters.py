"""Parameters of a request: which an endpoint knows, how their text must look, and their values.

The syntax of everything is checked before anything is looked up (binance-protocol.md 2.4); enums, precision and
combinations are the endpoints' own business, later.
"""

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar
from urllib.parse import parse_qsl

import orjson

from binance_trade_agent.simulator.errors import ApiError, illegal_characters, invalid_data, missing, overflowed

_Choice = TypeVar("_Choice", bound=StrEnum)
_MICROSECONDS_FROM = 10**14  # a timestamp of this size or more is in microseconds (binance-protocol.md 2.3)
_MOST_DECIMALS = 8
_HIGHEST_LONG = 2**63 - 1


@dataclass(frozen=True, slots=True)
class Syntax:
    """How a value must look: the pattern we match, the pattern that the error text shows, the highest whole number."""

    pattern: re.Pattern[str]
    shown: str
    highest: int | None = None


def _syntax(shown: str, pattern: str | None = None, highest: int | None = None) -> Syntax:
    return Syntax(re.compile(pattern or shown, re.ASCII if pattern is None else 0), shown, highest)


DECIMAL = _syntax(r"^([0-9]{1,20})(\.[0-9]{1,20})?$")
INTEGER = _syntax(r"^[0-9]{1,20}$", highest=_HIGHEST_LONG)
CLIENT_ID = _syntax(r"^[a-zA-Z0-9-_]{1,36}$")
SYMBOL = _syntax(r"^[\w\-._&&[^a-z]]{1,50}$", r"^(?:[^\Wa-z]|[-.]){1,50}$")
SYMBOLS = _syntax(
    r"^\[(\"[\w\-._&&[^a-z]]{1,50}\"(,\"[\w\-._&&[^a-z]]{1,50}\"){0,}){0,1}\]$",
    r"^\[(\"([^\Wa-z]|[-.]){1,50}\"(,\"([^\Wa-z]|[-.]){1,50}\")*)?\]$",
)
BOOLEAN = _syntax("^(true|false)$", "^(true|false|TRUE|FALSE)$")
TEXT = _syntax(".*", "(?s)^.*$")
RECV_WINDOW = _syntax(r"^[0-9]{1,20}(\.[0-9]{1,3})?$")


@dataclass(frozen=True, slots=True)
class Parameter:
    """A parameter that an endpoint knows."""

    name: str
    syntax: Syntax = TEXT
    required: bool = False


# The signature is mandatory too, save in a WebSocket session that has logged on: see Access.authorise.
SIGNED_PARAMETERS = (
    Parameter("timestamp", INTEGER, required=True),
    Parameter("recvWindow", RECV_WINDOW),
    Parameter("signature"),
)


def read_pairs(raw: bytes) -> list[tuple[str, str]]:
    """Names and values of a raw query or form, in its order; `parse_qsl` does the same at five times the cost."""
    if not raw:
        return []
    text = raw.decode("utf-8", "replace")
    if "%" in text or "+" in text:
        return parse_qsl(text, keep_blank_values=True)
    return [(name, value) for name, _, value in (pair.partition("=") for pair in text.split("&") if pair)]


class Form:
    """The parameters that an endpoint knows."""

    def __init__(self, parameters: Iterable[Parameter]) -> None:
        self._parameters = {parameter.name: parameter for parameter in parameters}
        self._required = [name for name, parameter in self._parameters.items() if parameter.required]

    def read(self, sent: Sequence[tuple[str, str]]) -> "Arguments":
        """Check the syntax of what was sent: decoded names and values in the order of the request.

        Raises:
            ApiError: -1101 repeated or none expected, -1104 unknown, -1105 empty, -1100 malformed, -1108 too large,
                -1102 missing.
        """
        if sent and not self._parameters:
            raise ApiError(-1101, f"Too many parameters; expected '0' and received '{len(sent)}'.")
        values: dict[str, str] = {}
        unread = 0
        for name, value in sent:
            if name in values:
                raise ApiError(-1101, "Duplicate values for a parameter detected.")
            values[name] = value
            parameter = self._parameters.get(name)
            if parameter is None:
                unread += 1
            else:
                _check_syntax(parameter, value)
        if unread:
            read = len(values) - unread
            text = f"Not all sent parameters were read; read '{read}' parameter(s) but was sent '{len(values)}'."
            raise ApiError(-1104, text)
        for name in self._required:
            if name not in values:
                raise missing(name)
        return Arguments(values)


def _check_syntax(parameter: Parameter, value: str) -> None:
    syntax = parameter.syntax
    if not value:
        raise ApiError(-1105, f"Parameter '{parameter.name}' was empty.")
    if not syntax.pattern.fullmatch(value):
        raise illegal_characters(parameter.name, syntax.shown)
    if syntax.highest is not None and int(value) > syntax.highest:
        raise overflowed(parameter.name)


class Arguments:
    """Values of one request's parameters, their syntax checked."""

    def __init__(self, values: Mapping[str, str]) -> None:
        self._values = values

    def __contains__(self, name: str) -> bool:
        """Whether the parameter was sent."""
        return name in self._values

    def first_of(self, names: Iterable[str]) -> str | None:
        """The first of `names` that was sent."""
        return next((name for name in names if name in self._values), None)

    def text(self, name: str) -> str | None:
        """The value as it was sent."""
        return self._values.get(name)

    def decimal(self, name: str) -> Decimal | None:
        """A number of at most 8 decimals.

        Raises:
            ApiError: -1111 more decimals.
        """
        value = self._values.get(name)
        if value is None:
            return None
        if len(value.partition(".")[2]) > _MOST_DECIMALS:
            raise ApiError(-1111, f"Parameter '{name}' has too much precision.")
        return Decimal(value)

    def integer(self, name: str) -> int | None:
        """A number without decimals."""
        value = self._values.get(name)
        return None if value is None else int(value)

    def time_ms(self, name: str) -> int | None:
        """A time in ms, also when it was sent in microseconds."""
        value = self.integer(name)
        return value // 1000 if value is not None and value >= _MICROSECONDS_FROM else value

    def time_us(self, name: str) -> int | None:
        """A time in microseconds, also when it was sent in ms."""
        value = self.integer(name)
        return value * 1000 if value is not None and value < _MICROSECONDS_FROM else value

    def flag(self, name: str, *, default: bool) -> bool:
        """A boolean."""
        value = self._values.get(name)
        return default if value is None else value.lower() == "true"

    def limit(self, *, default: int, highest: int) -> int:
        """How many rows are wanted; more than `highest` is `highest`.

        Raises:
            ApiError: -1130 for 0.
        """
        value = self.integer("limit")
        if value == 0:
            raise invalid_data("limit")
        return min(default if value is None else value, highest)

    def choice(self, name: str, choices: type[_Choice], refuse: Callable[[], ApiError]) -> _Choice | None:
        """A member of an enum.

        Raises:
            ApiError: the one that `refuse` makes, for any other text.
        """
        value = self._values.get(name)
        if value is None:
            return None
        try:
            return choices(value)
        except ValueError:
            raise refuse() from None

    def names(self, name: str) -> list[str] | None:
        """A JSON array of symbols.

        Raises:
            ApiError: -1151 for a repeated symbol.
        """
        value = self._values.get(name)
        if value is None:
            return None
        symbols: list[str] = orjson.loads(value)
        if len(set(symbols)) != len(symbols):
            raise ApiError(-1151, "Symbol is present multiple times in the list.")
        return symbols
