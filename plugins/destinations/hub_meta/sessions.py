"""Sessions: the batches of one upload, counted as Meta wants them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from hub import api
from hub_meta import bodies

_LONGEST = timedelta(minutes=80)  # Meta closes a session 90 minutes after its first batch


@dataclass(slots=True)
class _Session:
    number: int
    begun: datetime
    as_of: datetime | None
    places: dict[str, tuple[int, int]] = field(default_factory=dict)
    people: int = 0
    complete: bool = False

    def takes(self, batch: api.Batch, now: datetime) -> bool:
        """Tell whether a batch has its place in this session, or may still get one."""
        if self.as_of != batch.as_of or now - self.begun >= _LONGEST:
            return False
        return batch.key in self.places or not self.complete


class Sessions:
    """One session for each run, audience and direction; ``clock`` gives the time.

    A batch that is sent again keeps its place. One that was split after the last place was taken, or that comes when
    the session is about to be closed, begins another.
    """

    def __init__(self, account: str, clock: Callable[[], datetime]) -> None:
        self._account = account
        self._clock = clock
        self._open: dict[tuple[str, api.Op], _Session] = {}

    def place(self, batch: api.Batch, people: int) -> dict[str, Any]:
        """Return the session part of a request with some people of a batch."""
        session = self._session(batch)
        if batch.key not in session.places:
            session.people += people
            session.places[batch.key] = (len(session.places) + 1, session.people)
            session.complete |= batch.last
        sequence, so_far = session.places[batch.key]
        total = so_far if batch.last else max(so_far, (batch.total or 0) * bodies.ROWS_A_CALL)
        return bodies.session(session.number, sequence, last=batch.last, total=total)

    def _session(self, batch: api.Batch) -> _Session:
        now = self._clock()
        known = self._open.get((batch.audience, batch.op))
        if known is not None and known.takes(batch, now):
            return known
        number = bodies.session_number(f"{self._account} {batch.audience} {batch.op} {batch.key} {now.isoformat()}")
        made = self._open[batch.audience, batch.op] = _Session(number, now, batch.as_of)
        return made
