"""Cut customers by how many orders they ever placed, and when the first and the last."""

from __future__ import annotations

from datetime import timedelta

from hub import api

LONGEST = timedelta(days=3650)


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


class OneAndDoneConfig(api.Config):
    """Settings of one-and-done."""

    min_age: api.Duration = api.Field(
        default=timedelta(days=60), gt=timedelta(0), le=LONGEST, description="the only order is at least this old (60d)"
    )


class OneAndDone(api.Segment[OneAndDoneConfig]):
    """Customers who bought once and seem to leave it at that.

    Who: people with exactly one counted order in all of the history, placed at least min_age (60d) ago. With
    first-time it divides one-time in two: the order is younger than 60 days, or not. Where orders are older than
    the carts, nobody is added until they catch up.

    Use it for: the second order, before they forget the shop. Message that suits: what others bought after the same
    first order; an offer only if nothing else works.
    """

    name = "one-and-done"
    version = 1
    starter = False
    Config = OneAndDoneConfig
    rule = (
        api.equals("orders", 1),
        api.not_within("last_order_at", "$min_age"),
    )
    evidence = ("orders", "spend", "last_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("min_age",)


class RepeatConfig(api.Config):
    """Settings of repeat."""

    min_orders: int = api.Field(default=2, ge=2, description="counted orders, ever")


class Repeat(api.Segment[RepeatConfig]):
    """Customers who came back.

    Who: people with at least min_orders (2) counted orders in all of the history.

    Use it for: programmes for regulars, related products, to leave them out of first-order offers. Message that
    suits: thanks for coming back, and what fits to what they have.
    """

    name = "repeat"
    version = 1
    starter = False
    Config = RepeatConfig
    rule = (api.at_least("orders", "$min_orders"),)
    evidence = ("orders", "spend", "first_order_at", "last_order_at")
    needs = (api.Need.ORDERS,)


class FirstTimeConfig(api.Config):
    """Settings of first-time."""

    window: api.Duration = api.Field(
        default=timedelta(days=60), gt=timedelta(0), le=LONGEST, description="the only order is younger than this (60d)"
    )


class FirstTime(api.Segment[FirstTimeConfig]):
    """Customers whose first order is still fresh and the only one.

    Who: people with exactly one counted order in all of the history, placed within the window (60d). An order
    exactly 60 days old is outside; it belongs to one-and-done.

    Use it for: the series after a first order: how to use it, how it is going, what comes next. Message that suits:
    welcome, help and care; a review request once it arrived.
    """

    name = "first-time"
    version = 1
    starter = False
    Config = FirstTimeConfig
    rule = (
        api.equals("orders", 1),
        api.within("first_order_at", "$window"),
    )
    evidence = ("orders", "spend", "first_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("window",)


class NewCustomersConfig(api.Config):
    """Settings of new-customers."""

    window: api.Duration = api.Field(
        default=timedelta(days=30),
        gt=timedelta(0),
        le=LONGEST,
        description="the first order is younger (30d)",
    )


class NewCustomers(api.Segment[NewCustomersConfig]):
    """Customers who began to buy lately, however often since.

    Who: people whose first counted order ever lies within the window (30d). An order exactly 30 days old is
    outside.

    Use it for: the welcome to the shop, look-alike audiences of whom advertising brings now. Message that suits:
    who you are, what you stand for, where help is.
    """

    name = "new-customers"
    version = 1
    starter = False
    Config = NewCustomersConfig
    rule = (api.within("first_order_at", "$window"),)
    evidence = ("first_order_at", "orders", "spend")
    needs = (api.Need.ORDERS,)
    windows = ("window",)
