"""How the stand-in is asked: filters that may be joined by commas, orders, sparse fields, pages behind a cursor."""

from __future__ import annotations

import base64
import binascii
import json
import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from urllib.parse import urlencode

from hub_klaviyo.stand_in.people import Json
from hub_klaviyo.stand_in.shapes import Answer, Refusal

_PART = re.compile(r'([\w-]+)\(([\w.]+),((?:"(?:[^"\\]|\\.)*"|\[[^\]]*\]|[^()"])*)\)(?:,|$)')
_TIMES = frozenset({"greater-than", "greater-or-equal", "less-than", "less-or-equal"})

Key = tuple[Any, ...]
Condition = tuple[str, str, Any]


def conditions(text: str, fields: Mapping[str, str]) -> list[Condition]:
    """Return operator, field and value of every part of a filter; ``fields`` says which operators each field allows."""
    found, place = [], 0
    while place < len(text):
        part = _PART.match(text, place)
        if part is None or part[1] not in fields.get(part[2], "").split():
            raise Refusal(400, "invalid", "This filter is not allowed here.")
        found.append((part[1], part[2], _value(part[1], part[3])))
        place = part.end()
    if not found:
        raise Refusal(400, "invalid", "Invalid filter provided.")
    return found


def within(times: Iterable[float], wanted: Sequence[Condition], field: str) -> bool:
    """Tell whether one of some times fulfils all conditions on a field; Klaviyo compares whole seconds."""
    ours = [(operator, value) for operator, name, value in wanted if name == field]
    return not ours or any(
        all(_compares(int(each), operator, int(value)) for operator, value in ours) for each in times
    )


def known_only(query: Mapping[str, str], *names: str) -> None:
    """Refuse parameters that an endpoint does not have."""
    strange = sorted(set(query) - {*names, "page[cursor]"})
    if strange:
        raise Refusal(400, "invalid", f"{strange[0]} is no parameter of this endpoint.")


def sparse(each: Json, query: Mapping[str, str]) -> Json:
    """Return an object with the attributes that were asked for."""
    wanted = query.get(f"fields[{each['type']}]")
    if wanted is None:
        return each
    names = {name.partition(".")[0] for name in wanted.split(",")}
    return {**each, "attributes": {name: value for name, value in each["attributes"].items() if name in names}}


def ordered(rows: Iterable[Any], sort: str, keys: Mapping[str, Callable[[Any], Key]]) -> list[tuple[Key, Any]]:
    """Return rows in the order that was asked for, each with its key."""
    name = sort.removeprefix("-")
    if name not in keys:
        raise Refusal(400, "invalid", f"Sorting by {name} is not allowed here.")
    return sorted(((keys[name](row), row) for row in rows), key=lambda row: row[0], reverse=sort.startswith("-"))


def page(
    rows: Sequence[tuple[Key, Any]], query: Mapping[str, str], url: str, *, largest: int, default: int
) -> tuple[list[Any], dict[str, str | None]]:
    """Return the rows of one page, and its links; who comes or moves meanwhile makes nobody be passed over."""
    text = query.get("page[size]", str(default))
    size = int(text) if text.isdigit() else 0
    if not 1 <= size <= largest:
        raise Refusal(400, "invalid", f"Page size must be an integer between 1 and {largest}.")
    after = _key(query.get("page[cursor]"))
    down = query.get("sort", "").startswith("-")
    left = [row for row in rows if after is None or (row[0] < after if down else row[0] > after)]
    some = left[:size]
    following = urlencode({**query, "page[cursor]": _cursor(some[-1][0])}) if len(left) > size else None
    links = {"self": f"{url}?{urlencode(query)}", "next": following and f"{url}?{following}", "prev": None}
    return [row for _, row in some], links


def answer(data: Sequence[Json], links: Mapping[str, str | None], included: Iterable[Json] = ()) -> Answer:
    """Return a page of objects, with what they refer to."""
    more = {"included": told} if (told := list(included)) else {}
    return Answer(200, {"data": list(data), "links": dict(links), **more})


def _value(operator: str, text: str) -> Any:
    try:
        return datetime.fromisoformat(text).timestamp() if operator in _TIMES else json.loads(text)
    except ValueError:
        raise Refusal(400, "invalid", "This filter cannot be read.") from None


def _compares(one: int, operator: str, other: int) -> bool:
    above, below = one > other, one < other
    return {
        "greater-than": above,
        "greater-or-equal": not below,
        "less-than": below,
        "less-or-equal": not above,
    }[operator]


def _cursor(key: Key) -> str:
    return base64.urlsafe_b64encode(json.dumps(key).encode()).decode()


def _key(cursor: str | None) -> Key | None:
    if cursor is None:
        return None
    try:
        return tuple(json.loads(base64.urlsafe_b64decode(cursor)))
    except (binascii.Error, ValueError, TypeError):
        raise Refusal(400, "invalid", "Invalid cursor.") from None
