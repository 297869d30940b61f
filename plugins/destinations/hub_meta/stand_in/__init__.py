"""Meta's ad accounts on this machine: real audiences, documented limits, uploads that take time."""

from __future__ import annotations

from collections.abc import Iterable

from hub import api
from hub_meta.stand_in.server import ACCESS_TOKEN, APP_SECRET, MetaStandIn

__all__ = ["ACCESS_TOKEN", "APP_SECRET", "MetaStandIn", "hub_stand_ins"]


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the Meta stand-in."""
    return [MetaStandIn]
