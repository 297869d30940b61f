"""Cut customers by how long ago they last bought, in days or in the shop's own rhythm."""

from __future__ import annotations

from datetime import timedelta

from pydantic import model_validator

from hub import api
from hub_lifecycle.rhythm import LONGEST, ByRhythm, RhythmConfig, check_order, days, multiple


class ActiveConfig(RhythmConfig):
    """Settings of active."""

    active: api.Duration = days(90, "the last counted order is younger than this")
    active_intervals: float = multiple(1, "active")


class Active(ByRhythm[ActiveConfig]):
    """Customers who bought lately.

    Who: people whose last counted order is less than active (90d) ago. With by = "intervals" the bound is
    active_intervals (1) times the median time between two orders of a customer in this shop.

    Use it for: news and care, cross-selling, look-alikes; to leave them out of win-back. Message that suits: what
    is new, without hurry.
    """

    name = "active"
    version = 1
    Config = ActiveConfig
    bounds = ("active",)
    rule = (api.within("last_order_at", "$active"),)
    needs = (api.Need.ORDERS,)
    windows = ("active",)


class AtRiskConfig(RhythmConfig):
    """Settings of at-risk."""

    active: api.Duration = days(90, "no counted order for this long")
    at_risk: api.Duration = days(180, "but one less long ago than this")
    active_intervals: float = multiple(1, "active")
    at_risk_intervals: float = multiple(3, "at_risk")

    @model_validator(mode="after")
    def _in_order(self) -> AtRiskConfig:
        check_order(self, ("active", "at_risk"), ("active_intervals", "at_risk_intervals"))
        return self


class AtRisk(ByRhythm[AtRiskConfig]):
    """Customers who are later than usual and may be leaving.

    Who: people whose last counted order is at least active (90d) and less than at_risk (180d) ago. With by =
    "intervals" the bounds are 1 and 3 times the median time between two orders of a customer in this shop. Where
    orders are older than the carts, nobody is added until they catch up.

    Use it for: a reason to come by before they are gone, questions about how it went. Message that suits: what goes
    with the last order, what others like them bought; a small thanks before a discount.
    """

    name = "at-risk"
    version = 1
    Config = AtRiskConfig
    bounds = ("active", "at_risk")
    rule = (
        api.not_within("last_order_at", "$active"),
        api.within("last_order_at", "$at_risk"),
    )
    windows = ("at_risk",)


class InactiveConfig(RhythmConfig):
    """Settings of inactive."""

    inactive: api.Duration = days(180, "no counted order for this long")
    no_visit: api.Duration | None = api.Field(
        default=None,
        gt=timedelta(0),
        le=LONGEST,
        description="also no visit for this long; needs visits (events), people without any on record are out",
    )
    no_engagement: api.Duration | None = api.Field(
        default=None,
        gt=timedelta(0),
        le=LONGEST,
        description="also no open or click for this long; needs engagement, people without any on record are out",
    )
    inactive_intervals: float = multiple(3, "inactive")


class Inactive(ByRhythm[InactiveConfig]):
    """Customers who bought and then stopped.

    Who: people with at least one counted order, none of them within the last inactive (180d). no_visit and
    no_engagement tighten it, for shops whose visits or mail engagement hub reads: then the last visit, or the last
    human open or click, must be that long ago too. A person of whom no visit (or no engagement) was ever recorded
    is out for insufficient data: silence that nobody measured is no silence. With by = "intervals" the bound is
    inactive_intervals (3) times the median time between two orders of a customer in this shop.

    Use it for: win-back, commonly a short series; to leave them out of everyday mailings. Message that suits: what
    is new since they were last here, then one good reason to return.
    """

    name = "inactive"
    version = 1
    starter = True
    Config = InactiveConfig
    bounds = ("inactive",)
    rule = (
        api.at_least("orders", 1),
        api.not_within("last_order_at", "$inactive"),
        api.not_within("last_seen_at", "$no_visit"),
        api.not_within("last_engaged_at", "$no_engagement"),
    )
    windows = ("inactive",)


class LapsedConfig(RhythmConfig):
    """Settings of lapsed."""

    inactive: api.Duration = days(180, "no counted order for this long")
    lapsed: api.Duration = days(365, "but one less long ago than this")
    inactive_intervals: float = multiple(3, "inactive")
    lapsed_intervals: float = multiple(6, "lapsed")

    @model_validator(mode="after")
    def _in_order(self) -> LapsedConfig:
        check_order(self, ("inactive", "lapsed"), ("inactive_intervals", "lapsed_intervals"))
        return self


class Lapsed(ByRhythm[LapsedConfig]):
    """Customers who stopped, and not so long ago that they are gone.

    Who: people whose last counted order is at least inactive (180d) and less than lapsed (365d) ago. With lost it
    divides inactive in two. With by = "intervals" the bounds are 3 and 6 times the median time between two orders
    of a customer in this shop. Where orders are older than the carts, nobody is added until they catch up.

    Use it for: win-back while they still know the shop. Message that suits: what changed since, and one good reason
    to return now.
    """

    name = "lapsed"
    version = 1
    Config = LapsedConfig
    bounds = ("inactive", "lapsed")
    rule = (
        api.not_within("last_order_at", "$inactive"),
        api.within("last_order_at", "$lapsed"),
    )
    windows = ("lapsed",)


class LostConfig(RhythmConfig):
    """Settings of lost."""

    lapsed: api.Duration = days(365, "no counted order for this long")
    lapsed_intervals: float = multiple(6, "lapsed")


class Lost(ByRhythm[LostConfig]):
    """Customers who have been away for so long that they are probably gone.

    Who: people with at least one counted order, none of them within the last lapsed (365d). With by = "intervals"
    the bound is lapsed_intervals (6) times the median time between two orders of a customer in this shop. Where
    orders are older than the carts, nobody is added until they catch up.

    Use it for: a last try, a question why; to leave them out of paid audiences and of everyday mailings. Message
    that suits: do you still want to hear from us, honestly meant.
    """

    name = "lost"
    version = 1
    Config = LostConfig
    bounds = ("lapsed",)
    rule = (
        api.at_least("orders", 1),
        api.not_within("last_order_at", "$lapsed"),
    )
    windows = ("lapsed",)


class WinBackConfig(LapsedConfig):
    """Settings of win-back."""

    min_orders: int = api.Field(default=2, ge=1, description="counted orders, ever")


class WinBack(ByRhythm[WinBackConfig]):
    """Customers who used to come back, stopped, and are worth winning back.

    Who: people with at least min_orders (2) counted orders, the last at least inactive (180d) and less than lapsed
    (365d) ago. With by = "intervals" the bounds are 3 and 6 times the median time between two orders of a customer in
    this shop. Where orders are older than the carts, nobody is added until they catch up.

    Use it for: the win-back series, commonly mails on day 0, 5 to 7, 12 to 14 and 21 to 28; it stops with the first
    order, since they leave the segment. Message that suits: we noticed, what is new, and an offer last.
    """

    name = "win-back"
    version = 1
    Config = WinBackConfig
    bounds = ("inactive", "lapsed")
    rule = (
        api.at_least("orders", "$min_orders"),
        api.not_within("last_order_at", "$inactive"),
        api.within("last_order_at", "$lapsed"),
    )
    windows = ("lapsed",)
