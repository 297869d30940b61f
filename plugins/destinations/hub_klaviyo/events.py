"""Delivery as events: each person who newly enters is recorded under a metric, which may start a flow every time."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hub import api
from hub_klaviyo import bodies
from hub_klaviyo.account import EVENT_JOBS, Account
from hub_klaviyo.settings import LONGEST_METRIC, KlaviyoConfig

if TYPE_CHECKING:
    from hub_klaviyo.destination import Klaviyo

METRIC = "metric:"
_LOADED = "loaded"
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


def record(
    account: Account, path: str, members: Sequence[api.Member], entry: bodies.Entry
) -> Generator[api.Outcome, None, list[api.Member]]:
    """Record that up to 1,000 members entered; yield who is refused, return who was taken."""
    _, taken = yield from account.post_rows(
        path, members, lambda some: bodies.events_job(bodies.event(member, entry) for member in some)
    )
    return taken


class KlaviyoEvents(api.Destination[KlaviyoConfig]):
    """Record an event for each person who enters; leaving is no call, since what happened stays happened.

    The metric has the audience's name. What the first load records is marked as backfill and starts no flow; it ends
    with a last batch before which nothing failed.
    """

    name = "klaviyo"
    Config = KlaviyoConfig
    can = api.Capabilities(
        ops={api.Op.ADD: api.Limit(bodies.EVENTS_A_JOB, bytes=bodies.LARGEST_BODY - bodies.ENVELOPE)},
        rate=api.Rate(per_second=10, per_minute=150),
        identify_by=("email",),
        purpose="cart_reminder",
    )

    def __init__(self, owner: Klaviyo) -> None:
        super().__init__(connection=owner.connection, config=owner.config, shop=owner.shop, remember=owner.remember)
        self._owner = owner
        self._first: dict[str, bool] = {}
        self._late: set[str] = set()

    @property
    def http(self) -> api.Http:
        """Return the client of the connection."""
        return self._owner.http

    def ensure_audience(self, name: str) -> str:
        """Return the metric; Klaviyo makes it with the first event."""
        if not 0 < len(name) <= LONGEST_METRIC:
            raise api.ConfigError(f"the audience {name[:20]!r}… is a metric: 1 to {LONGEST_METRIC} characters")
        return METRIC + name

    def prepare(self, attributes: Sequence[str]) -> None:
        """Refuse attributes that would overwrite who the person is."""
        self._owner.prepare(attributes)

    def row(self, member: api.Member) -> Mapping[str, Any]:
        """Return the member's event, as large as it may become."""
        longest = "x" * LONGEST_METRIC
        return bodies.event(member, bodies.Entry(longest, longest, _EPOCH, self.shop.currency, backfill=True))

    def push(self, batch: api.Batch) -> Iterator[api.Outcome]:
        """Record a batch; Klaviyo tells nothing about an event that it took."""
        name = self._metric(batch.audience)
        # Decided once for a run: its last batch may be split around a wrong row.
        first = self._first.setdefault(batch.audience, name not in self._loaded())
        entry = bodies.Entry(name, name, batch.as_of or _EPOCH, self.shop.currency, backfill=first)
        keys = {member.key for member in batch}
        try:
            taken = yield from record(self._owner.account, EVENT_JOBS, batch.members, entry)
        except api.TransientError:
            self._late |= keys
            raise
        self._late -= keys
        if first and batch.last and not self._late:
            self.remember.set(_LOADED, sorted(self._loaded() | {name}))
        for member in taken:
            yield member.delivered()

    def _loaded(self) -> set[str]:
        return set(self.remember.get(_LOADED) or ())

    @staticmethod
    def _metric(audience: str) -> str:
        if not audience.startswith(METRIC):
            raise api.ConfigError(
                "this audience was delivered as a list and is an event now",
                next_step='Give the sync another audience, or set cart_segments = "list".',
            )
        return audience.removeprefix(METRIC)
