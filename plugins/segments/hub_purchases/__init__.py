"""Cut customers by what they bought: high and low spenders, one-time buyers, coupon lovers."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from hub import api

YEAR = timedelta(days=365)
LONGEST = timedelta(days=3650)

orders_in_window = api.Base(
    "orders in the window",
    """
    with bought as (
        select
            person_id,
            count(*) as orders,
            sum(net) as spend,
            count(*) filter (where discounted) as discounted_orders,
            coalesce(sum(discount), 0) as discounts,
            max(placed_at) as last_order_at
        from orders
        where counted and person_id is not null
            and placed_at > $as_of - $window and placed_at <= $as_of
        group by person_id
    )
    select
        person_id, orders, spend::decimal(18, 2) as spend, discounted_orders,
        discounted_orders / orders as discounted_share,
        round((discounts / nullif(spend + discounts, 0))::double, 4) as discount_share_of_value,
        last_order_at
    from bought
    """,
    absent="no counted order in the last {window}",
    units={
        "orders": "orders",
        "spend": "money",
        "discounted_orders": "orders",
        "discounted_share": "share",
        "discount_share_of_value": "share",
        "last_order_at": "time",
    },
)


def _window() -> Any:
    return api.Field(
        default=YEAR,
        gt=timedelta(0),
        le=LONGEST,
        description="how far back orders count, in days (365d); at most 3650d",
    )


class HighSpendersConfig(api.Config):
    """Settings of high-spenders."""

    window: api.Duration = _window()
    percentile: float = api.Field(
        default=90, gt=0, le=100, description="percentile of buyers' net spend to reach, 0 to 100 (90: the top tenth)"
    )
    min_spend: Decimal | None = api.Field(
        default=None, ge=0, description="net spend to reach, in the client's currency; replaces the percentile"
    )
    min_orders: int = api.Field(
        default=2, ge=1, description="counted orders in the window, so that one big one is not enough"
    )


class HighSpenders(api.Segment[HighSpendersConfig]):
    """Customers in the top share of net spend, and not by a single lucky order.

    Who: people with at least min_orders (2) counted orders in the window (365d) whose net spend there reaches the
    percentile (90) of all buyers in the window, or min_spend where it is set. Counted orders are pending or paid
    and no test; net spend is their total less refunds, so serial returners do not qualify. Equal spends are in or
    out together. Buyers only set the bar, never contacts who did not buy.

    Use it for: early access, thanks, a personal contact; as the half of "VIPs who left a cart". Message that
    suits: "first to see it", never a discount they would not need.
    """

    name = "high-spenders"
    version = 1
    Config = HighSpendersConfig
    base = orders_in_window
    rule = (
        api.at_least("orders", "$min_orders"),
        api.at_least("spend", "$min_spend"),
        api.at_least("spend", api.percentile("spend", "$percentile"), unless="min_spend"),
    )
    evidence = ("spend", "orders", "last_order_at")
    needs = (api.Need.ORDERS,)
    windows = ("window",)


class LowSpendersConfig(api.Config):
    """Settings of low-spenders."""

    window: api.Duration = _window()
    percentile: float = api.Field(
        default=25, gt=0, le=100, description="percentile of buyers' net spend not to exceed, 0 to 100"
    )
    max_spend: Decimal | None = api.Field(
        default=None, ge=0, description="net spend not to exceed, in the client's currency; replaces the percentile"
    )
    min_orders: int = api.Field(
        default=2, ge=1, description="counted orders in the window; 1 includes people who bought one cheap thing"
    )


class LowSpenders(api.Segment[LowSpendersConfig]):
    """Customers who buy, and come back, but spend little.

    Who: people with at least min_orders (2) counted orders in the window (365d) whose net spend there is at most
    the percentile (25) of all buyers in the window, or max_spend where it is set. Equal spends are in or out
    together.

    Use it for: bundles, free shipping from an amount just above their usual basket, related products. Message
    that suits: "goes well with what you have", not a further discount.
    """

    name = "low-spenders"
    version = 1
    Config = LowSpendersConfig
    base = orders_in_window
    rule = (
        api.at_least("orders", "$min_orders"),
        api.at_most("spend", "$max_spend"),
        api.at_most("spend", api.percentile("spend", "$percentile"), unless="max_spend"),
    )
    evidence = ("spend", "orders", "last_order_at")
    needs = (api.Need.ORDERS,)
    windows = ("window",)


class OneTimeConfig(api.Config):
    """Settings of one-time: there are none."""


class OneTime(api.Segment[OneTimeConfig]):
    """Customers who bought exactly once, ever.

    Who: people with exactly one counted order in all of the history (pending or paid, no test; an order refunded
    in full or cancelled does not count). It has no settings.

    Use it for: the second order, the step after which customers stay. Message that suits: how to use what they
    bought, then a reason to come back.
    """

    name = "one-time"
    version = 1
    Config = OneTimeConfig
    rule = (api.equals("orders", 1),)
    evidence = ("orders", "spend", "last_order_at")
    needs = (api.Need.ORDERS,)


class CouponLoversConfig(api.Config):
    """Settings of coupon-lovers."""

    window: api.Duration = _window()
    min_discounted: int = api.Field(default=2, ge=1, description="discounted counted orders in the window")
    min_share: float = api.Field(
        default=0.5, ge=0, le=1, description="discounted share of the orders, 0 to 1; 1 means only ever with discounts"
    )


class CouponLovers(api.Segment[CouponLoversConfig]):
    """Customers who rarely buy without a discount.

    Who: people with at least min_discounted (2) discounted counted orders in the window (365d), which are at
    least min_share (0.5) of their counted orders there. Discounted means a discount amount or a code; free
    shipping alone is neither. ``discount_share_of_value`` tells those who take 5 % from those who take 40 %.

    Use it for: sales and clearance; to leave them out of full-price launches (``none = ["coupon-lovers"]``).
    Message that suits: the offer itself, with its end date.
    """

    name = "coupon-lovers"
    version = 1
    Config = CouponLoversConfig
    base = orders_in_window
    rule = (
        api.at_least("discounted_orders", "$min_discounted"),
        api.at_least("discounted_share", "$min_share"),
    )
    evidence = (
        "discounted_orders",
        "discounted_share",
        "discount_share_of_value",
        "orders",
        "spend",
        "last_order_at",
    )
    needs = (api.Need.ORDERS,)
    windows = ("window",)


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [HighSpenders, LowSpenders, OneTime, CouponLovers]
