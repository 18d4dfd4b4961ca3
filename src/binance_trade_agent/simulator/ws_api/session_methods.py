"""The methods that only the WebSocket API has: session.* and userDataStream.* (binance-protocol.md 5.2, 5.3)."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from binance_trade_agent.simulator.access import Credentials, check_key_format, check_permission
from binance_trade_agent.simulator.errors import key_format_invalid, not_supported
from binance_trade_agent.simulator.exchange import Exchange
from binance_trade_agent.simulator.keys import KeyKind, Permission
from binance_trade_agent.simulator.parameters import INTEGER, SIGNED_PARAMETERS, Arguments, Form, Parameter
from binance_trade_agent.simulator.user_events import UserSubscriptions
from binance_trade_agent.simulator.ws_api.session import Session

SESSION_WEIGHT = 2


@dataclass(frozen=True, slots=True)
class SessionCall:
    """One request to a method of this module; its parameters have a sound syntax."""

    exchange: Exchange
    session: Session
    subscriptions: UserSubscriptions
    credentials: Credentials
    arguments: Arguments


@dataclass(frozen=True, slots=True)
class SessionMethod:
    """A method with its parameters beside apiKey."""

    form: Form
    handle: Callable[[SessionCall], Any]


def _log_on(call: SessionCall) -> dict[str, Any]:
    """Only Ed25519 keys may log on."""
    check_key_format(call.credentials.key)
    now_ms = call.exchange.now_ms
    key = call.exchange.access.authorise(call.credentials, call.arguments, None, now_ms)
    if key.verifier.kind is not KeyKind.ED25519:
        raise not_supported()
    call.session.log_on(key, now_ms)
    return _status(call)


def _log_out(call: SessionCall) -> dict[str, Any]:
    call.session.log_out()
    call.subscriptions.end_of_logon(call.exchange.now_ms)
    return _status(call)


def _status(call: SessionCall) -> dict[str, Any]:
    session = call.session
    return {
        "apiKey": session.key.key if session.key else None,
        "authorizedSince": session.authorised_ms,
        "connectedSince": session.connected_ms,
        "returnRateLimits": session.shows_limits,
        "serverTime": call.exchange.now_ms,
        "userDataStream": bool(call.subscriptions.ids),
    }


def _subscriptions(call: SessionCall) -> list[dict[str, int]]:
    return [{"subscriptionId": number} for number in call.subscriptions.ids]


def _subscribe(call: SessionCall) -> dict[str, int]:
    key = call.session.key
    if key is None:
        raise key_format_invalid()
    check_permission(key, Permission.USER_STREAM)
    return {"subscriptionId": call.subscriptions.subscribe(key.account, by_logon=True)}


def _subscribe_signed(call: SessionCall) -> dict[str, int]:
    check_key_format(call.credentials.key)
    access = call.exchange.access
    key = access.authorise(call.credentials, call.arguments, Permission.USER_STREAM, call.exchange.now_ms)
    return {"subscriptionId": call.subscriptions.subscribe(key.account, by_logon=False)}


def _unsubscribe(call: SessionCall) -> dict[str, Any]:
    call.subscriptions.unsubscribe(call.arguments.integer("subscriptionId"), call.exchange.now_ms)
    return {}


_NOTHING = Form(())
_SIGNED = Form(SIGNED_PARAMETERS)

SESSION_METHODS: Mapping[str, SessionMethod] = {
    "session.logon": SessionMethod(_SIGNED, _log_on),
    "session.logout": SessionMethod(_NOTHING, _log_out),
    "session.status": SessionMethod(_NOTHING, _status),
    "session.subscriptions": SessionMethod(_NOTHING, _subscriptions),
    "userDataStream.subscribe": SessionMethod(_NOTHING, _subscribe),
    "userDataStream.subscribe.signature": SessionMethod(_SIGNED, _subscribe_signed),
    "userDataStream.unsubscribe": SessionMethod(Form((Parameter("subscriptionId", INTEGER),)), _unsubscribe),
}
