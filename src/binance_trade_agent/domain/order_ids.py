"""Client order ids: made from the decision, marked with the daemon's generation, and recognised again.

`btak3v-BTCUSDT-2s-0f3c5a9be1d274`: the program and three characters of the instance, the symbol (up to 8 characters),
the fence in base 36, the decision's digest. The fence is the number of the daemon's generation on the account, so an
order says which of two daemons sent it; the digest leaves it out, so the same decision has the same digest in every
generation. At most 36 characters of `[A-Za-z0-9-]`: others break python-binance's signature (binance-protocol.md 2.2).
"""

import hashlib
import re
from dataclasses import dataclass
from functools import lru_cache

CLIENT_ORDER_ID_PREFIX = "bta"
_CANCEL_PREFIX = "btx"
LARGEST_FENCE = 36**5 - 1  # five characters of the 36 are left for it

_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"
_TAG_CHARACTERS, _LABEL_CHARACTERS, _DIGEST_CHARACTERS = 3, 8, 14
_FORM = re.compile(r"bta([0-9a-z]{3})-([A-Za-z0-9]{0,8})-([0-9a-z]{1,5})-([0-9a-f]{14})")
# Made before there were fences; the digest is the same one, two characters longer.
_FIRST_FORM = re.compile(r"bta-[A-Za-z0-9]{0,12}-([0-9a-f]{16})")


@dataclass(frozen=True, slots=True)
class OwnOrderId:
    """What an id of this program says.

    Attributes:
        tag: three characters for the instance (TRADING_INSTANCE).
        symbol_label: what a person sees of the symbol.
        fence: number of the daemon's generation on the account.
        digest: 14 hex digits of the decision.
    """

    tag: str
    symbol_label: str
    fence: int
    digest: str


def client_order_id(
    *, instance: str, epoch: int, strategy: str, symbol: str, tick_ms: int, leg: str, attempt: int, fence: int = 0
) -> str:
    """The id of the order that one decision leads to: the same decision gives the same digest, after a crash too.

    Raises:
        ValueError: the fence is negative or too large to be told in an id.
    """
    if not 0 <= fence <= LARGEST_FENCE:
        raise ValueError(f"fence {fence} does not fit into a client order id; it goes up to {LARGEST_FENCE}")
    decision = f"{instance}|{epoch}|{strategy}|{symbol}|{tick_ms}|{leg}|{attempt}"
    digest = hashlib.blake2b(decision.encode(), digest_size=8).hexdigest()[:_DIGEST_CHARACTERS]
    return f"{_head(instance, symbol, fence)}-{digest}"


@lru_cache
def _head(instance: str, symbol: str, fence: int) -> str:
    """What all ids of a symbol in one generation begin with."""
    label = "".join(character for character in symbol if character.isascii() and character.isalnum())
    return f"{CLIENT_ORDER_ID_PREFIX}{instance_tag(instance)}-{label[:_LABEL_CHARACTERS]}-{_base36(fence)}"


@lru_cache
def instance_tag(instance: str) -> str:
    """Three characters by which the orders of a TRADING_INSTANCE are told from those of another."""
    number = int.from_bytes(hashlib.blake2b(instance.encode(), digest_size=8).digest())
    return _base36(number % 36**_TAG_CHARACTERS).rjust(_TAG_CHARACTERS, "0")


def parse_order_id(text: str) -> OwnOrderId | None:
    """What an id says; None for one that is not ours, or was made before there were fences."""
    found = _FORM.fullmatch(text)
    if found is None:
        return None
    tag, label, fence, digest = found.groups()
    return OwnOrderId(tag, label, int(fence, 36), digest)


def cancel_id(order_id: str) -> str | None:
    """The id of the cancel of an order of ours, from which `placed_as` tells the order's; None for another's.

    The exchange shows it in place of the order's own from then on (binance-protocol.md 1.3, DELETE order).
    """
    return f"{_CANCEL_PREFIX}{order_id[len(CLIENT_ORDER_ID_PREFIX) :]}" if _FORM.fullmatch(order_id) else None


def placed_as(shown_id: str) -> str:
    """The id under which an order was placed that the exchange shows under `shown_id`, where that is our cancel's."""
    order_id = f"{CLIENT_ORDER_ID_PREFIX}{shown_id[len(_CANCEL_PREFIX) :]}"
    return order_id if shown_id == cancel_id(order_id) else shown_id


def is_bta_order_id(order_id: str) -> bool:
    """Whether this program made the id, whichever instance of it."""
    return order_id.startswith(f"{CLIENT_ORDER_ID_PREFIX}-") or parse_order_id(order_id) is not None


def is_own_order_id(order_id: str, instance: str | None = None) -> bool:
    """Whether an order is ours; the others are foreign and are left alone.

    Args:
        order_id: client order id.
        instance: only the orders of this instance are ours. Ids from before there were tags are everybody's.
    """
    own = parse_order_id(order_id)
    if own is None or instance is None:
        return is_bta_order_id(order_id)
    return own.tag == instance_tag(instance)


def decision_digest(order_id: str) -> str:
    """What two orders for the same decision have in common, whoever sent them: the digest, or the id itself.

    An id of the form without a fence has the same digest as its decision would have today. An id that is not of this
    program stands for itself.
    """
    if own := parse_order_id(order_id):
        return own.digest
    if found := _FIRST_FORM.fullmatch(order_id):
        return found[1][:_DIGEST_CHARACTERS]
    return order_id


def _base36(number: int) -> str:
    digits = ""
    while number:
        number, digit = divmod(number, 36)
        digits = _DIGITS[digit] + digits
    return digits or "0"
