"""Cut customers by what the models expect of them."""

from __future__ import annotations

from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any, Generic, TypeVar

from hub import api
from hub_predicted.config import PredictedConfig, beginning, horizon, missing_packages

TOO_REGULAR = 0.25

predicted_customers = api.Base(
    "predictions from purchases",
    """
    select
        person_id, prepared.probability_alive, prepared.return_probability, prepared.expected_purchases,
        prepared.expected_value::decimal(18, 2) as expected_value,
        facts.last_order_at, facts.orders, facts.spend, $horizon as horizon
    from prepared
    join facts using (person_id)
    """,
    absent="no purchase that was worth anything, so nothing to predict from",
    units={
        "probability_alive": "share",
        "return_probability": "share",
        "expected_value": "money",
        "last_order_at": "time",
        "orders": "orders",
        "spend": "money",
    },
    ever=("probability_alive",),
)

ConfigT = TypeVar("ConfigT", bound="AheadConfig")


class AheadConfig(PredictedConfig):
    """What every prediction from purchases has that looks ahead for a time."""

    horizon: api.Duration = horizon(90)


class FromPurchases(api.Segment[ConfigT], Generic[ConfigT]):
    """A strategy whose rule looks at predictions; those that ask for the same share the fit and the scores."""

    starter = False
    base = predicted_customers
    evidence = (
        "probability_alive",
        "return_probability",
        "expected_purchases",
        "expected_value",
        "last_order_at",
        "orders",
        "spend",
    )
    needs: tuple[api.Need, ...] = (api.Need.ORDERS,)
    by_value = False

    def prepare(self, catalog: api.Reader, as_of: datetime) -> api.Prepared:
        """Fit the models, or say why they cannot be, and score everybody who bought."""
        try:
            from hub_predicted.forecast import fitted, scores  # noqa: PLC0415 - an extra
        except ImportError as error:
            missing = missing_packages(error)
            if missing is None:
                raise
            return api.Prepared(refused=missing)
        instant = beginning(as_of, self.config.frozen)
        forecast = catalog.once(fitted, instant, as_of)
        refused = forecast.refused or (forecast.no_worth if self.by_value else None) or self._too_regular(forecast)
        if refused is not None:
            return api.Prepared(refused=refused)
        notes = (*forecast.notes, *self._ahead(forecast))
        table = catalog.once(scores, instant, as_of, self.config.horizon)
        return api.Prepared(table=table, notes=notes)

    def _too_regular(self, forecast: Any) -> str | None:
        regular = forecast.regularity
        if self.config.allow_subscriptions or regular.share < TOO_REGULAR:
            return None
        return (
            f"subscriptions: {regular.regular:,} of {regular.people:,} customers who bought on four days or more did "
            "so at fixed intervals, and BG/NBD takes purchases to be random; due-to-reorder suits them better, and "
            "allow_subscriptions = true predicts all the same"
        )

    def _ahead(self, forecast: Any) -> tuple[str, ...]:
        if self.config.horizon <= forecast.history:
            return ()
        days = timedelta(days=1)
        return (
            f"horizon = {api.format_duration(self.config.horizon)} looks further ahead than the "
            f"{int(forecast.history / days)} days of history look back",
        )


class LikelyLostConfig(AheadConfig):
    """Settings of likely-lost."""

    max_alive: float = api.Field(
        default=0.25, ge=0, le=1, description="the probability of still being a customer is at most this"
    )


class LikelyLost(FromPurchases[LikelyLostConfig]):
    """Customers who used to come back and by their own rhythm should have long since.

    Who: people with at least two purchases whose probability of being alive, which is of not having left for good, is
    at most max_alive (0.25). The model BG/NBD (Fader, Hardie and Lee, 2005), fitted to the shop's own orders at as_of,
    judges everybody by their own rhythm: two months of silence mean much for somebody who bought weekly and nothing
    for somebody who buys twice a year. A purchase is a day with counted orders worth something. Of those who bought
    once the model cannot say whether they left: they are out for insufficient data, one-and-done and lost have them.
    Where orders are older than the carts, nobody is added until they catch up.

    It refuses with less than 500 customers, 100 who came back, 20 with three purchases or 180 days of history, without
    an order in 30 days (as Klaviyo does for its predictions), and where many buy at fixed intervals: the model takes
    purchases to be random, which subscriptions are not. The output shows the parameters with their standard errors
    and how the model would have done on the last weeks, fitted without them. Needs audience-hub[predicted].

    Use it for: win-back while it is worth it, a question why, leaving them out of paid audiences. Message that suits:
    what is new since they were last here; the best offer goes to those who were worth it (`spend`).
    """

    name = "likely-lost"
    version = 1
    Config = LikelyLostConfig
    rule = (api.at_most("probability_alive", "$max_alive"),)
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)


class LikelyToReturnConfig(AheadConfig):
    """Settings of likely-to-return."""

    min_probability: float = api.Field(
        default=0.5, ge=0, le=1, description="the probability of a purchase within the horizon is at least this"
    )


class LikelyToReturn(FromPurchases[LikelyToReturnConfig]):
    """Customers who will most likely buy again by themselves.

    Who: people whose probability of at least one purchase in the next horizon (90d) is at least min_probability
    (0.5). It follows from the model BG/NBD (Fader, Hardie and Lee, 2005), fitted to the shop's own orders at as_of:
    how often they bought, how long ago, and what others like them did. Those who bought once have one too.
    Seasons are unknown to the model. Refusals and what the output shows are as for likely-lost. Needs
    audience-hub[predicted].

    Use it for: news and full prices; leaving them out of discounts, which they do not need; stock and staffing.
    Message that suits: what is new, what goes with the last order; no code.
    """

    name = "likely-to-return"
    version = 1
    Config = LikelyToReturnConfig
    rule = (api.at_least("return_probability", "$min_probability"),)


class TopPredictedValueConfig(AheadConfig):
    """Settings of top-predicted-value."""

    horizon: api.Duration = horizon(365)
    percentile: float = api.Field(
        default=90, ge=0, le=100, description="percentile of the expected value of all customers to reach"
    )
    min_value: Decimal | None = api.Field(
        default=None,
        gt=0,
        decimal_places=2,
        description="instead of the percentile: expected value to reach, in the client's currency",
    )


class TopPredictedValue(FromPurchases[TopPredictedValueConfig]):
    """Customers who will be worth the most from now on, whatever they were worth so far.

    Who: people whose expected net spend in the next horizon (365d) reaches the percentile (90) of everybody who ever
    bought, or min_value where it is set. It is the expected number of purchases by BG/NBD (Fader, Hardie and Lee,
    2005) times the expected worth of one by Gamma-Gamma (Fader and Hardie, 2013), both fitted to the shop's own
    orders at as_of; it is not discounted, and leaves returns out that are still to come. Of those who bought once a
    purchase is expected to be worth what it is on average. Refusals and what the output shows are as for likely-lost;
    it also refuses where what purchases are worth differs too widely to have a mean. Needs audience-hub[predicted].

    Use it for: personal service, early access, look-alike audiences of the best customers to come. Message that
    suits: as for high spenders: first to see it, a name to turn to, never a discount they would not need.
    """

    name = "top-predicted-value"
    version = 1
    Config = TopPredictedValueConfig
    rule = (
        api.at_least("expected_value", "$min_value"),
        api.at_least("expected_value", api.percentile("expected_value", "$percentile"), unless="min_value"),
    )
    by_value = True
