"""Settings of the destination and the source ``klaviyo``."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from pydantic import field_validator

from hub import api

Part = Literal["engagement", "views", "carts", "orders"]
PARTS: tuple[Part, ...] = ("engagement", "views", "carts", "orders")
_ADDRESS = api.Field(default=api.Endpoint("https://a.klaviyo.com"), description="base address of Klaviyo's API")
LONGEST_METRIC = 127  # a metric's name is shorter than 128 characters: "Create Event" in Klaviyo's reference


class KlaviyoConfig(api.Config):
    """Which account, and how people get into it."""

    address: api.Endpoint = _ADDRESS
    api_key: api.Secret = api.Field(
        description="private key: Klaviyo > Settings > API keys, with full access to lists and profiles, "
        "to events for cart segments, to data privacy for `hub forget`, and read access to accounts"
    )
    opt_in_process: Literal["single_opt_in", "double_opt_in"] | None = api.Field(
        default=None, description="opt-in of lists that hub makes; default: the account's"
    )
    cart_segments: Literal["event", "list"] = api.Field(
        default="event",
        description="how syncs with the purpose cart_reminder are delivered: an event may start a flow each time, "
        "a list only the first time a person enters it",
    )
    entered_event: str | None = api.Field(
        default=None, description="metric to record for each person who newly enters a list; none: no event"
    )

    @field_validator("entered_event")
    @classmethod
    def _is_a_metric(cls, name: str | None) -> str | None:
        if name is not None and not 0 < len(name) <= LONGEST_METRIC:
            raise ValueError(f"a metric's name has 1 to {LONGEST_METRIC} characters")
        return name


class KlaviyoSourceConfig(api.SourceConfig):
    """Which account, what is read of it, how the shop's link calls things, and what proves an opt-in."""

    address: api.Endpoint = _ADDRESS
    api_key: api.Secret = api.Field(
        description="private key: Klaviyo > Settings > API keys, with read access to events, profiles and metrics"
    )
    parts: tuple[Part, ...] = api.Field(
        default=PARTS,
        description="what is read beside profiles and their consents; leave out carts and orders where the shop itself "
        "is a source",
    )
    integration: str = api.Field(
        default="Shopify",
        min_length=1,
        description="Klaviyo's link to the shop, as Analytics > Metrics names it; `API` for one of the shop's own",
    )
    checkout_metric: str = api.Field(default="Checkout Started", description="metric of carts")
    order_metric: str = api.Field(default="Placed Order", description="metric of orders")
    cancel_metric: str = api.Field(default="Cancelled Order", description="metric of orders that were cancelled")
    refund_metric: str = api.Field(default="Refunded Order", description="metric of orders that were paid back")
    view_metric: str = api.Field(default="Viewed Product", description="metric of products looked at")
    views_allowed: bool = api.Field(
        default=False,
        description="true where the shop asks visitors before Klaviyo's tracking starts, so that a view on record is "
        "an allowed one; else nothing is known, which counts as no in the EEA, the United Kingdom and Switzerland",
    )
    proof: Literal["signup", "subscribed"] = api.Field(
        default="signup",
        description="what proves an opt-in: a double opt-in or a sign-up of the person's own (signup_methods), or "
        "being subscribed, which an import or another tool may have said",
    )
    signup_methods: tuple[str, ...] = api.Field(
        default=("FORM", "KLAVIYO_FORM", "SUBSCRIBE_PAGE", "PREFERENCE_PAGE", "CHECKOUT", "TEXT"),
        description="methods of a subscription, as Klaviyo's profiles name them, by which people sign up themselves",
    )
    history: api.Duration = api.Field(
        default=timedelta(days=365), description="how far back the first read goes for all but orders"
    )
    late: api.Duration = api.Field(
        default=timedelta(days=7), description="how far back events are read again once a day: some come late"
    )
    pause: api.Duration = api.Field(
        default=timedelta(hours=1), description="how long after a read engagement is not asked for again"
    )
    reconcile: api.Duration = api.Field(
        default=timedelta(days=7),
        description="how often all profiles are read, to notice who was deleted: Klaviyo tells nobody",
    )
