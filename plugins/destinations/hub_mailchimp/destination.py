"""The destination ``mailchimp``: a tag in an audience that is kept equal to a segment."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from functools import cached_property
from threading import Lock
from typing import Any

from hub import api
from hub_mailchimp import bodies
from hub_mailchimp.account import Account, instant, problem
from hub_mailchimp.adding import Adding
from hub_mailchimp.checks import look_at
from hub_mailchimp.fields import Field, tags_of, values_of
from hub_mailchimp.settings import MailchimpConfig, connect_with

CONNECTIONS = 8  # of the ten that Mailchimp allows a user: other tools have some too
_FEW = 3  # changes that are written one by one: a batch operation takes three calls
_OVERLAP = timedelta(hours=1)  # a change may become visible a while after its own time
_CONTACTS = "contacts"
_COMPLAINED = ("spam", "abuse")


class Mailchimp(api.Destination[MailchimpConfig]):
    """Keep a tag. It creates contacts that an audience does not know, and changes nobody's status.

    Mailchimp limits simultaneous connections and nothing else that it tells of.
    """

    name = "mailchimp"
    Config = MailchimpConfig
    can = api.Capabilities(
        ops={
            api.Op.ADD: api.Limit(bodies.ROWS_A_CALL),
            api.Op.UPDATE: api.Limit(bodies.OPERATIONS_A_BATCH),
            api.Op.REMOVE: api.Limit(bodies.ROWS_A_CALL),
        },
        rate=api.Rate(concurrent=CONNECTIONS),
        identify_by=("email",),
        purpose="email_marketing",
        permissions=True,
    )

    before_tag = _FEW
    """How many known contacts' fields are written one by one before they get the tag; more are a batch operation."""

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._turn = Lock()
        self._fields: dict[str, Field] | None = None

    @cached_property
    def account(self) -> Account:
        """Return the audience behind the client."""
        return Account(self.http, self.config.list_id)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client for the key's data centre."""
        return connect_with(connect, self.config)

    def pace(self, reply: api.Reply) -> float | None:
        """Let all connections rest a moment when there were too many; Mailchimp says nothing of how long."""
        return rest_after(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Tell a refused key from a busy edge: that answers 403 too, and not in JSON ("Errors" in the docs)."""
        return classify(reply)

    def check(self) -> Iterator[api.Finding]:
        """Try key, role and audience, and tell of settings that will surprise."""
        yield from look_at(self.http, self.config)

    def serving(self, purpose: str) -> api.Destination[Any]:
        """Return the destination for a sync: where a mail follows the tag at once, its fields are written before."""
        return MailchimpAtOnce(self) if purpose == "cart_reminder" else self

    def first_load(self, audience: str) -> str | None:
        """Say that a tag may start automations."""
        return (
            f"automations that start with the tag {audience!r} may start for everybody of a first load; pause them in "
            "Mailchimp until it is done"
        )

    def forecast(self, planned: api.Planned) -> api.Forecast:
        """Reckon calls that create and tag, write fields, or take the tag off, and looks at batch operations.

        The fields of a contact that Mailchimp knows take calls of their own. Everybody with attributes is taken to be
        one, except in a first load into an audience of which the first listening told that it has fewer.
        """
        beside = {api.Op.ADD: 2, api.Op.UPDATE: 0, api.Op.REMOVE: 1}
        found = api.Forecast(reads=self._first_reads(planned))
        for op, count in planned.counts.items():
            few = self.before_tag if op is api.Op.ADD else _FEW
            share = 0.0 if op is api.Op.REMOVE else _share_with_fields(planned.samples[op])
            if op is api.Op.ADD:
                share *= min(1.0, self._contacts(count) / count)
            for size, times in planned.batches(op, self.can.ops[op]).items():
                changed = round(size * share)
                jobs = int(changed > few)
                found += api.Forecast(calls=times * (beside[op] + (1 if jobs else changed)), later=times * jobs)
        return found

    def ensure_audience(self, name: str) -> str:
        """Find the tag by its name or create it."""
        self.remember.set(_CONTACTS, None)  # which is old from now on
        return self.account.find_tag(name) or self.account.create_tag(name)

    def prepare(self, attributes: Sequence[str]) -> None:
        """Create the merge fields that the audience lacks."""
        for name, tag in tags_of(attributes).items():
            if tag not in self.fields:
                self.fields[tag] = self.account.create_field(tag, name)
            elif self.fields[tag].type == "address":
                raise api.ConfigError(
                    f"the merge field {tag} is an address, which one attribute cannot fill",
                    next_step=f"Give the attribute {name} another name on the left.",
                )

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Create and tag, write fields, or take the tag off."""
        if batch.op is api.Op.ADD:
            return self.adding.add(batch)
        if batch.op is api.Op.UPDATE:
            return self._update(batch)
        return self._remove(batch)

    def poll(self, batch: api.Batch) -> Iterator[api.Outcome | api.Pending]:
        """Look at a batch operation; a field that Mailchimp refuses there does not cost the tag."""
        told = self.account.batch(str(batch.receipt))
        if told is None:
            yield from (member.unknown("Mailchimp no longer knows the batch operation") for member in batch)
            return
        if told["status"] != "finished":
            yield api.Pending()
            return
        wrong = self.account.batch_problems(told, self.shop.cache) if told.get("errored_operations") else {}
        for member in batch:
            found = wrong.get(member.key)
            if found is None or (batch.op is api.Op.ADD and found.status != 404):
                yield member.delivered()
            else:
                yield member.rejected("is no longer in the audience" if found.status == 404 else found.why)

    def read_suppressions(self, since: datetime | None) -> Iterator[api.Block]:
        """Yield who unsubscribed or was cleaned (bounced), with the time of the contact's last change.

        Opt-outs are asked for by their own time, which Mailchimp filters by and does not tell: any later change of a
        contact, such as a tag, would make an old opt-out look newer than an opt-in given since.
        """
        start = None if since is None else bodies.moment(since - _OVERLAP)
        if start is None:
            self.remember.set(_CONTACTS, self.account.size())
        for each in self.account.unsubscribed(start, ("email_address", "last_changed", "unsubscribe_reason")):
            said = str(each.get("unsubscribe_reason") or "").lower()
            yield _block("complaint" if any(word in said for word in _COMPLAINED) else "unsubscribed", each)
        wanted = {} if start is None else {"since_last_changed": start}
        for each in self.account.contacts({"status": "cleaned", **wanted}, ("email_address", "last_changed")):
            yield _block("hard_bounce", each)

    def read_members(self, audience: str) -> Iterator[api.Member]:
        """Yield who has the tag, whatever their status."""
        seen: set[str] = set()
        for each in self.account.tag_members(audience):
            if each["id"] not in seen:
                seen.add(each["id"])
                yield api.Member(str(each["id"]), email=str(each["email_address"]).strip().lower() or None)

    def forget(self, member: api.Member) -> api.Outcome:
        """Erase the contact for good; Mailchimp takes the address again only from the person."""
        if member.email is None:
            return member.rejected("Mailchimp erases by e-mail address")
        refused = self.account.erase(member.email)
        return member.rejected(refused.why) if refused else member.delivered()

    @cached_property
    def adding(self) -> Adding:
        """Return what additions of this run share."""
        return Adding(self.account, lambda: self.fields, self.before_tag)

    @property
    def fields(self) -> dict[str, Field]:
        """Return the audience's merge fields, asked for once in a run."""
        with self._turn:
            if self._fields is None:
                self._fields = self.account.fields()
            return self._fields

    def _contacts(self, unless_known: int) -> int:
        told = self.remember.get(_CONTACTS)
        return unless_known if told is None else int(told)

    def _first_reads(self, planned: api.Planned) -> int:
        """Reckon what a run asks once: who is archived, and the fields, which a first load knows beforehand."""
        adds, sent = api.Op.ADD in planned.counts, [planned.samples[op] for op in planned.counts]
        asks_for_fields = planned.remote_id is not None and any(member.attributes for some in sent for member in some)
        return int(adds) + int(asks_for_fields)

    def _update(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Write fields of known contacts: a few one by one, more as one batch operation."""
        fields = {member.key: values_of(member.attributes, self.fields, new=False) for member in batch}
        changed = [member for member in batch if fields[member.key] and member.email]
        for member in batch:
            if not fields[member.key] or not member.email:
                yield member.delivered()
        if len(changed) <= _FEW:
            for member in changed:
                refused = self.account.write(str(member.email), fields[member.key])
                yield member.rejected(refused.why) if refused else member.delivered()
            return
        receipt = self.account.start({m.key: (str(m.email), fields[m.key]) for m in changed})
        for member in changed:
            yield api.Outcome(member, api.State.ACCEPTED, receipt=receipt)

    def _remove(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Take the tag off; who does not have it, or is no contact, is without it already."""
        self.account.untag(batch.audience, list(bodies.by_address(batch)))
        for member in batch:
            yield member.delivered()


class MailchimpAtOnce(Mailchimp):
    """The same, for mails that quote the fields and start with the tag: every field is written before its tag."""

    before_tag = bodies.ROWS_A_CALL

    def __init__(self, owner: Mailchimp) -> None:
        super().__init__(connection=owner.connection, config=owner.config, shop=owner.shop, remember=owner.remember)
        self.clock = owner.clock
        self._owner = owner

    @property
    def http(self) -> api.Http:
        """Return the client of the connection."""
        return self._owner.http


def _share_with_fields(sample: Sequence[api.Member]) -> float:
    """Return how large a part of some members has an attribute with a value."""
    return sum(any(value is not None for value in m.attributes.values()) for m in sample) / max(1, len(sample))


def rest_after(reply: api.Reply) -> float | None:
    """Return seconds to rest after a refusal that says nothing of how long."""
    return 1.0 if reply.status == 429 and "retry-after" not in reply.headers else None


def classify(reply: api.Reply) -> api.HubError | None:
    """Return what a 401 or 403 of Mailchimp means."""
    if reply.status not in {401, 403}:
        return None
    if reply.status == 403 and "json" not in reply.headers.get("content-type", ""):
        return api.TransientError("Mailchimp's edge turned the request away (403), which it does when it is busy")
    return api.AuthError(
        f"Mailchimp refuses the API key ({problem(reply).why})",
        next_step="Make a new key under Profile > Extras > API keys, and set it with `hub secret set`.",
    )


def _block(reason: str, told: dict[str, Any]) -> api.Block:
    return api.Block(reason, instant(str(told["last_changed"])), email=str(told["email_address"]).strip().lower())
