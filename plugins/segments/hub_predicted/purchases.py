"""Read from the catalog when customers bought, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from hub import api
from hub_predicted.buying import Histories
from hub_predicted.likelihood import Array

FEWEST_PURCHASES = 4
SPREAD = 0.15

# A purchase is a day (UTC) with counted orders that are worth something together, at the time of the first of them: a
# split order is one decision, and a gift or an order paid back in full none.
_DAYS = """
    select person_id, min(placed_at) as bought_at, sum(net) as worth
    from purchases semi join {people} using (person_id)
    where placed_at <= $instant::timestamp
    group by person_id, placed_at::date
    having sum(net) > 0
"""
_HISTORY = """
    (purchases - 1)::double as repeats,
    date_diff('microsecond', first_at, last_at) / 604800000000.0 as recency,
    date_diff('microsecond', first_at, $instant::timestamp) / 604800000000.0 as age,
    case when purchases > 1 then (spent - first_worth)::double / (purchases - 1) end as worth
"""
# Nearly everybody's orders are a day each and worth something: only the others' need to be put together by day.
_CUSTOMERS = f"""
with {{earlier}} odd as materialized (
    select person_id from order_totals left join order_gaps using (person_id)
    where least_net <= 0 or same_day
),
days as ({_DAYS.format(people="odd")}),
customers as (
    select
        person_id, count(*) as purchases, min(bought_at) as first_at, max(bought_at) as last_at,
        sum(worth) as spent, arg_min(worth, bought_at) as first_worth
    from days
    group by person_id
    union all
    select person_id, orders, first_order_at, last_order_at, spend, first_net
    from order_totals anti join odd using (person_id)
)
select person_id, {_HISTORY}
from customers
"""
# Every n-th by when they bought first, in an order that does not depend on who is who.
_SAMPLE = f"""
with {{earlier}} picked as materialized (
    select person_id from order_totals
    qualify row_number() over (order by first_order_at, last_order_at, orders, spend, person_id) % $every = 0
),
days as ({_DAYS.format(people="picked")}),
gaps as (
    select *, date_diff('microsecond', lag(bought_at) over (
        partition by person_id order by bought_at), bought_at)::double as gap
    from days
),
customers as (
    select
        person_id, count(*) as purchases, min(bought_at) as first_at, max(bought_at) as last_at,
        sum(worth) as spent, arg_min(worth, bought_at) as first_worth,
        case when count(*) >= $fewest then stddev_samp(gap) / avg(gap) end as spread,
        count(*) filter (bought_at <= $cut::timestamp) as purchases_then,
        max(bought_at) filter (bought_at <= $cut::timestamp) as last_then,
        sum(worth) filter (bought_at <= $cut::timestamp) as spent_then
    from gaps
    group by person_id
)
select
    {_HISTORY}, spread,
    case when purchases_then > 0 then (purchases_then - 1)::double end as repeats_then,
    date_diff('microsecond', first_at, last_then) / 604800000000.0 as recency_then,
    case when purchases_then > 0 then date_diff('microsecond', first_at, $cut::timestamp) / 604800000000.0 end
        as age_then,
    case when purchases_then > 1 then (spent_then - first_worth)::double / (purchases_then - 1) end as worth_then,
    (purchases - purchases_then)::double as purchases_since,
    (spent - coalesce(spent_then, 0))::double as spent_since
from customers
-- Sorted by what the fit sees, so that it does not depend on who is who.
order by repeats, recency, age, worth, repeats_then, recency_then, worth_then, spent_since
"""
# The same of an instant before the run's, for which nothing is kept ready.
_EARLIER = """
order_totals as materialized (
    select
        person_id, count(*) as orders, sum(net) as spend, min(placed_at) as first_order_at,
        max(placed_at) as last_order_at, arg_min(net, placed_at) as first_net, min(net) as least_net
    from purchases
    where placed_at <= $instant::timestamp
    group by person_id
),
order_gaps as (
    select person_id, bool_or(placed_at::date = before::date) as same_day
    from (
        select *, lag(placed_at) over (partition by person_id order by placed_at) as before
        from purchases
        where placed_at <= $instant::timestamp)
    where before is not null
    group by person_id
),
"""


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers with a purchase, an array place each.

    Attributes:
        histories: when they bought.
        worth: mean worth of a repeat purchase; NaN without one.
    """

    histories: Histories
    worth: Array

    def __len__(self) -> int:
        return len(self.histories)

    @property
    def came_back(self) -> int:
        return int((self.histories.repeats > 0).sum())

    @property
    def came_twice(self) -> int:
        return int((self.histories.repeats > 1).sum())


@dataclass(frozen=True, slots=True)
class Everybody:
    """All customers at an instant, with their person_ids."""

    people: Any
    customers: Customers


@dataclass(frozen=True, slots=True)
class Regularity:
    """How many of those who buy often do so at fixed intervals, as subscriptions do."""

    people: int
    regular: int

    @property
    def share(self) -> float:
        return self.regular / self.people if self.people else 0.0


@dataclass(frozen=True, slots=True)
class Sample:
    """Customers at an instant, and as they were at an earlier one.

    Attributes:
        bought, spent: of those of then, purchases and money for them since.
        regularity: of those who bought on at least four days, whose times between them differ by less than random
            ones do.
    """

    now: Customers
    then: Customers
    bought: Array
    spent: Array
    regularity: Regularity


def everybody(catalog: api.Reader, instant: datetime, as_of: datetime) -> Everybody:
    """Read all customers' purchases up to an instant, in a run as of the same or a later one."""
    found = _columns(catalog, _CUSTOMERS, as_of, {"instant": instant})
    return Everybody(found["person_id"], _customers(found))


def sample(catalog: api.Reader, instant: datetime, as_of: datetime, cut: datetime, every: int) -> Sample:
    """Read every n-th customer's purchases up to an instant, and those up to an earlier cut."""
    values = {"instant": instant, "cut": cut, "every": every, "fewest": FEWEST_PURCHASES}
    found = _columns(catalog, _SAMPLE, as_of, values)
    known = ~np.isnan(found["repeats_then"])
    then = {name: values[known] for name, values in found.items()}
    spread = found["spread"][~np.isnan(found["spread"])]
    return Sample(
        _customers(found),
        _customers(then, "_then"),
        then["purchases_since"],
        then["spent_since"],
        Regularity(len(spread), int((spread <= SPREAD).sum())),
    )


def _columns(catalog: api.Reader, sql: str, as_of: datetime, values: dict[str, Any]) -> dict[str, Any]:
    earlier = _EARLIER if values["instant"] < as_of else ""
    table = catalog.table(sql.format(earlier=earlier), values)
    return {name: table.column(name).to_numpy() for name in table.column_names}


def _customers(columns: dict[str, Any], when: str = "") -> Customers:
    repeats, recency, age, worth = (columns[f"{name}{when}"] for name in ("repeats", "recency", "age", "worth"))
    return Customers(Histories(repeats, recency, age), worth)
