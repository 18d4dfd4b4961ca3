"""Sentences that are made when somebody reads them.

A judgement of thirty rules says thirty sentences, and mostly nobody reads them; making one takes longer than deciding.

    class Finding(Worded, frozen=True):
        detail: Text

    found = Finding(detail=Words(lambda: f"{plain(spread_pct)} % wide"))
    found.detail  # now the text is made: a str, as for everybody who reads it
"""

from collections.abc import Callable
from typing import Any

import msgspec

from binance_trade_agent.domain.values import Value


class Words(msgspec.Struct, eq=False):
    """A text that is made when it is read, once.

    `make` looks at values only that never change, so that the text is the same whenever it is made. What it raises
    comes out where the text is read.
    """

    make: Callable[[], str] | None
    text: str = ""

    def __str__(self) -> str:
        """The text."""
        if self.make is not None:
            self.text, self.make = self.make(), None
        return self.text

    # Values that hold words compare, print and travel as they would with the text.
    def __eq__(self, other: object) -> bool:
        """Whether the texts are the same."""
        return str(self) == str(other) if isinstance(other, str | Words) else NotImplemented

    def __hash__(self) -> int:
        """That of the text."""
        return hash(str(self))

    def __repr__(self) -> str:
        """That of the text."""
        return repr(str(self))

    def __reduce__(self) -> tuple[Any, ...]:
        """To another process goes the text."""
        return str, (str(self),)


class Text:
    """A field of a `Worded` value that is given a text or `Words`, and is read as the text."""

    __slots__ = ("_kept",)

    def __init__(self, kept: Any) -> None:
        self._kept = kept  # the field as msgspec made it

    def __get__(self, value: object, kind: type | None = None) -> str:
        """The text."""
        kept = self._kept.__get__(value, kind)
        return kept.__str__() if type(kept) is Words else kept

    def __set__(self, value: object, text: str | Words) -> None:
        """Values never change; mypy reads here what may be given to the field."""
        raise AttributeError("values never change")


class Worded(Value, frozen=True):
    """Base of values with a field that is a `Text`."""

    def __init_subclass__(cls, **options: Any) -> None:
        """Let each `Text` be read through itself."""
        super().__init_subclass__(**options)
        for name, kind in cls.__annotations__.items():
            if kind is Text:
                setattr(cls, name, Text(cls.__dict__[name]))
