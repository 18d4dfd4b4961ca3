"""Objects that people write, in JSON or TOML, as typed values; a mistake is one sentence that names the field."""

import re
from types import UnionType
from typing import Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

import msgspec

from binance_trade_agent.domain.nearest import nearest

_Kind = TypeVar("_Kind", bound=msgspec.Struct)
_COMPLAINT = re.compile(r"(?P<expected>.*?)(?:, got `(?P<got>\w+)`)?(?: - at `\$\.?(?P<place>.*)`)?")


def read_fields(value: Any, kind: type[_Kind], what: str) -> _Kind:
    """`value`, decoded from JSON or TOML, as a `kind`.

    Args:
        value: what was written.
        kind: what it should be.
        what: a name for it in the complaint, such as `fault http`.

    Raises:
        ValueError: no object, an unknown field, a missing one, or a value that the field does not allow.
    """
    if not isinstance(value, dict):
        raise ValueError(f"{what} must be an object, not {value!r}")  # noqa: TRY004 (answered like other mistakes)
    known = list(kind.__struct_encode_fields__)
    for name in value:
        if name not in known:
            raise ValueError(f"{what} field {name!r} is unknown, known are {', '.join(known)}{_hint(name, known)}")
    try:
        return msgspec.convert(value, kind)
    except msgspec.ValidationError as error:
        raise ValueError(_sentence(str(error), value, kind, what)) from None


def read_choice(value: Any, choices: list[str], what: str) -> str:
    """`value`, when it is one of `choices`.

    Raises:
        ValueError: it is none of them; the text names the nearest.
    """
    if value not in choices:
        raise ValueError(f"{what} {value!r} is unknown, known are {', '.join(choices)}{_hint(str(value), choices)}")
    return str(value)


def _hint(name: str, known: list[str]) -> str:
    near = nearest(name, known)
    return f"; did you mean {near}?" if near else ""


def _sentence(complaint: str, value: dict[str, Any], kind: type, what: str) -> str:
    """The complaint of msgspec, with the field in front."""
    found = _COMPLAINT.fullmatch(complaint)
    assert found is not None, "every part of the pattern is optional"
    expected, place = found["expected"].replace("`", ""), found["place"]
    if not place:
        return f"{what}: {expected[:1].lower()}{expected[1:]}"
    name = re.split(r"[.\[]", place)[0]
    if choices := _choices(get_type_hints(kind).get(name)):
        return (
            f"{what} field {name!r} must be one of {', '.join(choices)}, not {value.get(name)!r}"
            f"{_hint(str(value.get(name)), choices)}"
        )
    given = value.get(name) if place == name else found["got"] or "that"
    return f"{what} field {name!r} must be {expected.removeprefix('Expected ')}, not {given!r}"


def _choices(hint: Any) -> list[str]:
    """What a field may be that takes names only."""
    if get_origin(hint) is Literal:
        return [str(choice) for choice in get_args(hint)]
    if get_origin(hint) in {Union, UnionType}:
        return [choice for part in get_args(hint) for choice in _choices(part)]
    return []
