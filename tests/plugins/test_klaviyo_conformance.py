"""Klaviyo keeps the contract of destinations, as lists and as events."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.api import StandIn
from hub.testing import DestinationConformance
from hub.testing.making import Notes
from hub_klaviyo import Klaviyo
from hub_klaviyo.stand_in import KlaviyoStandIn


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
