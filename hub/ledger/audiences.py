"""Audiences: which sync keeps which list at which destination."""

from __future__ import annotations

from datetime import datetime
from typing import Any

from hub.ledger import queries
from hub.ledger.records import Audience
from hub.ledger.store import Store
from hub.ledger.times import from_micros, to_micros


class Audiences(Store):
    """The ledger's record of audiences."""

    def audience(self, sync: str, destination: str, name: str) -> Audience:
        """Find the audience, or note a new one.

        An audience is known by its destination and name: a sync that takes over another's audience finds the members
        in it that the other one left. A retired one that a sync names again is live again.
        """
        sql = queries.load("audiences")
        known = {"destination": destination, "name": name}
        found = self.find_audience(destination, name)
        if found is not None and found.sync == sync and found.retired_at is None:
            return found
        with self.transaction():
            self.execute(sql["audience_add"], {**known, "sync": sync, "now": self._now()})
            row = self._one(sql["audience_by_name"], known)
            self.execute(sql["audience_take_over"], {"audience_id": row[0], "sync": sync})
            return _audience(self._one(sql["audience_by_name"], known))

    def find_audience(self, destination: str, name: str) -> Audience | None:
        """Return the audience if the ledger has it; writes nothing."""
        row = self._one(queries.load("audiences")["audience_by_name"], {"destination": destination, "name": name})
        return _audience(row) if row else None

    def audience_by_id(self, audience_id: int) -> Audience:
        """Return an audience as it stands now."""
        return _audience(self._one(queries.load("audiences")["audience_by_id"], {"audience_id": audience_id}))

    def audiences(self) -> list[Audience]:
        """Return all audiences, retired ones included."""
        return [_audience(row) for row in self._all(queries.load("audiences")["audience_list"])]

    def set_remote_id(self, audience_id: int, remote_id: str) -> None:
        """Note the id that the destination gave the audience."""
        self._write("audience_remote_id", audience_id, remote_id=remote_id)

    def set_definition(self, audience_id: int, digest: str) -> None:
        """Note the digest of what the audience was last delivered by."""
        self._write("audience_definition", audience_id, definition=digest)

    def set_purpose(self, audience_id: int, purpose: str) -> None:
        """Note what the audience is for."""
        self._write("audience_purpose", audience_id, purpose=purpose)

    def set_last_as_of(self, audience_id: int, as_of: datetime, *, back: bool = False) -> None:
        """Note the instant the audience was last delivered for; it goes back only where the last one was wrong."""
        self._write("audience_as_of_back" if back else "audience_as_of", audience_id, as_of=to_micros(as_of))

    def is_settled(self, audience_id: int, mark: str) -> bool:
        """Tell whether the audience was settled with this mark, has not changed since, and nobody is due again."""
        settled_mark, _, _ = self._settled(audience_id)
        return settled_mark == mark

    def set_settled(self, audience: Audience, mark: str, until: datetime | None = None) -> None:
        """Note that the audience, as it was handed out, holds exactly what ``mark`` stands for.

        ``until`` is when the first member is due again by the passing of time alone.
        """
        values = {"generation": audience.generation, "mark": mark, "until": to_micros(until)}
        self._write("audience_settle", audience.audience_id, **values)

    def told_of_settled(self, audience_id: int, mark: str) -> str | None:
        """Return what ``remember_settled`` noted with this mark, as long as the audience is still settled."""
        _, known_mark, told = self._settled(audience_id)
        return told if known_mark == mark else None

    def remember_settled(self, audience: Audience, mark: str, told: str) -> None:
        """Note what was told of an audience that is settled as it was handed out, and the mark to know it by."""
        values = {"generation": audience.generation, "mark": mark, "told": told}
        self._write("audience_remember", audience.audience_id, **values)

    def _settled(self, audience_id: int) -> tuple[str | None, str | None, str | None]:
        """Return the marks and what was told, or nothing where the audience changed since or somebody is due again."""
        found = self._one(queries.load("audiences")["audience_settled"], {"audience_id": audience_id})
        if found is None or (found[0] is not None and found[0] <= self._now()):
            return None, None, None
        return found[1], found[2], found[3]

    def rename(self, was: str, now_named: str) -> None:
        """Give a sync's audiences, held guards and schedule to its new name."""
        names = {"was": was, "now_named": now_named}
        with self.transaction():
            self.execute(queries.load("audiences")["audience_rename"], names)
            self.execute(queries.load("audiences")["schedule_rename"], names)
            self.execute(queries.load("audiences")["held_rename"], names)

    def retire(self, audience_id: int) -> None:
        """Mark an audience that no sync names; consent and erasure removals still reach it."""
        self._write("audience_retire", audience_id, now=self._now())

    def leave(self, audience_id: int) -> None:
        """End an audience as it is: close its spells and forget its members, sending nothing."""
        sql = queries.load("audiences")
        values = {"audience_id": audience_id}
        with self.transaction():
            self.retire(audience_id)
            self.execute(sql["audience_close_spells"], {**values, "now": self._now()})
            self.execute(sql["audience_forget_members"], values)
            self.execute(sql["audience_changed"], values)

    def _write(self, query: str, audience_id: int, **values: Any) -> None:
        with self.transaction():
            self.execute(queries.load("audiences")[query], {"audience_id": audience_id, **values})


def _audience(row: Any) -> Audience:
    audience_id, sync, destination, name, remote_id, definition, generation, *times, purpose = row
    last_as_of, created_at, retired_at = times
    return Audience(
        audience_id,
        sync,
        destination,
        name,
        remote_id,
        definition,
        generation,
        from_micros(last_as_of),
        from_micros(created_at),
        from_micros(retired_at),
        purpose,
    )
