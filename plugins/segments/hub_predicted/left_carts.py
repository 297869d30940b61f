"""Read from the catalog which carts were left, what was known of them then, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import numpy as np

from hub import api
from hub_predicted.likelihood import Array

WEEK = timedelta(days=7)
MOST_CARTS = 100_000

# A cart is left at its last change; one that was completed at its last change, when it was begun, for the change before
# is not known. It was abandoned if nothing happened for an hour, and recovered if within a week it was completed or the
# person ordered. What is known of a cart is what was known when it was left: the checkout step is not, for shops keep
# only the last one. Only the people with one of the carts that are looked at are read further.
_CARTS = """
with told as (
    select
        person_id, system, cart_id, total, created_at, changed_at,
        case when completed then completed_at end as completed_at,
        case when completed and changed_at >= completed_at then created_at else changed_at end as left_at
    from carts
    where person_id is not null and changed_at <= $as_of
),
past as (
    select person_id, system, cart_id, false as is_latest from told
    where left_at > $as_of - $window and left_at <= $as_of - interval 168 hours
    order by left_at desc, system, cart_id
    limit $most
),
recent as (
    select person_id, system, cart_id, true as is_latest from (
        select * from told
        where greatest(changed_at, completed_at) > $as_of - interval 168 hours
        qualify row_number() over (
            partition by person_id
            order by greatest(changed_at, completed_at) desc, created_at desc, system, cart_id desc
        ) = 1
    ) as last
    -- An order that names its cart ends it, even where the cart was touched once more afterwards.
    where completed_at is null and not exists (
        select 1 from orders
        where orders.system = last.system and orders.cart_id = last.cart_id
            and orders.counted and orders.placed_at <= $as_of
    )
),
picked as (
    from past union all from recent
),
bought as (
    select person_id, placed_at, count(*) as orders
    from purchases semi join picked using (person_id)
    where placed_at <= $as_of
    group by person_id, placed_at
    union all
    select distinct person_id, '-infinity'::timestamp, 0 from picked
),
placed as (
    select person_id, placed_at, sum(orders) over own as orders, lead(placed_at) over own as next_at
    from bought
    window own as (partition by person_id order by placed_at)
),
ended as (
    select
        told.*, placed.orders as orders_before, placed.placed_at as ordered_at,
        least(told.completed_at, placed.next_at) as ended_at
    from told asof join placed on told.person_id = placed.person_id and told.left_at >= placed.placed_at
),
judged as (
    select
        *,
        coalesce(ended_at >= left_at + interval 1 hour, true) as abandoned,
        coalesce(ended_at <= left_at + interval 168 hours, false) as recovered
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
    select remembered.*, picked.is_latest as is_open
    from remembered join picked using (person_id, system, cart_id)
    where case when is_latest then ended_at is null else abandoned end
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
    chosen.orders_before::double as orders_before,
    case when chosen.orders_before > 0
        then date_diff('microsecond', chosen.ordered_at, chosen.left_at) / 86400000000.0 end as days_since_order,
    chosen.recovered_before::double as recovered_before,
    chosen.lost_before::double as lost_before,
    chosen.recovered,
    date_diff('microsecond', chosen.left_at, chosen.ended_at) / 3600000000.0 as hours_to_end,
    date_diff('microsecond', chosen.left_at, $as_of::timestamp) / 3600000000.0 as age
from chosen left join lines using (system, cart_id)
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
