"""Read from the catalog which carts were left, what was known of them then, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from hub import api
from hub_predicted.likelihood import Array

WEEK = timedelta(days=7)
MOST_CARTS = 200_000

# A cart is left at its last change; one that was completed at its last change, when it was begun, for the change before
# is not known. It was abandoned if nothing happened for an hour, and recovered if within a week it was completed or the
# person ordered. What is known of a cart is what was known when it was left: the checkout step is not, for shops keep
# only the last one.
_CARTS = """
with bought as (
    select
        person_id, placed_at,
        row_number() over (partition by person_id order by placed_at, system, order_id) as orders
    from orders
    where counted and person_id is not null and placed_at <= $as_of
),
placed as (
    select person_id, placed_at, max(orders) as orders from bought group by person_id, placed_at
),
told as (
    select
        person_id, system, cart_id, total, created_at, changed_at, open, completed,
        case when completed then completed_at end as completed_at,
        case when completed and changed_at >= completed_at then created_at else changed_at end as left_at
    from carts
    where person_id is not null and changed_at <= $as_of
),
latest as (
    select system, cart_id from (
        select * from told
        qualify row_number() over (
            partition by person_id
            order by greatest(changed_at, completed_at) desc, created_at desc, system, cart_id desc
        ) = 1
    ) as last
    where open and not exists (
        select 1 from orders
        where orders.system = last.system and orders.cart_id = last.cart_id
            and orders.counted and orders.placed_at <= $as_of
    )
),
ended as (
    select told.*, least(told.completed_at, placed.placed_at) as ended_at
    from told asof left join placed
        on told.person_id = placed.person_id and told.left_at < placed.placed_at
),
judged as (
    select
        * exclude (ended_at),
        coalesce(ended_at >= left_at + interval 1 hour, true) as abandoned,
        coalesce(ended_at <= left_at + interval 168 hours, false) as recovered,
        date_diff('microsecond', left_at, ended_at) / 3600000000.0 as hours_to_end,
        left_at <= $as_of::timestamp - interval 168 hours as is_past
    from ended
),
remembered as (
    select
        *,
        coalesce(sum((abandoned and recovered)::int) over earlier, 0) as recovered_before,
        coalesce(sum((abandoned and not recovered)::int) over earlier, 0) as lost_before
    from judged
    window earlier as (
        partition by person_id order by left_at range between unbounded preceding and interval 168 hours preceding
    )
),
chosen as (
    select remembered.*, latest.cart_id is not null and open and not is_past as is_open
    from remembered left join latest using (system, cart_id)
    where left_at > $as_of - $window and (is_past and abandoned or is_open)
),
lines as (
    select system, cart_id, sum(quantity) as items,
        case when count(*) = count(quantity * unit_price) then sum(quantity * unit_price) end as worth
    from cart_lines
    semi join chosen using (system, cart_id)
    group by all
)
select
    chosen.person_id, chosen.system, chosen.cart_id, chosen.is_open,
    coalesce(chosen.total, round(lines.worth, 2))::double as cart_value,
    lines.items::double as cart_items,
    coalesce(placed.orders, 0)::double as orders_before,
    date_diff('microsecond', placed.placed_at, chosen.left_at) / 86400000000.0 as days_since_order,
    chosen.recovered_before::double as recovered_before,
    chosen.lost_before::double as lost_before,
    chosen.recovered, chosen.hours_to_end,
    date_diff('microsecond', chosen.left_at, $as_of::timestamp) / 3600000000.0 as age
from chosen
asof left join placed on chosen.person_id = placed.person_id and chosen.left_at >= placed.placed_at
left join lines using (system, cart_id)
qualify is_open or row_number() over (partition by is_open order by age, system, cart_id) <= $most
order by age desc, system, cart_id
"""


@dataclass(frozen=True, slots=True)
class LeftCarts:
    """Carts that were left, an array place each, the oldest first.

    Attributes:
        rows: the carts' columns as numpy arrays; what is not known is NaN.
        features: what the model looks at, a row per cart and a column per name of ``FEATURES``.
    """

    rows: dict[str, Any]
    features: Array

    def __len__(self) -> int:
        return len(self.features)

    @property
    def recovered(self) -> Array:
        """Return 1 for a cart that was recovered and 0 for one that was not."""
        came: Array = self.rows["recovered"].astype(float)
        return came

    def where(self, chosen: Any) -> LeftCarts:
        return LeftCarts({name: values[chosen] for name, values in self.rows.items()}, self.features[chosen])


FEATURES = ("value", "value not known", "items", "bought before", "orders before", "days since order", "earlier carts")


def read_carts(catalog: api.Reader, as_of: datetime, window: timedelta) -> LeftCarts:
    """Read the abandoned carts of the window whose week is over, and the open ones whose is not."""
    table = catalog.table(_CARTS, {"as_of": as_of, "window": window, "most": MOST_CARTS})
    rows = {name: table.column(name).to_numpy() for name in table.column_names}
    return LeftCarts(rows, _features(rows))


def _features(rows: dict[str, Any]) -> Array:
    value, items = rows["cart_value"], rows["cart_items"]
    bought = rows["orders_before"] > 0
    days = np.where(bought, rows["days_since_order"], 0)
    return np.column_stack(
        [
            np.log1p(np.maximum(np.nan_to_num(value), 0)),
            np.isnan(value).astype(float),
            np.log1p(np.maximum(np.nan_to_num(items), 0)),
            bought.astype(float),
            np.log1p(rows["orders_before"]),
            np.log1p(days),
            np.log((rows["recovered_before"] + 1) / (rows["lost_before"] + 1)),
        ]
    )
