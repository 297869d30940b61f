"""Read from the catalog when customers bought, and what for."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from hub import api
from hub_predicted.buying import Histories
from hub_predicted.likelihood import Array

# A purchase is a day (UTC) with counted orders that are worth something together: a split order is one decision, and
# a gift or an order paid back in full none.
_BY_DAY = """
    select person_id, min(placed_at) as bought_at, sum(net) as worth
    from purchases semi join {people} using (person_id)
    where placed_at <= $instant::timestamp
    group by person_id, placed_at::date
    having sum(net) > 0
"""
# Nearly everybody's orders are a day each and worth something: only the others' need to be put together by day.
_HISTORIES = f"""
with others as materialized (
    select distinct person_id from (
        select person_id, net, placed_at::date = lag(placed_at) over (
            partition by person_id order by placed_at)::date as same_day
        from purchases where placed_at <= $instant::timestamp)
    where same_day or net <= 0
),
days as (
    select person_id, placed_at as bought_at, net as worth
    from purchases anti join others using (person_id)
    where placed_at <= $instant::timestamp
    union all
    {_BY_DAY.format(people="others").strip()}
),
customers as (
    select
        person_id, count(*) as purchases, min(bought_at) as first_at, max(bought_at) as last_at,
        sum(worth) as spent, arg_min(worth, bought_at) as first_worth,
        count(*) filter (bought_at <= $cut::timestamp) as purchases_then,
        max(bought_at) filter (bought_at <= $cut::timestamp) as last_then,
        sum(worth) filter (bought_at <= $cut::timestamp) as spent_then
    from days
    group by person_id
)
select
    person_id,
    (purchases - 1)::double as repeats,
    date_diff('microsecond', first_at, last_at) / 604800000000.0 as recency,
    date_diff('microsecond', first_at, $instant::timestamp) / 604800000000.0 as age,
    case when purchases > 1 then (spent - first_worth)::double / (purchases - 1) end as worth,
    case when purchases_then > 0 then (purchases_then - 1)::double end as repeats_then,
    date_diff('microsecond', first_at, last_then) / 604800000000.0 as recency_then,
    case when purchases_then > 0 then date_diff('microsecond', first_at, $cut::timestamp) / 604800000000.0 end
        as age_then,
    case when purchases_then > 1 then (spent_then - first_worth)::double / (purchases_then - 1) end as worth_then,
    (purchases - purchases_then)::double as purchases_since,
    (spent - coalesce(spent_then, 0))::double as spent_since
from customers
-- Sorted by what the fit sees, so that it does not depend on who is who.
order by repeats, recency, age, worth, person_id
"""
_SPAN = """
select min(placed_at) as first_at, max(placed_at) as last_at
from purchases
where net > 0 and placed_at <= $instant::timestamp
"""
_REGULAR = f"""
-- Of many every n-th, by the second in which they came first: that does not depend on who is who. Whoever has no order
-- at such a second did not come first in one, and need not be put together by day.
with perhaps as (
    select distinct person_id from purchases
    where placed_at <= $instant::timestamp and epoch_us(placed_at) // 1000000 % $every = 0
),
days as ({_BY_DAY.format(people="perhaps")}),
often as (
    select person_id from days group by person_id
    having count(*) >= $fewest and epoch_us(min(bought_at)) // 1000000 % $every = 0
),
gaps as (
    select person_id, date_diff('microsecond', lag(bought_at) over (
        partition by person_id order by bought_at), bought_at)::double as gap
    from days semi join often using (person_id)
),
spread as (
    select person_id, stddev_samp(gap) / avg(gap) as spread from gaps where gap is not null group by person_id
)
select count(*) as people, count(*) filter (spread <= $spread) as regular from spread
"""
FEWEST_PURCHASES = 4
SPREAD = 0.15
ENOUGH = 20_000


@dataclass(frozen=True, slots=True)
class Customers:
    """Customers with a purchase, an array place each.

    Attributes:
        people: their person_ids.
        histories: when they bought.
        worth: mean worth of a repeat purchase; NaN without one.
        bought, spent: purchases, and money for them, after the instant that the histories end at.
    """

    people: Any
    histories: Histories
    worth: Array
    bought: Array
    spent: Array

    @property
    def came_back(self) -> int:
        return int((self.histories.repeats > 0).sum())

    @property
    def came_twice(self) -> int:
        return int((self.histories.repeats > 1).sum())


@dataclass(frozen=True, slots=True)
class Past:
    """Customers as they are at an instant, and as they were at an earlier one, with what they bought since."""

    now: Customers
    then: Customers


@dataclass(frozen=True, slots=True)
class Regularity:
    """How many of those who buy often do so at fixed intervals, as subscriptions do."""

    people: int
    regular: int

    @property
    def share(self) -> float:
        return self.regular / self.people if self.people else 0.0


def span(catalog: api.Reader, instant: datetime) -> tuple[datetime | None, datetime | None]:
    """Return when the first and the last order by an instant were placed."""
    found = catalog.table(_SPAN, {"instant": instant}).to_pylist()[0]
    return found["first_at"], found["last_at"]


def read_past(catalog: api.Reader, instant: datetime, cut: datetime) -> Past:
    """Read the customers' purchases up to an instant, and those up to an earlier cut."""
    table = catalog.table(_HISTORIES, {"instant": instant, "cut": cut})
    column = {name: table.column(name).to_numpy() for name in table.column_names}
    nothing = np.zeros(len(column["age"]))
    now = Customers(
        column["person_id"],
        Histories(column["repeats"], column["recency"], column["age"]),
        column["worth"],
        nothing,
        nothing,
    )
    known = ~np.isnan(column["repeats_then"])
    then = {name: column[name][known] for name in table.column_names}
    return Past(
        now,
        Customers(
            then["person_id"],
            Histories(then["repeats_then"], then["recency_then"], then["age_then"]),
            then["worth_then"],
            then["purchases_since"],
            then["spent_since"],
        ),
    )


def regularity(catalog: api.Reader, instant: datetime, often: int) -> Regularity:
    """Count who bought on at least four days, and whose times between them differ by less than random ones do.

    ``often`` is how many bought so often; of many more than enough some are looked at.
    """
    every = max(1, often // ENOUGH)
    values = {"instant": instant, "fewest": FEWEST_PURCHASES, "spread": SPREAD, "every": every}
    found = catalog.table(_REGULAR, values).to_pylist()[0]
    return Regularity(found["people"], found["regular"])
