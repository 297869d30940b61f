"""Say what the files hold: layouts, columns, broken rows, and what a mailing would stumble over."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime

import pyarrow as pa

from hub import api
from hub_csv.pages import Reading
from hub_csv.parts import REFUND, Part
from hub_csv.reading import Database, Reader, blocks

_SEEN: Mapping[str, tuple[str, ...]] = {
    "customers": ("customer_id", "email"),
    "orders": ("placed_at",),
    "carts": ("created_at",),
    "consents": ("subject", "channel", "status"),
}
_COUNTED = (
    ("customers", "duplicate_emails", "addresses stand at more than one customer", "They become one person."),
    (
        "customers",
        "bad_emails",
        "addresses are not e-mail addresses",
        "Correct them in the shop; hub does not use them.",
    ),
    ("customers", "role_emails", "addresses are a role's, such as info@", "Look whether these people want your mails."),
    ("orders", "future_orders", "orders are dated after the file was made", "Check date_format and timezone."),
    ("carts", "future_carts", "carts are dated after the file was made", "Check date_format and timezone."),
)


def of_stream(database: Database, parts: list[Part]) -> Iterator[api.Finding]:
    """Read a stream's files as a pull would, store nothing, and yield findings.

    Raises:
        SourceError: a file cannot be used.
    """
    if not parts:
        return
    with Reader(database) as reader, Reader(database) as seen:
        seen.con.execute(blocks("checks.sql")["tables"])
        reading = Reading(reader, parts)
        counts: Counter[str] = Counter()
        for table, rows in reading.rows():
            counts[table] += rows.num_rows
            _add(seen, table, rows)
        yield from (_recognised(part) for part in parts)
        read = ", ".join(f"{count:,} {table.replace('_', ' ')}" for table, count in counts.items())
        yield api.Finding.ok(f"read {read or 'no rows'}")
        yield from _broken(reader.rejected)
        yield from (api.Finding.info(note, code="files-disagree") for note in reading.notes)
        yield from _cleansing(seen, counts, max(part.fresh for part in parts))


def _add(reader: Reader, table: str, rows: pa.Table) -> None:
    names = [name for name in _SEEN.get(table, ()) if name in rows.column_names]
    if names:
        reader.con.register("rows", rows.select(names))
        reader.con.execute(blocks("checks.sql")["add"].format(table=table))
        reader.con.unregister("rows")


def _recognised(part: Part) -> api.Finding:
    ignored = f"; not read: {', '.join(part.ignored_columns)}" if part.ignored_columns else ""
    kind = f"rows of {part.title}, by a mapping" if part.title in api.TABLES else f"a {part.title} export"
    return api.Finding.ok(f"{part.label} is {kind}; columns found: {', '.join(part.found_columns)}{ignored}")


def _broken(rejected: list[api.Reject]) -> Iterator[api.Finding]:
    for (origin, reason), count in Counter((reject.origin, reject.reason) for reject in rejected).most_common():
        yield api.Finding.warning(
            f"{origin}: {'1 record' if count == 1 else f'{count:,} records'} cannot be used: {reason}",
            next_step="Nothing to do: refunds belong to their orders."
            if reason == REFUND
            else "`hub rejected` lists them after a pull.",
            code="negative-totals" if reason == REFUND else "rejected-rows",
            count=count,
        )


def _cleansing(reader: Reader, counts: Counter[str], fresh: datetime) -> Iterator[api.Finding]:
    moment = {"fresh": fresh.astimezone(UTC).replace(tzinfo=None)}
    for table, name, text, step in _COUNTED:
        sql = blocks("checks.sql")[name]
        found = reader.con.execute(sql, moment if "$fresh" in sql else None).fetchall()[0][0] if counts[table] else 0
        if found:
            yield api.Finding.warning(f"{found:,} {text}", next_step=step, code=name.replace("_", "-"), count=found)
    if counts["customers"]:
        without = reader.number(blocks("checks.sql")["without_email"])
        yield api.Finding.info(f"{without:,} customers have no e-mail", code="without-email", count=without)
    yield from _consent(reader, counts)


def _consent(reader: Reader, counts: Counter[str]) -> Iterator[api.Finding]:
    people = counts["customers"] or counts["consents"]
    for channel, agreed, _ in reader.fetch(blocks("checks.sql")["consents"]):
        yield api.Finding.info(
            f"{agreed:,} of {people:,} agreed to {channel} ({agreed / max(people, 1):.0%})",
            code="consent-share",
            count=agreed,
        )
    if counts["customers"] and not counts["consents"]:
        yield api.Finding.warning(
            "no file says who agreed to what: nobody can be cleared",
            next_step="Export customers with their marketing columns, or say in [[consent.from]] what proves consent.",
            code="no-consent",
            lacks=("consents", "status"),
        )
