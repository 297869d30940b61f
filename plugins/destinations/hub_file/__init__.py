"""Keep an audience as a file, for upload by hand."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from hub import api
from hub_file.destination import FileConfig, FileDestination

__all__ = ["FileConfig", "FileDestination", "hub_destinations"]


@api.hookimpl
def hub_destinations() -> Iterable[type[api.Destination[Any]]]:
    """Offer the destination ``file``."""
    return [FileDestination]
