"""How often a shop's customers come back: its own measure of what is recent."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import ClassVar, Literal, TypeVar

from hub import api

LONGEST = timedelta(days=3650)
FEWEST_INTERVALS = 100

_INTERVALS = """
select median(gap) as median_gap, count(gap) as gaps from (
    select date_diff(
        'microsecond', lag(placed_at) over (partition by person_id order by placed_at), placed_at
    ) as gap
    from purchases where placed_at <= $as_of)
"""


@dataclass(frozen=True, slots=True)
class Rhythm:
    """The shop's repurchase interval: the median time between consecutive orders of one person, and of how many."""

    interval: timedelta
    intervals: int

    @classmethod
    def of(cls, catalog: api.Reader, as_of: datetime) -> Rhythm:
        found = catalog.table(_INTERVALS, {"as_of": as_of}).to_pylist()[0]
        return cls(timedelta(microseconds=round(found["median_gap"] or 0)), found["gaps"])

    @property
    def is_known(self) -> bool:
        return self.intervals >= FEWEST_INTERVALS and self.interval > timedelta(0)


class RhythmConfig(api.Config):
    """What all strategies have whose bounds may follow the shop's own rhythm."""

    by: Literal["days", "intervals"] = api.Field(
        default="days",
        description="intervals: bounds are multiples of the shop's own median time between two orders of a customer; "
        "with fewer than 100 such times the fixed days are used all the same",
    )


RhythmConfigT = TypeVar("RhythmConfigT", bound=RhythmConfig)


class ByRhythm(api.Segment[RhythmConfigT]):
    """A strategy whose bounds in days may be replaced by multiples of the shop's own interval.

    ``bounds`` names the settings in days; the multiple of each is the setting ``<bound>_intervals``.
    """

    starter = False
    bounds: ClassVar[tuple[str, ...]] = ()
    evidence = ("last_order_at", "orders", "spend")
    needs: tuple[api.Need, ...] = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        """Measure the shop's interval where the bounds follow it, and say what they are."""
        if self.config.by == "days":
            return api.Prepared()
        rhythm = Rhythm.of(catalog, as_of)
        if not rhythm.is_known:
            note = (
                f"by = intervals needs {FEWEST_INTERVALS} times between two orders of a customer, {rhythm.intervals:,} "
                "are known, so fixed days are used"
            )
            return api.Prepared(notes=(note,))
        bounds = {name: rhythm.interval * float(getattr(self.config, f"{name}_intervals")) for name in self.bounds}
        told = ", ".join(f"{name} = {_days(bound)}" for name, bound in bounds.items())
        note = f"the median of {rhythm.intervals:,} times between two orders is {_days(rhythm.interval)}: {told}"
        return api.Prepared(dict(bounds), notes=(note,))


def _days(length: timedelta) -> str:
    return f"{length / timedelta(days=1):.1f} days"


def days(default: int, description: str) -> timedelta:
    """Declare a bound in days."""
    field: timedelta = api.Field(
        default=timedelta(days=default), gt=timedelta(0), le=LONGEST, description=f"{description} ({default}d)"
    )
    return field


def multiple(default: float, of: str) -> float:
    """Declare the multiple that stands for a bound where by = intervals."""
    field: float = api.Field(
        default=default, gt=0, le=100, description=f"{of}, in the shop's own intervals, where by = intervals"
    )
    return field


def check_order(config: api.Config, *pairs: tuple[str, str]) -> None:
    """Check that the first bound of each pair is shorter than the second."""
    for shorter, longer in pairs:
        first, second = getattr(config, shorter), getattr(config, longer)
        if first >= second:
            shown = [api.format_duration(each) if isinstance(each, timedelta) else each for each in (first, second)]
            raise ValueError(f"{shorter} must be shorter than {longer}, not {shown[0]} and {shown[1]}")
