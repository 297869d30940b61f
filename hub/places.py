"""Where which rules count: places as data, one list for the catalog, the consent gate and plugins."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files


@dataclass(frozen=True, slots=True)
class Place:
    """A place with laws of its own: countries (ISO 3166-1), or a country with some of its regions."""

    id: str
    name: str
    countries: tuple[str, ...]
    regions: tuple[str, ...] = ()
    analytics_unset_is_no: bool = False

    def whereabouts(self) -> Iterator[tuple[str, str]]:
        """Yield the place's (country, upper-case region or '')."""
        for country in self.countries:
            for region in self.regions or ("",):
                yield country, region.upper()


@cache
def places() -> tuple[Place, ...]:
    """Read ``places.toml``."""
    data = tomllib.loads(files("hub").joinpath("places.toml").read_text(encoding="utf-8"))
    return tuple(
        Place(
            place["id"],
            place["name"],
            tuple(place["countries"]),
            tuple(place.get("regions", ())),
            place.get("analytics_unset_is_no", False),
        )
        for place in data["place"]
    )


def silence_permits() -> frozenset[str]:
    """Return the countries (ISO 3166-1) where an event that says nothing of analytics storage may be attributed.

    Everywhere else silence means no: in the EEA, the United Kingdom and Switzerland with their territories, and for
    a code that is no country at all.
    """
    strict = {country for place in places() if place.analytics_unset_is_no for country in place.countries}
    return frozenset(country for place in places() for country in place.countries) - strict
