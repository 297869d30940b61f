"""The source ``mailchimp``: what an audience's contacts consented to, and what they did with campaigns."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, timedelta
from functools import cached_property
from itertools import islice
from typing import Any, ClassVar

from hub import api
from hub_mailchimp.account import PAGE, Account, addresses, instant
from hub_mailchimp.bodies import moment
from hub_mailchimp.checks import look_at
from hub_mailchimp.destination import classify, rest_after
from hub_mailchimp.settings import MailchimpSourceConfig, connect_with

_OVERLAP = timedelta(hours=1)  # a change may become visible a while after its own time
_STATUSES = {
    "subscribed": "subscribed",
    "pending": "pending",
    "unsubscribed": "unsubscribed",
    "cleaned": "invalid",
    "transactional": "never",
}
_DONE = {"open": "opened", "click": "clicked", "bounce": "bounced"}
_CONTACT = ("email_address", "status", "ip_signup", "timestamp_opt", "timestamp_signup", "last_changed", "source")

Row = dict[str, Any]


class MailchimpSource(api.Source[MailchimpSourceConfig]):
    """Read consents with their time, and opens, clicks and bounces, of one audience."""

    name = "mailchimp"
    Config = MailchimpSourceConfig
    rate = api.Rate(concurrent=1)
    streams: ClassVar[Mapping[str, api.Stream]] = {
        "consents": api.Stream(("consents",)),
        "engagement": api.Stream(("engagement",)),
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._reached: dict[str, api.Reach] = {}

    @cached_property
    def account(self) -> Account:
        """Return the audience behind the client."""
        return Account(self.http, self.config.list_id)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client for the key's data centre."""
        return connect_with(connect, self.config)

    def pace(self, reply: api.Reply) -> float | None:
        """Rest a moment when there were too many connections."""
        return rest_after(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Tell a refused key from a busy edge."""
        return classify(reply)

    def check(self) -> Iterator[api.Finding]:
        """Try key and audience."""
        yield from look_at(self.http, self.config, writes=False)

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[api.Page]:
        """Yield what changed since the cursor; contacts now and then all, to notice who is gone."""
        until = until.replace(tzinfo=until.tzinfo or UTC)
        yield from (self._consents if stream == "consents" else self._engagement)(since or {}, until)

    def reach(self, table: str) -> api.Reach:
        """Say from when on campaigns were read, and until when a table was."""
        return self._reached.get(table, api.Reach())

    def _consents(self, since: Mapping[str, str], until: datetime) -> Iterator[api.Page]:
        """Yield contacts that changed, or all of them where that is due."""
        whole = "all" not in since or until - instant(since["all"]) >= self.config.reconcile
        start = moment(instant(since["changed"]) - _OVERLAP) if since else None
        wanted = {} if whole else {"since_last_changed": start}
        twice = self.account.asks_twice()
        subjects: set[str] = set()
        for some in _thousands(self.account.contacts(wanted, _CONTACT)):
            rows = [self._consent(each, twice=twice) for each in some]
            subjects |= {row["subject"] for row in rows} if whole else set()
            # A later change of any kind must not make an opt-out that is known look newer than it is.
            yield api.Page({"consents": [row for row in rows if not since or row["status"] != "unsubscribed"]})
        if since:
            for some in _thousands(self.account.unsubscribed(start, _CONTACT)):
                yield api.Page({"consents": [self._consent(each, twice=twice) for each in some]})
        cursor = {"changed": moment(until), "all": moment(until) if whole else since["all"]}
        # Whoever is archived said what they said before: that stands, and nothing is added to it.
        subjects |= addresses(self.account.contacts({"status": "archived"}, _CONTACT[:1])) if whole else set()
        remaining = [api.Remaining("consents", sorted(subjects))] if whole else []
        yield api.Page({}, cursor=cursor, remaining=remaining)
        self._reached["consents"] = api.Reach(None, until)

    def _consent(self, contact: Mapping[str, Any], *, twice: bool) -> Row:
        """Return what a contact's status says; an opt-in only where the person signed up, or the settings trust all.

        Mailchimp notes the address of the browser that signed up (``ip_signup``), and none for contacts that an import
        or a program brought, hub among them: those may say subscribed, and prove nothing by it.
        """
        status = _STATUSES.get(str(contact["status"]), "unknown")
        row: Row = {"subject": str(contact["email_address"]).strip().lower(), "subject_kind": "email"}
        row |= {"channel": "email", "status": status, "recorded_at": contact["last_changed"], "dated_by": "record"}
        row["evidence"] = f"Mailchimp audience {self.config.list_id}, {contact.get('source') or 'source unknown'}"
        if status != "subscribed":
            return row
        signed_up = bool(contact.get("ip_signup"))
        asked, said = contact.get("timestamp_signup"), contact.get("timestamp_opt")
        row |= {"recorded_at": said or asked or contact["last_changed"], "dated_by": "record" if signed_up else "file"}
        if signed_up:
            # Whoever was there before the audience began to ask twice has one time for both.
            confirmed = twice and asked and said and instant(said) > instant(asked)
            row["basis"] = "opt_in_double" if confirmed else "opt_in_single"
        elif self.config.proof == "subscribed":
            row["basis"] = "opt_in_single"
        return row

    def _engagement(self, since: Mapping[str, Any], until: datetime) -> Iterator[api.Page]:
        """Yield who got each campaign once, and what they did as long as it is followed."""
        read = instant(since["read"]) if since else None
        if read is not None and until - read < self.config.pause:
            return
        known = set(since.get("sent") or ())
        start = until - (self.config.history if read is None else self.config.follow)
        followed: list[str] = []
        for campaign in self.account.campaigns(start, until):
            seen = None if campaign["id"] not in known or read is None else moment(read - _OVERLAP)
            yield from self._campaign(campaign, seen)
            followed.append(str(campaign["id"]))
        first = str(since.get("from") or moment(start))
        yield api.Page({}, cursor={"read": moment(until), "sent": followed, "from": first})
        self._reached["engagement"] = api.Reach(instant(first), until)

    def _campaign(self, campaign: Mapping[str, Any], seen: str | None) -> Iterator[api.Page]:
        """Yield what happened with a campaign since a moment, or since it was sent."""
        number, settings = str(campaign["id"]), campaign.get("settings") or {}
        called = str(settings.get("title") or settings.get("subject_line") or number)
        if seen is None:
            got = self.account.report(number, "sent-to", "sent_to", ("email_address",))
            yield from _pages(_row(each, called, "sent", campaign["send_time"]) for each in got)
        acted = self.account.report(
            number, "email-activity", "emails", ("email_address", "activity"), **({"since": seen} if seen else {})
        )
        yield from _pages(
            _row(each, called, _DONE[did["action"]], did["timestamp"])
            for each in acted
            for did in each.get("activity") or ()
            if did.get("action") in _DONE
        )
        left = self.account.report(number, "unsubscribed", "unsubscribes", ("email_address", "reason", "timestamp"))
        yield from _pages(
            _row(each, called, "complained" if _complains(each) else "unsubscribed", each["timestamp"]) for each in left
        )


def _row(told: Mapping[str, Any], campaign: str, kind: str, at: str) -> Row:
    subject = str(told["email_address"]).strip().lower()
    return {"subject": subject, "kind": kind, "campaign": campaign, "happened_at": at}


def _complains(told: Mapping[str, Any]) -> bool:
    said = str(told.get("reason") or "").lower()
    return "spam" in said or "abuse" in said


def _pages(rows: Iterable[Row]) -> Iterator[api.Page]:
    for some in _thousands(rows):
        yield api.Page({"engagement": some})


def _thousands(rows: Iterable[Row]) -> Iterator[list[Row]]:
    left = iter(rows)
    while some := list(islice(left, PAGE)):
        yield some
