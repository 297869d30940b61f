"""Google keeps the contract of destinations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.api import Member, Permission, StandIn
from hub.testing import DestinationConformance
from hub_google import Google
from hub_google.stand_in import GoogleStandIn


class Quick(GoogleStandIn):
    """Requests end when somebody looks; a call counts nothing."""

    def __init__(self) -> None:
        super().__init__(limits=False, work_seconds=0)


def kept(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the accounts hold; that the same was sent twice changes nothing."""
    return [{name: each[name] for name in ("id", "name", "members")} for each in state["lists"]]


class TestGoogle(DestinationConformance):
    plugin = Google
    stand_in = Quick
    settings = {"customer": "123-456-7890"}

    def member(self, number: int) -> Member:
        made = super().member(number)
        return Member(made.key, made.email, made.phone, None, made.attributes, Permission("ADS_FLAGS"))

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())
