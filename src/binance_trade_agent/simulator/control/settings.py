"""The settings of POST /sim/config, each a function of the simulation and of the value that was sent."""

import base64
import binascii
import re
from decimal import Decimal
from typing import Any, Literal

import msgspec

from binance_trade_agent.domain.symbols import symbol_rules
from binance_trade_agent.domain.values import replace
from binance_trade_agent.matching.commission import CommissionRates, CommissionSchedule
from binance_trade_agent.simulator.control.bodies import Number, decimal
from binance_trade_agent.simulator.exchange import MAIN_ACCOUNT
from binance_trade_agent.simulator.faults.kinds import EventBeforeResponse
from binance_trade_agent.simulator.fields import read_choice, read_fields
from binance_trade_agent.simulator.keys import ALL_PERMISSIONS, ApiKey, HmacSecret, Permission, Verifier, public_key
from binance_trade_agent.simulator.simulation import Simulation

_KEY = re.compile(r"[A-Za-z0-9]{64}")
_ED25519_PREFIX = bytes.fromhex("302a300506032b6570032100")  # of a public key in DER (RFC 8410)
_ED25519_BYTES = 32
# How other programs name the fields of a key; `type` and `kind` say what the key itself shows.
_OTHER_KEY_FIELDS = {
    "apiKey": "key",
    "api_key": "key",
    "secretKey": "secret",
    "apiSecret": "secret",
    "api_secret": "secret",
    "publicKey": "public_key",
    "pem": "public_key",
}
PermissionName = Literal["TRADE", "USER_DATA", "USER_STREAM"]


class KeySetting(msgspec.Struct, forbid_unknown_fields=True):
    """An API key of an account: a secret (HMAC), or a public key (RSA, Ed25519) as PEM or as base64 of its DER."""

    key: str
    secret: str | None = None
    public_key: str | None = None
    account: str = MAIN_ACCOUNT
    permissions: list[PermissionName] | None = None


class AccountSetting(msgspec.Struct, forbid_unknown_fields=True):
    """A new account with its balances, free, per asset."""

    name: str
    balances: dict[str, Number] = {}


class DepositSetting(msgspec.Struct, forbid_unknown_fields=True):
    """A deposit from outside; the user stream tells of it with balanceUpdate."""

    asset: str
    amount: Number
    account: str = MAIN_ACCOUNT


class CommissionSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Commission of all accounts, fractions: 0.001 is 0.1 %."""

    maker: Number
    taker: Number


class BnbDiscountSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Whether an account pays commission in BNB, and how much less, as a fraction."""

    enabled: bool = True
    account: str = MAIN_ACCOUNT
    rate: Number | None = None


class SymbolSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Fields of a symbol's entry in exchangeInfo that are to be others; filters by their type, the rest stay."""

    symbol: str
    status: Literal["TRADING", "END_OF_DAY", "HALT", "BREAK", "CANCEL_ONLY"] | None = None
    filters: list[dict[str, Any]] = []
    remove_filters: list[str] = []
    fields: dict[str, Any] = {}


class AccountPermissionsSetting(msgspec.Struct, forbid_unknown_fields=True):
    """The permission groups of an account, such as SPOT or TRD_GRP_050."""

    permissions: list[str]
    account: str = MAIN_ACCOUNT


class SocketSetting(msgspec.Struct, forbid_unknown_fields=True):
    """Life of new WebSocket connections, real seconds."""

    ping_seconds: float | None = None
    pong_seconds: float | None = None
    age_seconds: float | None = None


def register_key(simulation: Simulation, value: Any) -> None:
    """`api_key`: let a key in, or replace it."""
    if isinstance(value, dict):
        value = {
            _OTHER_KEY_FIELDS.get(name, name): each for name, each in value.items() if name not in {"type", "kind"}
        }
    setting = read_fields(value, KeySetting, "api_key")
    if not _KEY.fullmatch(setting.key):
        raise ValueError(f"api_key field 'key' must be 64 letters and digits, not {setting.key!r}")
    account = _account(simulation, setting.account)
    names = setting.permissions
    permissions = ALL_PERMISSIONS if names is None else frozenset(map(Permission, names))
    simulation.exchange.access.register(ApiKey(setting.key, _verifier(setting), account, permissions))


def revoke_key(simulation: Simulation, value: Any) -> None:
    """`revoke_api_key`: shut a key out."""
    if not isinstance(value, str) or not simulation.exchange.access.revoke(value):
        raise ValueError(f"revoke_api_key must be a key that is registered, not {value!r}")


def open_account(simulation: Simulation, value: Any) -> None:
    """`account`: open one more account."""
    setting = read_fields(value, AccountSetting, "account")
    balances = {asset: decimal(amount, f"balance of {asset}") for asset, amount in setting.balances.items()}
    if negative := [asset for asset, amount in balances.items() if amount < 0]:
        raise ValueError(f"balance of {negative[0]} must not be below 0")
    simulation.exchange.open_account(setting.name, balances)


def deposit(simulation: Simulation, value: Any) -> None:
    """`deposit`: credit an account, or debit it with a negative amount."""
    setting = read_fields(value, DepositSetting, "deposit")
    amount = decimal(setting.amount, "deposit amount")
    simulation.exchange.deposit(_account(simulation, setting.account), setting.asset, amount)


def set_commission(simulation: Simulation, value: Any) -> None:
    """`commission`: the standard rates."""
    setting = read_fields(value, CommissionSetting, "commission")
    rates = CommissionRates(_fraction(setting.maker, "maker"), _fraction(setting.taker, "taker"))
    settlement = simulation.exchange.engine.settlement
    schedule = CommissionSchedule(rates, settlement.commissions.tax, settlement.commissions.special)
    schedule.discount = settlement.commissions.discount
    settlement.commissions = schedule


def set_bnb_discount(simulation: Simulation, value: Any) -> None:
    """`bnb_discount`: switch it on or off for an account."""
    setting = read_fields(value, BnbDiscountSetting, "bnb_discount")
    account = _account(simulation, setting.account)
    discount = simulation.exchange.engine.settlement.commissions.discount
    if setting.rate is not None:
        discount.fraction = _fraction(setting.rate, "rate")
    (discount.accounts.add if setting.enabled else discount.accounts.discard)(account)


def change_symbol(simulation: Simulation, value: Any) -> None:
    """`symbol`: its status, its filters, and other fields of its entry in exchangeInfo."""
    setting = read_fields(value, SymbolSetting, "symbol")
    exchange = simulation.exchange
    symbol = read_choice(setting.symbol, list(exchange.listings), "symbol")
    entry, removed = dict(exchange.listings[symbol]), setting.remove_filters
    for name, field in setting.fields.items():
        was = entry[read_choice(name, list(entry), "symbol field")]
        if type(field) is not type(was):
            raise ValueError(f"symbol field {name!r} must be something like {was!r}, not {field!r}")
        entry[name] = field
    if setting.status is not None:
        entry["status"] = setting.status
    new = {str(each.get("filterType")): each for each in setting.filters}
    try:
        kept = {each["filterType"]: each for each in entry["filters"]}
        entry["filters"] = [each for name, each in (kept | new).items() if name in new or name not in removed]
        rules = symbol_rules(entry)
    except KeyError as error:
        raise ValueError(f"symbol {symbol} cannot have these filters: one of them has no field {error}") from None
    except (ArithmeticError, TypeError, ValueError):
        raise ValueError(
            f"symbol {symbol} cannot have these filters: one of them has a field that is no number"
        ) from None
    exchange.listings[symbol] = entry
    exchange.engine.listings[symbol].rules = rules


def set_account_permissions(simulation: Simulation, value: Any) -> None:
    """`account_permissions`: the symbols that an account may trade, by their permission sets."""
    setting = read_fields(value, AccountPermissionsSetting, "account_permissions")
    account = _account(simulation, setting.account)
    simulation.exchange.customers[account].permissions = tuple(setting.permissions)


def set_socket_rules(simulation: Simulation, value: Any) -> None:
    """`websocket`: pings and the longest age."""
    setting = read_fields(value, SocketSetting, "websocket")
    changes = {name: number for name, number in msgspec.structs.asdict(setting).items() if number is not None}
    if too_small := [name for name, number in changes.items() if number <= 0]:
        raise ValueError(f"websocket field {too_small[0]!r} must be above 0")
    simulation.streams.rules = replace(simulation.streams.rules, **changes)
    simulation.ws_api_rules = replace(simulation.ws_api_rules, **changes)


def set_cancel_replaces_client_id(simulation: Simulation, value: Any) -> None:
    """`cancel_replaces_client_id`: see Switches."""
    simulation.exchange.switches.cancel_replaces_client_id = _flag(value, "cancel_replaces_client_id")


def set_rejected_reports(simulation: Simulation, value: Any) -> None:
    """`rejected_reports`: see Switches."""
    simulation.exchange.switches.report_rejected_orders = _flag(value, "rejected_reports")


def set_liquidity_is_consumed(simulation: Simulation, value: Any) -> None:
    """`liquidity_is_consumed`: see Switches."""
    simulation.exchange.switches.liquidity_is_consumed = _flag(value, "liquidity_is_consumed")


def set_event_before_response(simulation: Simulation, value: Any) -> None:
    """`event_before_response`: user events arrive before the answer to the request that caused them, always."""
    is_wanted = _flag(value, "event_before_response")
    for switched in simulation.faults.listed():
        if switched["kind"] == "event_before_response" and switched.get("count", 1) is None:
            simulation.faults.remove(switched["id"])
    if is_wanted:
        simulation.faults.add(EventBeforeResponse(count=None))


def _account(simulation: Simulation, name: str) -> str:
    return read_choice(name, list(simulation.exchange.engine.accounts), "account")


def _verifier(setting: KeySetting) -> Verifier:
    if (setting.secret is None) is (setting.public_key is None):
        raise ValueError("api_key needs either the field 'secret' (HMAC) or 'public_key' (RSA, Ed25519)")
    return HmacSecret(setting.secret) if setting.secret is not None else public_key(_pem(str(setting.public_key)))


def _pem(text: str) -> str:
    """The PEM text of a public key that is given as such, or as the base64 of its DER or of Ed25519's 32 bytes."""
    if "-----BEGIN" in text:
        return text
    try:
        raw = base64.b64decode(text, validate=True)
    except binascii.Error:
        return text
    der = _ED25519_PREFIX + raw if len(raw) == _ED25519_BYTES else raw
    return f"-----BEGIN PUBLIC KEY-----\n{base64.encodebytes(der).decode()}-----END PUBLIC KEY-----\n"


def _fraction(value: Any, name: str) -> Decimal:
    fraction = decimal(value, name)
    if not 0 <= fraction < 1:
        raise ValueError(f"{name} must be a fraction from 0 to below 1, not {value!r}")
    return fraction


def _flag(value: Any, name: str) -> bool:
    if not isinstance(value, bool):
        raise ValueError(f"{name} must be true or false, not {value!r}")  # noqa: TRY004 (answered like other mistakes)
    return value
