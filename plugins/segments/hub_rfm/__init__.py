"""Group customers by how recently, how often and for how much they bought."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_rfm.cells import TABLES, CellTable
from hub_rfm.scoring import Rfm

__all__ = ["TABLES", "CellTable", "Rfm"]


@api.hookimpl
def hub_segments() -> Iterable[type[api.Segment[Any]]]:
    """Offer the strategy."""
    return [Rfm]
