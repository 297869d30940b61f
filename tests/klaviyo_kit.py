"""What the tests of Klaviyo share: a stand-in with a clock of the test, and a destination that talks to it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from hub import api
from hub.http import Limiter, connect_factory
from hub.testing.making import Notes
from hub_klaviyo import Klaviyo, KlaviyoConfig, KlaviyoSource, KlaviyoSourceConfig
from hub_klaviyo.stand_in import API_KEY, KlaviyoStandIn
from tests.klaviyo_spec import Request, folder, judge

_JUDGED = 200_000  # bytes; a larger body is made of rows like those of a smaller one
AS_OF = datetime(2026, 11, 21, 12, tzinfo=UTC)
LIST = "Abandoned carts, VIP"


@dataclass
class Clock:
    """Time that moves when someone sleeps."""

    now: datetime = AS_OF
    slept: list[float] = field(default_factory=list)

    def __call__(self) -> datetime:
        return self.now

    def seconds(self) -> float:
        return self.now.timestamp()

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.go(seconds)

    def go(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)


class Recorded(KlaviyoStandIn):
    """The stand-in, which keeps every request as it came over the wire."""

    def __init__(self, **how: Any) -> None:
        super().__init__(**how)
        self.recorded: list[Request] = []

    def serve(self, asked: api.Asked) -> tuple[api.Answer | None, float]:
        self.recorded.append(Request(asked.method, asked.target, asked.headers, asked.body))
        return super().serve(asked)


@dataclass
class Bench:
    """A stand-in that serves, and what a destination needs to be made."""

    folder: Path
    clock: Clock = field(default_factory=Clock)
    remember: Notes = field(default_factory=Notes)
    stop: threading.Event = field(default_factory=threading.Event)
    limits: bool = False
    judged: bool = True

    def __post_init__(self) -> None:
        self.vendor = Recorded(limits=self.limits, job_seconds=10, clock=self.clock.seconds)
        self.address = self.vendor.start()

    def destination(self, **settings: Any) -> Klaviyo:
        """Make the destination the way hub does, as a new run would."""
        config = KlaviyoConfig.model_validate({"address": self.address, "api_key": API_KEY, **settings})
        return self._connected(Klaviyo(connection="newsletter", config=config, **self._given()), Klaviyo.can.rate)

    def source(self, **settings: Any) -> KlaviyoSource:
        """Make the source the way hub does, as a new run would."""
        config = KlaviyoSourceConfig.model_validate({"address": self.address, "api_key": API_KEY, **settings})
        made = KlaviyoSource(connection="newsletter", config=config, **self._given())
        return self._connected(made, KlaviyoSource.rate)

    def _given(self) -> dict[str, Any]:
        shop = api.Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", self.folder, self.folder)
        return {"shop": shop, "remember": self.remember}

    def _connected(self, made: Any, rate: api.Rate | None) -> Any:
        limiter = Limiter(rate if self.limits else None, monotonic=self.clock.seconds, sleep=self.clock.sleep)
        connect = connect_factory(
            made, limiter, secrets=[API_KEY], clock=self.clock, sleep=self.clock.sleep, random=lambda: 0.5
        )
        made._http = made.client(connect)
        return made

    def held(self, name: str = LIST) -> set[str]:
        """Return the addresses on a list."""
        return set(next((each["members"] for each in self.vendor.state()["lists"] if each["name"] == name), ()))

    def asked(self, method: str, part: str) -> int:
        """Return how many requests of a method had a path with this in it."""
        return sum(1 for how, path, _ in self.vendor.requests if how == method and part in path)

    def profile(self, email: str) -> dict[str, Any]:
        """Return a profile as the stand-in has it."""
        return next(each for each in self.vendor.state()["profiles"] if each["email"] == email)


def member(number: int, **attributes: Any) -> api.Member:
    """Return a member with an e-mail and attributes."""
    return api.Member(f"{number:032x}", f"p{number}@example.com", attributes=attributes)


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
    """Judge every request of a test by the official description, where it is at hand; nobody is ever subscribed."""
    assert [each.target for each in requests if "subscription-bulk" in each.target] == []
    if folder() is not None:
        for each in requests:
            if len(each.raw) <= _JUDGED:
                judge(each)
