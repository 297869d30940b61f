"""Cut buyers by the price of what they buy, whatever they spend in all."""

from __future__ import annotations

from datetime import timedelta
from decimal import Decimal

from hub import api

YEAR = timedelta(days=365)
LONGEST = timedelta(days=3650)

# The bar is the nearest rank over all lines: the least price with at least that share of the lines at or below it. The
# percentile is a decimal there, since 0.07 x 100 is more than 7 in floating point.
prices_of_lines = api.Base(
    "prices of what people bought in the window",
    """
    with ranked as (
        select unit_price, sum(lines) over (order by unit_price) as upto, sum(lines) over () as everything from prices
    ),
    bar as (
        select min(unit_price) as price_bar from ranked
        where upto >= greatest(1, ceil(cast($percentile as decimal(9, 6)) * everything / 100))
    )
    select paid.*, price_bar from paid cross join bar
    """,
    parts={
        "prices": """
        select unit_price, count(*) as lines from order_lines
        where order_counted and order_placed_at > $as_of - $window and order_placed_at <= $as_of
            and gift_card is not true and unit_price is not null
        group by unit_price
        """,
        "paid": """
        with lines as (
            select person_id, avg(unit_price) as average_price, count(*) as lines from order_lines
            where order_counted and order_placed_at > $as_of - $window and order_placed_at <= $as_of
                and gift_card is not true and unit_price is not null and person_id is not null
            group by person_id
        ),
        buyers as (
            select person_id, last_order_at from order_totals where last_order_at > $as_of - $window
        )
        select person_id, average_price, coalesce(lines, 0) as lines, last_order_at
        from buyers left join lines using (person_id)
        """,
    },
    absent="no counted order in the last {window}",
    units={"average_price": "money", "price_bar": "money", "lines": "lines", "last_order_at": "time"},
)


def _window() -> timedelta:
    bar: timedelta = api.Field(
        default=YEAR, gt=timedelta(0), le=LONGEST, description="how far back orders count, in days (365d)"
    )
    return bar


class HighValueItemsConfig(api.Config):
    """Settings of high-value-items."""

    window: api.Duration = _window()
    percentile: float = api.Field(
        default=75, gt=0, le=100, description="percentile of the shop's line prices to reach, 0 to 100"
    )
    min_price: Decimal | None = api.Field(
        default=None, ge=0, description="average unit price to reach; replaces the percentile"
    )


class HighValueItems(api.Segment[HighValueItemsConfig]):
    """Customers who choose the expensive things.

    Who: people whose average unit price, over the lines of their counted orders in the window (365d), reaches the
    percentile (75) of all line prices of the shop in the window, or min_price where it is set. The price of one piece
    counts, not the sum, so that twenty cheap things make nobody a buyer of expensive ones. Gift cards are left out.
    Somebody of whose lines no price is known is out for insufficient data.

    Use it for: new premium products, services around them, advice in person. Message that suits: quality, origin and
    care; not the price.
    """

    name = "high-value-items"
    version = 1
    starter = False
    Config = HighValueItemsConfig
    base = prices_of_lines
    rule = (
        api.at_least("average_price", "$min_price"),
        api.at_least("average_price", api.column_value("price_bar"), unless="min_price"),
    )
    evidence = ("average_price", "price_bar", "lines", "last_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDER_LINES)
    windows = ("window",)


class LowValueItemsConfig(api.Config):
    """Settings of low-value-items."""

    window: api.Duration = _window()
    percentile: float = api.Field(
        default=25, gt=0, le=100, description="percentile of the shop's line prices not to exceed, 0 to 100"
    )
    max_price: Decimal | None = api.Field(
        default=None, ge=0, description="average unit price not to exceed; replaces the percentile"
    )


class LowValueItems(api.Segment[LowValueItemsConfig]):
    """Customers who choose the small things.

    Who: people whose average unit price, over the lines of their counted orders in the window (365d), is at most
    the percentile (25) of all line prices of the shop in the window, or max_price where it is set. Gift cards are
    left out. Somebody of whose lines no price is known is out for insufficient data.

    Use it for: sets and bundles, the next larger thing, accessories as the first step. Message that suits: three
    that belong together, or a reason why the better one pays.
    """

    name = "low-value-items"
    version = 1
    starter = False
    Config = LowValueItemsConfig
    base = prices_of_lines
    rule = (
        api.at_most("average_price", "$max_price"),
        api.at_most("average_price", api.column_value("price_bar"), unless="max_price"),
    )
    evidence = ("average_price", "price_bar", "lines", "last_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDER_LINES)
    windows = ("window",)
