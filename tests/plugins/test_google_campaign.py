"""A whole sync of 20,000 people through everything that may go wrong, with the catalog, consent and ledger in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.numbers import RunNumbers, Status, SyncNumbers
from hub.sync.people import forget
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_google.stand_in import CREDENTIALS
from tests.acceptance.kit import START, Agency
from tests.deliver_kit import World
from tests.google_kit import INGEST, REMOVAL, STATUS, WORK_SECONDS, Bench, Recorded, hold_against_the_vendor, serving
from tests.meta_kit import sha, shas

PEOPLE = 20_000
CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[consent]
us_ads_mode = "opt_out"

[[consent.from]]
tag = "ads-ok"
grants = ["ads"]
basis = "opt_in_single"
evidence = "checkout box"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.ads]
plugin = "google"
address = "ADDRESS"
token_address = "ADDRESS"
customer = "123-456-7890"
membership = "30d"

[syncs.best]
segment = "all"
destination = "ads"
audience = "Everybody"
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency")


@pytest.fixture
def vendor(agency: Agency) -> Iterator[Recorded]:
    made = Recorded(limits=False, work_seconds=WORK_SECONDS, clock=lambda: agency.clock().timestamp())
    agency.client(CLIENT.replace("ADDRESS", made.start()))
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def permitted(agency: Agency, count: int, start: int = 1) -> None:
    """Add customers who agreed to ads."""
    agency.shop.people(count, start=start)
    for customer in agency.shop.customers[-count:]:
        customer.tags = "ads-ok"


def wired(agency: Agency) -> Wiring:
    def sleep(seconds: float) -> None:
        agency.clock.go(seconds=seconds)

    now, environ = agency.clock, {"HUB_SECRET__ACME__ADS__CREDENTIALS": CREDENTIALS}
    around = Surroundings(clock=now, sleep=sleep, monotonic=lambda: now().timestamp(), environ=environ)
    workspace = load_workspace(agency.folder)
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around)


def sync(agency: Agency, **options: bool) -> RunNumbers:
    return run_client(wired(agency), RunOptions("sync", **options))


def best(run: RunNumbers) -> SyncNumbers:
    (numbers,) = run.syncs
    return numbers


def later(agency: Agency, **by: float) -> SyncNumbers:
    """Run again after a while."""
    agency.clock.go(**by)
    return best(sync(agency))


def emails(*numbers: int) -> str:
    return ",".join(f"p{number}@example.com" for number in numbers)


def test_everyone_deliverable_is_delivered_once_and_the_next_sync_writes_nothing(
    agency: Agency, vendor: Recorded
) -> None:
    permitted(agency, PEOPLE)
    agency.shop.people(100, start=50_000).write(START)
    poison, failing = (1, 777, 10_000, 10_001, 20_000), (2, 555, 19_999)
    vendor.fault("poison-rows", emails=emails(*poison))
    vendor.fault("failing-rows", emails=emails(*failing))
    vendor.fault("rate-limit", path=INGEST, retry_after=5)
    vendor.fault("rate-limit-bare", path=INGEST, every=2, times=1)
    vendor.fault("server-error", path=INGEST, every=3, times=1)
    vendor.fault("drop-after", path=INGEST, times=1)
    vendor.fault("stale-token")

    first = best(sync(agency, force=True))
    second = later(agency, minutes=15)
    before = len(vendor.requests)
    third = later(agency, minutes=15)

    assert (first.status, first.accepted, first.rejected) == (Status.PARTIAL, PEOPLE - 5, 5)
    assert first.withheld == {"ADS_CONSENT_MISSING": 100}
    assert sum("INVALID_SHA256_FORMAT: email_address" in note for note in first.notes) == 5
    assert second.settled == {"delivered": PEOPLE - 8, "rejected": 3}
    assert (third.status, third.calls, third.unchanged) == (Status.OK, 0, PEOPLE - 8)
    assert vendor.requests[before:] == []
    everybody = shas(*range(1, PEOPLE + 1))
    assert vendor.held("Everybody") == everybody - shas(*poison) - shas(*failing)
    [held] = vendor.world.lists.values()
    assert len(held.people) == PEOPLE - 8
    # Two uploads; four faults and a token that was refused; and one more for each upload whose rows were named.
    assert vendor.requests.count(("POST", INGEST, 200)) == 2
    assert len([each for each in vendor.requests if each[1] == INGEST]) <= 2 + 4 + 1 + 2


def storm(bench: Bench, random: Random, forced: list[str]) -> None:
    """Let a call fail now and then: 10 % too fast, half of them with a time, 2 % broken, 1 % done and not told."""
    dice = random.random()
    name = (
        "rate-limit" if dice < 0.05
        else "rate-limit-bare" if dice < 0.10
        else "server-error" if dice < 0.12
        else "drop-after" if dice < 0.13
        else None
    )  # fmt: skip
    if name is not None:
        forced.append(name)
        bench.vendor.fault(name, path="/v1/audienceMembers")


def test_a_seeded_storm_costs_no_more_calls_than_its_faults_force(tmp_path: Path) -> None:
    random, forced = Random(20261122), list[str]()
    with serving(tmp_path) as bench:
        world = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
        held: set[int] = set()
        minimum = writes = 0
        destination: Any = bench.destination()
        world.ledger.set_remote_id(world.audience(destination).audience_id, destination.ensure_audience("Everyone"))
        for run in range(200):
            bench.vendor.heal()
            if run % 3 != 1:
                news = set(range(100 * run, 100 * run + random.randrange(1, 60)))
                storm(bench, random, forced)
                rows = [{"member_key": f"p{n}", "email": f"p{n}@example.com", **RECORD} for n in sorted(news)]
                tally = world.deliver(destination, add=rows, attributes=list(RECORD))
                held |= news
            else:
                news = set(random.sample(sorted(held), min(len(held), 20)))
                storm(bench, random, forced)
                tally = world.deliver(destination, remove=[f"p{n}" for n in sorted(news)])
                held -= news
            minimum += 1
            writes += tally.calls
            assert (tally.failed, tally.unknown, tally.rejected, tally.error) == (0, 0, 0, None)
            bench.clock.go(WORK_SECONDS)
            world.settle(destination)
        world.close()

        assert bench.held("Everyone") == shas(*held)
    assert {*forced} == {"rate-limit", "rate-limit-bare", "server-error", "drop-after"}
    assert len(forced) >= 20
    assert 0 <= writes - minimum - len(forced) <= 0.03 * minimum


RECORD = {"cleared_by": "ADS_FLAGS", "record_basis": "opt_in_single", "recorded_at": None}


def test_a_request_is_followed_over_hours_by_the_runs_that_come(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    vendor.fault("slow-jobs", seconds=3 * 3_600)
    assert best(sync(agency, force=True)).accepted == 3

    seen = [later(agency, minutes=30) for _ in range(7)]

    assert [each.settled for each in seen if each.settled] == [{"delivered": 3}]
    assert sum(each.calls for each in seen) == 0
    assert len([each for each in vendor.requests if each[1] == STATUS]) <= 5
    assert vendor.held("Everybody") == shas(1, 2, 3)


def test_memberships_are_renewed_before_they_end(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    sync(agency, force=True)
    later(agency, minutes=15)

    quiet = later(agency, days=14)
    renewed = later(agency, days=1)
    later(agency, minutes=15)
    agency.clock.go(days=20)

    assert (quiet.update, quiet.calls) == (0, 0)
    assert (renewed.update, renewed.accepted, renewed.calls) == (3, 3, 1)
    assert vendor.held("Everybody") == shas(1, 2, 3)


def test_a_withdrawn_permission_is_a_removal_with_one_call(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 30)
    agency.shop.write(START)
    sync(agency, force=True)
    later(agency, minutes=15)
    agency.shop.of("p7@example.com").tags = ""
    agency.shop.write(agency.clock.now + timedelta(minutes=10))

    numbers = later(agency, minutes=15)
    settled = later(agency, minutes=15)

    assert (numbers.remove, numbers.accepted, numbers.calls) == (1, 1, 1)
    assert settled.settled == {"delivered": 1}
    assert len([each for each in vendor.requests if each[1] == REMOVAL]) == 1
    assert vendor.held("Everybody") == shas(*range(1, 31)) - shas(7)


def test_an_american_who_was_never_asked_is_sent_without_a_consent_that_nobody_gave(
    agency: Agency, vendor: Recorded
) -> None:
    permitted(agency, 1)
    agency.shop.people(1, start=2)
    agency.shop.customers[-1].country = "US"
    agency.shop.write(START)

    assert best(sync(agency, force=True)).accepted == 2

    [body] = vendor.bodies()
    said = {
        each["userData"]["userIdentifiers"][0]["emailAddress"]: "consent" in each for each in body["audienceMembers"]
    }
    assert "consent" not in body
    assert said == {sha("p1@example.com"): True, sha("p2@example.com"): False}


def test_forgetting_takes_a_person_out_of_the_list(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    sync(agency, force=True)
    later(agency, minutes=15)

    receipt = forget(wired(agency), "p2@example.com")
    agency.clock.go(minutes=15)

    assert vendor.held("Everybody") == shas(1, 3)
    assert receipt.still_open == ["ads, audience 'Everybody': not removed yet (accepted); the next run does it"]
    assert "ads: delivered" in receipt.done
    later(agency, minutes=15)
    assert forget(wired(agency), "p2@example.com").still_open == []


def test_credentials_that_are_refused_stop_the_connection_with_a_next_step(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    vendor.fault("forbidden", path="/v1")

    numbers: Any = best(sync(agency, force=True))

    assert numbers.status is Status.FAILED
    assert "Data Manager API" in numbers.trouble.next_step
