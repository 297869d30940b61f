"""Cut customers by where they stand with the shop: not yet bought, or not for long."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import timedelta
from typing import Any

from hub import api

LONGEST = timedelta(days=3650)

known_contacts = api.Base(
    "known contacts",
    """
    select facts.person_id, coalesce(facts.orders, 0) as orders, people.created_at
    from people
    join facts using (person_id)
    where people.email is not null or people.phone is not null or people.customer_id is not null
    """,
    absent="not a contact known to the shop",
    units={"orders": "orders", "created_at": "time"},
)


class InactiveConfig(api.Config):
    """Settings of inactive."""

    inactive: api.Duration = api.Field(
        default=timedelta(days=180), gt=timedelta(0), le=LONGEST, description="no counted order for this long (180d)"
    )
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


class Inactive(api.Segment[InactiveConfig]):
    """Customers who bought and then stopped.

    Who: people with at least one counted order, none of them within the last inactive (180d). no_visit and
    no_engagement tighten it, for shops whose visits or mail engagement hub reads: then the last visit, or the last
    human open or click, must be that long ago too. A person of whom no visit (or no engagement) was ever recorded
    is out for insufficient data: silence that nobody measured is no silence.

    Use it for: win-back, commonly a short series; to leave them out of everyday mailings. Message that suits: what
    is new since they were last here, then one good reason to return.
    """

    name = "inactive"
    version = 1
    Config = InactiveConfig
    rule = (
        api.at_least("orders", 1),
        api.not_within("last_order_at", "$inactive"),
        api.not_within("last_seen_at", "$no_visit"),
        api.not_within("last_engaged_at", "$no_engagement"),
    )
    evidence = ("last_order_at", "orders", "spend")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)
    windows = ("inactive",)


class NeverPurchasedConfig(api.Config):
    """Settings of never-purchased: there are none."""


class NeverPurchased(api.Segment[NeverPurchasedConfig]):
    """Contacts who have not bought yet.

    Who: people known by an e-mail, a phone or a customer account, without a single counted order in all of the
    history. Test, cancelled and fully refunded orders are none. It has no settings. Where orders are older than
    the carts, nobody is added until they catch up.

    Use it for: welcome series and first-order offers. Message that suits: who you are, what others buy first, how
    returns work.
    """

    name = "never-purchased"
    version = 1
    Config = NeverPurchasedConfig
    base = known_contacts
    rule = (api.equals("orders", 0),)
    evidence = ("created_at",)
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [Inactive, NeverPurchased]
