"""Cut people by where they stand with the shop, and where they came from."""

from __future__ import annotations

from typing import Literal

from hub import api

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


Stage = Literal["visitor", "prospect", "first-time", "repeat", "loyal", "lapsed"]


class JourneyStageConfig(api.Config):
    """Settings of journey-stage."""

    stages: tuple[Stage, ...] = api.Field(
        min_length=1, description="where they stand", examples=[("first-time", "repeat")]
    )


class JourneyStage(api.Segment[JourneyStageConfig]):
    """People by where they stand on the way from a visitor to a regular.

    Who: people at one of stages. Everybody is at exactly one: visitor (seen on the site and not known otherwise),
    prospect (known, no counted order), first-time (one counted order, less than 180 days ago), repeat (two or
    three, the last less than 180 days ago), loyal (four or more, the last less than 180 days ago), lapsed (at least
    one, none in 180 days, however many there were). Where orders are older than the carts, nobody is added until
    they catch up.

    Use it for: one message per stage, reports on how many move on. Message that suits: the next step: from reading
    to subscribing, from the first order to the second, from regular to friend.
    """

    name = "journey-stage"
    version = 1
    starter = False
    Config = JourneyStageConfig
    rule = (api.one_of("journey_stage", "$stages"),)
    evidence = ("journey_stage", "orders", "last_order_at")
    needs = (api.Need.ORDERS, api.Need.ORDERS_AS_FRESH_AS_CARTS)


first_sources = api.Base(
    "the source of the first visit",
    """
    with sources as (
        select first_traffic_source, list_prepend(first_traffic_source, list_filter(
            list_transform(string_split(first_traffic_source, '/'), lambda t: trim(t)),
            lambda t: t <> first_traffic_source)) as channels
        from (select distinct first_traffic_source from facts where first_traffic_source is not null)
    )
    select person_id, first_traffic_source, channels from facts join sources using (first_traffic_source)
    union all
    select person_id, null, null from facts where first_traffic_source is null
    """,
    absent="not known to the shop",
)


class AcquisitionChannelConfig(api.Config):
    """Settings of acquisition-channel."""

    sources: tuple[str, ...] = api.Field(
        min_length=1,
        description="where the first visit came from: source, medium or both, as the analytics tool writes them",
        examples=[("google / cpc", "newsletter")],
    )


class AcquisitionChannel(api.Segment[AcquisitionChannelConfig]):
    """People by the channel that first brought them to the shop.

    Who: people whose first visit on record came from one of sources: the whole text, such as "google / cpc", or one
    part of it, such as "google" or "cpc", whatever the case. Somebody of whom no visit with a source is on record
    is out for insufficient data. To see a stage of one channel, combine the two: ``all = ["lapsed",
    "from-google"]``.

    Use it for: what each channel brings in the long run, welcome texts that fit the promise of the ad. Message that
    suits: the one that they came for.
    """

    name = "acquisition-channel"
    version = 1
    starter = False
    Config = AcquisitionChannelConfig
    base = first_sources
    rule = (api.has_any("channels", "$sources"),)
    evidence = ("first_traffic_source",)
    needs = (api.Need.EVENTS,)
