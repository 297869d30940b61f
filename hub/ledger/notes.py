"""What the ledger remembers beside audiences: guards and approvals, freshness, listening, schedules, audit."""

from __future__ import annotations

import json
from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any

from hub.ledger import queries
from hub.ledger.records import Freshness, HeldGuard, LastRun
from hub.ledger.store import Store
from hub.ledger.times import from_micros, to_micros

_TOLERANCE = 1.1


class Notes(Store):
    """The ledger's small records."""

    def hold(self, sync: str, guard: str, size: int, *, about: str = "", detail: str = "") -> None:
        """Note that a guard holds a sync, with the size it saw and what it is about (a digest)."""
        values = {"sync": sync, "guard": guard, "size": size, "about": about, "detail": detail, "now": self._now()}
        self._note("hold", **values)

    def held(self, sync: str | None = None) -> list[HeldGuard]:
        """Return the guards that hold something, of one sync or of all."""
        return [
            HeldGuard(sync, guard, size, about, detail, from_micros(held_at), from_micros(approved_at))
            for _, sync, guard, size, about, detail, held_at, approved_at in self._all(
                queries.load("notes")["held_of"], {"sync": sync}
            )
        ]

    def approve(self, sync: str, guard: str | None = None) -> list[HeldGuard]:
        """Let the next run deliver what a guard (or every guard) of the sync holds now, and return those guards."""
        with self.transaction():
            waiting = [held for held in self.held(sync) if held.approved_at is None and guard in {None, held.guard}]
            self.execute(queries.load("notes")["approve"], {"sync": sync, "guard": guard, "now": self._now()})
        return waiting

    def is_approved(self, sync: str, guard: str, size: int, about: str = "", audience_id: int | None = None) -> bool:
        """Tell whether an unused approval covers a plan of this size: at most a tenth larger than what was seen.

        Where it lets people into an audience, whoever came in since it was given is no part of it any more.
        """
        return self._approval(sync, guard, size, about, audience_id) is not None

    def keep_for_rest(self, sync: str, guards: Sequence[str], left: int, about: str, audience_id: int) -> bool:
        """Let an approval stand for so many people who are left of it, and drop whatever else is held.

        ``guards`` are those whose approvals let people in, the first found counts; from now on it answers the first.
        False if there is none.
        """
        notes = queries.load("notes")
        with self.transaction():
            known = ({"sync": sync, "guard": guard, "about": about} for guard in guards)
            found = next((row for each in known if (row := self._one(notes["approval"], each))), None)
            if found is not None:
                held_id, _, approved_at = found
                size = self._came_in(audience_id, approved_at) + left
                self.execute(notes["release_others"], {"sync": sync, "held_id": held_id})
                self.execute(notes["narrow_approval"], {"held_id": held_id, "guard": guards[0], "size": size})
        return found is not None

    def use_approval(self, sync: str, guard: str, size: int, about: str = "") -> bool:
        """Use up the approval that covers a plan of this size; False if none does."""
        with self.transaction():
            found = self._approval(sync, guard, size, about)
            if found is not None:
                self.execute(queries.load("notes")["use_approval"], {"held_id": found, "now": self._now()})
        return found is not None

    def release(self, sync: str, guard: str | None = None) -> None:
        """Drop what a guard (or every guard) of a sync held, because the cause is gone."""
        self._note("release_held", sync=sync, guard=guard)

    def set_freshness(self, record: Freshness) -> None:
        """Note how far a source's table reaches."""
        self._note(
            "set_freshness",
            source=record.source,
            table=record.table,
            start=to_micros(record.start),
            fresh_until=to_micros(record.fresh_until),
            rows=record.rows,
            rejected=record.rejected,
            status=record.status,
            read_at=to_micros(record.read_at),
        )

    def freshness(self) -> list[Freshness]:
        """Return how far every table of every source reaches."""
        return [
            Freshness(
                source, table, from_micros(start), from_micros(until), rows, rejected, status, from_micros(read_at)
            )
            for source, table, start, until, rows, rejected, status, read_at in self._all(
                queries.load("notes")["freshness"]
            )
        ]

    def drop_freshness(self, source: str) -> None:
        """Forget a source that left the configuration."""
        self._note("drop_freshness", source=source)

    def heard(self, connection: str, moment: datetime) -> None:
        """Note that a destination's opt-outs were read up to a moment."""
        self._note("heard", connection=connection, at_time=to_micros(moment))

    def heard_at(self, connection: str) -> datetime | None:
        """Return up to when a destination was heard, or None."""
        row = self._one(queries.load("notes")["heard_at"], {"connection": connection})
        return from_micros(row[0]) if row else None

    def set_last_run(self, sync: str, status: str) -> None:
        """Note that a sync ran now."""
        self._note("set_last_run", sync=sync, status=status, now=self._now())

    def last_runs(self) -> dict[str, LastRun]:
        """Return when each sync last ran."""
        rows = self._all(queries.load("notes")["last_runs"])
        return {sync: LastRun(sync, from_micros(moment), status) for sync, moment, status in rows}

    def add_usage(self, connection: str, day: str, calls: int) -> None:
        """Count calls of a connection whose vendor limits them per day (``2026-11-21``, UTC)."""
        with self.transaction():
            self._note("add_usage", connection=connection, day=day, calls=calls)
            self._note("drop_usage", day=day)

    def usage(self, connection: str, day: str) -> int:
        """Return how many calls of a connection were counted on a day."""
        row = self._one(queries.load("notes")["usage"], {"connection": connection, "day": day})
        return int(row[0]) if row else 0

    def memory(self, connection: str) -> ConnectionMemory:
        """Return a connection's small store."""
        return ConnectionMemory(self, connection)

    def recall(self, connection: str, key: str) -> Any:
        """Return what a connection stored under a key, or None."""
        row = self._one(queries.load("notes")["memory_get"], {"connection": connection, "key": key})
        return json.loads(row[0]) if row else None

    def remember(self, connection: str, key: str, value: Any) -> None:
        """Store a JSON value of a connection at once."""
        self._note("memory_set", connection=connection, key=key, value=json.dumps(value))

    def audit(self, action: str, subject_key: str | None = None, detail: str = "") -> None:
        """Note who was acted upon, by keyed hash; the detail names no address."""
        self._note("add_audit", action=action, subject_key=subject_key, detail=detail, now=self._now())

    def audit_entries(self, keys: Collection[str] | None = None) -> list[tuple[datetime, str, str | None, str]]:
        """Return audit entries, of some subjects or all, oldest first."""
        values = {"keys": None if keys is None else json.dumps(sorted(keys))}
        rows = self._all(queries.load("notes")["audit_of"], values)
        return [(from_micros(moment), action, key, detail) for moment, action, key, detail in rows]

    def _note(self, query: str, **values: Any) -> None:
        with self.transaction():
            self.execute(queries.load("notes")[query], values)

    def _approval(self, sync: str, guard: str, size: int, about: str, audience_id: int | None = None) -> int | None:
        row = self._one(queries.load("notes")["approval"], {"sync": sync, "guard": guard, "about": about})
        if row is None:
            return None
        held_id, approved, approved_at = row
        left = approved - (0 if audience_id is None else self._came_in(audience_id, approved_at))
        return held_id if size <= left * _TOLERANCE else None

    def _came_in(self, audience_id: int, since: int) -> int:
        values = {"audience_id": audience_id, "since": since}
        return int(self._one(queries.load("notes")["came_in"], values)[0])


class ConnectionMemory:
    """One connection's small store, kept in the ledger: an ``api.Memory``."""

    def __init__(self, notes: Notes, connection: str) -> None:
        self._notes = notes
        self._connection = connection

    def get(self, key: str) -> Any:
        """Return what was stored, or None."""
        return self._notes.recall(self._connection, key)

    def set(self, key: str, value: Any) -> None:
        """Store a value at once."""
        self._notes.remember(self._connection, key, value)
