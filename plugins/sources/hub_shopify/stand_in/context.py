"""What one request is answered from: the shop, what the app may see of it, and the limits."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from hub_shopify.stand_in.access import RECENT, Redaction, with_implied
from hub_shopify.stand_in.lists import lists_of
from hub_shopify.stand_in.paging import Page, Sorted, cut, everything, sort
from hub_shopify.stand_in.schema import Schema
from hub_shopify.stand_in.search import Predicate, Reading, compile_search
from hub_shopify.stand_in.shop import Shop

if TYPE_CHECKING:
    from hub_shopify.stand_in.bulk import BulkOperations

Arguments = Mapping[str, Any]
Field = Callable[[Any, "Context", Arguments], Any]  # how a field is read: from the parent, for a request

_LISTS_KEPT = 32


@dataclass(frozen=True, slots=True)
class Limits:
    """Shopify's limits; smaller ones let a test meet them with few records.

    ``bucket`` points are restored by ``restore_rate`` a second (the standard plan's); one query may cost
    ``single_query``; a page has at most ``page`` records and a list ends after ``depth``. ``bulk_running`` bulk
    operations may run at once, each for at least ``bulk_polls`` looks at it, with ``bulk_step`` objects done between
    two looks.
    """

    bucket: float = 2000
    restore_rate: float = 100
    single_query: int = 1000
    page: int = 250
    depth: int = 25_000
    bulk_running: int = 5
    bulk_polls: int = 2
    bulk_step: int = 5_000


class Shelf:
    """A shop's lists, filtered and sorted, kept until the shop changes."""

    def __init__(self, shop: Shop) -> None:
        self._shop = shop
        self._lists = lists_of(shop)
        self._kept: OrderedDict[tuple[Any, ...], tuple[int, Sorted, list[dict[str, str]]]] = OrderedDict()

    def find(
        self,
        typename: str,
        records: Sequence[Any] | None,
        arguments: Mapping[str, Any],
        reading: Reading,
        *,
        shown: Predicate | None = None,
    ) -> Sorted:
        """Return the records of a type, or of those given, that a search asks for, sorted.

        ``shown`` tells which of them the app may see, if not all; what it says may change with the clock.
        """
        query, sort_by = arguments.get("query") or "", arguments.get("sortKey") or "ID"
        reverse = bool(arguments.get("reverse"))
        key = (typename, query, sort_by, reading.version)
        fresh = records is None and shown is None and "now" not in query.lower()
        if fresh and key in self._kept and self._kept[key][0] == self._shop.generation:
            self._kept.move_to_end(key)
            _, found, warnings = self._kept[key]
            reading.warnings.extend(warnings)
            return Sorted(found.keys, found.records, found.sort_key, reverse)
        known = self._lists[typename]
        wanted = compile_search(query, known.filters, known.anywhere, reading)
        among = self._shop.all_of(typename).values() if records is None else records
        chosen = [record for record in among if wanted(record) and (shown is None or shown(record))]
        found = sort(chosen, known.sort_keys[sort_by], reverse=reverse)
        if fresh:
            self._kept[key] = (self._shop.generation, found, list(reading.warnings))
            while len(self._kept) > _LISTS_KEPT:
                self._kept.popitem(last=False)
        return found


@dataclass(slots=True)
class Context:
    """One request's view of the shop.

    A bulk operation first asks with ``chosen`` for the records its query means, then for a ``window`` of them at a
    time.
    """

    shop: Shop
    shelf: Shelf
    schema: Schema
    granted: Sequence[str]
    limits: Limits
    bulk: BulkOperations
    address: str
    redaction: Redaction = ""
    lag: timedelta = timedelta(0)
    window: Sequence[Any] | None = None
    chosen: list[Any] | None = None
    warnings: list[dict[str, Any]] = field(default_factory=list)
    scopes: frozenset[str] = frozenset()

    def __post_init__(self) -> None:
        self.scopes = with_implied(self.granted)

    def now(self) -> datetime:
        return self.shop.now()

    def list_of(
        self, typename: str, arguments: Mapping[str, Any], records: Sequence[Any] | None = None, path: str = ""
    ) -> Sorted:
        """Return what a list's arguments ask for, as far as the app may see it."""
        reading = Reading(self.schema.version, self.now(), ZoneInfo(self.shop.about.timezone))
        found = self.shelf.find(typename, records, arguments, reading, shown=self._shown(typename, arguments))
        if reading.warnings:
            self.warnings.append({"path": [path], "query": arguments.get("query"), "warnings": list(reading.warnings)})
        return found

    def page(self, found: Sorted, arguments: Mapping[str, Any]) -> Page:
        """Return a page of a list; all of it in a bulk operation."""
        if self.window is not None:
            return everything(found.records)
        return cut(found, arguments, largest=self.limits.page, depth=self.limits.depth)

    def sees_order(self, order: Any) -> bool:
        """Tell whether an order is recent enough for the app's scopes."""
        return "read_all_orders" in self.scopes or order.created_at >= self.now() - RECENT

    def _shown(self, typename: str, arguments: Mapping[str, Any]) -> Predicate | None:
        """Return what tells the records of a list that the app sees; None: all of them."""
        tests: list[Predicate] = []
        if typename == "Order" and "read_all_orders" not in self.scopes:
            tests.append(self.sees_order)
        if self.lag and arguments.get("query"):
            edge = self.now() - self.lag
            tests.append(lambda record: record.updated_at <= edge)
        return (lambda record: all(test(record) for test in tests)) if tests else None
