"""A plugin as it is listed, before anything of it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from importlib.metadata import Distribution

Kind = Literal["source", "segment", "destination"]
KINDS: tuple[Kind, ...] = ("source", "segment", "destination")
EXTENSION = "extension"
FOLDER = "plugins"


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin as listed; nothing of it was imported.

    ``module`` is importable where the plugin is installed, with ``package``; ``file`` is set where it lives in the
    workspace.
    """

    kind: str
    name: str
    module: str
    package: Distribution | None = None
    file: Path | None = None

    @property
    def distribution(self) -> str | None:
        """Return the name of the distribution, where the plugin is installed."""
        return _about(self.package)[0] if self.package else None

    @property
    def version(self) -> str | None:
        """Return the version of the distribution, where the plugin is installed."""
        return _about(self.package)[1] if self.package else None

    @property
    def origin(self) -> str:
        """Return where the plugin comes from, for messages: distribution and version, or file."""
        if self.file is not None:
            return f"{FOLDER}/{self.file.name}"
        return " ".join(_about(self.package)) if self.package else "unknown distribution"

    def __str__(self) -> str:
        kind = self.kind if self.kind == EXTENSION else f"{self.kind} plugin"
        return f"{kind} {self.name!r} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin, or a file that should hold some, that cannot be used, and why."""

    origin: str
    reason: str


@cache
def _about(package: Distribution) -> tuple[str, str]:
    """Return name and version; each look parses all that a distribution says of itself, its README included."""
    about = package.metadata
    return about["Name"], about["Version"]
