"""From a request to its outcome: the checks of binance-protocol.md 2.4 in their order, then the endpoint."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from binance_trade_agent.simulator.access import Credentials, check_key_format
from binance_trade_agent.simulator.endpoints.endpoint import Call, Endpoint
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.limits import AddressLimits, Window
from binance_trade_agent.simulator.parameters import Arguments

_TOO_MANY_REQUESTS = 429


@dataclass(slots=True)
class Outcome:
    """What came of a request.

    Attributes:
        payload: what is to be sent as JSON, when there is no error.
        order_counts: of the account, when the endpoint places orders and the request was let through to it.
    """

    payload: Any = None
    error: ApiError | None = None
    order_counts: Mapping[Window, int] = field(default_factory=dict)


def dispatch(
    exchange: Exchange,
    limits: AddressLimits,
    endpoint: Endpoint,
    sent: Sequence[tuple[str, str]],
    credentials: Credentials,
    received_ms: int | None = None,
) -> Outcome:
    """Answer one request at the present market time.

    Args:
        exchange: advanced to now.
        limits: of the client's address, which was admitted.
        endpoint: what is asked.
        sent: decoded parameters in the order of the request.
        credentials: key and signed bytes.
        received_ms: market time at which the request came in, when it has waited since; None: now.
    """
    now_ms = exchange.limits_now_ms()
    weight = endpoint.weight_of(sent, exchange.listings)
    outcome = Outcome()
    try:
        limits.charge(0 if endpoint.free_when_accepted else weight, now_ms)
    except ApiError as error:
        outcome.error = error
        return outcome
    try:
        call = _authorised(exchange, endpoint, sent, credentials, received_ms)
    except ApiError as error:
        outcome.error = error
    else:
        _carry_out(endpoint, call, outcome)
    if outcome.error is not None:
        if endpoint.free_when_accepted:
            limits.charge_afterwards(weight, now_ms)
        if outcome.error.status == _TOO_MANY_REQUESTS:
            limits.refused(now_ms)
    return outcome


def _authorised(
    exchange: Exchange,
    endpoint: Endpoint,
    sent: Sequence[tuple[str, str]],
    credentials: Credentials,
    received_ms: int | None,
) -> Call:
    now_ms = exchange.now_ms
    if endpoint.is_signed and credentials.session_key is None:
        check_key_format(credentials.key)
    arguments = endpoint.form.read(sent)
    if not endpoint.is_signed:
        return Call(exchange, arguments, "", now_ms)
    at_ms = now_ms if received_ms is None else received_ms
    account = exchange.access.authorise(credentials, arguments, endpoint.permission, at_ms).account
    if received_ms is not None:
        _check_delay(exchange, endpoint, arguments, account)
    return Call(exchange, arguments, account, now_ms)


def _check_delay(exchange: Exchange, endpoint: Endpoint, arguments: Arguments, account: str) -> None:
    """Look at the timestamp again right before the engine; a placement that is too late by now counts (2.3)."""
    try:
        exchange.access.check_time(arguments, exchange.now_ms)
    except ApiError:
        if endpoint.places_orders:
            exchange.count_orders(account, 1)
        raise


def _carry_out(endpoint: Endpoint, call: Call, outcome: Outcome) -> None:
    try:
        outcome.payload = endpoint.handle(call)
    except ApiError as error:
        outcome.error = error
    if endpoint.places_orders:
        exchange = call.exchange
        outcome.order_counts = exchange.order_count(call.account).counts(exchange.limits_now_ms())
