"""What tests of forecasts share: a client of one vendor, planned and then run, in a time that only waiting moves."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import pytest

from hub import api
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.numbers import ForecastNumbers, RunNumbers, SyncNumbers
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from tests.acceptance.kit import Agency

SHARE = 0.15
"""How far a forecast may be from what is measured."""
A_MINUTE = 1.0
"""What takes less is told as that, and not held against a clock."""
_CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[[consent.from]]
tag = "ads-ok"
grants = ["ads"]
basis = "opt_in_single"
evidence = "checkout box"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.there]
plugin = "PLUGIN"
SETTINGS

[syncs.kept]
segment = "all"
destination = "there"
audience = "Everybody"
SYNC
"""
_SMALL = """
from dataclasses import replace

from hub import api
from {module} import {name} as Whole


class Small(Whole):
    name = "small"
    can = replace(Whole.can, ops={{op: api.Limit({rows}.get(op.value, limit.count)) for op, limit in Whole.can.ops.items()}})
    {more}


@api.hookimpl
def hub_destinations():
    return [Small]
"""


@dataclass(frozen=True)
class Vendor:
    """One vendor: its plugin, what a client's file says of it, its secrets, and its stand-in with a clock."""

    plugin: str
    module: str
    name: str
    settings: str
    secrets: Mapping[str, str]
    stand_in: Callable[[Callable[[], float]], api.HttpStandIn]


@dataclass
class Rehearsal:
    """An agency whose client keeps one audience at a vendor's stand-in."""

    agency: Agency
    vendor: Vendor
    stand_in: api.HttpStandIn
    turn: threading.Lock = field(default_factory=threading.Lock)

    def people(self, count: int, **about: str) -> None:
        """Add customers who agreed to everything, and write the export."""
        shop = self.agency.shop
        shop.people(count, start=max((each.number for each in shop.customers), default=1_000) - 999)
        for customer in shop.customers[len(shop.customers) - count :]:
            customer.tags = "ads-ok"
            for name, value in about.items():
                setattr(customer, name, value)
        self.write()

    def write(self) -> None:
        """Write the export as it is a while later."""
        self.agency.clock.now += timedelta(minutes=15)
        self.agency.shop.write(self.agency.clock.now)

    def plan(self) -> RunNumbers:
        """Plan whatever a guard says, and see that nothing was written at the other side."""
        before = self.stand_in.state()["writes"]
        numbers = run_client(self._wiring(), RunOptions("plan", deliver=False, force=True))
        assert self.stand_in.state()["writes"] == before
        return numbers

    def sync(self) -> tuple[SyncNumbers, float]:
        """Deliver whatever a guard says; return what became of it and the minutes that it took."""
        began = self.agency.clock()
        (numbers,) = run_client(self._wiring(), RunOptions("sync", force=True, pull=False)).syncs
        return numbers, (self.agency.clock() - began).total_seconds() / 60

    def foretold(self) -> ForecastNumbers:
        """Plan, and return what is foretold of the only sync; in a plan itself nothing is called."""
        (numbers,) = self.plan().syncs
        assert (numbers.calls, numbers.reads) == (0, 0)
        assert numbers.forecast is not None
        return numbers.forecast

    def later(self) -> SyncNumbers:
        """Run again when the vendor has done its jobs."""
        self.agency.clock.now += timedelta(hours=1)
        return self.sync()[0]

    def _wiring(self) -> Wiring:
        def sleep(seconds: float) -> None:
            with self.turn:
                self.agency.clock.go(seconds=seconds)

        around = Surroundings(
            clock=self.agency.clock,
            monotonic=lambda: self.agency.clock().timestamp(),
            sleep=sleep,
            environ={f"HUB_SECRET__ACME__THERE__{name}": value for name, value in self.vendor.secrets.items()},
        )
        workspace = load_workspace(self.agency.folder)
        return Wiring(workspace, load_client(workspace, "acme"), Plugins(self.agency.folder), around)


@contextmanager
def rehearsing(
    folder: Path,
    vendor: Vendor,
    *,
    rows: Mapping[str, int] | None = None,
    more: str = "",
    sync: str = "",
    settings: str = "",
) -> Iterator[Rehearsal]:
    """Serve a vendor's stand-in with its limits on, and wire a client to it.

    ``rows`` makes batches of an operation so small that few people are many calls; ``more`` changes the plugin further.
    """
    agency = Agency(folder / "agency")
    stand_in = vendor.stand_in(lambda: agency.clock().timestamp())
    address = stand_in.start()
    if rows is not None:
        text = _SMALL.format(module=vendor.module, name=vendor.name, rows=dict(rows), more=more)
        (agency.folder / "plugins" / "small.py").write_text(text)
    text = _CLIENT.replace("PLUGIN", vendor.plugin if rows is None else "small").replace("SYNC", sync)
    agency.client(text.replace("SETTINGS", f"{vendor.settings}\n{settings}").replace("ADDRESS", address))
    try:
        yield Rehearsal(agency, vendor, stand_in)
    finally:
        stand_in.stop()


def hold_against(told: ForecastNumbers, found: SyncNumbers, minutes: float) -> None:
    """Hold a forecast against what was measured."""
    assert told.calls == pytest.approx(found.calls, rel=SHARE)
    assert told.reads == pytest.approx(found.reads, rel=SHARE)
    assert told.minutes is not None
    if max(told.minutes, minutes) >= A_MINUTE:
        assert told.minutes == pytest.approx(minutes, rel=SHARE)


__all__ = ["Rehearsal", "Vendor", "hold_against", "rehearsing"]
