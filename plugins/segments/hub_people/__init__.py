"""Cut people by who they are, where they live, and what they said."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_people.profile import Demographic, Geographic, Tags
from hub_people.said import Traits

__all__ = ["Demographic", "Geographic", "Tags", "Traits"]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategies."""
    return [Demographic, Geographic, Tags, Traits]
