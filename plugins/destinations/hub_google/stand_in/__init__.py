"""Google's Data Manager API on this machine: real lists, documented limits, requests that take time."""

from __future__ import annotations

from collections.abc import Iterable

from hub import api
from hub_google.stand_in.server import CREDENTIALS, GoogleStandIn

__all__ = ["CREDENTIALS", "GoogleStandIn", "hub_stand_ins"]


@api.hookimpl
def hub_stand_ins() -> Iterable[type[api.StandIn]]:
    """Offer the Google stand-in."""
    return [GoogleStandIn]
