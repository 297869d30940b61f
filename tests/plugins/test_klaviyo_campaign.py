"""A whole sync of 20,000 people through everything that may go wrong, with the catalog, consent and ledger in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.drift import find_drift
from hub.sync.numbers import RunNumbers, Status, SyncNumbers
from hub.sync.people import forget
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_klaviyo.stand_in import API_KEY
from tests.acceptance.kit import START, Agency
from tests.klaviyo_kit import Recorded, hold_against_the_vendor

PEOPLE = 20_000
CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.newsletter]
plugin = "klaviyo"
address = "ADDRESS"

[syncs.news]
segment = "all"
destination = "newsletter"
audience = "Everybody"
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency")


@pytest.fixture
def vendor(agency: Agency) -> Iterator[Recorded]:
    made = Recorded(limits=False, job_seconds=10, clock=lambda: agency.clock().timestamp())
    agency.client(CLIENT.replace("ADDRESS", made.start()))
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def wired(agency: Agency) -> Wiring:
    environ = {"HUB_SECRET__ACME__NEWSLETTER__API_KEY": API_KEY}
    around = Surroundings(clock=agency.clock, sleep=lambda _seconds: None, environ=environ)
    workspace = load_workspace(agency.folder)
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around)


def sync(agency: Agency, **options: bool) -> RunNumbers:
    return run_client(wired(agency), RunOptions("sync", **options))


def news(run: RunNumbers) -> SyncNumbers:
    (numbers,) = run.syncs
    return numbers


def on_the_list(vendor: Recorded) -> list[str]:
    (held,) = vendor.world.lists.values()
    return [str(vendor.world.profiles[each].email) for each in held.members]


def test_everyone_deliverable_is_delivered_once_and_the_next_sync_writes_nothing(
    agency: Agency, vendor: Recorded
) -> None:
    agency.shop.people(PEOPLE - 55)
    wrong = [f"poison{number}@example.com" for number in range(5)]
    gone = [f"broken{number}@example.com" for number in range(50)]
    for place, email in enumerate([*wrong, *gone]):
        agency.shop.people(1, start=100_000 + place)
        agency.shop.customers[-1].email = email
    agency.shop.write(START)
    vendor.fault("poison-rows")
    vendor.fault("failing-rows")
    vendor.fault("rate-limit", every=6, times=5, retry_after=0)
    vendor.fault("rate-limit-bare", every=7, times=5)
    vendor.fault("server-error", every=11, times=5)
    vendor.fault("drop-after", every=2, times=1, path="/api/profile-bulk-import-jobs")

    first = news(sync(agency, force=True))
    agency.clock.now += timedelta(minutes=15)
    second = news(sync(agency))
    vendor.heal()
    agency.clock.now += timedelta(minutes=15)
    before = len(vendor.requests)
    third = news(sync(agency))

    assert (first.status, first.accepted, first.rejected) == (Status.PARTIAL, PEOPLE - 5, 5)
    assert second.settled == {"delivered": PEOPLE - 55, "rejected": 50}
    assert (third.status, third.calls, third.unchanged) == (Status.OK, 0, PEOPLE - 55)
    assert [method for method, _, _ in vendor.requests[before:] if method != "GET"] == []
    delivered = on_the_list(vendor)
    assert len(delivered) == len(set(delivered)) == PEOPLE - 55
    assert not {*wrong, *gone} & set(delivered)


def test_who_unsubscribes_at_klaviyo_is_heard_and_removed_with_one_call(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(30).write(START)
    sync(agency, force=True)
    agency.clock.now += timedelta(minutes=15)
    sync(agency)
    vendor.suppress("p7@example.com")
    agency.clock.now += timedelta(minutes=15)

    numbers = news(sync(agency))

    assert (numbers.remove, numbers.delivered, numbers.calls) == (1, 1, 1)
    assert numbers.withheld == {"OPTED_OUT": 1}
    assert "p7@example.com" not in on_the_list(vendor)
    assert len(on_the_list(vendor)) == 29


def test_drift_finds_who_was_added_and_who_removed_by_hand(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(120).write(START)
    sync(agency, force=True)
    agency.clock.now += timedelta(minutes=15)
    sync(agency)
    (audience,) = vendor.world.lists.values()
    audience.members.pop(vendor.world.by_email["p5@example.com"])
    stranger = vendor.world.upsert({"attributes": {"email": "stranger@example.org"}}, START.timestamp())
    audience.members[stranger.id] = START.timestamp()

    (found,) = find_drift(wired(agency))

    assert (found.held, found.read, found.added, found.missing) == (120, 120, ["s…@example.org"], ["p…@example.com"])


def test_forgetting_takes_a_person_off_the_list_and_out_of_the_account(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(3).write(START)
    sync(agency, force=True)
    agency.clock.now += timedelta(minutes=15)
    sync(agency)

    receipt = forget(wired(agency), "p2@example.com")

    assert receipt.still_open == []
    assert sorted(on_the_list(vendor)) == ["p1@example.com", "p3@example.com"]
    assert "p2@example.com" not in vendor.world.by_email


def test_a_change_waits_for_the_import_of_what_was_sent_before(agency: Agency, vendor: Recorded) -> None:
    """Two imports of one profile run in any order, so that the older value could win."""
    agency.shop.people(2).write(START)
    vendor.fault("slow-jobs", seconds=3600)
    sync(agency, force=True)
    agency.shop.of("p1@example.com").first_name = "Grace"
    agency.clock.now += timedelta(minutes=15)
    agency.shop.write(agency.clock.now)

    early = news(sync(agency))
    agency.clock.now += timedelta(hours=2)
    settling = news(sync(agency))
    late = news(sync(agency))

    assert (early.update, early.held_back, early.calls) == (1, 1, 0)
    assert (settling.settled, settling.calls) == ({"delivered": 2}, 0)
    assert (late.update, late.accepted, late.calls) == (1, 1, 1)
    agency.clock.now += timedelta(hours=2)
    vendor.state()
    assert vendor.world.profiles[vendor.world.by_email["p1@example.com"]].fields["first_name"] == "Grace"
