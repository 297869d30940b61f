"""Adding members: whoever is new becomes a contact, known ones get their fields, everybody gets the tag."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Mapping, Sequence
from threading import Lock
from typing import Any

from hub import api
from hub_mailchimp import bodies
from hub_mailchimp.account import Account, BrokenRowsError, Tagged, addresses
from hub_mailchimp.fields import Field, values_of

_ROUNDS = 4  # a row may have several wrong fields, and is told of one at a time
_ALREADY = "already"

Outcomes = Generator[api.Outcome, None, list[api.Member]]


class Adding:
    """Additions of one run; threads may share it.

    One call creates up to 500 contacts and tells who was there already, so that nobody has to be looked up. What is
    done for a member is remembered until the member has the tag: a batch that is sent again because its answer was
    lost, or because its last call was refused, goes on where it stopped.
    """

    def __init__(self, account: Account, fields: Callable[[], Mapping[str, Field]], few: int) -> None:
        self._account = account
        self._fields = fields
        self._few = few
        self._known: set[tuple[str, str]] = set()
        self._ready: dict[tuple[str, str], str | None] = {}
        self._broke: set[str] = set()
        self._archived: set[str] | None = None
        self._turn = Lock()

    def add(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Bring members into the audience and give them the tag."""
        waiting = [member for member in batch if (batch.audience, member.key) not in self._ready]
        strangers = [member for member in waiting if (batch.audience, member.key) not in self._known]
        if strangers:
            strangers = yield from self._without_archived(strangers)
            found = yield from self._create(batch, strangers)
            self._known |= {(batch.audience, member.key) for member in found}
        self._write(batch, [member for member in waiting if (batch.audience, member.key) in self._known])
        yield from self._tag(batch)

    def _without_archived(self, members: Sequence[api.Member]) -> Outcomes:
        """Leave out whom somebody archived: creating them would bring them back with another status."""
        with self._turn:
            if self._archived is None:
                self._archived = addresses(self._account.contacts({"status": "archived"}, ("email_address",)))
        for member in members:
            if member.email is None:
                yield member.rejected("Mailchimp knows people by e-mail address")
            elif member.email.lower() in self._archived:
                yield member.rejected("is archived at Mailchimp; unarchive the contact there")
        return [member for member in members if member.email and member.email.lower() not in self._archived]

    def _create(self, batch: api.Batch, members: Sequence[api.Member]) -> Outcomes:
        """Create who is new; yield who is refused, and return who was known.

        A row that is refused for the value of one field is sent again without it.
        """
        fields = {m.key: values_of(m.attributes, self._fields() if m.attributes else {}, new=True) for m in members}
        known: list[api.Member] = []
        left = bodies.by_address(members)
        for _ in range(_ROUNDS):
            if not left:
                return known
            rows = [bodies.new_contact(some[0], fields[some[0].key]) for some in left.values()]
            made = self._call(batch, rows)
            again: dict[str, list[api.Member]] = {}
            for email, some in left.items():
                wrong = made.wrong.get(email)
                if wrong and fields[some[0].key].pop(wrong[0], None) is not None:
                    again[email] = some
                elif wrong or email in made.refused:
                    why = wrong[1] if wrong else made.refused[email]
                    yield from (member.rejected(why) for member in some)
                elif email in made.new:
                    self._note(batch, some)
                else:
                    # Mailchimp ignores what it has; the tag's own answer shows whether it really has.
                    known += some
            left = again
        yield from (member.rejected("Mailchimp refuses its merge fields") for some in left.values() for member in some)
        return known

    def _call(self, batch: api.Batch, rows: Sequence[Mapping[str, Any]]) -> Any:
        """Create contacts; a second 500 for the same rows while Mailchimp is well is the fault of one of them."""
        try:
            return self._account.create(rows)
        except BrokenRowsError:
            if batch.key in self._broke and self._account.is_well():
                raise api.RejectedError("Mailchimp answers 500 to this contact") from None
            self._broke.add(batch.key)
            raise api.TransientError("Mailchimp answered 500", sent=True) from None

    def _write(self, batch: api.Batch, known: Sequence[api.Member]) -> None:
        """Write the fields of known contacts: a few one by one, more as one batch operation."""
        fields = {m.key: values_of(m.attributes, self._fields(), new=False) for m in known if m.attributes}
        changed = [member for member in known if fields.get(member.key)]
        self._note(batch, [member for member in known if not fields.get(member.key)])
        if len(changed) > self._few:
            receipt = self._account.start({m.key: (str(m.email), fields[m.key]) for m in changed})
            self._note(batch, changed, receipt)
            return
        for member in changed:
            self._write_one(member, fields[member.key])
            # Whoever is not there after all is told of by the tag.
            self._note(batch, [member])

    def _write_one(self, member: api.Member, fields: dict[str, Any]) -> None:
        """Write one contact's fields, again without each that is refused."""
        for _ in range(_ROUNDS):
            refused = self._account.write(str(member.email), fields) if fields else None
            if refused is None or fields.pop(refused.field or "", None) is None:
                return

    def _tag(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Give the tag to everybody who is ready."""
        ready = [member for member in batch if (batch.audience, member.key) in self._ready]
        if not ready:
            return
        told = self._account.tag(batch.audience, list(bodies.by_address(ready)))
        if told is None:
            raise api.ConfigError(
                f"there is no tag {batch.audience} in the audience any more, or it is a segment with conditions, which "
                "takes no members",
                next_step="Give the sync another audience; the old one is named by `hub status`.",
            )
        cleaned = [member for member in ready if told.status.get(_address(member)) == "cleaned"]
        if cleaned:
            self._account.untag(batch.audience, list(bodies.by_address(cleaned)))
        for member in ready:
            outcome = self._outcome(batch, member, told)
            self._ready.pop((batch.audience, member.key), None)
            self._known.discard((batch.audience, member.key))
            yield outcome

    def _outcome(self, batch: api.Batch, member: api.Member, told: Tagged) -> api.Outcome:
        status, error = told.status.get(_address(member)), told.errors.get(_address(member), "")
        if status is None and _ALREADY not in error.lower():
            # Neither tagged nor said to be so: ask.
            found = self._account.contact(_address(member))
            if found is None:
                return member.failed("Mailchimp did not tag the contact, and has none of that address")
            if not any(str(each.get("id")) == batch.audience for each in found.get("tags") or ()):
                return member.rejected(error) if error else member.failed("Mailchimp did not tag the contact")
            status = str(found.get("status"))
        if status == "cleaned":
            return member.rejected("was cleaned at Mailchimp: mails to it bounce", blocks="hard_bounce")
        receipt = self._ready.get((batch.audience, member.key))
        if receipt is not None:
            return api.Outcome(member, api.State.ACCEPTED, receipt=receipt)
        return member.delivered()

    def _note(self, batch: api.Batch, members: Sequence[api.Member], receipt: str | None = None) -> None:
        for member in members:
            self._ready[batch.audience, member.key] = receipt


def _address(member: api.Member) -> str:
    return str(member.email).lower()
