"""Cut people who left a cart by how likely they come back to it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Literal

from pydantic import model_validator

from hub import api
from hub_predicted.config import missing_packages

open_carts_scored = api.Base(
    "open carts and how likely they are recovered",
    """
    select
        person_id, prepared.recovery_probability, prepared.cart_id,
        prepared.cart_value::decimal(18, 2) as cart_value, prepared.cart_items::bigint as cart_items,
        carts.recovery_url as cart_url, carts.step as cart_step, carts.changed_at as cart_at
    from prepared
    join carts using (system, cart_id, person_id)
    """,
    absent="no open cart left between {min_age} and {max_age} ago: none, or it was completed, ordered or replaced",
    units={"recovery_probability": "share", "cart_value": "money", "cart_items": "items", "cart_at": "time"},
)


class LikelyToRecoverConfig(api.Config):
    """Settings of likely-to-recover."""

    which: Literal["likely", "unlikely"] = api.Field(
        default="likely",
        description="likely: carts whose probability reaches the percentile, or min_probability; unlikely: those below "
        "it, or at most max_probability",
    )
    percentile: float = api.Field(default=50, ge=0, le=100, description="percentile of the open carts' probabilities")
    min_probability: float | None = api.Field(
        default=None, ge=0, le=1, description="likely, instead of the percentile: the probability is at least this"
    )
    max_probability: float | None = api.Field(
        default=None, ge=0, le=1, description="unlikely, instead of the percentile: the probability is at most this"
    )
    min_age: api.Duration = api.Field(
        default=timedelta(hours=1),
        ge=timedelta(hours=1),
        lt=timedelta(days=7),
        description="how long the cart must have been left alone (1h)",
    )
    max_age: api.Duration = api.Field(
        default=timedelta(days=7),
        gt=timedelta(hours=1),
        le=timedelta(days=7),
        description="carts left longer ago than this are past (7d, after which none counts as recovered)",
    )
    window: api.Duration = api.Field(
        default=timedelta(days=365),
        ge=timedelta(days=30),
        le=timedelta(days=1095),
        description="how far back carts are learned from (365d)",
    )

    @model_validator(mode="after")
    def _fit_together(self) -> LikelyToRecoverConfig:
        if self.min_age >= self.max_age:
            shown = f"{api.format_duration(self.min_age)} and {api.format_duration(self.max_age)}"
            raise ValueError(f"min_age must be shorter than max_age, not {shown}")
        if self.min_probability is not None and self.which == "unlikely":
            raise ValueError('min_probability goes with which = "likely"')
        if self.max_probability is not None and self.which == "likely":
            raise ValueError('max_probability goes with which = "unlikely"')
        return self


class LikelyToRecover(api.Segment[LikelyToRecoverConfig]):
    """People who left a cart and will most likely come back to it, or will not.

    Who: people whose latest cart is open, was last changed at least min_age (1h) and less than max_age (7d) ago, and
    whose probability to be recovered reaches the percentile (50) of all such carts, or min_probability where it is
    set; which = "unlikely" takes the others. Recovered means completed, or any counted order by the person, within 7
    days after the cart was left alone for an hour. The probability comes from a logistic model of what was known when
    a cart was left: its value and pieces, what the person had bought until then, and what became of their earlier
    carts; fitted to the shop's own carts of the window (365d) whose 7 days are over at as_of. The longer a cart has
    been left, the less of its probability remains, by the times after which this shop's carts came back. Where orders
    are older than the carts, nobody is added until they catch up.

    It is the probability under what the shop did so far, reminders included; it does not say whom a reminder changes.
    It refuses with less than 500 such carts, 50 of them recovered and 50 not. The output shows what weighs how much,
    and how the model would have done on the newest quarter of the carts, fitted without them: predicted and recovered
    by fifths. Needs audience-hub[predicted].

    Use it for: likely: the plain reminder; unlikely: help, a call, the offer that is worth a try. Message that suits:
    likely: what is in the cart (``cart_items``, ``cart_value``) and the way back (``cart_url``), no discount;
    unlikely: what stands in the way, answered.
    """

    name = "likely-to-recover"
    version = 1
    starter = False
    Config = LikelyToRecoverConfig
    base = open_carts_scored
    rule = (
        api.at_least("recovery_probability", "$min_probability"),
        api.at_most("recovery_probability", "$max_probability"),
        api.at_least(
            "recovery_probability",
            api.percentile("recovery_probability", "$percentile"),
            unless="min_probability",
            when=("which", "likely"),
        ),
        api.less_than(
            "recovery_probability",
            api.percentile("recovery_probability", "$percentile"),
            unless="max_probability",
            when=("which", "unlikely"),
        ),
    )
    evidence = ("recovery_probability", "cart_id", "cart_value", "cart_items", "cart_url", "cart_step", "cart_at")
    needs = (api.Need.CARTS, api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("window",)

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        """Fit the model, or say why it cannot be, and score the open carts."""
        try:
            from hub_predicted.recovery import open_carts, propensity  # noqa: PLC0415 - an extra
        except ImportError as error:
            missing = missing_packages(error)
            if missing is None:
                raise
            return api.Prepared(refused=missing)
        config = self.config
        found = catalog.once(propensity, as_of, config.window)
        if found.refused is not None:
            return api.Prepared(refused=found.refused)
        table = catalog.once(open_carts, as_of, config.window, config.min_age, config.max_age)
        return api.Prepared(table=table, notes=found.notes)
