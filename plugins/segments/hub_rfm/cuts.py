"""Where one score ends and the next begins: measured on the shop's customers, or fixed."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any

from hub import api
from hub_rfm.cells import TABLES
from hub_rfm.config import RfmConfig

DAY = timedelta(days=1)
DAY_IN_MICROSECONDS = 86_400_000_000
CENT = Decimal("0.01")
MEASURES = ("recency", "frequency", "monetary")

# Best first, as far as the scale needs them.
FIXED_DAYS = {5: (30, 60, 90, 180), 3: (60, 180)}
FIXED_ORDERS = {5: (20, 10, 5, 2), 3: (5, 2)}
FIXED_SPEND = {5: (1000, 500, 200, 100), 3: (500, 100)}

MOST_CUTS = max(table.scale for table in TABLES.values()) - 1


def scored(value: str, cuts: str) -> str:
    """Return SQL for the score of a value: 1 and one more for every cut point, of some in order, strictly below it."""
    cases = (f"when ({cuts})[{n}] < {value} then {n + 1}" for n in range(MOST_CUTS, 0, -1))
    return f"(case {' '.join(cases)} else 1 end)::bigint"


# The totals of the run are kept ready; those of an earlier instant are not.
_NOW = "select person_id, last_order_at from order_totals"
_EARLIER = """
select person_id, max(placed_at) as last_order_at from purchases
where placed_at <= $instant::timestamp
group by person_id
"""
_CUTS = f"""
with buyers as ({{buyers}}),
lately as (
    select person_id, count(*) as orders, sum(net) as spend
    from purchases
    where placed_at > $instant::timestamp - $window and placed_at <= $instant::timestamp
    group by person_id
),
bought as materialized (
    select
        -date_diff('microsecond', last_order_at, $instant::timestamp) as recency,
        coalesce(orders, 0) as frequency, coalesce(spend, 0) as monetary
    from buyers left join lately using (person_id)
),
cuts as (
    select
        quantile_disc(recency, $shares) as recency_cuts, quantile_disc(frequency, $shares) as frequency_cuts,
        quantile_disc(monetary, $shares) as monetary_cuts
    from bought
),
counted as (
    select
        {scored("recency", "recency_cuts")} as recency,
        {scored("frequency", "frequency_cuts")} as frequency,
        {scored("monetary", "monetary_cuts")} as monetary,
        count(*) as people
    from bought cross join cuts
    group by all
)
select * from counted cross join cuts
"""


@dataclass(frozen=True, slots=True)
class CutPoints:
    """Cut points per measure, ascending, and how many people had each score when they were found."""

    instant: datetime
    people: int
    cuts: dict[str, list[Any]]
    scores: dict[str, dict[int, int]]

    def told(self, scale: int) -> str:
        """Say what was found, as it is kept with the run."""
        days = ", ".join(f"{-cut / DAY_IN_MICROSECONDS:.1f}" for cut in self.cuts["recency"])
        orders = ", ".join(str(cut) for cut in self.cuts["frequency"])
        spend = ", ".join(f"{cut:.2f}" for cut in self.cuts["monetary"])
        per_score = "; ".join(
            f"{measure} {', '.join(f'{self.scores[measure].get(score, 0):,}' for score in range(1, scale + 1))}"
            for measure in MEASURES
        )
        return (
            f"cut points of {self.people:,} people at {self.instant:%Y-%m-%d %H:%M} UTC: days since the last order "
            f"{days}; orders {orders}; spend {spend}; people with scores 1 to {scale}: {per_score}"
        )


def measure(catalog: api.Reader, instant: datetime, as_of: datetime, window: timedelta, scale: int) -> CutPoints:
    """Measure the cut points on everybody who had bought by an instant, which is the run's or earlier.

    They are by nearest rank: of n values sorted ascending those at ranks ceil(k / scale x n), k from 1 to scale - 1.
    The shares asked for lie in the middle between two ranks, so that no rounding can move a cut point by one.
    """
    buyers = _NOW if instant == as_of else _EARLIER
    counted = f"select count(*) as people from ({buyers})"
    people = catalog.table(counted, {"instant": instant}).to_pylist()[0]["people"]
    shares = [(-(-rank * people // scale) - 0.5) / max(people, 1) for rank in range(1, scale)]
    values = {"instant": instant, "window": window, "shares": shares}
    rows = catalog.table(_CUTS.format(buyers=buyers), values).to_pylist() if people else []
    cuts: dict[str, list[Any]] = {measure: rows[0][f"{measure}_cuts"] if rows else [] for measure in MEASURES}
    scores: dict[str, dict[int, int]] = {measure: {} for measure in MEASURES}
    for row in rows:
        for measure, counts in scores.items():
            counts[row[measure]] = counts.get(row[measure], 0) + row["people"]
    return CutPoints(instant, people, cuts, scores)


def beginning(as_of: datetime, period: str | None) -> datetime:
    """Return the beginning of the period that holds an instant, or the instant itself."""
    midnight = as_of.replace(hour=0, minute=0, second=0, microsecond=0)
    if period == "week":
        return midnight - as_of.weekday() * DAY
    return midnight.replace(day=1) if period == "month" else as_of


def fixed_cuts(config: RfmConfig, scale: int) -> dict[str, list[Any]]:
    """Return thresholds as cut points: a value reaches a threshold where the one just below it is passed."""
    days = config.recency_days or FIXED_DAYS[scale]
    orders = config.frequency_orders or FIXED_ORDERS[scale]
    spend: Sequence[Decimal | int] = config.monetary_spend or FIXED_SPEND[scale]
    return {
        "recency": [-day * DAY_IN_MICROSECONDS for day in reversed(days)],
        "frequency": [order - 1 for order in reversed(orders)],
        "monetary": [Decimal(amount) - CENT for amount in reversed(spend)],
    }
