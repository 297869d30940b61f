"""Cut customers by the season in which they buy."""

from __future__ import annotations

from calendar import isleap
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from typing import Annotated
from zoneinfo import ZoneInfo

from pydantic import StringConstraints, model_validator

from hub import api

LONGEST_LEAD = timedelta(days=90)
DAY = timedelta(days=1)
LEAP_YEAR = 2024
LEAP_DAY = (2, 29)

# Meteorological quarters; the two halves of the world call the same three months by other names.
QUARTERS = (((3, 1), (5, 31)), ((6, 1), (8, 31)), ((9, 1), (11, 30)), ((12, 1), (2, 29)))

Day = Annotated[str, StringConstraints(pattern=r"^\d{2}-\d{2}$")]
MonthDay = tuple[int, int]
Shape = tuple[MonthDay, MonthDay]

MOST_YEARS = 10


def _season() -> str:
    """Return SQL for the place of the season that an order lies in; they never overlap."""
    starts, ends = "($season_starts::timestamp[])", "($season_ends::timestamp[])"
    # The newest first: most orders are not asked about any but the last ones.
    places = range(MOST_YEARS + 1, 0, -1)
    cases = (f"when placed_at >= {starts}[{n}] and placed_at < {ends}[{n}] then {n}" for n in places)
    return f"case {' '.join(cases)} end"


# A bit for each season counts the different ones in less time than a distinct count.
orders_by_season = api.Base(
    "orders in this season, by year",
    f"""
    with placed as (
        select person_id, placed_at, {_season()} as season from purchases
        where placed_at >= $first_start::timestamp and placed_at <= $as_of
    )
    select
        person_id,
        coalesce(bit_count(bit_or(1::bigint << season) filter (where season <= $years)), 0)::bigint as seasons_before,
        count(*) filter (where season > $years) as orders_this_season,
        max(placed_at) filter (where season <= $years) as last_season_order_at
    from placed
    where season is not null
    group by person_id
    """,
    absent="no counted order in this season of {years} years before and of this year",
    units={"seasons_before": "seasons", "orders_this_season": "orders", "last_season_order_at": "time"},
)


class SeasonalConfig(api.Config):
    """Settings of seasonal."""

    start: Day | None = api.Field(
        default=None, description="first day of the season, MM-DD, such as 11-20; default: the quarter of the year"
    )
    end: Day | None = api.Field(default=None, description="last day of the season, MM-DD, such as 12-24")
    years: int = api.Field(default=3, ge=1, le=MOST_YEARS, description="how many earlier years are looked at")
    min_years: int = api.Field(default=1, ge=1, le=MOST_YEARS, description="in how many of them there was an order")
    lead: api.Duration = api.Field(
        default=timedelta(0), ge=timedelta(0), le=LONGEST_LEAD, description="how long before its first day it counts"
    )

    @model_validator(mode="after")
    def _is_a_season(self) -> SeasonalConfig:
        if (self.start is None) != (self.end is None):
            raise ValueError("a season has a start and an end; give both, or none of them")
        for day in (self.start, self.end):
            if day is not None:
                _month_day(day)
        if self.min_years > self.years:
            raise ValueError(f"min_years must not be more than years, not {self.min_years} of {self.years}")
        return self


@dataclass(frozen=True, slots=True)
class Season:
    """One year's season: from its first instant to the first one after it, in UTC without a zone."""

    shape: Shape
    year: int
    starts: datetime
    ends: datetime

    def holds(self, moment: datetime) -> bool:
        return self.starts <= moment < self.ends


class Seasonal(api.Segment[SeasonalConfig]):
    """Customers who buy in this season of the year, and have not yet this time.

    Who: people with a counted order in this season of at least min_years (1) of the last years (3), and none in
    this year's. The season is the quarter of the year that as_of lies in (December to February, March to May, and
    on), or the days from start to end, which may run over the turn of the year. Days are the shop's own, by its
    time zone. lead lets the season count that long before its first day. Outside of it nobody is in, and the output
    says when it is next. Where orders are older than the carts, nobody is added until they catch up.

    Use it for: Christmas, the garden in spring, back to school: a reminder just before they would buy. Message that
    suits: what they bought at this time last year, and what is new for this one.
    """

    name = "seasonal"
    version = 1
    starter = False
    Config = SeasonalConfig
    base = orders_by_season
    rule = (
        api.at_least("seasons_before", "$min_years"),
        api.equals("orders_this_season", 0),
    )
    evidence = ("seasons_before", "last_season_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        """Find this year's season and those before it."""
        zone = ZoneInfo(catalog.timezone)
        config = self.config
        shapes = ((_month_day(config.start), _month_day(config.end)),) if config.start and config.end else QUARTERS
        near = [season(shape, year, zone) for year in range(as_of.year - 1, as_of.year + 3) for shape in shapes]
        # The one that begins within the lead comes before the one that ends meanwhile.
        present = [each for moment in (as_of + config.lead, as_of) for each in near if each.holds(moment)]
        if not present:
            begins = min(each.starts for each in near if each.starts > as_of).replace(tzinfo=UTC).astimezone(zone)
            note = f"it is not the season, so nobody is in this segment; the next begins on {begins:%Y-%m-%d}"
            return api.Prepared({"season_starts": [], "season_ends": [], "first_start": None}, notes=(note,))
        now = present[0]
        seasons = [season(now.shape, year, zone) for year in range(now.year - config.years, now.year + 1)]
        starts, ends = [each.starts for each in seasons], [each.ends for each in seasons]
        return api.Prepared({"season_starts": starts, "season_ends": ends, "first_start": starts[0]})


def season(shape: Shape, year: int, zone: ZoneInfo) -> Season:
    """Return the season that begins in a year; its days are those of the zone."""
    first, last = shape
    ends = _date(year if first <= last else year + 1, last)
    following = ends if ends.day == 1 and last == LEAP_DAY else ends + DAY
    return Season(shape, year, _midnight(_date(year, first), zone), _midnight(following, zone))


def _month_day(text: str) -> MonthDay:
    month, day = (int(part) for part in text.split("-"))
    try:
        date(LEAP_YEAR, month, day)
    except ValueError:
        raise ValueError(f"{text!r} is not a day of the year; write month and day as MM-DD, such as 11-20") from None
    return month, day


def _date(year: int, day: MonthDay) -> date:
    """Return a day of a year; 29 February is 1 March where there is none."""
    if day == LEAP_DAY and not isleap(year):
        return date(year, 3, 1)
    return date(year, *day)


def _midnight(day: date, zone: ZoneInfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC).replace(tzinfo=None)
