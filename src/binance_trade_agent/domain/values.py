"""Values: what flows through the pipeline, made once and never changed.

They are msgspec's structs: a frozen dataclass of twenty fields takes 3 us to make, a struct a tenth of it, and a
backtest makes some dozen of them for each order. The garbage collector does not go through them again and again: what
never changes is in no cycle.
"""

import dataclasses
from typing import Any, TypeVar

import msgspec

T = TypeVar("T")

changed = msgspec.structs.replace
"""`replace` of a Value, without asking whether it is one: a quarter of the time."""


class Value(msgspec.Struct, frozen=True, gc=False):
    """Base of values: equal when their fields are, hashable when their fields are."""


def replace(value: T, /, **changes: Any) -> T:
    """The same value, or frozen dataclass, with other values in some fields.

    Raises:
        TypeError: there is no such field.
    """
    if isinstance(value, msgspec.Struct):
        return changed(value, **changes)
    return dataclasses.replace(value, **changes)  # type: ignore[type-var]


def field_names(kind: type) -> tuple[str, ...]:
    """Names of the fields of a kind of value, or of a dataclass, in their order."""
    if issubclass(kind, msgspec.Struct):
        return kind.__struct_fields__
    return tuple(field.name for field in dataclasses.fields(kind))  # type: ignore[arg-type]


def as_dict(value: Any) -> Any:
    """A value or dataclass as a dictionary by field name, and so on for what it holds; other things as they are."""
    if isinstance(value, msgspec.Struct) or (dataclasses.is_dataclass(value) and not isinstance(value, type)):
        return {name: as_dict(getattr(value, name)) for name in field_names(type(value))}
    if isinstance(value, dict):
        return {key: as_dict(each) for key, each in value.items()}
    if isinstance(value, list | tuple):
        return [as_dict(each) for each in value]
    return value
