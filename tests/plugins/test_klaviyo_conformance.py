"""Klaviyo keeps the contract of destinations, as lists and as events, and the contract of sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.api import StandIn
from hub.testing import DestinationConformance, SourceConformance
from hub.testing.making import Notes
from hub.testing.sources import NOW
from hub_klaviyo import Klaviyo, KlaviyoSource
from hub_klaviyo.stand_in import KlaviyoStandIn, LivedInKlaviyo


class Quick(KlaviyoStandIn):
    """Imports end when somebody looks; a request counts nothing."""

    def __init__(self) -> None:
        super().__init__(limits=False, job_seconds=0)


def kept(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an account holds; that it was asked, and that the same was imported twice, changes nothing."""
    return {name: state[name] for name in ("lists", "profiles", "events", "suppressed")}


class TestLists(DestinationConformance):
    plugin = Klaviyo
    stand_in = Quick

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())


class TestEvents(DestinationConformance):
    plugin = Klaviyo
    stand_in = Quick

    def make(self, workspace: Path, remember: Notes, served: StandIn | None, address: str | None) -> Any:
        return super().make(workspace, remember, served, address).serving("cart_reminder")

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())


class LivedIn(LivedInKlaviyo):
    """The account of the sandbox, at the time of the contract."""

    def __init__(self) -> None:
        super().__init__(limits=False, clock=NOW.timestamp)


class TestSource(SourceConformance):
    plugin = KlaviyoSource
    stand_in = LivedIn
    tables = (
        "customers", "consents", "engagement", "events", "products", "carts", "cart_lines", "orders", "order_lines",
    )  # fmt: skip

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())
