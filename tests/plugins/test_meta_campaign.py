"""A whole sync of 20,000 people through everything that may go wrong, with the catalog, consent and ledger in it."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from random import Random
from typing import Any

import pytest

from hub import api
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.numbers import RunNumbers, Status, SyncNumbers
from hub.sync.people import forget
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring
from hub_meta.stand_in import ACCESS_TOKEN
from tests.acceptance.kit import START, Agency
from tests.deliver_kit import World
from tests.meta_kit import Bench, Recorded, hold_against_the_vendor, serving, sha, shas

PEOPLE = 20_000
CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

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
plugin = "meta"
address = "ADDRESS"
account = "act_1234567890"

[syncs.best]
segment = "all"
destination = "ads"
audience = "Everybody"
ATTRIBUTES
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    return Agency(tmp_path / "agency")


@pytest.fixture
def vendor(agency: Agency) -> Iterator[Recorded]:
    made = Recorded(limits=False, work_seconds=60, clock=lambda: agency.clock().timestamp())
    wire(agency, made.start())
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def wire(agency: Agency, address: str, attributes: str = "") -> None:
    agency.client(CLIENT.replace("ADDRESS", address).replace("ATTRIBUTES", attributes))


def permitted(agency: Agency, count: int, start: int = 1) -> None:
    """Add customers who agreed to ads."""
    agency.shop.people(count, start=start)
    for customer in agency.shop.customers[-count:]:
        customer.tags = "ads-ok"


def wired(agency: Agency) -> Wiring:
    environ = {"HUB_SECRET__ACME__ADS__ACCESS_TOKEN": ACCESS_TOKEN}

    def sleep(seconds: float) -> None:
        agency.clock.go(seconds=seconds)

    now = agency.clock
    around = Surroundings(clock=now, sleep=sleep, monotonic=lambda: now().timestamp(), environ=environ)
    workspace = load_workspace(agency.folder)
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around)


def sync(agency: Agency, **options: bool) -> RunNumbers:
    return run_client(wired(agency), RunOptions("sync", **options))


def best(run: RunNumbers) -> SyncNumbers:
    (numbers,) = run.syncs
    return numbers


def test_everyone_deliverable_is_delivered_once_and_the_next_sync_writes_nothing(
    agency: Agency, vendor: Recorded
) -> None:
    permitted(agency, PEOPLE)
    agency.shop.people(100, start=50_000).write(START)
    poison = [f"p{number}@example.com" for number in (1, 777, 10_000, 10_001, 20_000)]
    vendor.fault("poison-rows", emails=",".join(poison))
    vendor.fault("rate-limit", path="/users", every=1, times=1, retry_after=60)
    vendor.fault("rate-limit-bare", path="/users", every=2, times=1)
    vendor.fault("server-error", path="/users", every=3, times=1)
    vendor.fault("drop-after", path="/users", every=2, times=1)

    first = best(sync(agency, force=True))
    agency.clock.now += timedelta(minutes=15)
    before = len(vendor.requests)
    second = best(sync(agency))

    assert (first.status, first.delivered, first.rejected) == (Status.PARTIAL, PEOPLE - 5, 5)
    assert first.withheld == {"ADS_CONSENT_MISSING": 100}
    assert sum("Meta calls every identifier invalid" in note for note in first.notes) == 5
    assert (second.status, second.calls, second.unchanged) == (Status.OK, 0, PEOPLE - 5)
    assert vendor.requests[before:] == []
    assert vendor.held("Everybody") == {sha(f"p{n}@example.com") for n in range(1, PEOPLE + 1)} - {*map(sha, poison)}
    [audience] = vendor.world.audiences.values()
    assert len(audience.people) == PEOPLE - 5
    # Two uploads, and one more for each of the four faults that met them.
    assert first.calls == 2 + 4


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
        bench.vendor.fault(name, path="/users")


def test_a_seeded_storm_costs_no_more_calls_than_its_faults_force(tmp_path: Path) -> None:
    random, forced = Random(20261122), list[str]()
    with serving(tmp_path) as bench:
        world = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
        held: set[int] = set()
        minimum = writes = 0
        destination = bench.destination()
        world.ledger.set_remote_id(world.audience(destination).audience_id, destination.ensure_audience("Everyone"))  # type: ignore[arg-type]
        for run in range(400):
            bench.vendor.heal()
            storm(bench, random, forced)
            if run % 3 != 1:
                news = range(100 * run, 100 * run + random.randrange(1, 60))
                tally = world.deliver(destination, add=[f"p{n}" for n in news])  # type: ignore[arg-type]
                held |= set(news)
            else:
                leaving = random.sample(sorted(held), min(len(held), 20))
                tally = world.deliver(destination, remove=[f"p{n}" for n in leaving])  # type: ignore[arg-type]
                held -= set(leaving)
            minimum += 1
            writes += tally.calls
            assert (tally.failed, tally.unknown, tally.error) == (0, 0, None)
        world.close()

        assert bench.held("Everyone") == shas(*held)
    assert len(forced) > 40
    assert {*forced} == {"rate-limit", "rate-limit-bare", "server-error", "drop-after"}
    assert 0 <= writes - minimum - len(forced) <= 0.03 * minimum


def test_a_withdrawn_permission_is_a_removal_with_one_call(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 30)
    agency.shop.write(START)
    sync(agency, force=True)
    agency.shop.of("p7@example.com").tags = ""
    agency.clock.now += timedelta(minutes=15)
    agency.shop.write(agency.clock.now)

    numbers = best(sync(agency))

    assert (numbers.remove, numbers.delivered, numbers.calls) == (1, 1, 1)
    assert vendor.held("Everybody") == shas(*range(1, 31)) - shas(7)


def test_what_meta_has_no_use_for_makes_no_call_and_the_country_goes_along_by_itself(
    agency: Agency, vendor: Recorded
) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    sync(agency, force=True)
    assert vendor.bodies()[0]["payload"]["schema"] == ["EMAIL", "PHONE", "COUNTRY"]

    agency.shop.of("p1@example.com").first_name = "Grace"
    agency.shop.buy("p2@example.com", START)
    agency.clock.now += timedelta(minutes=15)
    agency.shop.write(agency.clock.now)
    quiet = best(sync(agency))
    assert (quiet.update, quiet.calls) == (0, 0)

    wire(agency, vendor.base, 'attributes = { first_name = "first_name" }')
    changed = best(sync(agency, force=True))
    assert (changed.update, changed.calls) == (3, 1)
    assert vendor.bodies()[-1]["payload"]["schema"] == ["EMAIL", "PHONE", "FN"]


def test_an_attribute_that_meta_cannot_use_is_a_mistake_in_the_file(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 1)
    agency.shop.write(START)
    wire(agency, vendor.base, 'attributes = { zip = "postcode" }')

    with pytest.raises(api.ConfigError, match="ads can do nothing with the attribute 'zip'"):
        sync(agency, force=True)


def test_a_flagged_audience_keeps_no_other_audience_waiting(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    other = '[syncs.other]\nsegment = "all"\ndestination = "ads"\naudience = "Debtors"\n\n'
    agency.client(agency_text(agency).replace("[syncs.best]", f"{other}[syncs.best]"))
    vendor.fault("flagged", text="Debtors")

    first, second = sync(agency, force=True).syncs

    assert {first.name: first.status, second.name: second.status} == {"other": Status.FAILED, "best": Status.OK}
    assert vendor.held("Everybody") == shas(1, 2, 3)


def test_a_plan_warns_of_a_name_that_meta_blocks(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    agency.client(agency_text(agency).replace('audience = "Everybody"', 'audience = "High income"'))

    numbers = best(run_client(wired(agency), RunOptions("plan")))

    assert any("'High income' says 'income'" in note for note in numbers.notes)
    assert vendor.requests == []


def agency_text(agency: Agency) -> str:
    return (agency.folder / "clients" / "acme.toml").read_text()


def test_forgetting_takes_a_person_out_of_every_audience(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    sync(agency, force=True)
    by_hand = vendor.world.make("1234567890", {"name": "By hand", "subtype": "CUSTOM"}, 0)
    by_hand.add({"EMAIL": sha("p2@example.com")})

    receipt = forget(wired(agency), "p2@example.com")

    assert receipt.still_open == []
    assert vendor.held("Everybody") == shas(1, 3)
    assert vendor.held("By hand") == set()


def test_a_token_that_has_ended_stops_the_connection_with_a_next_step(agency: Agency, vendor: Recorded) -> None:
    permitted(agency, 3)
    agency.shop.write(START)
    vendor.fault("expired-token")

    numbers: Any = best(sync(agency, force=True))

    assert numbers.status is Status.FAILED
    assert "new token" in numbers.trouble.next_step
