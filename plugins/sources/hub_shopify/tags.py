"""Tags of customers: looked at, put on and taken off, as many in one request as its points allow.

A request may cost 1,000 points whatever the plan; to look at a customer is 1 point, a mutation 10 (Shopify's page on
rate limits), so that a hundred tags are changed by one request. A bucket may be smaller than that.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any, TypeVar

from hub import api
from hub_shopify.admin import Admin
from hub_shopify.replies import CostlyError

A_LOOK = 1
A_CHANGE = 10
STANDARD = (2_000.0, 100.0)
"""The bucket of a standard plan: points that it holds, and that come back each second."""
A_REQUEST = 100
"""So many tags are changed by one request where its points are not limited further."""
_POINTS = 1_000.0
_SHARE = 0.9
_LIST = 2  # what a list costs beside its nodes
_PAGE = 250  # of a list that is read or sent: Shopify's page on limits
_GID = "gid://shopify/Customer/"

ADD, REMOVE = "tagsAdd", "tagsRemove"
LOOK = "query Look($ids: [ID!]!) { nodes(ids: $ids) { ... on Customer { id tags } } }"
TAGGED = (
    "query Tagged($first: Int!, $query: String!) "
    "{ customers(first: $first, query: $query, sortKey: ID) { nodes { id tags } } }"
)

T = TypeVar("T")


def change(mutation: str, count: int) -> str:
    """Return the mutation that changes $tags of so many customers, $c0 and on, each answered under its own name."""
    given = "".join(f", $c{number}: ID!" for number in range(count))
    asked = " ".join(
        f"c{number}: {mutation}(id: $c{number}, tags: $tags) {{ userErrors {{ field message }} }}"
        for number in range(count)
    )
    return f"mutation Tag($tags: [String!]!{given}) {{ {asked} }}"


def search(tag: str, above: int) -> str:
    """Return the filter on customers with a tag whose number is higher than one."""
    quoted = tag.replace("\\", "\\\\").replace("'", "\\'")
    return f"tag:'{quoted}' AND id:>={above + 1}"


def has(tags: Sequence[str], tag: str) -> bool:
    """Tell whether a tag is among some; they differ by more than case."""
    return tag.casefold() in {each.casefold() for each in tags}


class Tags:
    """The tags of a shop's customers, who are named by their numbers."""

    def __init__(self, admin: Admin, http: api.Http) -> None:
        self._admin = admin
        self._http = http
        self._points = _POINTS

    def of(self, numbers: Sequence[str]) -> dict[str, list[str] | None]:
        """Return the customers' tags; None for one that the shop does not have."""

        def look(some: Sequence[str]) -> dict[str, list[str] | None]:
            nodes = self._admin.ask(self._http, LOOK, ids=[_GID + each for each in some])["nodes"]
            return {each: node["tags"] if node else None for each, node in zip(some, nodes, strict=True)}

        found: dict[str, list[str] | None] = {}
        for answer in self._in_parts(numbers, _PAGE, A_LOOK, look):
            found |= answer
        return found

    def put(self, mutation: str, tag: str, numbers: Sequence[str]) -> Iterator[dict[str, str | None]]:
        """Change a tag of customers; yield, as requests are answered, why each was refused, or None."""

        def write(some: Sequence[str]) -> dict[str, str | None]:
            ids = {f"c{place}": _GID + each for place, each in enumerate(some)}
            data = self._admin.ask(self._http, change(mutation, len(some)), once=True, tags=[tag], **ids)
            return {each: _refusal(data.get(f"c{place}")) for place, each in enumerate(some)}

        return self._in_parts(numbers, A_REQUEST, A_CHANGE, write)

    def having(self, tag: str) -> Iterator[str]:
        """Yield the numbers of the customers with a tag.

        Each page begins above the last number: a list that is paged through ends after 25,000.
        """
        above = 0
        while True:
            asked, nodes = self._afford(_PAGE, A_LOOK, partial(self._page, tag, above), _LIST)
            yield from (_number(each) for each in nodes if has(each["tags"], tag))
            if len(nodes) < asked:
                return
            above = int(_number(nodes[-1]))

    def _page(self, tag: str, above: int, first: int) -> list[Mapping[str, Any]]:
        data = self._admin.ask(self._http, TAGGED, first=first, query=search(tag, above))
        nodes: list[Mapping[str, Any]] = data["customers"]["nodes"]
        return nodes

    def _in_parts(
        self, numbers: Sequence[str], most: int, points: int, ask: Callable[[Sequence[str]], T]
    ) -> Iterator[T]:
        begin = 0
        while begin < len(numbers):
            left = numbers[begin : begin + most]
            asked, answer = self._afford(len(left), points, partial(_about, ask, left))
            yield answer
            begin += asked

    def _afford(self, most: int, points: int, ask: Callable[[int], T], beside: int = 0) -> tuple[int, T]:
        """Ask about as many as one request may cost, each of so many points; return how many, and the answer.

        Raises:
            CostlyError: the shop's bucket does not hold enough for one.
        """
        while True:
            count = max(1, min(most, int((self._points - beside) / points)))
            try:
                return count, ask(count)
            except CostlyError as error:
                if count == 1:
                    raise
                share = _SHARE * error.allowed / error.asked if error.asked else 0.5
                self._points = (count * points + beside) * min(0.5, share)
                self._admin.reckon_anew()


def _about(ask: Callable[[Sequence[str]], T], numbers: Sequence[str], count: int) -> T:
    return ask(numbers[:count])


def _number(node: Mapping[str, Any]) -> str:
    return str(node["id"]).removeprefix(_GID)


def _refusal(answer: Mapping[str, Any] | None) -> str | None:
    errors = (answer or {}).get("userErrors") or ()
    return "; ".join(str(each["message"]) for each in errors) or None
