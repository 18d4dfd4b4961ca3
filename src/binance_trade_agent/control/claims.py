"""The claims of the daemons that share an account at one moment, and where they meet."""

from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

from binance_trade_agent.domain.claims import Claim, Halt


class ClaimsAwayError(Exception):
    """Redis, through which the daemons of an account agree, does not answer. Exit code 1."""


@dataclass(frozen=True, slots=True)
class Claims:
    """What is claimed of an account at one moment.

    Attributes:
        by_instance: all claims, of daemons that run and of others.
        live: instances whose lease is held.
        whole: whoever has all of the account, as its lease says; empty for nobody.
    """

    by_instance: Mapping[str, Claim]
    live: frozenset[str]
    whole: str

    def others(self, instance: str) -> list[Claim]:
        """The claims of all but one."""
        return [claim for name, claim in sorted(self.by_instance.items()) if name != instance]


class ClaimStore(Protocol):
    """Where the claims of an account are: read and changed in one step, or not at all.

    Every method may raise ClaimsAwayError.
    """

    async def look(self) -> Claims:
        """All claims."""
        ...

    async def change(self, decide: Callable[[Claims], Claim | None]) -> Claims:
        """Write the claim that `decide` makes of all that are there, or nothing; returns those it was made of.

        Nobody else's claim has changed meanwhile: else `decide` is called again. What it raises is passed on.
        """
        ...

    async def forget(self, instance: str) -> bool:
        """Take the claim of a daemon away that does not run any more. Returns whether there was one."""
        ...

    async def ask(self, instances: Collection[str], halt: Halt) -> None:
        """Leave it for these daemons, until each has heard it."""
        ...

    async def hear(self, instance: str, obey: Callable[[Sequence[Halt]], Awaitable[None]]) -> None:
        """Have `obey` see to what was left for a daemon, oldest first; what it raises leaves all of it there."""
        ...
