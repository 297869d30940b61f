"""The source ``klaviyo``: what people agreed to and did with mails, and what Klaviyo's link to the shop tells."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any, ClassVar

from hub import api
from hub_klaviyo import bodies, mails, metrics, people, shopping
from hub_klaviyo.account import Account, instant
from hub_klaviyo.checks import look_at_source
from hub_klaviyo.connecting import barred, connect_with, rest_after
from hub_klaviyo.feed import Feed, Happening, Metric, Progress, Window
from hub_klaviyo.settings import KlaviyoSourceConfig, Part

_OVERLAP = timedelta(hours=2)
_SUPPRESSED = "subscriptions.email.marketing.suppression.timestamp"
_ANOTHER_SHAPE = (AttributeError, KeyError, TypeError, ValueError)
_NEXT_STEP = "Make a private key with read access to events, profiles and metrics."

Row = dict[str, Any]
Tables = dict[str, list[Row]]


@dataclass(slots=True)
class Gathered:
    """Rows by table, and what could not be read."""

    tables: Tables
    rejected: list[api.Reject] = field(default_factory=list)
    untold: int = 0

    @classmethod
    def empty(cls, *tables: str) -> Gathered:
        """Return one with no rows yet."""
        return cls({name: [] for name in tables})


class KlaviyoSource(api.Source[KlaviyoSourceConfig]):
    """Read profiles with their consents, engagement, and carts, orders and views of the shop behind the account.

    The rate is that of profiles; events allow more, and metrics are asked for once.
    """

    name = "klaviyo"
    Config = KlaviyoSourceConfig
    rate = api.Rate(per_second=75, per_minute=700)
    streams: ClassVar[Mapping[str, api.Stream]] = {
        "profiles": api.Stream(("customers", "consents")),
        "engagement": api.Stream(("engagement",)),
        "views": api.Stream(("events", "products")),
        # Before orders: who ordered while they were read must not look like somebody who left a cart.
        "carts": api.Stream(("carts", "cart_lines")),
        "orders": api.Stream(("orders", "order_lines")),
    }

    def __init__(self, **given: Any) -> None:
        super().__init__(**given)
        self._reached: dict[str, api.Reach] = {}

    @cached_property
    def account(self) -> Account:
        """Return the account behind the client."""
        return Account(self.http)

    def client(self, connect: api.Connect) -> api.Http:
        """Make the client."""
        return connect_with(connect, self.config.address, self.config.api_key)

    def pace(self, reply: api.Reply) -> float | None:
        """Wait for the next window where this one is used up."""
        return rest_after(reply)

    def classify(self, reply: api.Reply) -> api.HubError | None:
        """Say which permission is missing."""
        return barred(reply, _NEXT_STEP)

    def check(self) -> Iterator[api.Finding]:
        """Try the key and its permissions, and look for the metrics."""
        yield from look_at_source(self.http, self.account, self.config, self.shop)

    def read(self, stream: str, since: Any, until: datetime) -> Iterator[api.Page]:
        """Yield what changed or happened since the cursor; what the settings leave out is no page."""
        until = until.replace(tzinfo=until.tzinfo or UTC)
        if stream == "profiles":
            yield from self._profiles(since or {}, until)
        elif stream in self.config.parts:
            yield from self._events(stream, Progress.of(since), until)

    def reach(self, table: str) -> api.Reach:
        """Say from when on events were read, and until when a table was."""
        stream = next((name for name, stream in self.streams.items() if table in stream.tables), "")
        return self._reached.get(stream, api.Reach())

    # Profiles.

    def _profiles(self, since: Mapping[str, Any], until: datetime) -> Iterator[api.Page]:
        """Yield profiles that changed or were suppressed since; now and then all, to notice who is gone."""
        if "all" in since and until - instant(since["all"]) >= self.config.reconcile:
            yield from self._whole(until)
        else:
            yield from self._changed(since, until)
            cursor = {"changed": bodies.written(until), "all": since.get("all") or bodies.written(until)}
            yield api.Page({"customers": [], "consents": []}, cursor=cursor)
        self._reached["profiles"] = api.Reach(None, until)

    def _changed(self, since: Mapping[str, Any], until: datetime) -> Iterator[api.Page]:
        """Yield what changed, the oldest change first, so that a first read that broke off goes on."""
        reached = instant(since["changed"]) if since else None
        start = None if reached is None else reached - _OVERLAP
        wanted = None if start is None else bodies.later_than("updated", start)
        for some in self.account.profiles(wanted, "updated"):
            gathered = self._gather(some)
            changed = [when for each in some if (when := people.updated(each))]
            reached = max((*changed, reached) if reached else changed, default=reached)
            cursor = {**since, "changed": bodies.written(min(reached, until))} if reached else None
            yield api.Page(gathered.tables, cursor=cursor, rejected=gathered.rejected)
        if start is not None:
            # A suppression need not count as a change of the profile.
            for some in self.account.profiles(bodies.later_than(_SUPPRESSED, start), _SUPPRESSED):
                gathered = self._gather(some)
                yield api.Page(gathered.tables, rejected=gathered.rejected)

    def _whole(self, until: datetime) -> Iterator[api.Page]:
        """Yield all profiles, and say that what is stored beyond them has gone."""
        known: set[str] = set()
        subjects: set[str] = set()
        for some in self.account.profiles(None, "updated"):
            gathered = self._gather(some)
            known |= {key for row in gathered.tables["customers"] if (key := row["customer_id"] or row["phone"])}
            subjects |= people.subjects(gathered.tables["consents"])
            yield api.Page(gathered.tables, rejected=gathered.rejected)
        remaining = [api.Remaining("customers", sorted(known)), api.Remaining("consents", sorted(subjects))]
        cursor = {"changed": bodies.written(until), "all": bodies.written(until)}
        yield api.Page({"customers": [], "consents": []}, cursor=cursor, remaining=remaining)

    def _gather(self, some: list[Any]) -> Gathered:
        """Return profiles as rows."""
        made = Gathered.empty("customers", "consents")
        proof = people.Proof.of(self.config.signup_methods, trusts_all=self.config.proof == "subscribed")
        for each in some:
            wrong = people.unreadable(each)
            if wrong is not None:
                made.rejected.append(wrong)
            elif (row := people.customer(each)) is not None:
                made.tables["customers"].append(row)
                made.tables["consents"] += people.consents(each, proof)
        return made

    # Events.

    @cached_property
    def _known(self) -> list[metrics.Known]:
        return metrics.Known.of(self.account.metrics())

    def _events(self, part: Part, progress: Progress, until: datetime) -> Iterator[api.Page]:
        """Yield the events of a part; none where Klaviyo has not the metric that it is about."""
        if part == "engagement" and progress.read is not None and until - progress.read < self.config.pause:
            return
        found = [(each, metrics.find(each, self._known)) for each in metrics.wanted(part, self.config)]
        missing = [each.name for each, metric in found if each.needed and metric is None]
        if missing:
            yield api.Page({}, notes=[f"Klaviyo has no metric {missing[0]!r}: nothing is read as {part}"])
            return
        kinds, reader = self._reading(part)
        told: list[Metric] = [metric for _, metric in found if metric is not None]
        history = None if part == "orders" else self.config.history
        window = Window(until, history, self.config.late)
        untold = 0
        for some in Feed(self.account, told, "email,phone_number").pages(progress, window):
            made = Gathered.empty(*kinds)
            for each in some:
                _add(each, made, reader)
            untold += made.untold
            yield api.Page(made.tables, cursor=progress.cursor(), rejected=made.rejected)
        notes = [f"{untold:,} events of orders tell nothing of the order itself: it stays as it was"] if untold else []
        yield api.Page({name: [] for name in kinds}, cursor=progress.cursor(), notes=notes)
        self._reached[part] = api.Reach(progress.start, until)

    def _reading(self, part: Part) -> tuple[tuple[str, ...], Callable[[Happening, Gathered], None]]:
        """Return the tables of a part, and how an event becomes rows of them."""
        return {
            "engagement": (("engagement",), _mail),
            "views": (("events", "products"), self._view),
            "carts": (("carts", "cart_lines"), _cart),
            "orders": (("orders", "order_lines"), _order),
        }[part]

    def _view(self, told: Happening, made: Gathered) -> None:
        row, product = shopping.view(told, allowed=self.config.views_allowed)
        made.tables["events"].append(row)
        made.tables["products"] += [product] if product else []


def _add(told: Happening, made: Gathered, reader: Callable[[Happening, Gathered], None]) -> None:
    """Add an event's rows; one that has not the shape of its kind costs nothing but itself."""
    why = told.wrong
    if why is None:
        try:
            reader(told, made)
        except _ANOTHER_SHAPE as error:
            why = f"the event has another shape than events of {told.metric.name} ({type(error).__name__})"
    if why is not None:
        made.rejected.append(api.Reject(next(iter(made.tables)), told.origin, why, told.text()))


def _mail(told: Happening, made: Gathered) -> None:
    row = mails.engagement(told)
    made.tables["engagement"] += [row] if row else []


def _cart(told: Happening, made: Gathered) -> None:
    row, lines = shopping.cart(told)
    made.tables["carts"].append(row)
    made.tables["cart_lines"] += lines


def _order(told: Happening, made: Gathered) -> None:
    found = shopping.order(told)
    if found is None:
        made.untold += 1
        return
    made.tables["orders"].append(found[0])
    made.tables["order_lines"] += found[1]
