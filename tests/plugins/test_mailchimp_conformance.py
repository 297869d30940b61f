"""Mailchimp keeps the contract of destinations, with fields written along with the tag or before it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.api import StandIn
from hub.testing import DestinationConformance
from hub.testing.making import Notes
from hub_mailchimp import Mailchimp
from hub_mailchimp.stand_in import LIST_ID
from tests.mailchimp_kit import Recorded, hold_against_the_vendor


class Quick(Recorded):
    """Batch operations end when somebody looks; what was asked is judged at the end."""

    def __init__(self) -> None:
        super().__init__(job_seconds=0)

    def stop(self) -> None:
        super().stop()
        hold_against_the_vendor(self.recorded)


def kept(state: Mapping[str, Any]) -> dict[str, Any]:
    """Return what an account holds; that it was asked, and that the same was written twice, changes nothing."""
    return {name: state[name] for name in ("tags", "contacts", "merge_fields")}


class TestTags(DestinationConformance):
    plugin = Mailchimp
    stand_in = Quick
    settings = {"list_id": LIST_ID}

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())


class TestTagsForCarts(TestTags):
    def make(self, workspace: Path, remember: Notes, served: StandIn | None, address: str | None) -> Any:
        return super().make(workspace, remember, served, address).serving("cart_reminder")
