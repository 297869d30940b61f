"""Totals of mails per person and source: the rows of ``engagement``, as of any instant."""

from __future__ import annotations

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.catalog_shop import NOW, Shop, a_shop, days

TOTALS = """
select email, source, sent, bounced, opens, marked_opens, last_sent_at, last_read_at, last_unmarked_open_at
from mail_totals join people using (person_id) order by all
"""
KINDS = ("sent", "bounced", "opened", "clicked", "unsubscribed")
SOURCES = ("mailer", "other")


@pytest.fixture
def shop(tmp_path: Path) -> Shop:
    return Shop(tmp_path)


def mail(who: str, kind: str, ago: float, machine: bool | None = None) -> dict[str, Any]:
    return {"subject": f"{who}@x.example", "kind": kind, "campaign": "c", "machine": machine, "happened_at": days(ago)}


def naive(ago: float) -> datetime:
    return days(ago).replace(tzinfo=None)


def by_hand(rows: list[tuple[str, dict[str, Any]]], as_of: datetime) -> list[tuple[Any, ...]]:
    groups: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for source, row in rows:
        if row["happened_at"] <= as_of:
            groups.setdefault((row["subject"], source), []).append(row)

    def last(times: list[datetime]) -> datetime | None:
        return max(times).replace(tzinfo=None) if times else None

    return sorted(
        (
            (
                *who,
                *(sum(row["kind"] == kind for row in found) for kind in KINDS[:3]),
                sum(row["kind"] == "opened" and row["machine"] is not None for row in found),
                last([row["happened_at"] for row in found if row["kind"] == "sent"]),
                last(
                    [
                        row["happened_at"]
                        for row in found
                        if (row["kind"] == "clicked" and row["machine"] is not True)
                        or (row["kind"] == "opened" and row["machine"] is False)
                    ]
                ),
                last([row["happened_at"] for row in found if row["kind"] == "opened" and row["machine"] is None]),
            )
            for who, found in groups.items()
        ),
        key=lambda total: total[:2],
    )


MAILS = st.tuples(
    st.sampled_from(SOURCES),
    st.builds(
        mail,
        st.sampled_from("ab"),
        st.sampled_from(KINDS),
        st.sampled_from((-2, 0, 1, 2, 30)),
        st.sampled_from((None, True, False)),
    ),
)


@settings(max_examples=30, deadline=None)
@given(
    rows=st.lists(
        MAILS,
        min_size=1,
        max_size=12,
        unique_by=lambda told: (told[0], *(told[1][name] for name in ("subject", "kind", "happened_at"))),
    ),
    ago=st.sampled_from((-3, -2, 0, 1, 10)),
)
def test_totals_are_those_of_the_rows_up_to_the_instant(rows: list[tuple[str, dict[str, Any]]], ago: float) -> None:
    with a_shop(tuple((source, source) for source in SOURCES)) as shop:
        for source in SOURCES:
            told = [row for of, row in rows if of == source]
            if told:
                shop.load({"engagement": told}, source=source)

        assert shop.ask(TOTALS, as_of=days(ago)) == by_hand(rows, days(ago))


def test_messages_to_a_phone_are_no_mails(shop: Shop) -> None:
    shop.load({"engagement": [mail("a", "sent", 1), {**mail("a", "sent", 1), "subject": "+4520123456"}]})

    assert shop.ask("select sum(sent) from mail_totals") == [(1,)]


def test_totals_are_written_anew_with_every_change_and_empty_where_nothing_is_given(shop: Shop) -> None:
    shop.load({"customers": [{"customer_id": "1", "email": "a@x.example"}]})
    assert shop.ask(TOTALS, as_of=NOW) == []

    shop.load({"engagement": [mail("a", "sent", 3)]}, stream="mails")
    shop.load({"engagement": [mail("a", "clicked", 1)]}, stream="mails")
    assert [row[2:] for row in shop.ask(TOTALS, as_of=NOW)] == [(1, 0, 0, 0, naive(3), naive(1), None)]
