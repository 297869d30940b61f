"""Cut people by how far they came on the way to an order."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from hub import api

LONGEST = timedelta(days=365)

Stage = Literal["view", "cart", "checkout", "payment", "order"]

# Event names are those of Google Analytics 4. Shops call checkout steps as they like: one about payment is the payment,
# a cart that says nothing of a step is a cart, and every other step is in the checkout.
furthest_step = api.Base(
    "furthest step in the window",
    """
    with steps as (
        select person_id, happened_at as stepped_at,
            case name
                when 'view_item' then 1
                when 'add_to_cart' then 2 when 'view_cart' then 2
                when 'begin_checkout' then 3 when 'add_shipping_info' then 3
                when 'add_payment_info' then 4
                when 'purchase' then 5
            end as step
        from events where happened_at > $as_of - $window and happened_at <= $as_of
        union all
        select person_id, changed_at as stepped_at,
            case
                when completed then 5
                when contains(lower(step), 'payment') then 4
                when step is null or contains(lower(step), 'cart') then 2
                else 3
            end as step
        from carts where changed_at > $as_of - $window and changed_at <= $as_of
        union all
        select person_id, placed_at as stepped_at, 5 as step
        from orders where counted and placed_at > $as_of - $window and placed_at <= $as_of
    ),
    furthest as (
        select person_id, max(step) as step, max(struct_pack(s := step, t := stepped_at)).t as stage_at,
            max(stepped_at) as last_step_at
        from steps where person_id is not null and step is not null
        group by person_id
    )
    select person_id, ['view', 'cart', 'checkout', 'payment', 'order'][step] as stage, stage_at, last_step_at
    from furthest
    """,
    absent="no view, cart or order in the last {window}",
    units={"stage_at": "time", "last_step_at": "time"},
)


class FunnelStageConfig(api.Config):
    """Settings of funnel-stage."""

    stages: tuple[Stage, ...] = api.Field(
        min_length=1, description="where they stopped", examples=[("checkout", "payment")]
    )
    window: api.Duration = api.Field(
        default=timedelta(days=14), gt=timedelta(0), le=LONGEST, description="how far back steps count (14d)"
    )
    min_age: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="the last step of any kind is at least this long ago"
    )


class FunnelStage(api.Segment[FunnelStageConfig]):
    """People by where they stopped on the way from a view to an order.

    Who: people whose furthest step in the window (14d) is one of stages: view (a product), cart, checkout, payment,
    order. Each person is at exactly one of them, the furthest, whatever they looked at afterwards; all five
    together are everybody with a step in the window. Steps come from visits (view_item, add_to_cart,
    begin_checkout, add_shipping_info, add_payment_info, purchase), from the shop's carts and their checkout step,
    and from counted orders. min_age leaves out whoever is still on the way. Where orders are older than the carts,
    nobody is added until they catch up.

    Use it for: the reason to fit the message to: price at the cart, delivery at the checkout, trust at the payment.
    Message that suits: what stands between them and the next step, taken away.
    """

    name = "funnel-stage"
    version = 1
    starter = False
    Config = FunnelStageConfig
    base = furthest_step
    rule = (
        api.one_of("stage", "$stages"),
        api.not_within("last_step_at", "$min_age"),
    )
    evidence = ("stage", "stage_at", "last_step_at")
    needs: tuple[api.Need, ...] = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("window",)

    def __init__(self, config: FunnelStageConfig) -> None:
        super().__init__(config)
        if "view" in config.stages:
            self.needs = (api.Need.EVENTS, *self.needs)
