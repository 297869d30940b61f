"""Find who reads the mails, and who has stopped."""

from __future__ import annotations

from datetime import timedelta

from hub import api
from hub_engagement.measured import LONGEST, OnMails

# Visits and orders count only where some source cannot tell a machine's open from a person's.
_SIGNS = """
    select person_id, happened_at as signed_at, kind as sign from engagement
    where kind in ('opened', 'clicked') and by_mail
        and coalesce(not machine, kind = 'clicked' or list_contains($telling::varchar[], source))
        and happened_at > $as_of - $window and happened_at <= $as_of
    union all
    select person_id, happened_at as signed_at, 'visited' as sign from events
    where $blind and happened_at > $as_of - $window and happened_at <= $as_of
    union all
    select person_id, placed_at as signed_at, 'bought' as sign from orders
    where $blind and counted and placed_at > $as_of - $window and placed_at <= $as_of
"""

# A subscription is new by the person's own record: the date of a file says nothing about them.
signs_of_interest = api.Base(
    "signs of interest in the window",
    f"""
    with signs as ({_SIGNS}),
    statements as (
        select person_id, max(recorded_at) as subscribed_at,
            arg_max(status, struct_pack(t := recorded_at, s := status)) as status
        from consents
        where channel = 'email' and recorded_at <= $as_of and dated_by is distinct from 'file'
        group by person_id
    ),
    every as (
        select person_id, signed_at, sign from signs
        union all
        select person_id, subscribed_at, 'subscribed' from statements
        where status = 'subscribed' and subscribed_at > $as_of - $grace
    )
    select
        person_id, count(*) as signs, max(signed_at) as engaged_at,
        count(*) filter (where sign = 'opened') as opens,
        count(*) filter (where sign = 'clicked') as clicks,
        max(signed_at) filter (where sign = 'subscribed') as subscribed_at
    from every where person_id is not null
    group by person_id
    """,
    absent="no open or click of theirs in the last {window}, and no new subscription in the last {grace}",
    units={"signs": "signs", "engaged_at": "time", "subscribed_at": "time"},
)

silence = api.Base(
    "mails received and signs of interest",
    f"""
    with mails as (
        select
            person_id, greatest(sum(sent) - sum(bounced), 0)::bigint as received, max(last_sent_at) as last_sent_at,
            max(greatest(
                last_read_at, case when list_contains($telling::varchar[], source) then last_unmarked_open_at end
            )) as last_engaged_at
        from mail_totals
        group by person_id
    ),
    shown as (
        select person_id, count(*) as signs from ({_SIGNS}) group by person_id
    )
    select
        person_id, case when $sends_known then mails.received end as received, mails.last_sent_at,
        coalesce(shown.signs, 0) as signs, mails.last_engaged_at
    from mails left join shown using (person_id)
    """,
    absent="no mail to them is on record",
    units={"received": "mails", "signs": "signs", "last_sent_at": "time", "last_engaged_at": "time"},
    ever=("received",),
)


class EngagedConfig(api.Config):
    """Settings of engaged."""

    window: api.Duration = api.Field(
        default=timedelta(days=30), gt=timedelta(0), le=LONGEST, description="how far back signs count (30d; 60d, 90d)"
    )
    grace: api.Duration = api.Field(
        default=timedelta(days=15),
        ge=timedelta(0),
        le=timedelta(days=90),
        description="who subscribed less long ago is engaged too (15d); 0d: nobody for that",
    )
    min_signs: int = api.Field(default=1, ge=1, description="opens, clicks and a new subscription together, at least")


class Engaged(OnMails[EngagedConfig]):
    """People who read the mails, or have only just subscribed.

    Who: people with at least one open or click of their own in the window (30d; commonly also 60d and 90d), or who
    subscribed to mails less than grace (15d) ago. Opens by machines, which mail programs make to hide their users,
    do not count. Where a source cannot tell them from a person's, its opens do not count either, and visits to the
    shop and orders in the window count instead; the output says so. A new subscription is one with a date of its
    own, never the date of a file. Whether somebody may be mailed is not asked here; consent decides that
    afterwards.

    Use it for: campaigns that many should open, warming up a sending address, tests. Message that suits: your best;
    they read it.
    """

    name = "engaged"
    version = 1
    Config = EngagedConfig
    base = signs_of_interest
    instead = "they are not counted, and visits and orders count instead"
    rule = (api.at_least("signs", "$min_signs"),)
    evidence = ("engaged_at", "opens", "clicks", "subscribed_at")
    windows = ("window",)


class UnengagedConfig(api.Config):
    """Settings of unengaged."""

    window: api.Duration = api.Field(
        default=timedelta(days=90), gt=timedelta(0), le=LONGEST, description="no open or click for this long (90d)"
    )
    min_received: int = api.Field(default=5, ge=1, description="mails received, ever; fewer are no test")


class Unengaged(OnMails[UnengagedConfig]):
    """People who get the mails and do nothing with them.

    Who: people who received at least min_received (5) mails, ever, and neither opened nor clicked one in the window
    (90d). Mails that bounced were not received. Opens by machines do not count. Where a source cannot tell them
    from a person's, its opens do not count either, and whoever visited the shop or ordered in the window is not
    called unengaged; the output says so. Where no source tells what was sent, everybody is out for insufficient
    data.

    Use it for: above all as an exclusion (``none = ["unengaged"]``): mailing the silent hurts what reaches the
    others; before that a last question. Message that suits: do you still want this, with one click to stay.
    """

    name = "unengaged"
    version = 1
    Config = UnengagedConfig
    base = silence
    instead = "they are not counted, and who visits or buys is not called unengaged"
    rule = (
        api.at_least("received", "$min_received"),
        api.equals("signs", 0),
    )
    evidence = ("received", "last_sent_at", "last_engaged_at")
    windows = ("window",)
