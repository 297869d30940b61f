"""What the tests of Mailchimp share: a stand-in with a clock of the test, and connections that talk to it."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from hub import api
from hub.http import Limiter, connect_factory
from hub.testing.making import Notes
from hub_mailchimp import Mailchimp, MailchimpConfig
from hub_mailchimp.stand_in import API_KEY, LIST_ID, MailchimpStandIn
from hub_mailchimp.stand_in.contacts import Audience, Contact, Tag
from tests.klaviyo_kit import AS_OF, Clock
from tests.mailchimp_spec import Request, changes_a_status, folder, inside, judge, judged_by_the_client

_JUDGED = 200_000  # bytes; a larger body is made of rows like those of a smaller one
TAG = "Abandoned carts, VIP"
OPTED_IN = api.Permission("OPT_IN", "opt_in_double", AS_OF.replace(month=5))


class Recorded(MailchimpStandIn):
    """The stand-in, which keeps every request as it came over the wire.

    ``meanwhile`` is somebody who acts at Mailchimp just before a request (method, path) comes in.
    """

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.recorded: list[Request] = []
        self.meanwhile: Callable[[str, str], None] = lambda _method, _path: None

    def serve(self, asked: api.Asked) -> tuple[api.Answer | None, float]:
        self.recorded.append(Request(asked.method, asked.target, asked.headers, asked.body))
        self.meanwhile(asked.method, asked.target)
        return super().serve(asked)


@dataclass
class Bench:
    """A stand-in that serves, and what a connection needs to be made."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    remember: Notes = field(default_factory=Notes)
    stop: threading.Event = field(default_factory=threading.Event)
    limits: bool = True
    judged: bool = True

    def __post_init__(self) -> None:
        self.vendor = Recorded(limits=self.limits, job_seconds=10, clock=self.clock.seconds)
        self.address = self.vendor.start()

    def destination(self, **settings: Any) -> Mailchimp:
        """Make the destination the way hub does, as a new run would."""
        config = MailchimpConfig.model_validate(
            {"address": self.address, "api_key": API_KEY, "list_id": LIST_ID, **settings}
        )
        return self.connected(Mailchimp(connection="newsletter", config=config, **self.given()))

    def given(self) -> dict[str, Any]:
        shop = api.Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", self.folder, self.folder)
        return {"shop": shop, "remember": self.remember}

    def connected(self, made: Any) -> Any:
        """Lend a connection its client."""
        rate = getattr(getattr(made, "can", None), "rate", None) or made.rate
        limiter = Limiter(rate, monotonic=self.clock.seconds, sleep=self.clock.sleep)
        connect = connect_factory(
            made, limiter, secrets=[API_KEY], clock=self.clock, sleep=self.clock.sleep, random=lambda: 0.5
        )
        made.clock = self.clock
        made._http = made.client(connect)
        return made

    @property
    def audience(self) -> Audience:
        return self.vendor.world.audience(LIST_ID)

    def tag(self, name: str = TAG) -> Tag:
        return next(each for each in self.audience.tags.values() if each.name == name)

    def held(self, name: str = TAG) -> set[str]:
        """Return the addresses with a tag."""
        return {each.email for each in self.audience.tagged(self.tag(name).id)}

    def contact(self, email: str) -> Contact:
        """Return a contact as the stand-in has it."""
        found = self.audience.of(email)
        assert found is not None
        return found

    def know(self, *emails: str, status: str = "subscribed", **fields: Any) -> None:
        """Let contacts be there before hub comes."""
        for email in emails:
            row = {"email_address": email, "status": status, "merge_fields": fields}
            self.vendor.world.add_contact(self.audience, row, self.clock.seconds())

    def calls(self, since: int = 0) -> list[tuple[str, str]]:
        """Return what was written: method, and path behind the audience."""
        return [
            (method, path.replace(f"/lists/{LIST_ID}", ""))
            for method, path, _ in self.vendor.requests[since:]
            if method != "GET"
        ]


def member(number: int, permission: api.Permission | None = OPTED_IN, **attributes: Any) -> api.Member:
    """Return a member with an e-mail, an opt-in and attributes."""
    return api.Member(f"{number:032x}", f"p{number}@example.com", attributes=attributes, permission=permission)


def people(count: int, **attributes: Any) -> list[api.Member]:
    """Return members, all different."""
    return [member(number, **attributes) for number in range(count)]


def batch(op: api.Op, audience: str, members: list[api.Member], **more: Any) -> api.Batch:
    """Return a batch as hub sends it."""
    return api.Batch(op, audience, "batch", members, **{"as_of": AS_OF, **more})


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Bench]:
    """Serve the stand-in for a while."""
    bench = Bench(folder, **settings)
    try:
        yield bench
        if bench.judged:
            hold_against_the_vendor(bench.vendor.recorded)
    finally:
        bench.vendor.stop()


def hold_against_the_vendor(requests: list[Request]) -> None:
    """Judge every request of a test by the official description, where it is at hand.

    A batch operation is judged as the requests that it asks for. What no description says, that nobody's status is
    touched, is looked at always.
    """
    every = [each for request in requests for each in (request, *inside(request))]
    assert [each.target for each in every if changes_a_status(each)] == []
    for each in every:
        url = urlsplit(each.target)
        judged_by_the_client(each.method, url.path.removeprefix("/3.0"), url.query)
    if folder() is not None:
        for each in every:
            if len(each.raw) <= _JUDGED:
                judge(each)
