"""What a loaded configuration is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hub.config.locate import HOME, WORKSPACE_FILE, client_ids
from hub.config.models import ConsentSettings, Guards, Limit, SegmentTest, SyncSettings
from hub.config.problems import File, Where


@dataclass(frozen=True, slots=True)
class Workspace:
    """A folder with ``hub.toml``; ``shared`` is that file, whose tables clients inherit."""

    folder: Path
    shared: File = field(repr=False)
    secrets_dir: Path | None = None
    memory_limit: str | None = None
    requires: str | None = None

    @property
    def file(self) -> Path:
        """Return the path of ``hub.toml``."""
        return self.folder / WORKSPACE_FILE

    @property
    def home(self) -> Path:
        """Return the folder that hub keeps its own files in."""
        return self.folder / HOME

    @property
    def clients(self) -> tuple[str, ...]:
        """Return the ids of the clients, sorted; a file that cannot be loaded is among them."""
        return client_ids(self.folder)


@dataclass(frozen=True, slots=True)
class ConnectionSettings:
    """A configured source or destination; ``options`` are the plugin's own keys, not yet validated."""

    name: str
    plugin: str
    options: Mapping[str, Any]
    where: Where = field(repr=False, compare=False)
    guards: Mapping[str, Any] = field(default_factory=dict)
    enabled: bool = True


@dataclass(frozen=True, slots=True)
class SegmentSettings:
    """A configured segment: a strategy with its options, or a combination (``plugin`` is None)."""

    name: str
    plugin: str | None
    options: Mapping[str, Any]
    where: Where = field(repr=False, compare=False)
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    enabled: bool = True
    sample: float | None = None
    limit: Limit | None = None
    min_size: int | None = None
    tests: tuple[SegmentTest, ...] = ()

    @property
    def operands(self) -> tuple[str, ...]:
        """Return the segments a combination is made of, in the order listed."""
        return tuple(dict.fromkeys((*self.all, *self.any, *self.none)))


@dataclass(frozen=True, slots=True)
class Client:
    """One client, with everything it inherits; the tables are in the order of the files, inherited ones first.

    What is switched off (``enabled = false``) is in the tables too. ``digest`` changes when anything effective does.
    """

    id: str
    file: Path
    name: str
    timezone: str
    country: str | None
    currency: str | None
    consent: ConsentSettings
    guards: Guards
    currencies: Mapping[str, Decimal]
    priority: tuple[str, ...]
    sources: Mapping[str, ConnectionSettings]
    segments: Mapping[str, SegmentSettings]
    destinations: Mapping[str, ConnectionSettings]
    syncs: Mapping[str, SyncSettings]
    state: Path
    digest: str
    where: Where = field(repr=False, compare=False)

    @property
    def tz(self) -> ZoneInfo:
        """Return the client's time zone."""
        return ZoneInfo(self.timezone)

    def guards_with(self, overrides: Mapping[str, Any]) -> Guards:
        """Return the client's guards with those that a source or sync set for itself."""
        return Guards.model_validate(self.guards.model_dump() | dict(overrides))

    def open_state(self) -> Path:
        """Return the client's state folder, made with mode 0700 where it is missing."""
        for folder in (self.state.parent, self.state):
            folder.mkdir(mode=0o700, exist_ok=True)
        return self.state
