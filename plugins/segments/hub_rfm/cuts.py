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
    """Return SQL for the score of a value: 1 and one more for every cut point strictly below it."""
    return " + ".join(("1", *(f"coalesce(({cuts})[{n}] < {value}, false)::bigint" for n in range(1, MOST_CUTS + 1))))


# Cut points by nearest rank: of n values sorted ascending those at ranks ceil(k / scale x n), k from 1 to scale - 1.
_CUTS = f"""
with bought as materialized (
    select
        person_id,
        -date_diff('microsecond', max(placed_at), $instant::timestamp) as recency,
        count(*) filter (where placed_at > $instant::timestamp - $window) as frequency,
        coalesce(sum(net) filter (where placed_at > $instant::timestamp - $window), 0) as monetary
    from purchases
    where placed_at <= $instant::timestamp
    group by person_id
),
sorted as (
    select
        list_sort(list(recency)) as recencies, list_sort(list(frequency)) as frequencies,
        list_sort(list(monetary)) as spends,
        list_transform(range(1, $scale), lambda k: (k * count(*) + $scale - 1) // $scale) as ranks
    from bought
),
cuts as (
    select
        list_transform(ranks, lambda r: recencies[r]) as recency_cuts,
        list_transform(ranks, lambda r: frequencies[r]) as frequency_cuts,
        list_transform(ranks, lambda r: spends[r]) as monetary_cuts
    from sorted
)
select
    recency_cuts, frequency_cuts, monetary_cuts,
    {scored("recency", "recency_cuts")} as recency,
    {scored("frequency", "frequency_cuts")} as frequency,
    {scored("monetary", "monetary_cuts")} as monetary,
    count(*) as people
from bought cross join cuts
group by all
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


def measure(catalog: api.Reader, instant: datetime, window: timedelta, scale: int) -> CutPoints:
    """Measure the cut points on everybody who had bought by an instant."""
    rows = catalog.table(_CUTS, {"instant": instant, "window": window, "scale": scale}).to_pylist()
    cuts: dict[str, list[Any]] = {measure: rows[0][f"{measure}_cuts"] if rows else [] for measure in MEASURES}
    scores: dict[str, dict[int, int]] = {measure: {} for measure in MEASURES}
    for row in rows:
        for measure, counts in scores.items():
            counts[row[measure]] = counts.get(row[measure], 0) + row["people"]
    return CutPoints(instant, sum(row["people"] for row in rows), cuts, scores)


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
