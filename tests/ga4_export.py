"""Make Google Analytics 4 exports as BigQuery extracts them: rows in the documented schema, files in every format."""

from __future__ import annotations

import gzip
import json
import os
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pyarrow as pa
import pyarrow.parquet as pq

_CAMPAIGN = {"campaign_id": "STRING", "campaign_name": "STRING", "source": "STRING", "medium": "STRING"}
_MONEY = ("purchase_revenue", "refund_value", "shipping_value", "tax_value")
SCHEMA: Mapping[str, Any] = {
    "event_date": "STRING",
    "event_timestamp": "INTEGER",
    "event_name": "STRING",
    "event_params": [
        {
            "key": "STRING",
            "value": {
                "string_value": "STRING",
                "int_value": "INTEGER",
                "float_value": "FLOAT",
                "double_value": "FLOAT",
            },
        }
    ],
    "event_previous_timestamp": "INTEGER",
    "event_value_in_usd": "FLOAT",
    "event_bundle_sequence_id": "INTEGER",
    "event_server_timestamp_offset": "INTEGER",
    "user_id": "STRING",
    "user_pseudo_id": "STRING",
    "privacy_info": {"analytics_storage": "STRING", "ads_storage": "STRING", "uses_transient_token": "STRING"},
    "user_first_touch_timestamp": "INTEGER",
    "user_ltv": {"revenue": "FLOAT", "currency": "STRING"},
    "device": {
        "category": "STRING",
        "operating_system": "STRING",
        "language": "STRING",
        "web_info": {"browser": "STRING", "hostname": "STRING"},
    },
    "geo": {"continent": "STRING", "country": "STRING", "region": "STRING", "city": "STRING"},
    "traffic_source": {"name": "STRING", "medium": "STRING", "source": "STRING"},
    "stream_id": "STRING",
    "platform": "STRING",
    "ecommerce": {
        "total_item_quantity": "INTEGER",
        **{name + usd: "FLOAT" for name in _MONEY for usd in ("_in_usd", "")},
        "unique_items": "INTEGER",
        "transaction_id": "STRING",
    },
    "items": [
        {
            "item_id": "STRING",
            "item_name": "STRING",
            "item_brand": "STRING",
            "item_variant": "STRING",
            "item_category": "STRING",
            "item_category2": "STRING",
            "price_in_usd": "FLOAT",
            "price": "FLOAT",
            "quantity": "INTEGER",
            "item_revenue": "FLOAT",
            "coupon": "STRING",
        }
    ],
    "collected_traffic_source": {"manual_source": "STRING", "manual_medium": "STRING", "gclid": "STRING"},
    "is_active_user": "BOOLEAN",
    "batch_event_index": "INTEGER",
    "batch_page_id": "INTEGER",
    "batch_ordering_id": "INTEGER",
    "session_traffic_source_last_click": {"manual_campaign": _CAMPAIGN, "cross_channel_campaign": _CAMPAIGN},
}
"""The columns of an ``events_`` table, by BigQuery's types; a record as a mapping, a repeated one as a list."""

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
Row = dict[str, Any]


def event(
    at: datetime,
    name: str = "page_view",
    *,
    visitor: str | None = "101.1700000000",
    session: int | None = 1_700_000_001,
    consent: tuple[str | None, str | None] = ("Yes", "Yes"),
    country: str | None = "Denmark",
    params: Mapping[str, Any] | None = None,
    items: Sequence[Mapping[str, Any]] = (),
    **columns: Any,
) -> Row:
    """Return one row of an events table; ``columns`` are further columns of it."""
    told = {"ga_session_id": session, "page_location": "https://shop.example/", **(params or {})}
    return {
        "event_timestamp": microseconds(at),
        "event_name": name,
        "event_params": [param(key, value) for key, value in told.items() if value is not None],
        "event_bundle_sequence_id": 7,
        "batch_event_index": 1,
        "user_pseudo_id": visitor,
        "privacy_info": {"analytics_storage": consent[0], "ads_storage": consent[1], "uses_transient_token": "No"},
        "device": {"category": "mobile"},
        "geo": {"country": country},
        "traffic_source": {"name": "(direct)", "medium": "(none)", "source": "(direct)"},
        "items": [dict(each) for each in items],
        "platform": "WEB",
        "is_active_user": True,
    } | columns


def param(key: str, value: Any) -> Row:
    """Return an event parameter; exactly one member of its value is set."""
    member = {str: "string_value", int: "int_value", float: "double_value"}[type(value)]
    return {"key": key, "value": {member: value}}


def item(item_id: str, price: float | None = 10.0, quantity: int | None = 1, **columns: Any) -> Row:
    """Return an item as tags send it; absent text is ``(not set)``."""
    absent = dict.fromkeys(("item_brand", "item_variant", "item_category", "item_category2", "coupon"), "(not set)")
    return (
        absent | {"item_id": item_id, "item_name": f"Product {item_id}", "price": price, "quantity": quantity} | columns
    )


def microseconds(at: datetime) -> int:
    """Return an instant as the export writes it."""
    return (at - _EPOCH) // timedelta(microseconds=1)


@dataclass
class Export:
    """The folder of an export; ``put`` writes daily tables into it."""

    folder: Path
    timezone: str = "Europe/Copenhagen"
    written: int = field(default=0)

    def put(
        self, *rows: Row, kind: str = "", form: str = "parquet", part: str = "", day: date | None = None, **how: Any
    ) -> list[Path]:
        """Write rows into their daily tables (``kind`` is ``intraday_`` or ``fresh_``) and return the files."""
        tables: dict[date, list[Row]] = {day: []} if day else {}
        for row in rows:
            tables.setdefault(day or self.day_of(row), []).append(row)
        return [self.write(f"events_{kind}{each:%Y%m%d}{part}", tables[each], form, **how) for each in sorted(tables)]

    def write(self, name: str, rows: Sequence[Row], form: str = "parquet", **how: Any) -> Path:
        """Write one file; each one written is a second younger than the one before."""
        dated = [{"event_date": f"{self.day_of(row):%Y%m%d}"} | row for row in rows]
        path = self.folder / f"{name}{ENDINGS[form]}"
        path.parent.mkdir(parents=True, exist_ok=True)
        WRITERS[form](path, dated, **how)
        self.written += 1
        moment = 1_790_000_000 + self.written
        os.utime(path, (moment, moment))
        return path

    def day_of(self, row: Row) -> date:
        """Return the day of an event in the property's time zone."""
        at = _EPOCH + timedelta(microseconds=row["event_timestamp"])
        return at.astimezone(ZoneInfo(self.timezone)).date()


# -- formats


def _parquet(path: Path, rows: Sequence[Row], compression: str = "snappy", leave_out: Iterable[str] = ()) -> None:
    schema = pa.schema([(name, _arrow(kind)) for name, kind in SCHEMA.items() if name not in set(leave_out)])
    pq.write_table(pa.Table.from_pylist(list(rows), schema=schema), path, compression=compression)


def _lines(path: Path, rows: Sequence[Row]) -> None:
    """Write what an extract writes: 64-bit integers as text, NULL left out, ``<``, ``>`` and ``&`` escaped."""
    text = "".join(f"{json.dumps(_extracted(row, SCHEMA))}\n" for row in rows)
    for sign in "<>&":
        text = text.replace(sign, f"\\u{ord(sign):04x}")
    _write(path, text)


def _console(path: Path, rows: Sequence[Row]) -> None:
    """Write what the query console saves: every NULL, and numbers and booleans as text."""
    _write(path, "".join(f"{json.dumps(_saved(row, SCHEMA))}\n" for row in rows))


def _array(path: Path, rows: Sequence[Row]) -> None:
    _write(path, json.dumps([_saved(row, SCHEMA) for row in rows]))


def _avro(path: Path, rows: Sequence[Row], codec: str = "deflate") -> None:
    import fastavro

    schema = {"type": "record", "name": "Root", "fields": [_avro_field(*each, "Root") for each in SCHEMA.items()]}
    with path.open("wb") as file:
        fastavro.writer(file, fastavro.parse_schema(schema), [_filled(row, SCHEMA) for row in rows], codec=codec)


def _write(path: Path, text: str) -> None:
    path.write_bytes(gzip.compress(text.encode(), mtime=0) if path.suffix == ".gz" else text.encode())


WRITERS = {
    "parquet": _parquet,
    "lines": _lines,
    "lines.gz": _lines,
    "console": _console,
    "array": _array,
    "avro": _avro,
    "bare": _parquet,
}
ENDINGS = {
    "parquet": ".parquet",
    "lines": ".json",
    "lines.gz": ".json.gz",
    "console": ".jsonl",
    "array": ".json",
    "avro": ".avro",
    "bare": "",
}
"""How files are named; BigQuery names them as it is told, also without any ending."""


def _arrow(kind: Any) -> pa.DataType:
    if isinstance(kind, list):
        return pa.list_(pa.field("element", _arrow(kind[0])))
    if isinstance(kind, dict):
        return pa.struct([(name, _arrow(inner)) for name, inner in kind.items()])
    return {"STRING": pa.string(), "INTEGER": pa.int64(), "FLOAT": pa.float64(), "BOOLEAN": pa.bool_()}[kind]


def _avro_field(name: str, kind: Any, parent: str) -> Row:
    if isinstance(kind, list):
        return {"name": name, "type": {"type": "array", "items": _avro_record(name, kind[0], parent)}}
    if isinstance(kind, dict):
        return {"name": name, "type": ["null", _avro_record(name, kind, parent)]}
    plain = {"STRING": "string", "INTEGER": "long", "FLOAT": "double", "BOOLEAN": "boolean"}[kind]
    return {"name": name, "type": ["null", plain]}


def _avro_record(name: str, kind: Mapping[str, Any], parent: str) -> Row:
    full = f"{parent}_{name}"
    return {"type": "record", "name": full, "fields": [_avro_field(*each, full) for each in kind.items()]}


def _filled(value: Any, kind: Any) -> Any:
    if isinstance(kind, list):
        return [_filled(each, kind[0]) for each in value or []]
    if isinstance(kind, dict):
        return None if value is None else {name: _filled(value.get(name), inner) for name, inner in kind.items()}
    return value


def _saved(value: Any, kind: Any) -> Any:
    if isinstance(kind, list):
        return [_saved(each, kind[0]) for each in value or []]
    if isinstance(kind, dict):
        return None if value is None else {name: _saved(value.get(name), inner) for name, inner in kind.items()}
    return value if value is None or kind == "STRING" else str(value).lower()


def _extracted(value: Any, kind: Any) -> Any:
    if isinstance(kind, list):
        return [_extracted(each, kind[0]) for each in value]
    if isinstance(kind, dict):
        given = {name: value[name] for name in kind if value.get(name) is not None and value[name] != []}
        return {name: _extracted(each, kind[name]) for name, each in given.items()}
    return str(value) if kind == "INTEGER" else value


# -- a shop's visitors


COUNTRIES = ("Denmark", "Germany", "United States", "Türkiye", None, "(not set)")
FUNNEL = (
    "view_item",
    "add_to_cart",
    "view_cart",
    "begin_checkout",
    "add_shipping_info",
    "add_payment_info",
    "purchase",
)


def visits(seed: int, first: date, days: int, visitors: int = 30, timezone: str = "Europe/Copenhagen") -> list[Row]:
    """Return what made-up visitors did: sessions that go a part of the way to a purchase, some signed in, some refusing."""
    random, rows = Random(seed), []
    midnight = datetime.combine(first, datetime.min.time(), ZoneInfo(timezone)).astimezone(UTC)
    for number in range(visitors):
        visitor, customer = f"{1000 + number}.{1_700_000_000 + number}", f"c{number}" if number % 3 == 0 else None
        consent = random.choice([("Yes", "Yes"), ("Yes", "Yes"), ("Yes", "No"), (None, None), ("No", "No")])
        country = random.choice(COUNTRIES)
        for _ in range(random.randint(1, 4)):
            at = midnight + timedelta(seconds=random.randrange(days * 86_400 - 4_000))
            session = microseconds(at) // 1_000_000
            for step, name in enumerate(("session_start", "page_view", *FUNNEL[: random.randint(0, len(FUNNEL))])):
                at += timedelta(seconds=random.randint(1, 300))
                rows.append(
                    _step(random, at, name, step, consent=consent, country=country, session=session,
                          visitor=None if consent[0] == "No" else visitor, user_id=customer)
                )  # fmt: skip
    return rows


def _step(random: Random, at: datetime, name: str, step: int, **common: Any) -> Row:
    params: Row = {"engagement_time_msec": random.randrange(20_000)}
    items = []
    if name in FUNNEL:
        items = [item(f"p{random.randrange(9)}", random.choice([5.0, 7.5, 99.0]), random.randint(1, 3))]
        items[0]["item_category"] = random.choice(["Shoes", "Hats", "(not set)"])
        worth = sum(each["price"] * each["quantity"] for each in items)
        params |= {"currency": "DKK", "value": random.choice([worth, int(worth)])}
    told = {"transaction_id": f"T{microseconds(at)}", "purchase_revenue": 10.0} if name == "purchase" else None
    return event(at, name, params=params, items=items, ecommerce=told, batch_event_index=step, **common)
