"""Which strategy is to decide: its name, and the parameters that differ from its defaults."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class StrategyChoice:
    """A strategy as settings and commands ask for it.

    Attributes:
        params: values as text by parameter name; `SYMBOL.name` is for one symbol, and wins there.
    """

    name: str
    params: Mapping[str, str] = field(default_factory=dict)

    def symbols(self) -> set[str]:
        """Symbols that have parameters of their own."""
        return {symbol for symbol, dot, _ in map(_parted, self.params) if dot}

    def params_of(self, symbol: str) -> dict[str, str]:
        """The parameters that hold for `symbol`, by their bare names."""
        parted = [(*_parted(key), value) for key, value in self.params.items()]
        shared = {name: value for _, dot, name, value in parted if not dot}
        return shared | {name: value for owner, dot, name, value in parted if dot and owner == symbol}

    def __str__(self) -> str:
        """`rsi_momentum (rsi_period=10, ETHUSDT.rsi_period=14)`."""
        params = ", ".join(f"{name}={value}" for name, value in self.params.items())
        return f"{self.name} ({params})" if params else self.name


def _parted(key: str) -> tuple[str, str, str]:
    """Symbol (empty when for all), dot or nothing, bare name."""
    return key.rpartition(".")
