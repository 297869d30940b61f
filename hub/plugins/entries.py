"""A plugin as it is listed, before anything of it is imported."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

Kind = Literal["source", "segment", "destination"]
KINDS: tuple[Kind, ...] = ("source", "segment", "destination")
EXTENSION = "extension"
FOLDER = "plugins"


@dataclass(frozen=True, slots=True)
class Entry:
    """A plugin as listed; nothing of it was imported.

    ``module`` is importable where the plugin is installed; ``file`` is set where it lives in the workspace.
    """

    kind: str
    name: str
    module: str
    distribution: str | None = None
    version: str | None = None
    file: Path | None = None

    @property
    def origin(self) -> str:
        """Return where the plugin comes from, for messages: distribution and version, or file."""
        if self.file is not None:
            return f"{FOLDER}/{self.file.name}"
        return f"{self.distribution or 'unknown distribution'} {self.version or ''}".strip()

    def __str__(self) -> str:
        kind = self.kind if self.kind == EXTENSION else f"{self.kind} plugin"
        return f"{kind} {self.name!r} ({self.origin})"


@dataclass(frozen=True, slots=True)
class Broken:
    """A plugin, or a file that should hold some, that cannot be used, and why."""

    origin: str
    reason: str
