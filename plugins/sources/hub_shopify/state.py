"""How far a stream has been read: the cursor that hub keeps with the rows."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from datetime import datetime
from typing import Any

from hub_shopify.operations import instant

_FORMAT = 1


@dataclass(frozen=True, slots=True)
class Job:
    """A bulk operation: when Shopify began it, and from when on it reads changes (None: everything)."""

    id: str
    created_at: str
    since: str | None

    @property
    def number(self) -> str:
        """Return the part of the id that names files."""
        return self.id.rpartition("/")[2]


@dataclass(frozen=True, slots=True)
class Window:
    """A read by pages under way: changes from ``since`` until before ``until``, the next page after ``after``."""

    since: str
    until: str
    after: str
    newest: str


@dataclass(frozen=True, slots=True)
class State:
    """What a cursor says. Instants are as Shopify writes them, by Shopify's clock.

    Attributes:
        since: everything that changed until then has been read; None: nothing has.
        selection: what was read of each object (a digest): when that changes, all is read again.
        start: where the history begins; None: it is whole.
        whole_at: when all was read last.
        read_at: until when changes were read last.
        seen: what the last read had of the time that the next one looks at again: id and what it was then.
        job: a bulk operation that is not read yet.
        window: pages that are not read yet.
    """

    since: str | None = None
    selection: str | None = None
    start: str | None = None
    whole_at: str | None = None
    read_at: str | None = None
    seen: Mapping[str, str] | None = None
    job: Job | None = None
    window: Window | None = None

    @classmethod
    def of(cls, cursor: Any) -> State:
        """Read a cursor; one of another format is as none."""
        if not isinstance(cursor, dict) or cursor.get("format") != _FORMAT:
            return cls()
        values = {name: value for name, value in cursor.items() if name != "format"}
        job, window = values.pop("job", None), values.pop("window", None)
        return cls(**values, job=Job(**job) if job else None, window=Window(**window) if window else None)

    def cursor(self) -> dict[str, Any]:
        """Return what hub is to keep."""
        return {"format": _FORMAT, **asdict(self)}

    def bulk_read(self, job: Job, start: str | None) -> State:
        """Return the state after a bulk operation was read: as far as the instant at which Shopify began it."""
        done = replace(self, since=job.created_at, seen=None, job=None, window=None)
        return done if job.since else replace(done, whole_at=job.created_at, start=start)


def moment(text: str) -> datetime:
    """Read an instant as Shopify writes it."""
    return datetime.fromisoformat(text)


def earlier(text: str, by: Any) -> str:
    """Return the instant so much earlier."""
    return instant(moment(text) - by)
