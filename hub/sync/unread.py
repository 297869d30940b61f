"""Which sources a run cannot rely on, because the last pull failed or there never was a whole one."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hub.api import Source
from hub.catalog import Reading

if TYPE_CHECKING:
    from hub.catalog import Session


@dataclass(frozen=True, slots=True)
class Unread:
    """Why data cannot be believed, the next step, and the tables that it is about; None: any table."""

    why: str
    next_step: str
    tables: Collection[str] | None = None

    def touches(self, read: Collection[str]) -> bool:
        """Tell whether it is about one of the tables that are read."""
        return self.tables is None or not set(read).isdisjoint(self.tables)


def find_unread(session: Session, sources: Mapping[str, Source[Any]], client: str) -> list[Unread]:
    """Return what cannot be believed, whether this run pulled or works with what an earlier one read.

    A source of which nothing was ever read may give any table, one of which a stream never came to its end those of
    the stream. ``client`` is what a command needs to name the client.
    """
    readings = session.readings()
    found: list[Unread] = []
    for name, source in sources.items():
        reading = readings.get(name, Reading(name))
        never = [stream for stream in source.streams if stream not in reading.streams]
        if never or reading.trouble:
            given = session.given(name)
            promised = {table for stream in never for table in source.streams[stream].tables}
            found.append(_explained(reading, given | promised if given else None, client))
    return found


def _explained(reading: Reading, tables: Collection[str] | None, client: str) -> Unread:
    if reading.trouble:
        why = f"a source that it reads failed: {reading.source}: {reading.trouble}"
        return Unread(why, f"correct the source, then run `hub sync {client}`", tables)
    why = f"a source that it reads was never read completely: {reading.source}"
    return Unread(why, f"run `hub pull {client}`", tables)
