"""One request to the stand-in, read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from hub_klaviyo.stand_in.people import Json
from hub_klaviyo.stand_in.shapes import Answer, page
from hub_klaviyo.stand_in.world import World


@dataclass(frozen=True, slots=True)
class Asked:
    """One request, read."""

    world: World
    now: float
    base: str
    path: str
    ids: tuple[str, ...]
    query: Mapping[str, str]
    body: Json
    size: int
    job_seconds: float
    poison: str | None = None

    @property
    def url(self) -> str:
        """Return the address without its query."""
        return self.base + self.path

    def page(self, rows: list[Json], *, largest: int = 100, default: int = 20) -> Answer:
        """Return one page of some objects."""
        return page(rows, self.query, self.url, largest=largest, default=default)
