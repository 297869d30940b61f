"""Cut buyers by how much, how often and at which price they bought in a window."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import TypeVar

from hub import api

YEAR = timedelta(days=365)
LONGEST = timedelta(days=3650)

orders_in_window = api.Base(
    "orders in the window",
    """
    with left_out as (
        select person_id from customers
        where $exclude_tags::varchar[] is not null and list_has_any(
            list_transform(tags, lambda t: lower(t)), list_transform($exclude_tags::varchar[], lambda t: lower(t)))
    )
    select * from bought anti join left_out using (person_id)
    """,
    parts={"bought": api.BOUGHT_IN_WINDOW},
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


class BuyersConfig(api.Config):
    """What all strategies about buyers in a window have."""

    window: api.Duration = api.Field(
        default=YEAR,
        gt=timedelta(0),
        le=LONGEST,
        description="how far back orders count, in days (365d); at most 3650d",
    )
    exclude_tags: tuple[str, ...] | None = api.Field(
        default=None,
        min_length=1,
        description="customers with one of these tags are left out, of percentiles too, such as wholesale and staff",
    )


BuyersConfigT = TypeVar("BuyersConfigT", bound=BuyersConfig)


class Buyers(api.Segment[BuyersConfigT]):
    """What all strategies about buyers in a window share: one pass over the orders."""

    base = orders_in_window
    needs = (api.Need.ORDERS,)
    windows = ("window",)

    def __init__(self, config: BuyersConfigT) -> None:
        super().__init__(config)
        if config.exclude_tags:
            self.base = replace(self.base, absent=f"{self.base.absent}, or left out by a tag of exclude_tags")


class HighSpendersConfig(BuyersConfig):
    """Settings of high-spenders."""

    percentile: float = api.Field(
        default=90, gt=0, le=100, description="percentile of buyers' net spend to reach, 0 to 100 (90: the top tenth)"
    )
    min_spend: Decimal | None = api.Field(
        default=None, ge=0, description="net spend to reach, in the client's currency; replaces the percentile"
    )
    min_orders: int = api.Field(
        default=2, ge=1, description="counted orders in the window, so that one big one is not enough"
    )


class HighSpenders(Buyers[HighSpendersConfig]):
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
    rule = (
        api.at_least("orders", "$min_orders"),
        api.at_least("spend", "$min_spend"),
        api.at_least("spend", api.percentile("spend", "$percentile"), unless="min_spend"),
    )
    evidence = ("spend", "orders", "last_order_at")


class LowSpendersConfig(BuyersConfig):
    """Settings of low-spenders."""

    percentile: float = api.Field(
        default=25, gt=0, le=100, description="percentile of buyers' net spend not to exceed, 0 to 100"
    )
    max_spend: Decimal | None = api.Field(
        default=None, ge=0, description="net spend not to exceed, in the client's currency; replaces the percentile"
    )
    min_orders: int = api.Field(
        default=2, ge=1, description="counted orders in the window; 1 includes people who bought one cheap thing"
    )


class LowSpenders(Buyers[LowSpendersConfig]):
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
    rule = (
        api.at_least("orders", "$min_orders"),
        api.at_most("spend", "$max_spend"),
        api.at_most("spend", api.percentile("spend", "$percentile"), unless="max_spend"),
    )
    evidence = ("spend", "orders", "last_order_at")


class CouponLoversConfig(BuyersConfig):
    """Settings of coupon-lovers."""

    min_discounted: int = api.Field(default=2, ge=1, description="discounted counted orders in the window")
    min_share: float = api.Field(
        default=0.5, ge=0, le=1, description="discounted share of the orders, 0 to 1; 1 means only ever with discounts"
    )


class CouponLovers(Buyers[CouponLoversConfig]):
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


class FullPriceConfig(BuyersConfig):
    """Settings of full-price."""

    min_orders: int = api.Field(default=2, ge=1, description="counted orders in the window, none of them discounted")


class FullPrice(Buyers[FullPriceConfig]):
    """Customers who come back without any discount.

    Who: people with at least min_orders (2) counted orders in the window (365d), none of them discounted. Discounted
    means a discount amount or a code; free shipping alone is neither, and a price that was lowered for everyone is no
    discount either. An unknown discount counts as none.

    Use it for: launches, early access, a check on how many codes the shop needs. Message that suits: what is new and
    why it is good; keep codes away from them.
    """

    name = "full-price"
    version = 1
    starter = False
    Config = FullPriceConfig
    rule = (
        api.at_least("orders", "$min_orders"),
        api.equals("discounted_orders", 0),
    )
    evidence = ("orders", "spend", "last_order_at")


class FrequentBuyersConfig(BuyersConfig):
    """Settings of frequent-buyers."""

    min_orders: int = api.Field(default=3, ge=2, description="counted orders in the window")


class FrequentBuyers(Buyers[FrequentBuyersConfig]):
    """Customers who buy often, whatever they spend.

    Who: people with at least min_orders (3) counted orders in the window (365d).

    Use it for: loyalty programmes, subscriptions, asking for reviews and referrals. Message that suits: thanks, and
    something that makes the next order easier.
    """

    name = "frequent-buyers"
    version = 1
    starter = False
    Config = FrequentBuyersConfig
    rule = (api.at_least("orders", "$min_orders"),)
    evidence = ("orders", "spend", "last_order_at")


class OccasionalBuyersConfig(BuyersConfig):
    """Settings of occasional-buyers."""

    max_orders: int = api.Field(default=2, ge=1, description="counted orders in the window: at most this")


class OccasionalBuyers(Buyers[OccasionalBuyersConfig]):
    """Customers who buy now and then.

    Who: people with at least 1 and at most max_orders (2) counted orders in the window (365d). With the defaults it
    is the other half of frequent-buyers: every buyer of the window is in exactly one of the two.

    Use it for: reasons to come by more often: bundles, reminders of what runs out, the seasons. Message that suits:
    one more thing that goes with what they have.
    """

    name = "occasional-buyers"
    version = 1
    starter = False
    Config = OccasionalBuyersConfig
    rule = (api.at_most("orders", "$max_orders"),)
    evidence = ("orders", "spend", "last_order_at")
