"""Visits to an invented shop, as BigQuery extracts Google Analytics' events: one file of JSON lines a day."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any

_DAYS = 24
_VISITS = 1_900
_WAY = ("view_item", "add_to_cart", "begin_checkout", "add_payment_info")
_GOES_ON = (0.25, 0.5, 0.5)
"""The chance to come from each step of the way to the next."""
_SOURCES = (("google", "cpc"), ("google", "organic"), ("newsletter", "email"), ("(direct)", "(none)"))
_SHARE_THAT_SIGNS_IN = 0.5
_SHARE_THAT_ALLOWS = 0.8
"""Of visitors who did not sign in, who allows their visit to be measured."""
_DEVICES = ("mobile", "mobile", "mobile", "desktop", "desktop", "tablet")

Product = tuple[str, str, int]
"""Title, sku and price."""


@dataclass(frozen=True, slots=True)
class Purchase:
    """An order of the shop that was placed on the web: whose (customer id), when, and the order's id."""

    customer: str
    at: datetime
    order: str


@dataclass(frozen=True, slots=True)
class Web:
    """What visits to a shop are about, and by whom.

    ``country`` is named as Analytics names it. About half of the visits are by ``customers`` (their ids) who signed
    in, and every one of the ``purchases`` ends a visit.
    """

    products: Sequence[Product]
    country: str
    customers: Sequence[str]
    purchases: Sequence[Purchase]


@dataclass(frozen=True, slots=True)
class _Visit:
    begun: datetime
    session: str
    customer: str | None
    order: str | None = None


def write_visits(folder: Path, now: datetime, seed: int, web: Web) -> None:
    """Write ``events_YYYYMMDD.json`` for the days (UTC) before ``now``, an aware time."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)  # noqa: S311  # invented visits, no secrets
    visits = [
        # Ages, not times of day: the same shop comes of the same seed at whatever time it is made.
        _Visit(
            now - timedelta(days=random.uniform(0.02, _DAYS)),
            str(number),
            random.choice(web.customers) if random.random() < _SHARE_THAT_SIGNS_IN else None,
        )
        for number in range(_VISITS)
    ]
    first = now - timedelta(days=_DAYS)
    visits += [
        _Visit(each.at - timedelta(minutes=8), f"9{each.order}", each.customer, each.order)
        for each in web.purchases
        if each.at > first
    ]
    days: dict[str, list[str]] = {}
    for visit in visits:
        for line in _events(random, visit, web, now):
            day = datetime.fromtimestamp(int(line["event_timestamp"]) / 1_000_000, UTC)
            days.setdefault(f"{day:%Y%m%d}", []).append(f"{json.dumps(line)}\n")
    for name, lines in days.items():
        (folder / f"events_{name}.json").write_text("".join(lines), encoding="utf-8")


def _events(random: Random, visit: _Visit, web: Web, now: datetime) -> Iterator[dict[str, Any]]:
    """Yield the events of one visit: a page, products looked at, and how far on the way to an order."""
    browser = f"{visit.customer}.1" if visit.customer else f"{random.randrange(400)}.2"
    source, medium = _SOURCES[_number(browser) % len(_SOURCES)]
    product = random.choice(web.products)
    allowed = visit.customer is not None or random.random() < _SHARE_THAT_ALLOWS
    at = visit.begun
    for place, name in enumerate(_steps(random, visit)):
        at += timedelta(seconds=random.randrange(10, 80))
        if at >= now:
            return
        yield {
            "event_timestamp": str(int(at.timestamp() * 1_000_000)),
            "event_name": name,
            "event_params": [
                _parameter("ga_session_id", "int_value", visit.session),
                _parameter("page_location", "string_value", f"https://shop.example/{product[1].lower()}"),
                _parameter("engagement_time_msec", "int_value", str(random.randrange(2_000, 90_000))),
            ],
            "user_id": visit.customer,
            "user_pseudo_id": browser,
            "event_bundle_sequence_id": visit.session,
            "batch_event_index": str(place),
            "privacy_info": {"analytics_storage": "Yes" if allowed else "No"},
            "device": {"category": _DEVICES[_number(browser) % len(_DEVICES)]},
            "geo": {"country": web.country},
            "traffic_source": {"source": source, "medium": medium},
            "ecommerce": {"transaction_id": visit.order} if name == "purchase" else None,
            "items": [_item(product)] if name != "page_view" else [],
        }


def _steps(random: Random, visit: _Visit) -> list[str]:
    if visit.order is not None:
        return ["page_view", *_WAY, "purchase"]
    steps = ["page_view", _WAY[0]]
    for step, chance in zip(_WAY[1:], _GOES_ON, strict=True):
        if random.random() > chance:
            break
        steps.append(step)
    return steps


def _parameter(key: str, kind: str, value: str) -> dict[str, Any]:
    return {"key": key, "value": {kind: value}}


def _item(product: Product) -> dict[str, Any]:
    title, sku, price = product
    return {
        "item_id": sku,
        "item_name": title,
        "item_category": title.split()[-1].lower(),
        "price": price,
        "quantity": "1",
    }


def _number(text: str) -> int:
    """Return a small number that follows from a text, the same in every run."""
    return sum(map(ord, text))
