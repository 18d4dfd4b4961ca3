"""What the parameters of every strategy have in common."""

from annotated_types import Ge, Le
from pydantic import BaseModel, ConfigDict


class StrategyParams(BaseModel):
    """A strategy's parameters: immutable, each with bounds and a description that names its unit.

    Names carry the indicator (`rsi_period`), so that one set of parameters reads the same in every strategy that uses
    the indicator. A parameter is an int or a float with `ge=` and `le=`, or a bool, which has no bounds.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)


def kind_of(model: type[StrategyParams], parameter: str) -> type[object] | None:
    """What a parameter is: bool, int or float; None when it is none of these."""
    kinds: tuple[type[object], ...] = (bool, int, float)
    return next((kind for kind in kinds if model.model_fields[parameter].annotation is kind), None)


def bounds(model: type[StrategyParams], parameter: str) -> tuple[float | None, float | None]:
    """The least and the most that a parameter may be, both allowed; None where it has no such bound."""
    metadata = model.model_fields[parameter].metadata
    minimum = next((bound.ge for bound in metadata if isinstance(bound, Ge)), None)
    maximum = next((bound.le for bound in metadata if isinstance(bound, Le)), None)
    return minimum, maximum  # type: ignore[return-value]  # the bounds of numbers are numbers
