"""Values whose words are made when somebody reads them.

A judgement of thirty rules says thirty sentences, and mostly nobody reads them; making one takes longer than deciding.

    class Finding(Worded, frozen=True):
        detail: Text

    found = Finding((_words, spread_pct))
    found.detail  # now `_words(spread_pct)` makes the text: a str, as for everybody who reads it

The function is given all that it looks at, and nothing of that ever changes, so that it says the same whenever it is
asked. What it raises comes out where the text is read. It comes in a tuple with its arguments because a lambda that
closes over them takes three times as long to make.
"""

from decimal import Decimal
from typing import Any

from binance_trade_agent.domain.money import rounded
from binance_trade_agent.domain.values import Value

Words = str | tuple[Any, ...]
"""A text, or the function that makes it and its arguments."""

Number = Decimal | int | tuple[Any, ...]
"""A number, or the function that reckons it and its arguments."""

# Defaults of such fields, of a type that mypy takes for them.
NO_WORDS: Any = ""
NOTHING: Any = None

_KEPT_UNIT = Decimal("0.00000001")


def said(words: Words) -> str:
    """The text."""
    return _made(words)  # type: ignore[no-any-return]


def words_of(value: "Worded", field: str) -> Words:
    """The words in a field as they were given, to be handed on without being made."""
    given: Words = vars(type(value))[field].given(value)
    return given


def _made(given: Any) -> Any:
    if not isinstance(given, tuple):
        return given
    make, *arguments = given
    return make(*arguments)


class _Field:
    """A field that is read otherwise than it was given. mypy takes from `__set__` what may be given to it."""

    __slots__ = ("_given",)

    def __init__(self, given: Any) -> None:
        self._given = given  # the field as msgspec made it

    def given(self, value: object) -> Any:
        """What the field of `value` was given."""
        return self._given.__get__(value)


class Text(_Field):
    """A field that is given `Words` and read as a text."""

    def __get__(self, value: object, kind: type | None = None) -> str:
        """The text."""
        return said(self._given.__get__(value, kind))

    def __set__(self, value: object, words: Words) -> None:
        """Values never change."""
        raise AttributeError("values never change")


class OptionalText(_Field):
    """A `Text` that may be None."""

    def __get__(self, value: object, kind: type | None = None) -> str | None:
        """The text."""
        text: str | None = _made(self._given.__get__(value, kind))
        return text

    def __set__(self, value: object, words: Words | None) -> None:
        """Values never change."""
        raise AttributeError("values never change")


class Rounded(_Field):
    """A field that is given a `Number`, and read to 8 decimals without trailing zeros; None where there is none."""

    def __get__(self, value: object, kind: type | None = None) -> Decimal | None:
        """The number."""
        number = _made(self._given.__get__(value, kind))
        return None if number is None else rounded(Decimal(number), _KEPT_UNIT)

    def __set__(self, value: object, number: Number | None) -> None:
        """Values never change."""
        raise AttributeError("values never change")


class Worded(Value, frozen=True):
    """Base of values with such fields. They compare, print and travel to other processes as they are read."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Let each such field be read through its kind."""
        super().__init_subclass__(**options)
        for name, kind in cls.__annotations__.items():
            if kind in {Text, OptionalText, Rounded}:
                setattr(cls, name, kind(cls.__dict__[name]))

    def _read(self) -> tuple[Any, ...]:
        return tuple(getattr(self, name) for name in self.__struct_fields__)

    def __eq__(self, other: object) -> bool:
        """Whether it is of the same kind and reads the same."""
        return self._read() == other._read() if isinstance(other, Worded) and type(other) is type(self) else False

    def __ne__(self, other: object) -> bool:
        """The opposite; msgspec has its own, which looks at what was given."""
        return not self == other

    def __hash__(self) -> int:
        """That of what is read."""
        return hash(self._read())

    def __repr__(self) -> str:
        """`Refusal(rule='pause', detail='entries are paused until `resume`')`."""
        fields = zip(self.__struct_fields__, self._read(), strict=True)
        return f"{type(self).__name__}({', '.join(f'{name}={each!r}' for name, each in fields)})"

    def __reduce__(self) -> tuple[Any, ...]:
        """A function is no baggage: what it says is."""
        return type(self), self._read()
