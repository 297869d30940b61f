"""What the tests of Meta share: a stand-in with a clock of the test, and a destination that talks to it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from typing import Any

from hub import api
from hub.http import Limiter, connect_factory
from hub.testing.making import Notes
from hub_meta import Meta, MetaConfig
from hub_meta.stand_in import ACCESS_TOKEN, MetaStandIn
from tests.klaviyo_kit import AS_OF, Clock
from tests.meta_spec import folder, judge

_JUDGED = 200_000  # bytes; a larger body is made of rows like those of a smaller one
ACCOUNT = "1234567890"
AUDIENCE = "Best customers"


class Recorded(MetaStandIn):
    """The stand-in, which keeps every request as it came over the wire."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.recorded: list[api.Asked] = []

    def serve(self, asked: api.Asked) -> tuple[api.Answer | None, float]:
        self.recorded.append(asked)
        return super().serve(asked)

    def bodies(self, method: str = "POST", part: str = "/users") -> list[dict[str, Any]]:
        """Return the bodies of requests whose path has a part."""
        return [json.loads(each.body) for each in self.recorded if each.method == method and part in each.path]


@dataclass
class Bench:
    """A stand-in that serves, and what a destination needs to be made."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    remember: Notes = field(default_factory=Notes)
    limits: bool = False
    judged: bool = True
    quota: int = 5_000

    def __post_init__(self) -> None:
        self.vendor = Recorded(limits=self.limits, work_seconds=60, quota=self.quota, clock=self.clock.seconds)
        self.address = self.vendor.start()

    def destination(self, **settings: Any) -> Meta:
        """Make the destination the way hub does, as a new run would."""
        given = {"address": self.address, "account": ACCOUNT, "access_token": ACCESS_TOKEN, **settings}
        shop = api.Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", self.folder, self.folder)
        made = Meta(connection="ads", config=MetaConfig.model_validate(given), shop=shop, remember=self.remember)
        rate = Meta.can.rate if self.limits else None
        limiter = Limiter(rate, monotonic=self.clock.seconds, sleep=self.clock.sleep)
        connect = connect_factory(
            made, limiter, secrets=[ACCESS_TOKEN], clock=self.clock, sleep=self.clock.sleep, random=lambda: 0.5
        )
        made.clock = self.clock
        made._http = made.client(connect)
        return made

    def asked(self, method: str, part: str) -> int:
        """Return how many requests of a method had a path with this in it."""
        return sum(1 for how, path, _ in self.vendor.requests if how == method and part in path)

    def held(self, name: str = AUDIENCE) -> set[str]:
        """Return the hashes of the e-mails in an audience."""
        return self.vendor.held(name)


def sha(text: str) -> str:
    """Return the SHA-256 of a text."""
    return sha256(text.encode()).hexdigest()


def shas(*numbers: int) -> set[str]:
    """Return the hashes of the e-mails of numbered members."""
    return {sha(f"p{number}@example.com") for number in numbers}


def member(number: int, phone: str | None = None, **attributes: Any) -> api.Member:
    """Return a member with an e-mail, and a phone and attributes where given."""
    return api.Member(f"{number:032x}", f"p{number}@example.com", phone, attributes=attributes)


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
        bench.vendor.stop()


def hold_against_the_vendor(requests: list[api.Asked]) -> None:
    """Judge every request of a test by the official description, where it is at hand; nothing readable ever leaves."""
    for each in requests:
        assert b"@" not in each.body or each.path.endswith("/customaudiences")
        if folder() is not None and len(each.body) <= _JUDGED:
            judge(each)
