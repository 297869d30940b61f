"""Consents and engagement read from a Mailchimp audience: what proves an opt-in, and how few calls it takes."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.api import StandIn
from hub.testing import SourceConformance
from hub.testing.sources import NOW
from hub_mailchimp import MailchimpSource, MailchimpSourceConfig
from hub_mailchimp.stand_in import API_KEY, LIST_ID
from hub_mailchimp.stand_in.contacts import World
from tests.mailchimp_kit import AS_OF, TAG, Bench, Recorded, batch, hold_against_the_vendor, member, serving

DAY = timedelta(days=1)


class Sent(Recorded):
    """An audience with somebody of every status, and a campaign that some of them looked at."""

    def __init__(self) -> None:
        super().__init__(clock=(NOW - 3 * DAY).timestamp)
        emails = [f"p{number}@example.com" for number in range(8)]
        for email in emails:
            self.sign_up(email)
        campaign = self.send("Spring", emails)
        for email, action in zip(emails, ("open", "click", "open", "bounce", "left:bored", "left:spam"), strict=False):
            self.act(campaign, email, action)
        self.unsubscribe("p4@example.com")
        self.clean("p3@example.com")

    def stop(self) -> None:
        super().stop()
        hold_against_the_vendor(self.recorded)


class TestMailchimpSource(SourceConformance):
    plugin = MailchimpSource
    settings = {"list_id": LIST_ID}
    stand_in = Sent
    tables = ("consents", "engagement")

    def other_side(self, workspace: Path, served: StandIn | None) -> Any:
        assert served is not None
        return {name: served.state()[name] for name in ("tags", "contacts", "campaigns")}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


def source(bench: Bench, **settings: Any) -> MailchimpSource:
    config = MailchimpSourceConfig.model_validate(
        {"address": bench.address, "api_key": API_KEY, "list_id": LIST_ID, **settings}
    )
    return bench.connected(MailchimpSource(connection="mailchimp", config=config, **bench.given()))


class Reader:
    """Reads a stream again and again, as runs do, each with the cursor of the one before."""

    def __init__(self, bench: Bench, stream: str, **settings: Any) -> None:
        self.bench, self.stream, self.settings = bench, stream, settings
        self.cursor: Any = None
        self.remaining: list[str] | None = None
        self.calls: list[str] = []

    def read(self) -> list[dict[str, Any]]:
        """Return the rows of one more read."""
        rows: list[dict[str, Any]] = []
        self.remaining = None
        before = len(self.bench.vendor.requests)
        self.source = source(self.bench, **self.settings)
        for page in self.source.read(self.stream, self.cursor, self.bench.clock.now):
            rows += [row for table in page.tables.values() for row in table]
            self.cursor = page.cursor or self.cursor
            if page.remaining:
                (told,) = page.remaining
                self.remaining = list(told.keys)
        self.calls = [path for _, path, _ in self.bench.vendor.requests[before:]]
        return rows


def by_subject(rows: list[dict[str, Any]]) -> dict[str, tuple[Any, ...]]:
    return {row["subject"]: (row["status"], row.get("basis"), row["recorded_at"], row["dated_by"]) for row in rows}


# Consents.


def test_only_a_persons_own_sign_up_proves_an_opt_in(bench: Bench) -> None:
    bench.vendor.sign_up("Own@Example.com")
    bench.know("imported@example.com")

    rows = by_subject(Reader(bench, "consents").read())

    at = "2026-11-21T12:00:00+00:00"
    assert rows == {
        "own@example.com": ("subscribed", "opt_in_single", at, "record"),
        "imported@example.com": ("subscribed", None, at, "file"),
    }


def test_an_opt_in_is_double_where_the_audience_asks_twice_and_the_person_confirmed(bench: Bench) -> None:
    bench.vendor.sign_up("before@example.com")
    bench.audience.double_optin = True
    bench.vendor.sign_up("confirmed@example.com")
    bench.vendor.sign_up("asked@example.com")
    bench.clock.go(60)
    bench.vendor.confirm("confirmed@example.com")

    rows = by_subject(Reader(bench, "consents").read())

    assert rows == {
        "before@example.com": ("subscribed", "opt_in_single", "2026-11-21T12:00:00+00:00", "record"),
        "confirmed@example.com": ("subscribed", "opt_in_double", "2026-11-21T12:01:00+00:00", "record"),
        "asked@example.com": ("pending", None, "2026-11-21T12:00:00+00:00", "record"),
    }


def test_settings_may_trust_every_subscription_whose_time_lifts_nothing(bench: Bench) -> None:
    bench.know("imported@example.com")

    rows = by_subject(Reader(bench, "consents", proof="subscribed").read())

    assert rows["imported@example.com"][1::2] == ("opt_in_single", "file")


def test_what_hub_itself_created_comes_back_as_no_proof(bench: Bench) -> None:
    destination = bench.destination()
    list(destination.push(batch(api.Op.ADD, destination.ensure_audience(TAG), [member(1)])))

    rows = by_subject(Reader(bench, "consents").read())

    assert rows["p1@example.com"][:2] == ("subscribed", None)


@pytest.mark.parametrize(
    ("status", "said"),
    [("pending", "pending"), ("unsubscribed", "unsubscribed"), ("cleaned", "invalid"), ("transactional", "never")],
)
def test_a_status_is_said_with_the_time_of_the_last_change(bench: Bench, status: str, said: str) -> None:
    bench.vendor.sign_up("p1@example.com")
    bench.clock.go(3_600)
    bench.vendor._become("p1@example.com", LIST_ID, status, None)

    rows = by_subject(Reader(bench, "consents").read())

    assert rows == {"p1@example.com": (said, None, "2026-11-21T13:00:00+00:00", "record")}


def test_an_opt_out_keeps_its_time_whatever_else_changes_about_the_contact(bench: Bench) -> None:
    bench.vendor.unsubscribe("p1@example.com")
    bench.clock.go(7_200)
    reader = Reader(bench, "consents")
    first = by_subject(reader.read())
    seen = []
    for _ in range(8):  # beyond the weekly read of all
        bench.clock.now += DAY
        bench.vendor.world.write(
            bench.audience, bench.contact("p1@example.com"), {"FNAME": "Ann"}, bench.clock.seconds()
        )
        bench.clock.go(60)
        seen += reader.read()

    assert first["p1@example.com"][::2] == ("unsubscribed", "2026-11-21T12:00:00+00:00")
    assert seen == []
    bench.vendor.sign_up("p1@example.com")
    bench.clock.now += DAY
    assert by_subject(reader.read())["p1@example.com"][0] == "subscribed"
    bench.vendor.unsubscribe("p1@example.com")
    assert by_subject(reader.read())["p1@example.com"][::2] == ("unsubscribed", bench.clock.now.isoformat())


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed"])
def test_what_an_archived_contact_said_before_stands(bench: Bench, status: str) -> None:
    bench.vendor.sign_up("p1@example.com")
    bench.vendor._become("p1@example.com", LIST_ID, status, None)
    bench.vendor.sign_up("archived-before@example.com")
    bench.vendor.world.archive(bench.contact("archived-before@example.com"), bench.clock.seconds())
    bench.clock.go(7_200)
    reader = Reader(bench, "consents")
    first = by_subject(reader.read())
    bench.clock.now += DAY
    bench.vendor.world.archive(bench.contact("p1@example.com"), bench.clock.seconds())
    second = reader.read()
    bench.clock.now += 7 * DAY
    whole = reader.read()

    assert {subject: row[0] for subject, row in first.items()} == {"p1@example.com": status}
    assert (second, whole) == ([], [])
    assert reader.remaining == ["archived-before@example.com", "p1@example.com"]


def test_a_later_read_asks_for_what_changed_and_all_are_read_once_a_week(bench: Bench) -> None:
    for number in range(5):
        bench.vendor.sign_up(f"p{number}@example.com")
    bench.clock.go(7_200)
    reader = Reader(bench, "consents")
    first = reader.read()
    bench.clock.now += DAY
    bench.vendor.unsubscribe("p1@example.com")
    bench.vendor.world.erase(bench.audience, bench.contact("p2@example.com"))
    bench.clock.go(3_601)
    second, told = reader.read(), reader.remaining
    bench.clock.now += 6 * DAY - timedelta(seconds=3_602)
    third, early = reader.read(), reader.remaining
    bench.clock.now += timedelta(seconds=1)
    whole = reader.read()

    assert (len(first), [row["subject"] for row in second], told) == (5, ["p1@example.com"], None)
    assert (third, early) == ([], None)
    # Who left before is known to have left, and still there.
    assert [row["subject"] for row in whole] == [f"p{number}@example.com" for number in (0, 3, 4)]
    assert reader.remaining == [f"p{number}@example.com" for number in (0, 1, 3, 4)]


def test_2500_contacts_are_read_with_five_calls(bench: Bench) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(2_500)))
    bench.clock.go(7_200)
    reader = Reader(bench, "consents")

    rows = reader.read()

    assert len({row["subject"] for row in rows}) == 2_500
    # The audience, three pages, and archived contacts.
    assert len(reader.calls) == 5
    bench.clock.now += DAY
    reader.read()
    # The audience, what changed, opt-outs.
    assert len(reader.calls) == 3


# Engagement.


def happened(rows: list[dict[str, Any]]) -> set[tuple[str, str, str]]:
    return {(row["subject"], row["kind"], row["campaign"]) for row in rows}


def test_who_got_opened_clicked_bounced_and_left_is_told_with_its_time(bench: Bench) -> None:
    campaign = bench.vendor.send("Spring", ["A@example.com", "b@example.com", "c@example.com"])
    bench.clock.go(60)
    for email, action in (
        ("A@example.com", "open"),
        ("A@example.com", "click"),
        ("b@example.com", "bounce"),
        ("c@example.com", "left:Reported as spam"),
        ("A@example.com", "left:too many"),
    ):
        bench.vendor.act(campaign, email, action)

    rows = Reader(bench, "engagement").read()

    bench.clock.go(1)
    again = Reader(bench, "engagement").read()
    assert (
        happened(again)
        == happened(rows)
        == {
            ("a@example.com", "sent", "Spring"),
            ("b@example.com", "sent", "Spring"),
            ("c@example.com", "sent", "Spring"),
            ("a@example.com", "opened", "Spring"),
            ("a@example.com", "clicked", "Spring"),
            ("b@example.com", "bounced", "Spring"),
            ("c@example.com", "complained", "Spring"),
            ("a@example.com", "unsubscribed", "Spring"),
        }
    )
    times = {row["kind"]: row["happened_at"] for row in rows}
    assert (times["sent"], times["opened"]) == ("2026-11-21T12:00:00+00:00", "2026-11-21T12:01:00+00:00")


def test_recipients_are_read_once_and_deeds_as_long_as_a_campaign_is_followed(bench: Bench) -> None:
    campaign = bench.vendor.send("Spring", ["a@example.com", "b@example.com"])
    bench.clock.go(60)
    bench.vendor.act(campaign, "a@example.com", "open")
    bench.clock.go(7_200)
    reader = Reader(bench, "engagement", follow="3d")
    first = reader.read()
    bench.clock.now += 2 * DAY
    bench.vendor.act(campaign, "b@example.com", "open")
    bench.clock.go(1)
    second, asked = reader.read(), reader.calls
    bench.clock.now += 2 * DAY
    bench.vendor.act(campaign, "b@example.com", "click")
    third = reader.read()

    assert [row["kind"] for row in first] == ["sent", "sent", "opened"]
    assert happened(second) == {("b@example.com", "opened", "Spring")}
    assert [path.rpartition("/")[2] for path in asked] == ["campaigns", "email-activity", "unsubscribed"]
    assert (third, reader.calls) == ([], ["/campaigns"])


def test_campaigns_are_not_asked_again_within_the_pause(bench: Bench) -> None:
    bench.vendor.send("Spring", ["a@example.com"])
    bench.clock.go(1)
    reader = Reader(bench, "engagement", pause="1h")
    reader.read()
    bench.clock.now += timedelta(minutes=59, seconds=59)
    early = reader.read(), reader.calls
    bench.clock.go(1)
    reader.read()

    assert early == ([], [])
    assert len(reader.calls) == 3


def test_only_campaigns_of_the_history_and_of_this_audience_are_read(bench: Bench) -> None:
    world: World = bench.vendor.world
    for title, list_id, days in (("old", LIST_ID, 11), ("new", LIST_ID, 9), ("theirs", "other", 1)):
        world.send(list_id, title, ["a@example.com"], (AS_OF - days * DAY).timestamp())
    reader = Reader(bench, "engagement", history="10d")

    assert happened(reader.read()) == {("a@example.com", "sent", "new")}
    assert reader.source.reach("engagement") == api.Reach(AS_OF - 10 * DAY, AS_OF)
    bench.clock.now += DAY
    reader.read()
    assert reader.source.reach("engagement") == api.Reach(AS_OF - 10 * DAY, AS_OF + DAY)


def test_a_campaign_that_is_deleted_meanwhile_costs_nothing_else(bench: Bench) -> None:
    gone = bench.vendor.send("gone", ["a@example.com"])
    bench.clock.go(1)
    bench.vendor.send("kept", ["b@example.com"])
    bench.clock.go(1)

    def delete(_: str, path: str) -> None:
        if gone in path:
            bench.vendor.world.campaigns.pop(gone, None)

    bench.vendor.meanwhile = delete

    assert happened(Reader(bench, "engagement").read()) == {("b@example.com", "sent", "kept")}


def test_check_reads_and_needs_no_right_to_write(bench: Bench) -> None:
    bench.vendor.fault("viewer")

    assert [each.level for each in source(bench).check()] == [api.Level.OK, api.Level.OK]


@pytest.mark.parametrize("fault", ["rate-limit-bare", "busy-edge", "server-error", "drop-before"])
def test_a_read_that_failed_is_tried_again(bench: Bench, fault: str) -> None:
    bench.vendor.sign_up("p1@example.com")
    bench.vendor.fault(fault)

    assert len(Reader(bench, "consents").read()) == 1
