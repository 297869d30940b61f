"""Find carts that were left with something in them."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from decimal import Decimal
from typing import Any

from pydantic import model_validator

from hub import api

latest_open_cart = api.Base(
    "latest cart, if it is open",
    """
    with recent as (
        select
            person_id, system, cart_id, total, recovery_url, step, changed_at, created_at, open,
            greatest(changed_at, case when completed then completed_at end) as active_at
        from carts
        where person_id is not null and changed_at <= $as_of
    ),
    latest as (
        select * from recent
        where active_at > $as_of - $max_age
        qualify row_number() over (
            partition by person_id order by active_at desc, created_at desc, system, cart_id desc
        ) = 1
    ),
    left_open as (
        -- An order that names its cart ends it, even where the cart was touched once more afterwards.
        select * from latest
        where open and not exists (
            select 1 from orders
            where orders.system = latest.system and orders.cart_id = latest.cart_id
                and orders.counted and orders.placed_at <= $as_of
        )
    ),
    lines as (
        select system, cart_id, sum(quantity) as items,
            case when count(*) = count(quantity * unit_price) then sum(quantity * unit_price) end as worth
        from cart_lines
        semi join left_open using (system, cart_id)
        group by all
    )
    select
        left_open.person_id,
        left_open.cart_id,
        coalesce(left_open.total, round(lines.worth, 2))::decimal(18, 2) as cart_value,
        lines.items::bigint as cart_items,
        left_open.recovery_url as cart_url,
        left_open.step as cart_step,
        left_open.changed_at as cart_at
    from left_open
    left join lines using (system, cart_id)
    """,
    absent="no open cart in the last {max_age}: none was left, or it was completed, ordered or replaced by a newer one",
    units={"cart_value": "money", "cart_items": "items", "cart_at": "time"},
)


class CartAbandonersConfig(api.Config):
    """Settings of cart-abandoners."""

    min_age: api.Duration = api.Field(
        default=timedelta(hours=1),
        ge=timedelta(0),
        le=timedelta(days=90),
        description="how long the cart must have been left alone (1h); shorter catches people who are still shopping",
    )
    max_age: api.Duration = api.Field(
        default=timedelta(days=7),
        gt=timedelta(0),
        le=timedelta(days=365),
        description="carts left longer ago than this are past (7d); keeps the first run from mailing all old carts",
    )
    min_value: Decimal = api.Field(
        default=Decimal(0), ge=0, description="the cart must be worth more than this, in the client's currency"
    )

    @model_validator(mode="after")
    def _ages_in_order(self) -> CartAbandonersConfig:
        if self.min_age >= self.max_age:
            shown = f"{api.format_duration(self.min_age)} and {api.format_duration(self.max_age)}"
            raise ValueError(f"min_age must be shorter than max_age, not {shown}")
        return self


class CartAbandoners(api.Segment[CartAbandonersConfig]):
    """People who left a cart or checkout with something in it and did not come back to buy.

    Who: a person's latest cart (by its last activity) is open, was last changed at least min_age (1h) and less
    than max_age (7d) ago, and is worth more than min_value (0). Open means not completed, and no counted order by
    the same person after its last change, on any address. Only the newest cart counts: an older one that was
    replaced, whether the newer was bought or not, is never mailed. A cart of unknown total is worth its lines; if
    those are unknown too, the person is out for insufficient data. Where orders are older than the carts, nobody
    is added until they catch up, for the cart may long be bought.

    Use it for: reminders, commonly after 1 h, 24 h and 72 h. Message that suits: what is in the cart
    (``cart_items``, ``cart_value``) and the link back to it (``cart_url``); no discount in the first one.
    """

    name = "cart-abandoners"
    version = 1
    Config = CartAbandonersConfig
    base = latest_open_cart
    rule = (
        api.within("cart_at", "$max_age"),
        api.not_within("cart_at", "$min_age"),
        api.more_than("cart_value", "$min_value"),
    )
    evidence = ("cart_id", "cart_value", "cart_items", "cart_url", "cart_step", "cart_at")
    needs = (api.Need.CARTS, api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("max_age",)


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [CartAbandoners]
