"""Cut people by what they did with certain mailings."""

from __future__ import annotations

from datetime import timedelta
from typing import Literal

from hub import api
from hub_engagement.measured import LONGEST, OnMails

# An open that nobody can judge leaves open whether there was one; a click is proof of an open, and both of a mail.
mails_by_campaign = api.Base(
    "mails of these campaigns",
    """
    with judged as (
        select person_id, kind, campaign, happened_at, machine,
            coalesce(not machine, list_contains($telling::varchar[], source)) as human
        from engagement
        where person_id is not null and by_mail and happened_at <= $as_of
            and ($window::interval is null or happened_at > $as_of - $window::interval)
            and ($campaigns::varchar[] is null or list_contains(
                list_transform($campaigns::varchar[], lambda t: lower(t)), lower(campaign)))
    ),
    counted as (
        select
            person_id,
            greatest(count(*) filter (where kind = 'sent') - count(*) filter (where kind = 'bounced'), 0) as sent,
            count(*) filter (where kind = 'opened' and human) as opened,
            count(*) filter (where kind = 'opened' and machine is null and not human) as unjudged,
            count(*) filter (where kind = 'clicked' and machine is not true) as clicks,
            max(happened_at) filter (where kind = 'sent') as sent_at,
            max(happened_at) filter (where kind = 'opened' and human) as opened_at,
            max(happened_at) filter (where kind = 'clicked' and machine is not true) as clicked_at,
            arg_max(campaign, struct_pack(t := happened_at, c := campaign)) as campaign
        from judged group by person_id
    )
    select
        person_id, campaign, clicks, sent_at, opened_at, clicked_at,
        case when opened > 0 then opened when clicks > 0 then clicks when unjudged > 0 then null else 0 end as opens,
        case when sent > 0 then sent when opened + clicks > 0 then 1 when $sends_known then 0 end as mails
    from counted
    """,
    absent="no such mail to them is on record",
    units={"mails": "mails", "opens": "opens", "clicks": "clicks", "sent_at": "time", "opened_at": "time"},
)


class OpenedNotClickedConfig(api.Config):
    """Settings of opened-not-clicked."""

    window: api.Duration = api.Field(
        default=timedelta(days=30), gt=timedelta(0), le=LONGEST, description="how far back opens and clicks count (30d)"
    )
    min_opens: int = api.Field(default=1, ge=1, description="opens of their own in the window, at least")
    campaigns: tuple[str, ...] | None = api.Field(
        default=None, min_length=1, description="only these mailings, as the mailing tool names them"
    )


class OpenedNotClicked(OnMails[OpenedNotClickedConfig]):
    """People who open the mails and click nothing.

    Who: people with at least min_opens (1) opens of their own in the window (30d), of campaigns where they are
    given, and no click in it. Opens by machines do not count; where a source cannot tell them from a person's,
    nobody can say whether there was an open, and such people are out for insufficient data.

    Use it for: another subject for the second try, another offer, a shorter mail with one button. Message that
    suits: the same thing said more plainly.
    """

    name = "opened-not-clicked"
    version = 1
    Config = OpenedNotClickedConfig
    base = mails_by_campaign
    instead = "whoever has no other opens is out for insufficient data"
    rule = (
        api.at_least("opens", "$min_opens"),
        api.equals("clicks", 0),
    )
    evidence = ("campaign", "opens", "opened_at", "sent_at")
    windows = ("window",)


class ByCampaignConfig(api.Config):
    """Settings of by-campaign."""

    campaigns: tuple[str, ...] = api.Field(
        min_length=1,
        description="mailings, as the mailing tool names them; any of them counts",
        examples=[("Spring sale",)],
    )
    did: Literal["received", "opened", "clicked", "not-opened", "not-clicked"] = api.Field(
        default="opened", description="what they did; not-opened and not-clicked are people who received it"
    )
    window: api.Duration | None = api.Field(
        default=None, gt=timedelta(0), le=LONGEST, description="how far back; default: ever"
    )


class ByCampaign(OnMails[ByCampaignConfig]):
    """People by what they did with certain mailings.

    Who: people who did what ``did`` says with one of campaigns: received it, opened it, clicked in it, or received
    it and did not open or click any of them. A click proves an open, an open proves a mail; a mail that bounced was
    not received. Opens by machines do not count; where a source cannot tell them from a person's, nobody can say
    who opened, and such people are out for insufficient data. Names of campaigns are compared whatever their case.

    Use it for: the follow-up: a reminder to those who did not open, the next step for those who clicked, peace for
    those who had it twice. Message that suits: one that knows what they saw already.
    """

    name = "by-campaign"
    version = 1
    Config = ByCampaignConfig
    base = mails_by_campaign
    instead = "whoever has no other opens is neither opened nor not-opened"
    rule = (
        api.at_least("mails", 1, when=("did", "received")),
        api.at_least("opens", 1, when=("did", "opened")),
        api.at_least("clicks", 1, when=("did", "clicked")),
        api.at_least("mails", 1, when=("did", "not-opened")),
        api.equals("opens", 0, when=("did", "not-opened")),
        api.at_least("mails", 1, when=("did", "not-clicked")),
        api.equals("clicks", 0, when=("did", "not-clicked")),
    )
    evidence = ("campaign", "mails", "opens", "clicks", "sent_at", "opened_at", "clicked_at")
    windows = ("window",)
