"""Find customers whose next order is due by their own rhythm."""

from __future__ import annotations

from pydantic import model_validator

from hub import api

# Whole microseconds, so that eight tenths of an interval are 0.8 and not the number below it.
own_rhythm = api.Base(
    "the person's own interval",
    """
    with paced as (
        select person_id, orders, last_order_at, median_days_between_orders,
            round(median_days_between_orders * 86400000000)::bigint as own_interval,
            date_diff('microsecond', last_order_at, $as_of::timestamp) as since
        from facts
    )
    select
        person_id, orders, last_order_at, median_days_between_orders,
        last_order_at + to_microseconds(own_interval) as due_at,
        since / nullif(own_interval, 0) as intervals_since
    from paced
    """,
    absent="not known to the shop",
    units={"orders": "orders", "last_order_at": "time", "due_at": "time", "median_days_between_orders": "days"},
)


class DueToReorderConfig(api.Config):
    """Settings of due-to-reorder."""

    min_orders: int = api.Field(default=3, ge=2, description="counted orders, ever; fewer make no rhythm")
    due_from: float = api.Field(
        default=0.8, gt=0, le=100, description="the time since the last order, in the person's own intervals: at least"
    )
    due_until: float = api.Field(default=1.5, gt=0, le=100, description="and at most")

    @model_validator(mode="after")
    def _in_order(self) -> DueToReorderConfig:
        if self.due_from >= self.due_until:
            raise ValueError(f"due_from must be less than due_until, not {self.due_from} and {self.due_until}")
        return self


class DueToReorder(api.Segment[DueToReorderConfig]):
    """Customers whose next order is due by their own habit.

    Who: people with at least min_orders (3) counted orders, whose last is between due_from (0.8) and due_until
    (1.5) of their own interval ago: the median time between their orders. Both ends belong to it. Somebody all of
    whose orders were placed at one instant has no interval and is out for insufficient data. Where orders are older
    than the carts, nobody is added until they catch up.

    Use it for: what is used up: coffee, food, filters, cosmetics; subscriptions. Message that suits: time for more,
    with the last order ready to repeat.
    """

    name = "due-to-reorder"
    version = 1
    starter = False
    Config = DueToReorderConfig
    base = own_rhythm
    rule = (
        api.at_least("orders", "$min_orders"),
        api.at_least("intervals_since", "$due_from"),
        api.at_most("intervals_since", "$due_until"),
    )
    evidence = ("due_at", "last_order_at", "median_days_between_orders", "intervals_since", "orders")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
