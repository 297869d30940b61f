"""A sync that is killed at any point: the next run finishes the job, and nothing harmful happens twice."""

from __future__ import annotations

import random
import threading
import time
from collections import Counter

import pytest

from hub.keys import keyed_hash, load_key
from hub.ledger import MemberState
from tests.acceptance.kit import Agency, only
from tests.nursery import Nursery, nursery

KILLS = 25
TRIES = 6  # a run may end before its time to be killed has come
NEW, WITHDRAWN = 25, 3


def sync_and_kill(agency: Agency, hub: Nursery, chance: random.Random, longest: float) -> bool:
    """Start a sync and kill it after a while: half of the times once delivery began. Tell whether it was killed."""
    record = agency.folder / "outside" / "acme-list"
    written = record.stat().st_size

    def wait(ended: threading.Event) -> None:
        if chance.random() < 0.5:
            while record.stat().st_size == written and not ended.is_set():
                time.sleep(0.001)
            ended.wait(chance.uniform(0, 0.06))
        else:
            ended.wait(chance.uniform(0, longest))

    return hub.run_and_kill(wait, "sync", "acme")


@pytest.mark.parametrize("kind", ["keeper", "once"])
def test_a_sync_killed_at_random_points_is_finished_by_the_next(agency: Agency, kind: str) -> None:
    chance = random.Random(f"kills of {kind}")
    agency.change('plugin = "keeper"', f'plugin = "{kind}"')
    agency.shop.people(NEW)
    agency.started()
    killed, withdrawn = 0, set()
    with nursery(agency.folder) as hub:
        began = time.monotonic()
        hub.run("sync", "acme")
        longest = time.monotonic() - began
        for number in range(1, KILLS * TRIES + 1):
            if killed == KILLS:
                break
            if number % 2:  # the others find an export that is known, and what the kill before left to do
                agency.shop.people(NEW, start=1 + NEW * number)
                for customer in chance.sample(agency.shop.customers, WITHDRAWN):
                    customer.says = "no"
                    withdrawn.add(customer.email)
                agency.shop.write()
            killed += sync_and_kill(agency, hub, chance, longest)
        hub.run("sync", "acme")

    assert killed == KILLS
    received = Counter(each["key"] for each in agency.records() if each["op"] == "add")
    wanted = {address_key(agency, customer.email) for customer in agency.shop.customers} - {
        address_key(agency, email) for email in withdrawn
    }
    members = agency.members()
    held = {key for key, state in members.items() if state is MemberState.HELD}
    unknown = {key for key, state in members.items() if state is MemberState.UNKNOWN}
    if kind == "keeper":
        assert {address_key(agency, email) for email in agency.held()} == wanted
        assert held == wanted
        assert not unknown
        return
    assert set(received.values()) == {1}
    assert wanted - received.keys() <= unknown
    assert held <= received.keys()
    notes = " ".join(only(agency.sync("--no-pull")["syncs"]).get("notes", []))
    assert bool(unknown) == ("hub retry acme --unknown --only news" in notes)
    assert not unknown or f"whether {len(unknown)} people got it" in notes


def address_key(agency: Agency, email: str) -> str:
    return keyed_hash(load_key(agency.state), f"email:{email}")
