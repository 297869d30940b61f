"""The destination ``klaviyo``: a list that is kept equal to a segment by bulk import jobs."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.account import EVENT_JOBS, IMPORT_JOBS, PAGE, Account, filters
from hub_klaviyo.checks import look_at
from hub_klaviyo.connecting import barred, connect_with, rest_after
from hub_klaviyo.events import METRIC, KlaviyoEvents, record
from hub_klaviyo.settings import KlaviyoConfig

_LISTS = "lists"
_IDS_READ = 1_000
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_OVERLAP = timedelta(hours=1)  # a suppression may become visible a while after its own time
_ROWS = api.Limit(bodies.PROFILES_A_JOB, bytes=bodies.LARGEST_BODY - bodies.ENVELOPE)


class Klaviyo(api.Destination[KlaviyoConfig]):
    """Keep a list. It never subscribes or unsubscribes anybody: being on a list is no consent at Klaviyo.

    The rate is that of bulk imports and list members; Klaviyo counts per endpoint, and all others allow more or are
    asked rarely.
    """

    name = "klaviyo"
    Config = KlaviyoConfig
    can = api.Capabilities(
        ops={api.Op.ADD: _ROWS, api.Op.UPDATE: _ROWS, api.Op.REMOVE: api.Limit(bodies.MEMBERS_A_CALL)},
        rate=api.Rate(per_second=10, per_minute=150),
        identify_by=("email",),
        purpose="email_marketing",
    )

    @cached_property
    def account(self) -> Account:
        """Return the account behind the client."""
        return Account(self.http)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client."""
        return connect_with(connect, self.config.address, self.config.api_key)

    def pace(self, reply: api.Reply) -> float | None:
        """Wait for the next window where this one is used up."""
        return rest_after(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Say which permission is missing."""
        return barred(reply, "Make a private key with full access to lists, profiles, events and data privacy.")

    def check(self) -> Iterator[api.Finding]:
        """Try the key, its permissions to read and what is left of the quota."""
        yield from look_at(self.http, self.config, self.shop)

    def serving(self, purpose: str) -> api.Destination[Any]:
        """Return the destination for a sync: carts are events, unless the settings want lists."""
        if purpose == "cart_reminder" and self.config.cart_segments == "event":
            return KlaviyoEvents(self)
        return self

    def first_load(self, audience: str) -> str | None:
        """Say that a list may start flows."""
        return (
            f"flows that start when someone is added to the list {audience!r} may start for everybody of a first "
            "load; switch them off in Klaviyo until it is done"
        )

    def forecast(self, planned: api.Planned) -> api.Forecast:
        """Reckon imports and the looks at them, events of who enters, and removals with the ids to look up.

        Ids are read with the job of a small import, a page to a call; rows that Klaviyo refuses are not foreseen.
        """
        names = {*self._names().values(), planned.audience}
        longest = max(names, key=len)
        found = api.Forecast()
        for op in planned.counts:
            if op is api.Op.REMOVE:
                found += self._removals_of(planned)
                continue
            for size, times in planned.batches(op, self.can.ops[op], lambda m: bodies.profile(m, longest)).items():
                events = -(-size // bodies.EVENTS_A_JOB) if op is api.Op.ADD and self.config.entered_event else 0
                pages = -(-size // PAGE) if size <= _IDS_READ else 0
                found += api.Forecast(calls=times * (1 + events), later=times * (1 + pages))
        return found

    def ensure_audience(self, name: str) -> str:
        """Find the list by its name or create it."""
        list_id = self.account.find_list(name) or self.account.create_list(name, self.config.opt_in_process)
        self._remember(list_id, name)
        return list_id

    def prepare(self, attributes: Sequence[str]) -> None:
        """Refuse attributes that would overwrite who the person is; Klaviyo makes properties by itself."""
        wrong = sorted(bodies.RESERVED.intersection(attributes))
        if wrong:
            raise api.ConfigError(
                f"Klaviyo knows people by {wrong[0]}, it cannot be an attribute",
                next_step=f"Give the attribute {wrong[0]} another name on the left.",
            )

    def row(self, member: api.Member) -> Mapping[str, Any]:
        """Return the member as it stands in an import job."""
        return bodies.profile(member, self._longest_name)

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Import or remove; an import is an asynchronous job."""
        if batch.op is api.Op.REMOVE:
            return self._remove(batch)
        return self._import(batch)

    def poll(self, batch: api.Batch) -> Iterator[api.Outcome | api.Pending]:
        """Look at an import job; who failed is known by the address in the row that failed."""
        job = self.account.job(str(batch.receipt))
        if job is None:
            yield from (member.unknown("Klaviyo no longer knows the import job") for member in batch)
            return
        if job["status"] in {"queued", "processing"}:
            yield api.Pending()
            return
        if job["status"] != "complete":
            yield from (member.failed(f"Klaviyo's import job ended as {job['status']}") for member in batch)
            return
        wrong = dict(self.account.job_errors(str(batch.receipt))) if job.get("failed_count") else {}
        # Ids of a large load are looked up when they are needed: a hundredth of its people leaves, on a faster tier.
        ids = self.account.job_profiles(str(batch.receipt)) if len(batch) <= _IDS_READ else {}
        for member in batch:
            why = wrong.get(member.email or "")
            yield member.rejected(why) if why else member.delivered(remote_id=ids.get(member.email or ""))

    def read_suppressions(self, since: datetime | None) -> Iterator[api.Block]:
        """Yield who Klaviyo may not mail any more, or who left one of hub's lists."""
        start = _EPOCH if since is None else since - _OVERLAP
        yield from self.account.suppressed(start)
        if self._names():
            yield from self.account.left(self._names(), start)

    def read_members(self, audience: str) -> Iterator[api.Member]:
        """Yield who is on the list; of an event nobody remains to be read."""
        if audience.startswith(METRIC):
            raise NotImplementedError("an event has no members")
        for profile_id, email in self.account.members(audience):
            known = email.strip().lower() if email else None
            yield api.Member(profile_id, email=known, remote_id=profile_id)

    def forget(self, member: api.Member) -> api.Outcome:
        """Ask Klaviyo to erase every profile with the address; it does so some time later."""
        if member.email is None:
            return member.rejected("Klaviyo erases by e-mail address")
        self.account.erase(member.email)
        return member.delivered()

    def _import(self, batch: api.Batch) -> Iterator[api.Outcome]:
        name = self._name_of(batch.audience) if batch.op is api.Op.ADD else None
        rows = {member.key: bodies.profile(member, name) for member in batch}
        reply, taken = yield from self.account.post_rows(
            IMPORT_JOBS,
            batch.members,
            lambda some: bodies.import_job((rows[member.key] for member in some), batch.audience),
        )
        if reply is None:
            return
        if batch.op is api.Op.ADD and self.config.entered_event:
            taken = yield from self._record(batch, taken, str(name))
        receipt = str(reply.json()["data"]["id"])
        for member in taken:
            yield api.Outcome(member, api.State.ACCEPTED, receipt=receipt)

    def _record(self, batch: api.Batch, members: list[api.Member], name: str) -> Any:
        """Record that members entered; the events of an import, in thousands."""
        entry = bodies.Entry(str(self.config.entered_event), name, batch.as_of or _EPOCH, self.shop.currency)
        told: list[api.Member] = []
        for start in range(0, len(members), bodies.EVENTS_A_JOB):
            told += yield from record(self.account, EVENT_JOBS, members[start : start + bodies.EVENTS_A_JOB], entry)
        return told

    def _remove(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Take members off the list by their profile ids; one that Klaviyo does not know is off it."""
        if not batch.audience.startswith(METRIC):
            known = {member.key: member.remote_id for member in batch if member.remote_id}
            found = self._ids_of([member for member in batch if not member.remote_id])
            try:
                self._delete(batch.audience, [*known.values(), *found])
            except api.RejectedError:
                self._remove_anew(batch, {*known.values(), *found})
        for member in batch:
            yield member.delivered()

    def _removals_of(self, planned: api.Planned) -> api.Forecast:
        """Reckon removals; how many have no id is seen in the sample."""
        sample, found = planned.samples[api.Op.REMOVE], api.Forecast()
        if (planned.remote_id or "").startswith(METRIC):
            return found
        for size, times in planned.batches(api.Op.REMOVE, self.can.ops[api.Op.REMOVE]).items():
            unknown = filters(member.email for member in sample[:size] if member.email and not member.remote_id)
            found += api.Forecast(calls=times, reads=times * sum(1 for _ in unknown))
        return found

    def _remove_anew(self, batch: api.Batch, refused: set[str]) -> None:
        """Try with ids looked up now: a profile was merged or erased since its id was noted. No list, no members."""
        if self.account.list_name(batch.audience) is None:
            return
        now = self._ids_of(batch.members)
        if set(now) == refused:
            raise api.RejectedError("Klaviyo refuses to take these profiles off the list")
        self._delete(batch.audience, now)

    def _delete(self, list_id: str, ids: Sequence[str]) -> None:
        unique = list(dict.fromkeys(ids))
        if unique:
            self.account.remove(list_id, unique)

    def _ids_of(self, members: Sequence[api.Member]) -> list[str]:
        return list(self.account.profile_ids(member.email for member in members if member.email).values())

    def _name_of(self, list_id: str) -> str:
        """Return a list's name; an adopted one is asked for once."""
        if list_id.startswith(METRIC):
            raise api.ConfigError(
                "this audience was delivered as an event and is a list now",
                next_step="Give the sync another audience, or set cart_segments back to event.",
            )
        known = self._names().get(list_id)
        if known is None:
            known = self.account.list_name(list_id)
            if known is None:
                raise api.ConfigError(
                    f"there is no list {list_id} at Klaviyo any more",
                    next_step="Give the sync another audience; the old one is named by `hub status`.",
                )
            self._remember(list_id, known)
        return known

    @cached_property
    def _longest_name(self) -> str | None:
        return max(self._names().values(), key=len, default=None)

    def _names(self) -> dict[str, str]:
        return dict(self.remember.get(_LISTS) or {})

    def _remember(self, list_id: str, name: str) -> None:
        self.remember.set(_LISTS, self._names() | {list_id: name})
        self.__dict__.pop("_longest_name", None)
