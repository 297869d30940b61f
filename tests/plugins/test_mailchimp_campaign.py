"""A whole sync of 20,000 people through everything that may go wrong, with the catalog, consent and ledger in it."""

from __future__ import annotations

import random
import threading
from collections import Counter
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
from hub_mailchimp.stand_in import API_KEY, LIST_ID
from hub_mailchimp.stand_in.contacts import Contact, hash_of
from tests.acceptance.kit import START, Agency
from tests.mailchimp_kit import Recorded, hold_against_the_vendor

PEOPLE, SEED = 20_000, 1
CLIENT = f"""
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
plugin = "mailchimp"
address = "ADDRESS"
list_id = "{LIST_ID}"

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
    made = Recorded(job_seconds=10, clock=lambda: agency.clock().timestamp())
    agency.client(CLIENT.replace("ADDRESS", made.start()))
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def wired(agency: Agency) -> Wiring:
    """Wire the client to a clock that waiting moves; eight threads wait by it."""
    turn = threading.Lock()

    def sleep(seconds: float) -> None:
        with turn:
            agency.clock.go(seconds=seconds)

    around = Surroundings(
        clock=agency.clock,
        monotonic=lambda: agency.clock().timestamp(),
        sleep=sleep,
        environ={"HUB_SECRET__ACME__NEWSLETTER__API_KEY": API_KEY},
    )
    workspace = load_workspace(agency.folder)
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around)


def sync(agency: Agency, **options: bool) -> RunNumbers:
    return run_client(wired(agency), RunOptions("sync", **options))


def news(run: RunNumbers) -> SyncNumbers:
    (numbers,) = run.syncs
    return numbers


def contacts(vendor: Recorded) -> dict[str, Contact]:
    return {each.email: each for each in vendor.world.audience(LIST_ID).contacts.values()}


def tagged(vendor: Recorded) -> list[str]:
    audience = vendor.world.audience(LIST_ID)
    (tag,) = audience.tags.values()
    return sorted(each.email for each in audience.tagged(tag.id))


def writes(vendor: Recorded, since: int = 0) -> list[tuple[str, int]]:
    return [(path, status) for method, path, status in vendor.requests[since:] if method != "GET"]


def test_everyone_deliverable_is_delivered_once_and_the_next_sync_writes_nothing(
    agency: Agency, vendor: Recorded
) -> None:
    chance = random.Random(SEED)
    agency.shop.people(PEOPLE - 55)
    poison = [f"poison{number}@example.com" for number in range(5)]
    gone = [f"gone{number}@example.com" for number in range(50)]
    for place, email in enumerate([*poison, *gone]):
        agency.shop.people(1, start=100_000 + place)
        agency.shop.customers[-1].email = email
    agency.shop.write(START)
    vendor.world.audience(LIST_ID).deleted |= set(map(hash_of, gone))
    vendor.fault("poison-rows")
    # A tenth is refused for being too much, half of them with a time; 2 % break; 1 % hang up when the work is done.
    vendor.fault("rate-limit", every=chance.randint(16, 20), times=100, retry_after=2)
    vendor.fault("rate-limit-bare", every=chance.randint(16, 20), times=100)
    vendor.fault("server-error", every=chance.randint(36, 44), times=100)
    vendor.fault("drop-after", every=chance.randint(5, 70), times=1)

    first = news(sync(agency, force=True))
    vendor.heal()
    faced = Counter(status for _, status in writes(vendor) if not 200 <= status < 300)
    made = len(writes(vendor))
    before = len(vendor.requests)
    agency.clock.now += timedelta(minutes=15)
    second = news(sync(agency))

    assert (first.status, first.rejected, first.failed, first.unknown) == (Status.PARTIAL, 55, 0, 0)
    assert first.delivered + first.accepted == PEOPLE - 55
    assert 0.08 <= faced[429] / made <= 0.13
    assert (faced[500], faced[0]) == (2, 1)
    assert (second.status, second.calls, second.unchanged) == (Status.OK, 0, PEOPLE - 55)
    assert writes(vendor, before) == []
    delivered = tagged(vendor)
    assert len(delivered) == len(set(delivered)) == PEOPLE - 55
    assert not {*poison, *gone} & set(delivered)
    # A tag, and for each 500 one call that creates and one that tags; every refusal forces one call more.
    least = 1 + 2 * (PEOPLE // 500)
    assert made - least - sum(faced.values()) <= 0.03 * least


def test_poison_rows_are_named_without_their_address(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(10)
    agency.shop.of("p3@example.com").email = "poison@example.com"
    agency.shop.of("p4@example.com").email = "gone@example.com"
    agency.shop.write(START)
    vendor.world.audience(LIST_ID).deleted.add(hash_of("gone@example.com"))
    vendor.fault("poison-rows")

    numbers = news(sync(agency, force=True))

    told = [note for note in numbers.notes if "was refused" in note]
    assert sorted(note.partition(": ")[2] for note in told) == [
        "the address looks fake or invalid, please enter a real email address.",
        "was deleted for good at Mailchimp, where only signing up again brings the address back",
    ]
    assert (numbers.delivered, numbers.rejected, numbers.calls) == (8, 2, 2)


def test_status_follows_the_record_that_cleared_and_no_known_contact_changes(agency: Agency, vendor: Recorded) -> None:
    """The USA's opt-out regime clears who said nothing: that is no opt-in."""
    agency.client((agency.folder / "clients" / "acme.toml").read_text() + '\n[consent]\nus_email_mode = "opt_out"\n')
    agency.shop.people(2).people(1, says="", start=3).people(2, start=4)
    agency.shop.of("p3@example.com").country = "US"
    agency.shop.write(START)
    audience = vendor.world.audience(LIST_ID)
    for email, status in (("p4@example.com", "transactional"), ("p5@example.com", "pending")):
        vendor.world.add_contact(audience, {"email_address": email, "status": status}, START.timestamp() - 9)

    numbers = news(sync(agency, force=True))

    assert numbers.delivered == 5
    assert {email: each.status for email, each in contacts(vendor).items()} == {
        "p1@example.com": "subscribed",
        "p2@example.com": "subscribed",
        "p3@example.com": "transactional",
        "p4@example.com": "transactional",
        "p5@example.com": "pending",
    }
    assert tagged(vendor) == [f"p{number}@example.com" for number in range(1, 6)]


def test_who_unsubscribes_or_bounces_at_mailchimp_is_heard_and_removed_with_one_call(
    agency: Agency, vendor: Recorded
) -> None:
    agency.shop.people(30).write(START)
    sync(agency, force=True)
    agency.clock.go(minutes=15)
    vendor.unsubscribe("p7@example.com")
    vendor.clean("p8@example.com")
    agency.clock.go(minutes=15)

    numbers = news(sync(agency))

    assert (numbers.remove, numbers.delivered, numbers.calls) == (2, 2, 1)
    assert numbers.withheld == {"OPTED_OUT": 1, "SUPPRESSED": 1}
    assert len(tagged(vendor)) == 28
    assert {contacts(vendor)[f"p{number}@example.com"].status for number in (7, 8)} == {"unsubscribed", "cleaned"}


def test_drift_finds_who_was_added_and_who_removed_by_hand(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(1_200).write(START)
    sync(agency, force=True)
    audience = vendor.world.audience(LIST_ID)
    (tag,) = audience.tags.values()
    contacts(vendor)["p5@example.com"].tags.clear()
    row = {"email_address": "stranger@example.org", "status": "cleaned"}
    vendor.world.add_contact(audience, row, START.timestamp()).tags.add(tag.id)

    (found,) = find_drift(wired(agency))

    assert (found.held, found.read, found.added, found.missing) == (1200, 1200, ["s…@example.org"], ["p…@example.com"])


def test_forgetting_takes_a_person_off_the_tag_and_out_of_the_audience(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(3).write(START)
    sync(agency, force=True)

    receipt = forget(wired(agency), "p2@example.com")

    assert receipt.still_open == []
    assert tagged(vendor) == ["p1@example.com", "p3@example.com"]
    assert "p2@example.com" not in contacts(vendor)
    assert vendor.world.audience(LIST_ID).deleted == {hash_of("p2@example.com")}
