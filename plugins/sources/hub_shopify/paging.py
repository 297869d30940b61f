"""Read a list page by page, with the lists inside its nodes to their end, in pages as large as points allow."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any

from hub import api
from hub_shopify.admin import Admin
from hub_shopify.operations import Listing, since
from hub_shopify.replies import CostlyError
from hub_shopify.state import Window, moment

Node = dict[str, Any]
_MOST_FIRST = 250
_MOST_POINTS = 1000.0
_SHARE = 0.9
"""How much of what a query may cost is used: the reckoning is linear, Shopify's nearly so."""
_PROBE, _INNER = 5, 10
_A_NODE = 100.0
"""About what a node costs with so many in the lists inside it: to begin with, until a page has told."""


class Size:
    """How many nodes to ask for, and how many of each list inside them: learnt from what pages cost."""

    def __init__(self, bucket: float) -> None:
        self.first = max(1, min(_PROBE, int(bucket / _A_NODE)))
        self.nested = max(1, min(_INNER, int(bucket / _A_NODE * _INNER / 4)))

    def learn(self, requested: float, bucket: float) -> None:
        """Ask for as much as one query may cost, and for no more than half the bucket."""
        allowed = min(_MOST_POINTS, bucket / 2) * _SHARE
        self.first = max(1, min(_MOST_FIRST, int(allowed * self.first / requested)))

    def shrink(self, asked: float, allowed: float) -> bool:
        """Ask for less after a refusal; tell whether that is possible."""
        share = min(0.5, _SHARE * allowed / asked) if asked else 0.5
        if self.first > 1:
            self.first = max(1, int(self.first * share))
        elif self.nested > 1:
            self.nested = max(1, int(self.nested * share))
        else:
            return False
        return True


@dataclass(frozen=True, slots=True)
class Found:
    """A page: its nodes with all that is inside them, and where the next one begins (None: nowhere)."""

    nodes: Sequence[Node]
    after: str | None


class Paging:
    """Pages of one list."""

    def __init__(self, admin: Admin, http: api.Http, listing: Listing) -> None:
        self._admin = admin
        self._http = http
        self._listing = listing
        self._size = Size(admin.cost.maximum if admin.cost else _MOST_POINTS)

    def page(self, window: Window) -> Found:
        """Return the next page of a window.

        What changed before the window is left out here once more: some lists filter by whole days (Shopify's
        description of the filters).
        """
        query = since(moment(window.since), moment(window.until))
        data = self._ask(self._listing.page(), paged=True, after=window.after or None, query=query)[self._listing.root]
        nodes = [edge["node"] for edge in data["edges"]]
        kept = [node for node in nodes if moment(node["updatedAt"]) >= moment(window.since)]
        for node in kept:
            self._complete(node)
        return Found(kept, data["pageInfo"]["endCursor"] if data["pageInfo"]["hasNextPage"] else None)

    def count(self, window: Window) -> int:
        """Return how many objects a window has, as far as they can be counted."""
        query = since(moment(window.since), moment(window.until))
        data = self._admin.ask(self._http, self._listing.count(), query=query)
        return int(next(iter(data.values()))["count"])

    def _complete(self, node: Node) -> None:
        """Read the lists inside a node to their end."""
        for name in self._listing.nested:
            inside = node[name]
            while inside["pageInfo"]["hasNextPage"]:
                cursor = inside["pageInfo"]["endCursor"]
                more = self._ask(self._listing.rest(name), paged=False, id=node["id"], after=cursor)["node"]
                if more is None:
                    break  # gone meanwhile
                inside["edges"] += more[name]["edges"]
                inside["pageInfo"] = more[name]["pageInfo"]

    def _ask(self, document: str, *, paged: bool, **variables: Any) -> Mapping[str, Any]:
        """Ask for as much as the size says, and for less where that costs too much."""
        while True:
            sizes: dict[str, Any] = {"first": self._size.first} if paged else {}
            sizes |= {"nested": self._size.nested} if self._listing.nested else {}
            try:
                data = self._admin.ask(self._http, document, **variables, **sizes)
            except CostlyError as error:
                if not self._size.shrink(error.asked, error.allowed):
                    raise
                self._admin.reckon_anew()
                continue
            if paged and self._admin.cost is not None:
                self._size.learn(self._admin.cost.requested, self._admin.cost.maximum)
            return data


def lines_of(node: Mapping[str, Any], listing: Listing) -> Iterator[dict[str, Any]]:
    """Yield a node as a bulk operation would: itself, then its children."""
    yield {name: value for name, value in node.items() if name not in listing.nested}
    for name in listing.nested:
        for edge in node[name]["edges"]:
            yield {**edge["node"], "__parentId": node["id"]}


def digest_of(node: Mapping[str, Any]) -> str:
    """Return what tells a node from what it was before."""
    return sha256(json.dumps(node, sort_keys=True).encode()).hexdigest()[:12]


def write_lines(nodes: Iterable[Mapping[str, Any]], listing: Listing, path: Path) -> Path:
    """Write nodes as a bulk operation would."""
    path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    with path.open("w", encoding="utf-8") as file:
        for node in nodes:
            file.writelines(json.dumps(line, ensure_ascii=False) + "\n" for line in lines_of(node, listing))
    return path
