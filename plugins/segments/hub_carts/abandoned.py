"""Find carts that were left with something in them."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from typing import Literal

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
            case when count(*) = count(quantity * unit_price) then sum(quantity * unit_price) end as worth,
            list_sort(list_distinct(list(product_type) filter (where product_type is not null))) as types
        from cart_lines
        semi join left_open using (system, cart_id)
        group by all
    ),
    -- What these two find is looked for only where their setting is given.
    others as (
        select carts.person_id, carts.system, carts.cart_id, carts.changed_at from carts
        semi join left_open using (person_id)
        anti join left_open using (system, cart_id)
        where $abandonment::varchar is not null and not carts.completed
            and carts.changed_at > $as_of - interval 2160 hours and carts.changed_at <= $as_of - interval 1 hour
    ),
    abandoned_before as (
        select person_id from others
        anti join (
            select others.system, others.cart_id from others
            join orders on orders.person_id = others.person_id and orders.counted
                and orders.placed_at > others.changed_at and orders.placed_at <= others.changed_at + interval 168 hours
        ) as bought using (system, cart_id)
        group by person_id
    ),
    bought_before as (
        select person_id from orders
        semi join left_open using (person_id)
        where $who::varchar is not null and counted and placed_at <= $as_of
        group by person_id
    )
    select
        left_open.person_id,
        left_open.cart_id,
        coalesce(left_open.total, round(lines.worth, 2))::decimal(18, 2) as cart_value,
        lines.items::bigint as cart_items,
        left_open.recovery_url as cart_url,
        left_open.step as cart_step,
        left_open.changed_at as cart_at,
        lines.types as product_types,
        case when abandoned_before.person_id is null then 'first' else 'repeated' end as abandonment,
        case when bought_before.person_id is null then 'prospects' else 'customers' end as who
    from left_open
    left join lines using (system, cart_id)
    left join abandoned_before using (person_id)
    left join bought_before using (person_id)
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
    max_value: Decimal | None = api.Field(default=None, gt=0, description="the cart must be worth at most this")
    min_items: int | None = api.Field(default=None, ge=1, description="pieces in the cart, at least")
    product_types: tuple[str, ...] | None = api.Field(
        default=None, min_length=1, description="kinds of product; the cart must hold one of them"
    )
    steps: tuple[str, ...] | None = api.Field(
        default=None,
        min_length=1,
        description="checkout steps, as the shop calls them; the cart must be at one of them",
    )
    abandonment: Literal["first", "repeated"] | None = api.Field(
        default=None, description="whether the person abandoned another cart in the 90 days before"
    )
    who: Literal["customers", "prospects"] | None = api.Field(
        default=None, description="whether the person has ever placed a counted order"
    )

    @model_validator(mode="after")
    def _ages_in_order(self) -> CartAbandonersConfig:
        if self.min_age >= self.max_age:
            shown = f"{api.format_duration(self.min_age)} and {api.format_duration(self.max_age)}"
            raise ValueError(f"min_age must be shorter than max_age, not {shown}")
        if self.max_value is not None and self.max_value <= self.min_value:
            raise ValueError(f"max_value must be more than min_value, not {self.max_value} and {self.min_value}")
        return self


class CartAbandoners(api.Segment[CartAbandonersConfig]):
    """People who left a cart or checkout with something in it and did not come back to buy.

    Who: a person's latest cart (by its last activity) is open, was last changed at least min_age (1h) and less
    than max_age (7d) ago, and is worth more than min_value (0). Open means not completed, and no counted order by
    the same person after its last change, on any address. Only the newest cart counts: an older one that was
    replaced, whether the newer was bought or not, is never mailed. A cart of unknown total is worth its lines; if
    those are unknown too, the person is out for insufficient data. Where orders are older than the carts, nobody
    is added until they catch up, for the cart may long be bought.

    Narrower: max_value, min_items, product_types and steps look at the cart; what of it is not known is out for
    insufficient data. abandonment = "repeated" wants another abandoned cart in the last 90 days (left alone for an
    hour, not completed, nothing bought within 7 days after), "first" none. who = "customers" wants people who ever
    bought, "prospects" those who never did.

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
        api.at_most("cart_value", "$max_value"),
        api.at_least("cart_items", "$min_items"),
        api.has_any("product_types", "$product_types"),
        api.one_of("cart_step", "$steps"),
        api.equals("abandonment", "$abandonment"),
        api.equals("who", "$who"),
    )
    evidence = ("cart_id", "cart_value", "cart_items", "cart_url", "cart_step", "cart_at")
    needs = (api.Need.CARTS, api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("max_age",)
