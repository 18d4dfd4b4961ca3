"""The account itself: balances, rates, order count (binance-protocol.md 1.4)."""

from decimal import Decimal

from binance_trade_agent.simulator.endpoints.endpoint import REQUIRED_SYMBOL, Call, Endpoint
from binance_trade_agent.simulator.keys import Permission
from binance_trade_agent.simulator.parameters import BOOLEAN, Parameter
from binance_trade_agent.simulator.payloads import Json, account_commission, balance_rows, commission_rates

_TENTHS_OF_PERMILLE = 10_000  # makerCommission is in 1/10000


def _account(call: Call) -> Json:
    engine = call.exchange.engine
    customer = call.exchange.customers[call.account]
    rates = engine.settlement.commissions.standard
    return {
        "makerCommission": _in_tenths_of_permille(rates.maker),
        "takerCommission": _in_tenths_of_permille(rates.taker),
        "buyerCommission": _in_tenths_of_permille(rates.buyer),
        "sellerCommission": _in_tenths_of_permille(rates.seller),
        "commissionRates": commission_rates(rates),
        "canTrade": True,
        "canWithdraw": True,
        "canDeposit": True,
        "brokered": False,
        "requireSelfTradePrevention": False,
        "preventSor": False,
        "updateTime": customer.updated_ms,
        "accountType": "SPOT",
        "balances": balance_rows(
            engine.accounts[call.account], omit_zero=call.arguments.flag("omitZeroBalances", default=False)
        ),
        "permissions": customer.permissions,
        "uid": customer.uid,
    }


def _order_limits(call: Call) -> list[Json]:
    counts = call.exchange.order_count(call.account).counts(call.exchange.limits_now_ms())
    return [{**window.payload(), "count": count} for window, count in counts.items()]


def _commission(call: Call) -> Json:
    return account_commission(call.exchange.engine.settlement.commissions, call.account, call.symbol())


def _in_tenths_of_permille(rate: Decimal) -> int:
    return int(rate * _TENTHS_OF_PERMILLE)


ENDPOINTS: tuple[Endpoint, ...] = (
    Endpoint(
        "GET",
        "/api/v3/account",
        "account.status",
        Permission.USER_DATA,
        20,
        _account,
        (Parameter("omitZeroBalances", BOOLEAN),),
    ),
    Endpoint(
        "GET",
        "/api/v3/rateLimit/order",
        "account.rateLimits.orders",
        Permission.USER_DATA,
        40,
        _order_limits,
    ),
    Endpoint(
        "GET",
        "/api/v3/account/commission",
        "account.commission",
        Permission.USER_DATA,
        20,
        _commission,
        (REQUIRED_SYMBOL,),
    ),
)
