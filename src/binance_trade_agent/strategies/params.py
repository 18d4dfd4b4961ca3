"""What the parameters of every strategy have in common."""

from pydantic import BaseModel, ConfigDict


class StrategyParams(BaseModel):
    """A strategy's parameters: immutable, each with bounds and a description that names its unit.

    Names carry the indicator (`rsi_period`), so that one set of parameters reads the same in every strategy that uses
    the indicator.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", allow_inf_nan=False)
