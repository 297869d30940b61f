"""Meta keeps the contract of destinations."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from hub.api import StandIn
from hub.testing import DestinationConformance
from hub_meta import Meta
from hub_meta.stand_in import MetaStandIn


class Quick(MetaStandIn):
    """Uploads end when somebody looks; a call counts nothing."""

    def __init__(self) -> None:
        super().__init__(limits=False, work_seconds=0)


def kept(state: Mapping[str, Any]) -> list[dict[str, Any]]:
    """Return what the accounts hold; that the same was uploaded twice changes nothing."""
    return [{name: each[name] for name in ("id", "name", "members")} for each in state["audiences"]]


class TestMeta(DestinationConformance):
    plugin = Meta
    stand_in = Quick
    settings = {"account": "act_1234567890"}

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return kept(served.state())
