"""Guards hold what looks like an accident until somebody approves it; and who is left out on purpose."""

from __future__ import annotations

from datetime import timedelta

from hub.ledger import Ledger
from hub.sync.numbers import RunNumbers, SyncNumbers
from tests.acceptance.kit import START, Agency, only

P = {number: f"p{number}@example.com" for number in range(1, 1200)}
PROSPECTS = ('plugin = "everyone"', 'plugin = "prospects"')


def guards(sync: dict[str, object]) -> list[str]:
    return [each["guard"] for each in sync.get("guards", [])]  # type: ignore[attr-defined]  # JSON


def test_a_first_delivery_waits_for_approval_and_then_calls_nobody_again(agency: Agency) -> None:
    agency.shop.people(20).write()

    refused = only(agency.sync(expect=3)["syncs"])
    assert (refused["status"], refused["held_back"], guards(refused)) == ("refused", 20, ["first-delivery"])
    assert agency.records() == []
    assert agency.hub("status", expect=1).stdout

    assert "first-delivery" in agency.hub("approve", "acme", "news").stdout
    assert agency.records() == []
    sent = only(agency.sync()["syncs"])
    assert (sent["status"], sent["delivered"], sent["calls"]) == ("ok", 20, 4)

    again = only(agency.sync()["syncs"])
    assert (again["status"], again["calls"], again["unchanged"]) == ("ok", 0, 20)
    agency.hub("status")


def test_a_plan_larger_by_more_than_a_tenth_is_held_again(agency: Agency) -> None:
    agency.shop.people(20).write()
    agency.sync(expect=3)
    agency.hub("approve", "acme", "news")

    agency.shop.people(3, start=50).write()
    held = only(agency.sync(expect=3)["syncs"])

    assert guards(held) == ["first-delivery"]
    assert agency.records() == []
    del agency.shop.customers[-1]
    agency.shop.write()
    agency.hub("approve", "acme", "news")
    assert only(agency.sync()["syncs"])["delivered"] == 22


def test_a_changed_definition_is_held_and_an_approval_is_used_once(running: Agency) -> None:
    running.add('attributes = { name = "first_name" }\n')
    assert guards(only(running.sync(expect=3)["syncs"])) == ["changed-definition"]
    running.hub("approve", "acme", "news")
    assert only(running.sync()["syncs"])["update"] == 20

    running.change('"first_name"', '"last_name"')
    held = only(running.sync(expect=3)["syncs"])
    assert guards(held) == ["changed-definition"]
    running.change('"last_name"', '"first_name"')
    assert only(running.sync()["syncs"])["calls"] == 0


ADS = """
[[consent.from]]
tag = "ads-ok"
grants = ["ads"]
evidence = "checkout box"
"""


def test_another_purpose_of_the_destination_is_a_changed_definition(agency: Agency) -> None:
    agency.change('plugin = "keeper"', 'plugin = "file"')
    agency.add(ADS)
    agency.shop.people(20)
    for customer in agency.shop.customers[:15]:
        customer.tags = "ads-ok"
    agency.started()

    agency.change('plugin = "file"', 'plugin = "file"\npurpose = "email_marketing"')
    agency.shop.people(1, start=30).write()
    assert only(agency.sync()["syncs"])["delivered"] == 1

    agency.change('purpose = "email_marketing"', 'purpose = "ads"')
    held = only(agency.sync(expect=3)["syncs"])
    assert (guards(held), held["remove"], held["held_back"]) == (["changed-definition"], 6, 6)
    agency.hub("approve", "acme", "news")
    assert only(agency.sync()["syncs"])["delivered"] == 6


def test_another_holdout_is_a_changed_definition(running: Agency) -> None:
    running.add("holdout = 0.4\n")
    held = only(running.sync(expect=3)["syncs"])
    assert (guards(held), len(running.held())) == (["changed-definition"], 20)
    running.hub("approve", "acme", "news")
    running.change("holdout = 0.4", "holdout = 0.6")

    assert guards(only(running.sync(expect=3)["syncs"])) == ["changed-definition"]

    running.hub("approve", "acme", "news")
    assert only(running.sync()["syncs"])["remove"] == 20 - len(running.held())
    assert 2 < len(running.held()) < 15


def test_what_an_earlier_hub_did_not_note_is_no_change_until_it_is_noted(agency: Agency) -> None:
    agency.add("holdout = 0.4\n")
    agency.shop.people(20)
    agency.started()
    with Ledger.open(agency.state, agency.clock) as ledger:
        (audience,) = ledger.audiences()
        ledger.set_definition(audience.audience_id, str(audience.definition)[:32])
    agency.shop.people(20, start=30).write()

    assert only(agency.sync()["syncs"])["delivered"] > 0

    agency.change("holdout = 0.4", "holdout = 0.6")
    assert guards(only(agency.sync(expect=3)["syncs"])) == ["changed-definition"]


def test_too_many_removals_are_held_but_withdrawals_go(agency: Agency) -> None:
    agency.change(*PROSPECTS)
    agency.shop.people(120).buy("nobody@example.com", START)
    agency.started()
    for number in range(1, 62):
        agency.shop.buy(P[number], START)
    agency.shop.of(P[100]).says = "no"
    agency.shop.write()

    held = only(agency.sync(expect=3)["syncs"])

    assert guards(held) == ["removals"]
    assert (held["remove"], held["delivered"], held["held_back"]) == (62, 1, 61)
    assert len(agency.held()) == 119
    assert only(agency.sync("--force")["syncs"])["remove"] == 61
    assert len(agency.held()) == 58


def test_emptying_an_audience_is_held(running: Agency) -> None:
    running.change(*PROSPECTS)
    running.sync("--force")
    for number in range(6, 23):
        running.shop.buy(P[number], START)
    running.shop.write()

    assert guards(only(running.sync(expect=3)["syncs"])) == ["emptying"]
    assert len(running.held()) == 15
    running.hub("approve", "acme", "news")
    running.sync()
    assert running.held() == set()


def test_more_additions_than_a_thousand_are_held(running: Agency) -> None:
    running.shop.people(1001, start=100).write()

    held = only(running.sync(expect=3)["syncs"])

    assert (guards(held), held["held_back"]) == (["additions"], 1001)
    assert len(running.held()) == 20


def test_append_keeps_who_left_the_segment_and_loses_who_withdrew(running: Agency) -> None:
    running.change(*PROSPECTS)
    running.add('mode = "append"\n')
    running.sync("--force")
    assert len(running.held()) == 20
    running.shop.buy(P[10], START)
    running.shop.of(P[11]).says = "no"
    running.shop.write()

    running.sync()

    assert running.held() == {P[n] for n in range(1, 21)} - {P[11]}


def test_a_holdout_is_stable_by_person(agency: Agency) -> None:
    agency.add("holdout = 0.5\n")
    agency.shop.people(40)
    agency.started()
    first = agency.held()
    assert 5 < len(first) < 35
    agency.shop.people(10, start=100).write()
    (agency.state / "catalog.duckdb").unlink()

    sync = only(agency.sync()["syncs"])

    assert sync["withheld"]["HOLDOUT"] + sync["cleared"] == 50
    assert sync["remove"] == 0
    assert {email for email in agency.held() if email in {P[n] for n in range(1, 41)}} == first


MAIL = """
name = "Acme"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.prospects]
plugin = "prospects"

[segments.all]
plugin = "everyone"

[destinations.mail]
plugin = "poster"

[syncs.first]
segment = "prospects"
destination = "mail"

[syncs.second]
segment = "all"
destination = "mail"
"""


def two(numbers: RunNumbers) -> tuple[SyncNumbers, SyncNumbers]:
    first, second = numbers.syncs
    return first, second


def test_nobody_gets_two_mails_in_16_hours_nor_the_same_within_the_cooldown(agency: Agency) -> None:
    agency.client(MAIL)
    agency.shop.people(4).buy(P[4], START - timedelta(days=1))
    agency.shop.buy("nobody@example.com", START - timedelta(days=30))
    agency.shop.write(START - timedelta(hours=1))

    first, second = two(agency.run(force=True))
    assert (first.delivered, second.delivered, second.withheld) == (3, 1, {"FREQUENCY_CAP": 3, "NO_CONSENT": 1})

    agency.clock.go(hours=15)
    assert [sync.delivered for sync in two(agency.run())] == [0, 0]
    agency.clock.go(hours=2)
    assert [sync.delivered for sync in two(agency.run())] == [0, 3]
    assert sorted(agency.got("mail")) == sorted([P[1], P[1], P[2], P[2], P[3], P[3], P[4]])

    # p1 buys and leaves the first segment; the order is refunded, and p1 would enter again.
    agency.shop.buy(P[1], agency.clock.now)
    agency.clock.go(days=1)
    agency.shop.write(agency.clock.now)
    agency.run()
    agency.shop.orders[-1]["Financial Status"] = "refunded"
    agency.clock.go(days=1)
    agency.shop.write(agency.clock.now)
    first, _ = two(agency.run())
    assert (first.delivered, first.withheld.get("COOLDOWN")) == (0, 1)

    agency.clock.go(days=6)
    first, _ = two(agency.run())
    assert first.delivered == 1
    assert agency.got("mail").count(P[1]) == 3
