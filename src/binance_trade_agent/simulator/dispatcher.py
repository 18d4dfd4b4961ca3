"""From a request to an answer: the checks of binance-protocol.md 2.4 in their order, then the endpoint."""

from collections.abc import Sequence
from typing import Any

from binance_trade_agent.simulator.access import Credentials, Permission, check_key_format
from binance_trade_agent.simulator.endpoints.endpoint import Call, Endpoint
from binance_trade_agent.simulator.errors import ApiError
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.limits import WeightLimit
from binance_trade_agent.simulator.parameters import read_parameters


def check_limits(exchange: Exchange, weights: WeightLimit, weight: int) -> None:
    """Refuse a banned address, and charge the weight of a request.

    Raises:
        ApiError: 418 or 429.
    """
    now_ms = exchange.limits_now_ms()
    weights.check_ban(now_ms)
    weights.charge(weight, now_ms)


def dispatch(
    exchange: Exchange,
    weights: WeightLimit,
    endpoint: Endpoint,
    sent: Sequence[tuple[str, str]],
    credentials: Credentials,
) -> tuple[Any, dict[str, str]]:
    """Answer one request at the present market time.

    Args:
        exchange: advanced to now.
        weights: of the client's address.
        endpoint: what is asked.
        sent: decoded parameters in the order of the request.
        credentials: key and signed bytes.

    Returns:
        What is to be sent as JSON, and the endpoint's own response headers.

    Raises:
        ApiError: any refusal.
    """
    weight = endpoint.weight_of(dict(sent))
    check_limits(exchange, weights, 0 if endpoint.free_when_accepted else weight)
    try:
        call = _authorised(exchange, endpoint, sent, credentials)
        return endpoint.handle(call), call.headers
    except ApiError:
        if endpoint.free_when_accepted:
            weights.charge(weight, exchange.limits_now_ms())
        raise


def _authorised(
    exchange: Exchange, endpoint: Endpoint, sent: Sequence[tuple[str, str]], credentials: Credentials
) -> Call:
    if endpoint.is_signed:
        check_key_format(credentials.key)
    arguments = read_parameters(endpoint.parameters, sent)
    account = ""
    if endpoint.permission is not Permission.NONE:
        account = exchange.access.authorise(credentials, arguments, endpoint.permission, exchange.now_ms)
    return Call(exchange, arguments, account, exchange.now_ms)
