"""Pages of a sorted list, by cursor.

A cursor names the last record seen and the value it was sorted by, as Shopify's do. A record that changes while
somebody pages through moves within the list: it may be seen twice and is not lost.
"""

from __future__ import annotations

import base64
import json
from bisect import bisect_left, bisect_right
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from graphql import GraphQLError

from hub_shopify.stand_in.lists import SortKey

Key = tuple[Any, int]


@dataclass(frozen=True, slots=True)
class Sorted:
    """Records in ascending order with what they were sorted by; read from the other end if ``reverse``."""

    keys: Sequence[Key]
    records: Sequence[Any]
    sort_key: SortKey
    reverse: bool = False


@dataclass(frozen=True, slots=True)
class Edge:
    """A record on a page, with its place."""

    key: Key
    node: Any

    @property
    def cursor(self) -> str:
        return _cursor(self.key)


@dataclass(frozen=True, slots=True)
class Page:
    """A connection: the fields of the API read its attributes."""

    nodes: Sequence[Any]
    keys: Sequence[Key]
    more_after: bool
    more_before: bool

    @property
    def edges(self) -> list[Edge]:
        return [Edge(key, node) for key, node in zip(self.keys, self.nodes, strict=True)]

    @property
    def page_info(self) -> dict[str, Any]:
        return {
            "hasNextPage": self.more_after,
            "hasPreviousPage": self.more_before,
            "startCursor": _cursor(self.keys[0]) if self.keys else None,
            "endCursor": _cursor(self.keys[-1]) if self.keys else None,
        }


def sort(records: Sequence[Any], sort_key: SortKey, *, reverse: bool = False) -> Sorted:
    """Sort records by a key, then by number."""
    order = sorted(records, key=lambda record: (sort_key.value(record), record.number))
    return Sorted([(sort_key.value(record), record.number) for record in order], order, sort_key, reverse)


def everything(records: Sequence[Any]) -> Page:
    """Return all records on one page, as a bulk operation reads them."""
    return Page(records, [(number, number) for number in range(len(records))], more_after=False, more_before=False)


def cut(found: Sorted, arguments: Mapping[str, Any], *, largest: int, depth: int) -> Page:
    """Return the page asked for by ``first`` or ``last``, ``after`` and ``before``.

    ``largest`` is the most records of one page; ``depth`` how deep into a list anybody can page: what comes later is
    not there. Raises GraphQLError for arguments that Shopify refuses.
    """
    first, last = arguments.get("first"), arguments.get("last")
    wanted = _size(first, last, largest)
    total = len(found.keys)
    low, high = (max(0, total - depth), total) if found.reverse else (0, min(total, depth))
    whole = low, high
    if arguments.get("after"):
        low, high = _beyond(found, arguments["after"], low, high, ahead=True)
    if arguments.get("before"):
        low, high = _beyond(found, arguments["before"], low, high, ahead=False)
    size = min(wanted, high - low)
    from_bottom = (first is not None) != found.reverse
    low, high = (low, low + size) if from_bottom else (high - size, high)
    keys, nodes = found.keys[low:high], found.records[low:high]
    above, below = high < whole[1], low > whole[0]
    if found.reverse:
        return Page(nodes[::-1], keys[::-1], more_after=below, more_before=above)
    return Page(nodes, keys, more_after=above, more_before=below)


def _size(first: int | None, last: int | None, largest: int) -> int:
    """Return how many records are asked for."""
    if first is not None and last is not None:
        raise _refused("providing both first and last is not supported")
    name, size = ("first", first) if first is not None else ("last", last)
    if size is None:
        raise _refused("you must provide one of first or last")
    if not 0 <= size <= largest:
        raise _refused(f"{name} must be between 0 and {largest}")
    return size


def _refused(message: str) -> GraphQLError:
    return GraphQLError(message, extensions={"code": "BAD_REQUEST"})


def _beyond(found: Sorted, cursor: str, low: int, high: int, *, ahead: bool) -> tuple[int, int]:
    """Narrow a range of places to those after (``ahead``) or before a cursor, in reading order."""
    key = _read_cursor(cursor, found.sort_key.parse)
    if ahead != found.reverse:
        return min(max(low, bisect_right(found.keys, key)), high), high
    return low, max(min(high, bisect_left(found.keys, key)), low)


def _cursor(key: Key) -> str:
    value = key[0].isoformat() if isinstance(key[0], datetime) else str(key[0])
    text = json.dumps({"last_id": key[1], "last_value": value}, separators=(",", ":"))
    return base64.urlsafe_b64encode(text.encode()).decode()


def _read_cursor(cursor: str, parse: Callable[[str], Any]) -> Key:
    try:
        said = json.loads(base64.urlsafe_b64decode(cursor))
        return parse(said["last_value"]), int(said["last_id"])
    except (ValueError, KeyError, TypeError, ArithmeticError):
        raise _refused("Invalid cursor for current pagination sort.") from None
