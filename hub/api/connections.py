"""What sources and destinations have in common."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, ClassVar, Protocol

from hub.api.findings import Finding
from hub.api.http import Connect, Http, Reply
from hub.api.settings import Config
from hub.errors import HubError

_DAY = 86_400.0


@dataclass(frozen=True, slots=True)
class Rate:
    """How fast the other side may be asked; None means no limit of that kind.

    ``concurrent`` is the number of requests that may be under way at once.
    """

    per_second: float | None = None
    per_minute: float | None = None
    per_day: int | None = None
    concurrent: int = 1

    def windows(self) -> list[tuple[float, int]]:
        """Return windows: seconds, and how many whole requests may fall into them.

        A rate that is no whole number has a window of another length: 0.5 a second is one in two seconds.
        """
        told = ((self.per_second, 1.0), (self.per_minute, 60.0))
        return [(seconds * max(1, int(rate)) / rate, max(1, int(rate))) for rate, seconds in told if rate is not None]

    def seconds(self, requests: int) -> float | None:
        """Return the seconds from the first of some requests to the last, were each answered at once.

        A day whose quota is used up counts whole, since a run of another day goes on then. None where only the number
        of requests at once is limited, which says nothing of time.
        """
        windows = self.windows()
        if self.per_day is None and not windows:
            return None
        days, left = divmod(max(0, requests - 1), self.per_day or max(1, requests))
        slowest = max((left // count * seconds for seconds, count in windows), default=0.0)
        waited = 0.0
        for seconds, count in reversed(windows):
            # Full minutes are waited for whole; the requests after them wait for seconds.
            full, left = divmod(left, count)
            waited += full * seconds
        return days * _DAY + max(waited, slowest)


@dataclass(frozen=True, slots=True)
class Shop:
    """The client a connection belongs to.

    ``country`` is ISO 3166-1 alpha-2, ``currency`` ISO 4217, ``timezone`` an IANA name; ``workspace`` is the
    folder with ``hub.toml``, to which relative paths of inputs refer; ``cache`` a private folder that may be
    emptied at any time. ``output`` is where files for people are written: the workspace, or in a rehearsal the
    sandbox's own folder.
    """

    client: str
    name: str
    timezone: str
    country: str | None
    currency: str | None
    workspace: Path
    cache: Path
    output: Path | None = None

    @property
    def outputs(self) -> Path:
        """Return the folder to which relative paths of outputs refer."""
        return self.output or self.workspace


class Memory(Protocol):
    """A small store that outlives a run, for rotating tokens and the like; values are JSON."""

    def get(self, key: str) -> Any:
        """Return what was stored, or None."""

    def set(self, key: str, value: Any) -> None:
        """Store a value at once."""


def _now() -> datetime:
    return datetime.now(UTC)


class Connection:
    """One configured source or destination of a client; made by hub, never by a plugin.

    ``clock`` returns the time (aware, UTC) by which tokens grow old; hub hands in the run's.
    """

    name: ClassVar[str]
    Config: ClassVar[type[Config]]
    rate: ClassVar[Rate | None] = None

    def __init__(self, *, connection: str, config: Any, shop: Shop, remember: Memory) -> None:
        self.connection = connection
        self.config = config
        self.shop = shop
        self.remember = remember
        self.clock: Callable[[], datetime] = _now
        self._http: Http | None = None

    @property
    def http(self) -> Http:
        """Return the client that ``client()`` made."""
        if self._http is None:
            raise RuntimeError(f"{type(self).__name__} speaks no HTTP: it has no client()")
        return self._http

    @classmethod
    def starter_files(cls) -> Mapping[str, Path]:
        """Return files that a new client needs, by their place in the workspace; one that exists is kept."""
        return {}

    def client(self, connect: Connect) -> Http | None:
        """Make the HTTP client; a connection that speaks no HTTP leaves this out."""
        return None

    def check(self) -> Iterator[Finding]:
        """Prove the connection without changing anything on the other side."""
        return iter(())

    def pace(self, reply: Reply) -> float | None:
        """Return seconds to wait before the next request, where the vendor says so in its own way."""
        return None

    def classify(self, reply: Reply) -> HubError | None:
        """Return the error a reply means, where its status is not enough; None leaves it to the status."""
        return None

    def close(self) -> None:
        """Let go of sockets and files; called once, also after a failure."""
