"""Another daemon of this program on the same account, recognised by its orders where no lease tells of it."""

from collections.abc import Container, Iterable
from dataclasses import dataclass

from binance_trade_agent.domain.order_ids import instance_tag, is_bta_order_id, parse_order_id
from binance_trade_agent.domain.orders import OrderReport


@dataclass(frozen=True, slots=True)
class Stranger:
    """An order that this program made and that the ledger does not know.

    Attributes:
        tag: of the instance that made it, empty for an id from before there were tags.
        fence: generation of the daemon that made it, None for the same.
    """

    report: OrderReport
    tag: str
    fence: int | None

    def told(self, instance: str) -> str:
        """One sentence on what it means for the daemon `instance`."""
        if not self.tag:
            who = "an older version of this program"
        elif self.tag == instance_tag(instance):
            who = f"generation {self.fence} of this same TRADING_INSTANCE ({instance})"
        else:
            who = f"generation {self.fence} of another TRADING_INSTANCE (tag {self.tag})"
        return (
            f"order {self.report.client_order_id} on {self.report.symbol} was made by {who} and is not in this ledger: "
            "another daemon trades on this account, or this ledger is not the account's only one"
        )


def strangers(reports: Iterable[OrderReport], known_ids: Container[str]) -> list[Stranger]:
    """The orders among `reports` that carry our mark but are not in `known_ids`, the ids of the ledger."""
    found = []
    for report in reports:
        if report.client_order_id in known_ids or not is_bta_order_id(report.client_order_id):
            continue
        own = parse_order_id(report.client_order_id)
        found.append(Stranger(report, own.tag if own else "", own.fence if own else None))
    return found
