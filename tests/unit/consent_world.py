"""A small shop in memory for the gate's tests: the views it reads, filled row by row."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import duckdb
import pyarrow as pa

from hub.config.models import ConsentSettings
from hub.consent.gate import NO_BLOCKS, Gate
from hub.consent.verdict import Decision
from hub.keys import install_keyed_hash, keyed_hash

KEY = b"k" * 32
AS_OF = datetime(2026, 11, 1, 12)

_TABLES = {
    "consent_records": (
        "source text, system text, person_id bigint, subject text, subject_kind text, address_kind text, address text, "
        "address_key text, channel text, status text, basis text, recorded_at timestamp, dated_by text, evidence text, "
        "notice boolean, country text, region text, expires_at timestamp, ad_user_data boolean, "
        "ad_personalization boolean, sale_opt_out boolean, loaded_at timestamp, source_rank integer"
    ),
    "identities": ("person_id bigint, kind text, system text, value text, address_key text, last_seen_at timestamp"),
    "people": (
        "person_id bigint, person_ref text, email text, phone text, country text, region text, birth_date date, "
        "customer_id text"
    ),
    "orders": ("person_id bigint, counted boolean, placed_at timestamp, country text, region text, customer_id text"),
    "events": (
        "source text, person_id bigint, happened_at timestamp, ads_consent boolean, analytics_consent boolean, "
        "country text"
    ),
    "ads_signals": "person_id bigint, happened_at timestamp, ads_consent boolean",
    "members": "person_id bigint",
}


_ORDER_PLACES = """
create view order_places as
select
    o.person_id,
    max(o.placed_at) filter (o.counted and o.placed_at < getvariable('consent_as_of')) as last_bought_at,
    any_value(l.country) as country, any_value(l.region) as region
from orders as o
left join (
    select distinct on (person_id) person_id, country, region from orders
    where country is not null order by person_id, placed_at desc, hash(country, region) desc
) as l using (person_id)
where o.person_id is not null
group by o.person_id
"""
"""The catalog's view, in other words."""

_DATED_LATER = """
create view dated_later as
select person_id, source from events where happened_at > getvariable('consent_as_of')
union all
select person_id, null from ads_signals where happened_at > getvariable('consent_as_of')
union all
select person_id, null from orders where placed_at >= getvariable('consent_as_of')
"""

_ARROW = {
    "text": pa.string(),
    "bigint": pa.int64(),
    "integer": pa.int32(),
    "boolean": pa.bool_(),
    "timestamp": pa.timestamp("us"),
    "date": pa.date32(),
}


def _arrow(columns: str) -> list[tuple[str, pa.DataType]]:
    pairs = (column.split() for column in columns.split(", "))
    return [(name, _ARROW[kind]) for name, kind in pairs]


def address_key(kind: str, value: str) -> str:
    """Hash an address as the catalog does."""
    return keyed_hash(KEY, f"{kind}:{value}")


@dataclass
class World:
    """What the catalog and the ledger know."""

    rows: dict[str, list[dict[str, Any]]] = field(default_factory=lambda: {name: [] for name in _TABLES})
    blocks: list[dict[str, Any]] = field(default_factory=list)
    settings: dict[str, Any] = field(default_factory=dict)
    country: str | None = "DK"
    as_of: datetime = AS_OF
    now: datetime | None = None

    def person(
        self, person_id: int = 1, *, emails: tuple[str, ...] = (), phones: tuple[str, ...] = (), **columns: Any
    ) -> World:
        """Add a person with addresses; further columns are those of people."""
        for kind, values in (("email", emails), ("phone", phones)):
            for value in values:
                self.identity(person_id, kind, value)
        first = [f"email:{min(emails)}"] if emails else [f"phone:{min(phones)}"] if phones else []
        ref = (first or [f"customer:shop:{person_id}"])[0]
        profile = {"email": min(emails, default=None), "phone": min(phones, default=None)}
        self.rows["people"].append({"person_id": person_id, "person_ref": ref, **profile, **columns})
        self.rows["members"].append({"person_id": person_id})
        return self

    def identity(
        self, person_id: int, kind: str, value: str, last_seen_at: datetime | None = None, system: str = "shop"
    ) -> World:
        """Add an address to a person; ``system`` is that of a customer id."""
        hashed = address_key(kind, f"{system}:{value}" if kind == "customer" else value)
        row = {"person_id": person_id, "kind": kind, "value": value, "address_key": hashed}
        row |= {"system": system} if kind == "customer" else {}
        self.rows["identities"].append({**row, "last_seen_at": last_seen_at})
        return self

    def says(self, address: str, channel: str, status: str, at: datetime | None, **columns: Any) -> World:
        """Add a consent statement about an address; by default a single opt-in of person 1, dated by its record."""
        kind = "phone" if address.startswith("+") else "email"
        row = {
            "source": "shop",
            "system": "shop",
            "person_id": 1,
            "subject": address,
            "subject_kind": kind,
            "address_kind": kind,
            "address": address,
            "address_key": address_key(kind, address),
            "channel": channel,
            "status": status,
            "basis": "opt_in_single" if status == "subscribed" else None,
            "recorded_at": at,
            "dated_by": "record",
            "loaded_at": None,
            "source_rank": 0,
        }
        self.rows["consent_records"].append(row | columns)
        return self

    def buys(self, at: datetime, person_id: int = 1, *, counted: bool = True, **columns: Any) -> World:
        """Add an order."""
        self.rows["orders"].append({"person_id": person_id, "counted": counted, "placed_at": at, **columns})
        return self

    def browses(self, at: datetime, ads_consent: bool | None, person_id: int = 1, source: str = "web") -> World:
        """Add an event of web analytics."""
        row = {"source": source, "person_id": person_id, "happened_at": at, "ads_consent": ads_consent}
        self.rows["events"].append(row)
        return self

    def is_heard(self, at: datetime, ads_consent: bool | None, person_id: int = 1) -> World:
        """Add what an event says that may not be attributed."""
        self.rows["ads_signals"].append({"person_id": person_id, "happened_at": at, "ads_consent": ads_consent})
        return self

    def blocked(self, address: str, reason: str, at: datetime | None, channel: str = "*") -> World:
        """Add a block of the ledger."""
        kind = "phone" if address.startswith("+") else "email" if "@" in address else "customer"
        hashed = address_key(kind, f"shop:{address}" if kind == "customer" else address)
        self.blocks.append(
            {"address_key": hashed, "channel": channel, "reason": reason, "recorded_at": at, "origin": "ledger"}
        )
        return self

    def gate(self) -> Gate:
        """Make the gate over these rows, in a fresh database."""
        self.con = duckdb.connect()
        self.con.execute("set TimeZone = 'UTC'; set threads = 1")
        install_keyed_hash(self.con, KEY)
        for name, columns in _TABLES.items():
            self.con.execute(f"create table {name} ({columns})")
            self.fill(name)
        self.con.execute(_ORDER_PLACES)
        self.con.execute("create table about as select 'merge' as key, 'first' as value")
        return self.look()

    def look(self) -> Gate:
        """Make another gate over the same database, with the instant, settings and blocks of now."""
        schema = pa.schema(_arrow("address_key text, channel text, reason text, recorded_at timestamp, origin text"))
        blocks = pa.Table.from_pylist(self.blocks, schema=schema)
        self.made = self._gate(self.as_of, self.now or self.as_of, blocks)
        return self.made

    def store(self, at: datetime, wanted: Iterable[tuple[str, tuple[str, ...]]]) -> None:
        """Keep verdicts on everybody, judged at an instant, as a pull's end does; ``gate`` comes first."""
        self.con.execute(_DATED_LATER)
        self._gate(at, at, NO_BLOCKS).store(wanted)

    def _gate(self, as_of: datetime, now: datetime, blocks: pa.Table) -> Gate:
        settings = ConsentSettings(**self.settings)
        return Gate(self.con, settings=settings, country=self.country, as_of=as_of, now=now, blocks=blocks)

    def fill(self, name: str) -> None:
        """Write a table's rows into the database."""
        if self.rows[name]:
            table = pa.Table.from_pylist(self.rows[name], schema=pa.schema(_arrow(_TABLES[name])))
            self.con.register("rows", table)
            self.con.execute(f"insert into {name} from rows")
            self.con.unregister("rows")

    def clear(
        self, purpose: str, identify_by: tuple[str, ...] = ("email",)
    ) -> tuple[dict[int, str], list[dict[str, Any]]]:
        """Make a gate and ask it."""
        self.gate()
        return self.ask(purpose, identify_by)

    def ask(
        self, purpose: str, identify_by: tuple[str, ...] = ("email",)
    ) -> tuple[dict[int, str], list[dict[str, Any]]]:
        """Return what cleared or withheld each member, each having exactly one verdict, and the cleared rows."""
        verdict = self.made.clear("members", purpose=purpose, identify_by=identify_by)
        rows = self.con.sql(f"select * from {verdict.cleared.table} order by person_id").to_arrow_table().to_pylist()
        withheld = self.con.execute(f"select person_id, code from {verdict.withheld}").fetchall()
        answers = {row["person_id"]: row["cleared_by"] for row in rows} | dict(withheld)
        assert len(rows) + len(withheld) == len(answers) == len(self.rows["members"])
        assert sum(verdict.counts.values()) == len(withheld)
        return answers, rows

    def verdict(self, purpose: str, identify_by: tuple[str, ...] = ("email",)) -> str:
        """Return what cleared or withheld person 1."""
        return self.clear(purpose, identify_by)[0][1]

    def cleared(self, purpose: str, identify_by: tuple[str, ...] = ("email",)) -> list[dict[str, Any]]:
        """Return the cleared members' rows."""
        return self.clear(purpose, identify_by)[1]

    def hints(self, purpose: str, identify_by: tuple[str, ...] = ("email",)) -> str:
        """Return what the gate advises about the members as a whole."""
        return " ".join(self.gate().clear("members", purpose=purpose, identify_by=identify_by).hints)

    def explain(self, purpose: str, identify_by: tuple[str, ...] = ("email",), person_id: int = 1) -> Decision:
        """Explain one person."""
        return self.gate().explain(person_id, purpose, identify_by)
