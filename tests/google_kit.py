"""What the tests of Google share: a stand-in with a clock of the test, and a destination that talks to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from hub import api
from hub.http import Limiter, connect_factory
from hub.testing.making import Notes
from hub_google import Google, GoogleConfig
from hub_google.stand_in import CREDENTIALS, GoogleStandIn
from tests.google_spec import folder, judge
from tests.klaviyo_kit import AS_OF, Clock

_JUDGED = 200_000  # bytes; a larger body is made of rows like those of a smaller one
CUSTOMER = "1234567890"
LIST = "Best customers"
ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE
FLAGS = api.Permission("ADS_FLAGS")
WORK_SECONDS = 600
INGEST, REMOVAL, STATUS = "/v1/audienceMembers:ingest", "/v1/audienceMembers:remove", "/v1/requestStatus:retrieve"


class Recorded(GoogleStandIn):
    """The stand-in, which keeps every request as it came over the wire."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.recorded: list[api.Asked] = []

    def serve(self, asked: api.Asked) -> tuple[api.Answer | None, float]:
        self.recorded.append(asked)
        return super().serve(asked)

    def bodies(self, path: str = INGEST) -> list[dict[str, Any]]:
        """Return the bodies of requests to a path."""
        return [json.loads(each.body) for each in self.recorded if each.path == path]


@dataclass
class Bench:
    """A stand-in that serves, and what a destination needs to be made."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    remember: Notes = field(default_factory=Notes)
    limits: bool = False
    judged: bool = True

    def __post_init__(self) -> None:
        self.vendor = Recorded(limits=self.limits, work_seconds=WORK_SECONDS, clock=self.clock.seconds)
        self.address = self.vendor.start()
        self.made: list[Google] = []

    def destination(self, **settings: Any) -> Google:
        """Make the destination the way hub does, as a new run would."""
        given = {"address": self.address, "token_address": self.address, "customer": "123-456-7890"}
        given |= {"credentials": CREDENTIALS, **settings}
        shop = api.Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", self.folder, self.folder)
        made = Google(connection="ads", config=GoogleConfig.model_validate(given), shop=shop, remember=self.remember)
        rate = Google.can.rate if self.limits else None
        limiter = Limiter(rate, monotonic=self.clock.seconds, sleep=self.clock.sleep)
        connect = connect_factory(made, limiter, clock=self.clock, sleep=self.clock.sleep, random=lambda: 0.5)
        made.clock = self.clock
        made._http = made.client(connect)
        self.made.append(made)
        return made

    def asked(self, path: str, method: str = "POST") -> int:
        """Return how many requests a path had."""
        return sum(1 for how, where, _ in self.vendor.requests if (how, where) == (method, path))

    def since(self, place: int) -> list[tuple[str, str]]:
        """Return methods and paths of requests after the first so many, those for tokens left out."""
        return [(how, path) for how, path, _ in self.vendor.requests[place:] if path != "/token"]

    def held(self, name: str = LIST) -> set[str]:
        """Return the hashes that somebody in a list is known by."""
        return self.vendor.held(name)


def member(number: int, phone: str | None = None, permission: Any = FLAGS, **attributes: Any) -> api.Member:
    """Return a member with an e-mail, and a phone and attributes where given, who agreed to ads."""
    return api.Member(f"{number:032x}", f"p{number}@example.com", phone, None, attributes, permission)


def batch(op: api.Op, audience: str, members: list[api.Member], **more: Any) -> api.Batch:
    """Return a batch as hub sends it."""
    return api.Batch(op, audience, **{"key": "batch", "members": members, "total": 1, "as_of": AS_OF, **more})


@contextmanager
def serving(folder: Path, **settings: Any) -> Iterator[Bench]:
    """Serve the stand-in for a while."""
    bench = Bench(folder, **settings)
    try:
        yield bench
        if bench.judged:
            hold_against_the_vendor(bench.vendor.recorded)
    finally:
        for made in bench.made:
            made.close()
        bench.vendor.stop()


def hold_against_the_vendor(requests: list[api.Asked]) -> None:
    """Judge every request of a test by the official description, where it is at hand; no address is ever readable."""
    for each in requests:
        assert b"@" not in each.body or each.path.endswith("/userLists")
        if folder() is not None and len(each.body) <= _JUDGED:
            judge(each)
