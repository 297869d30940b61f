"""Cut people by what they do with the mails they get."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_engagement.campaigns import ByCampaign, OpenedNotClicked
from hub_engagement.engaged import Engaged, Unengaged

__all__ = ["ByCampaign", "Engaged", "OpenedNotClicked", "Unengaged"]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [Engaged, Unengaged, OpenedNotClicked, ByCampaign]
