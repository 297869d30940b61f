"""A Mailchimp tag kept equal to a segment: contacts, statuses, fields, removals, opt-outs, and how few calls it takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hub import api
from hub.ledger import MemberState
from hub_mailchimp import Mailchimp, MailchimpConfig, bodies
from hub_mailchimp.account import instant, problem
from hub_mailchimp.settings import base_url
from hub_mailchimp.stand_in import LIST_ID
from hub_mailchimp.stand_in.contacts import hash_of
from tests.deliver_kit import World, member_row
from tests.mailchimp_kit import AS_OF, OPTED_IN, TAG, Bench, batch, member, people, serving

ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE
DELIVERED, ACCEPTED, REJECTED, FAILED = (
    api.State.DELIVERED,
    api.State.ACCEPTED,
    api.State.REJECTED,
    api.State.FAILED,
)
LIST = f"/lists/{LIST_ID}"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, bench: Bench) -> Iterator[World]:
    made = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
    yield made
    made.close()


def push(destination: Mailchimp, op: api.Op, members: list[api.Member], audience: str | None = None) -> dict[str, Any]:
    """Push a batch and return outcomes by address."""
    audience = audience or destination.ensure_audience(TAG)
    return {str(each.member.email): each for each in destination.push(batch(op, audience, members))}


def states(outcomes: dict[str, api.Outcome]) -> set[api.State]:
    return {each.state for each in outcomes.values()}


def deliver(world: World, destination: Mailchimp, **what: Any) -> Any:
    """Deliver through hub's own core, to the tag."""
    audience = world.audience(destination)  # type: ignore[arg-type]
    if audience.remote_id is None:
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(TAG))
    grounds = {"cleared_by": "OPT_IN", "record_basis": "opt_in_single", "recorded_at": None}
    for op in ("add", "update"):
        rows = [row if isinstance(row, dict) else member_row(row) for row in what.get(op, ())]
        what[op] = [grounds | row for row in rows]
    what["attributes"] = [*what.get("attributes", ()), *grounds]
    return world.deliver(destination, **what)  # type: ignore[arg-type]


# Finding and making the tag.


def test_a_tag_is_found_by_its_whole_name_among_those_that_begin_alike(bench: Bench) -> None:
    for name in (f"{TAG} 2", TAG, f"{TAG} 3"):
        bench.vendor.world.add_tag(bench.audience, name, 0)

    assert bench.destination().ensure_audience(TAG) == str(bench.tag().id)
    assert bench.calls() == []


def test_a_tag_that_differs_in_case_only_is_the_same_to_mailchimp(bench: Bench) -> None:
    there = bench.vendor.world.add_tag(bench.audience, TAG.upper(), 0)

    assert bench.destination().ensure_audience(TAG) == str(there.id)


@pytest.mark.parametrize("name", ['Say "hi"', "back\\slash", "æøå & co", "a/b?c=d#e"])
def test_a_tag_is_made_once_whatever_its_name(bench: Bench, name: str) -> None:
    made = bench.destination().ensure_audience(name)

    assert bench.destination().ensure_audience(name) == made
    assert bench.calls() == [("POST", "/segments")]


# Adding.


def test_whoever_is_new_becomes_a_contact_with_fields_and_gets_the_tag(bench: Bench) -> None:
    destination = bench.destination()
    destination.prepare(["first_name", "cart_url"])

    outcomes = push(destination, ADD, [member(1, first_name="Ann", cart_url="https://a.example/c"), member(2)])

    assert states(outcomes) == {DELIVERED}
    assert bench.held() == {"p1@example.com", "p2@example.com"}
    assert bench.contact("p1@example.com").merge_fields == {"FNAME": "Ann", "CARTURL": "https://a.example/c"}


@pytest.mark.parametrize(
    ("permission", "status", "opted"),
    [
        (OPTED_IN, "subscribed", "2026-05-21T12:00:00+00:00"),
        (api.Permission("OPT_IN", "opt_in_single"), "subscribed", None),
        (api.Permission("SOFT_OPT_IN", "soft_opt_in", AS_OF), "transactional", ""),
        (api.Permission("IMPLIED", "implied_purchase", AS_OF), "transactional", ""),
        (api.Permission("OPT_OUT_REGIME"), "transactional", ""),
        (None, "transactional", ""),
    ],
    ids=["opt-in", "opt-in without time", "soft opt-in", "implied", "opt-out regime", "nothing told"],
)
def test_a_new_contact_is_subscribed_only_where_an_opt_in_cleared_and_its_time_goes_along(
    bench: Bench, permission: api.Permission | None, status: str, opted: str | None
) -> None:
    push(bench.destination(), ADD, [member(1, permission)])

    contact = bench.contact("p1@example.com")
    assert (contact.status, contact.opt) == (status, bench.clock.now.isoformat() if opted is None else opted)


@pytest.mark.parametrize("status", ["subscribed", "unsubscribed", "pending", "transactional"])
def test_a_known_contact_keeps_its_status_and_its_other_tags(bench: Bench, status: str) -> None:
    bench.know("p1@example.com", status=status)
    other = bench.vendor.world.add_tag(bench.audience, "Theirs", 0)
    bench.contact("p1@example.com").tags.add(other.id)

    outcomes = push(bench.destination(), ADD, [member(1, first_name="Ann")])

    contact = bench.contact("p1@example.com")
    assert (states(outcomes), contact.status) == ({DELIVERED}, status)
    assert contact.tags == {other.id, bench.tag().id}
    assert contact.merge_fields["FNAME"] == "Ann"


def test_500_people_take_two_calls_and_known_ones_no_call_more(bench: Bench) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(250)))
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    before = len(bench.vendor.requests)

    outcomes = push(destination, ADD, people(500), audience)

    assert bench.calls(before) == [("POST", ""), ("POST", f"/segments/{audience}")]
    assert (len(outcomes), states(outcomes), len(bench.held())) == (500, {DELIVERED}, 500)


@pytest.mark.parametrize(("known", "calls"), [(3, ["PATCH"] * 3), (4, ["POST"])])
def test_fields_of_a_few_known_contacts_are_written_one_by_one_those_of_more_as_a_batch_operation(
    bench: Bench, known: int, calls: list[str]
) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(known)))
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    before = len(bench.vendor.requests)

    outcomes = push(destination, ADD, people(known + 1, first_name="Ann"), audience)

    assert [method for method, path in bench.calls(before) if "segments" not in path and path] == calls
    assert bench.held() == {f"p{number}@example.com" for number in range(known + 1)}
    receipts = {each.receipt for each in outcomes.values() if each.state is ACCEPTED}
    assert len(receipts) == (known > 3)
    bench.clock.go(60)
    bench.vendor.state()
    assert {each.merge_fields["FNAME"] for each in bench.audience.contacts.values()} == {"Ann"}


def test_for_carts_every_field_is_there_before_the_tag_that_starts_the_mail(bench: Bench) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(20)))
    destination = bench.destination().serving("cart_reminder")
    destination.prepare(["cart_url"])
    audience = destination.ensure_audience(TAG)
    before = len(bench.vendor.requests)

    outcomes = push(destination, ADD, people(20, cart_url="https://a.example/c"), audience)  # type: ignore[arg-type]

    assert [method for method, _ in bench.calls(before)] == ["POST", *["PATCH"] * 20, "POST"]
    assert bench.calls(before)[-1] == ("POST", f"/segments/{audience}")
    assert states(outcomes) == {DELIVERED}


def test_a_known_contacts_unknown_field_is_emptied_but_not_one_that_forms_fill_too(bench: Bench) -> None:
    destination = bench.destination()
    destination.prepare(["cart_url"])
    bench.know("p1@example.com", FNAME="Ann", CARTURL="https://old.example")

    push(destination, ADD, [member(1, first_name=None, cart_url=None)])

    assert bench.contact("p1@example.com").merge_fields == {"FNAME": "Ann", "CARTURL": ""}


def test_somebody_archived_is_not_brought_back(bench: Bench) -> None:
    bench.know("p1@example.com", status="unsubscribed")
    bench.vendor.world.archive(bench.contact("p1@example.com"), 0)

    outcomes = push(bench.destination(), ADD, people(3))

    assert outcomes["p1@example.com"].state is REJECTED
    assert "archived" in outcomes["p1@example.com"].reason
    assert bench.contact("p1@example.com").status == "archived"
    assert bench.held() == {"p0@example.com", "p2@example.com"}


def test_somebody_deleted_for_good_is_a_tombstone_and_nobody_else_is_held_up(bench: Bench) -> None:
    bench.audience.deleted.add(hash_of("p1@example.com"))

    outcomes = push(bench.destination(), ADD, people(3))

    assert (outcomes["p1@example.com"].state, outcomes["p0@example.com"].state) == (REJECTED, DELIVERED)
    assert "deleted for good" in outcomes["p1@example.com"].reason
    assert bench.held() == {"p0@example.com", "p2@example.com"}


def test_a_cleaned_contact_is_a_tombstone_and_a_block_and_keeps_no_tag(bench: Bench) -> None:
    bench.vendor.clean("p1@example.com")

    outcomes = push(bench.destination(), ADD, people(3))

    assert (outcomes["p1@example.com"].state, outcomes["p1@example.com"].blocks) == (REJECTED, "hard_bounce")
    assert bench.held() == {"p0@example.com", "p2@example.com"}


def test_a_value_that_its_field_refuses_costs_that_field_alone(bench: Bench) -> None:
    """The stand-in's limit is hidden from hub here: a rule that hub does not know."""
    destination = bench.destination()
    destination.prepare(["first_name", "cart_url", "city"])
    _ = destination.fields
    bench.audience.fields["CARTURL"]["type"] = "number"
    bench.audience.fields["CITY"]["type"] = "zip"
    bench.know("p2@example.com")

    outcomes = push(
        destination, ADD, [member(n, first_name="Ann", cart_url="https://a.example", city="Aarhus") for n in (1, 2)]
    )

    assert states(outcomes) == {DELIVERED}
    assert [bench.contact(f"p{n}@example.com").merge_fields for n in (1, 2)] == [{"FNAME": "Ann"}] * 2
    assert bench.held() == {"p1@example.com", "p2@example.com"}


@pytest.mark.parametrize("named", ["CITY", "merge_fields.CITY"])
def test_a_field_is_recognised_alone_and_behind_its_object(named: str) -> None:
    class Told:
        status = 400

        def json(self) -> dict[str, Any]:
            return {"title": "Invalid Resource", "errors": [{"field": named, "message": "not for ann@example.com"}]}

    found = problem(Told())  # type: ignore[arg-type]  # a reply, as far as it is looked at

    assert (found.field, found.why) == ("CITY", f"Invalid Resource: {named}: not for the address")


def test_a_row_that_mailchimp_refuses_is_named_and_costs_nobody_else(bench: Bench) -> None:
    bench.vendor.fault("poison-rows", text="p1@")

    outcomes = push(bench.destination(), ADD, people(3))

    refused = outcomes["p1@example.com"]
    assert (refused.state, refused.reason) == (
        REJECTED,
        "the address looks fake or invalid, please enter a real email address.",
    )
    assert bench.held() == {"p0@example.com", "p2@example.com"}


def test_rows_that_break_mailchimp_are_found_by_halves(bench: Bench, world: World) -> None:
    bench.vendor.fault("breaking-rows", text="k37@")

    tally = deliver(world, bench.destination(), add=[f"k{number:02}" for number in range(64)])

    assert (tally.delivered, tally.rejected, tally.failed) == (63, 1, 0)
    assert tally.rejects == [("k37", "Mailchimp answers 500 to this contact")]
    assert len(bench.held()) == 63


def test_an_outage_is_not_taken_for_a_broken_row(bench: Bench, world: World) -> None:
    destination = bench.destination()
    audience = world.audience(destination)  # type: ignore[arg-type]
    world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(TAG))
    bench.vendor.fault("server-error", times=1_000)

    tally = deliver(world, destination, add=[f"k{number:02}" for number in range(64)])

    assert (tally.delivered, tally.rejected, tally.failed) == (0, 0, 64)
    assert bench.held() == set()


def test_who_has_the_tag_already_is_delivered_whether_or_not_mailchimp_says_so(bench: Bench) -> None:
    destination = bench.destination()
    first = push(destination, ADD, people(3))
    loud = push(bench.destination(), ADD, people(3))
    bench.vendor.fault("terse-tags")
    before = len(bench.vendor.requests)

    silent = push(bench.destination(), ADD, people(3))

    assert states(first) == states(loud) == states(silent) == {DELIVERED}
    looked = [path for method, path, _ in bench.vendor.requests[before:] if method == "GET" and "/members/" in path]
    assert looked == [f"{LIST}/members/{hash_of(f'p{number}@example.com')}" for number in range(3)]


def test_a_contact_that_vanishes_before_it_is_tagged_is_due_again(bench: Bench) -> None:
    bench.know("p1@example.com")
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)

    def erase(method: str, _: str) -> None:
        if method == "PATCH":
            bench.vendor.world.erase(bench.audience, bench.contact("p1@example.com"))

    bench.vendor.meanwhile = erase
    outcomes = push(destination, ADD, people(3, first_name="Ann"), audience)

    assert (outcomes["p1@example.com"].state, outcomes["p0@example.com"].state) == (FAILED, DELIVERED)
    assert bench.held() == {"p0@example.com", "p2@example.com"}


def test_a_tag_that_is_gone_is_a_matter_for_the_user(bench: Bench) -> None:
    with pytest.raises(api.ConfigError, match="no tag 99"):
        push(bench.destination(), ADD, [member(1)], "99")
    with pytest.raises(api.ConfigError, match=r"no tag x/\.\./1"):
        push(bench.destination(), ADD, [member(1)], "x/../1")


# What goes wrong on the way.


CREATING = {"path": LIST, "every": 3}  # after looking for the tag and for archived contacts
TAGGING = {"path": f"{LIST}/segments/"}


@pytest.mark.parametrize("fault", ["rate-limit", "rate-limit-bare", "busy-edge", "drop-before", "server-error"])
@pytest.mark.parametrize("where", [CREATING, TAGGING], ids=["creating", "tagging"])
def test_a_call_that_failed_costs_one_call_more(bench: Bench, world: World, fault: str, where: dict[str, Any]) -> None:
    bench.vendor.world.add_tag(bench.audience, TAG, 0)
    bench.vendor.fault(fault, **where)

    tally = deliver(world, bench.destination(), add=[f"k{number:02}" for number in range(20)])

    assert (tally.delivered, tally.failed, len(bench.held()), len(bench.calls())) == (20, 0, 20, 3)


def test_who_is_found_known_is_not_created_again_when_a_field_cannot_be_written(bench: Bench) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(10)))
    destination = bench.destination().serving("cart_reminder")
    audience = destination.ensure_audience(TAG)
    sent = batch(ADD, audience, people(10, first_name="Ann"))
    bench.vendor.fault("rate-limit-bare", path=f"{LIST}/members/", every=7)
    before = len(bench.vendor.requests)

    with pytest.raises(api.TransientError):
        list(destination.push(sent))
    outcomes = list(destination.push(sent))

    methods = [method for method, _ in bench.calls(before)]
    assert methods == ["POST", *["PATCH"] * 7, *["PATCH"] * 4, "POST"]
    assert {each.state for each in outcomes} == {DELIVERED}
    assert {each.merge_fields["FNAME"] for each in bench.audience.contacts.values()} == {"Ann"}


def test_changes_of_many_in_carts_are_a_batch_operation_too(bench: Bench) -> None:
    destination = bench.destination().serving("cart_reminder")
    audience = destination.ensure_audience(TAG)
    push(destination, ADD, people(4, first_name="Ann"), audience)  # type: ignore[arg-type]
    before = len(bench.vendor.requests)

    push(destination, UPDATE, people(4, first_name="Bea"), audience)  # type: ignore[arg-type]

    assert bench.calls(before) == [("POST", "/batches")]


def test_after_a_lost_answer_contacts_are_there_once_and_their_fields_are_right(bench: Bench, world: World) -> None:
    destination = bench.destination()
    bench.vendor.world.add_tag(bench.audience, TAG, 0)
    rows = [member_row(f"k{number:02}", a_first_name="Ann") for number in range(20)]
    # Looking for the tag, for archived contacts and for merge fields comes before.
    bench.vendor.fault("drop-after", path=LIST, every=4)

    tally = deliver(world, destination, add=rows, attributes=["a_first_name"])
    bench.clock.go(60)
    world.settle(destination)  # type: ignore[arg-type]

    assert [path for _, path, status in bench.vendor.requests if status == 0] == [LIST]
    assert tally.delivered + tally.accepted == 20
    assert set(world.states(destination).values()) == {MemberState.HELD}  # type: ignore[arg-type]
    assert len(bench.held()) == len(bench.audience.contacts) == 20
    assert {each.merge_fields["FNAME"] for each in bench.audience.contacts.values()} == {"Ann"}


def test_a_refused_key_stops_the_connection_and_says_what_to_do(bench: Bench) -> None:
    for fault, told in (("expired-key", "API Key Invalid"), ("forbidden", "User Disabled")):
        bench.vendor.fault(fault)
        with pytest.raises(api.AuthError, match=told) as caught:
            bench.destination().ensure_audience(TAG)
        assert "hub secret set" in str(caught.value.next_step)
        bench.vendor.heal()


def test_an_unknown_audience_stops_the_connection_and_splits_nothing(bench: Bench) -> None:
    bench.vendor.fault("no-audience")

    with pytest.raises(api.ConfigError, match=f"no audience {LIST_ID}"):
        push(bench.destination(), ADD, people(5), "1")
    assert bench.calls() == []


# Changes.


def test_changed_fields_of_many_are_one_batch_operation_whose_results_are_read_only_when_rows_failed(
    bench: Bench,
) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    push(destination, ADD, people(30, first_name="Ann"), audience)
    before = len(bench.vendor.requests)

    accepted = push(destination, UPDATE, people(30, first_name="Bea"), audience)
    receipt = accepted["p1@example.com"].receipt
    asked = batch(UPDATE, audience, people(30), receipt=receipt)
    early = list(destination.poll(asked))
    bench.clock.go(60)
    late = list(destination.poll(asked))

    assert bench.calls(before) == [("POST", "/batches")]
    assert (states(accepted), early) == ({ACCEPTED}, [api.Pending()])
    assert {each.state for each in late} == {DELIVERED}  # type: ignore[union-attr]
    assert {each.merge_fields["FNAME"] for each in bench.audience.contacts.values()} == {"Bea"}
    assert [path for _, path, _ in bench.vendor.requests[before:] if path.endswith("/results")] == []


def test_a_batch_operation_names_who_failed_and_leaves_nothing_of_people_on_disk(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    destination.prepare(["city"])
    push(destination, ADD, people(130), audience)
    _ = destination.fields
    bench.audience.fields["CITY"]["type"] = "zip"
    changed = [member(n, city="Aarhus" if n == 7 else "80100") for n in range(130)]

    receipt = push(destination, UPDATE, changed, audience)["p1@example.com"].receipt
    bench.vendor.world.erase(bench.audience, bench.contact("p9@example.com"))
    bench.clock.go(60)
    told = {
        str(each.member.email): each for each in destination.poll(batch(UPDATE, audience, changed, receipt=receipt))
    }  # type: ignore[union-attr]

    wrong = {email: each.reason for email, each in told.items() if each.state is not DELIVERED}
    assert wrong == {
        "p7@example.com": "Invalid Resource: CITY: This value is not a valid zip",
        "p9@example.com": "is no longer in the audience",
    }
    assert [file.name for file in bench.folder.iterdir() if file.suffix == ".gz"] == []


def test_a_field_that_a_batch_operation_refuses_does_not_cost_the_tag(bench: Bench) -> None:
    bench.know(*(f"p{number}@example.com" for number in range(5)))
    destination = bench.destination()
    destination.prepare(["city"])
    _ = destination.fields
    bench.audience.fields["CITY"]["type"] = "zip"
    audience = destination.ensure_audience(TAG)

    receipt = push(destination, ADD, people(5, city="Aarhus"), audience)["p1@example.com"].receipt
    bench.clock.go(60)
    told = list(destination.poll(batch(ADD, audience, people(5), receipt=receipt)))

    assert {each.state for each in told} == {DELIVERED}  # type: ignore[union-attr]
    assert len(bench.held()) == 5


def test_a_batch_operation_that_mailchimp_forgot_is_unknown(bench: Bench) -> None:
    (found,) = bench.destination().poll(batch(UPDATE, "1", [member(1)], receipt="gone"))

    assert isinstance(found, api.Outcome)
    assert found.state is api.State.UNKNOWN


def test_one_change_is_one_call_and_of_somebody_gone_is_named(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    push(destination, ADD, people(2, first_name="Ann"), audience)
    bench.vendor.world.erase(bench.audience, bench.contact("p1@example.com"))
    before = len(bench.vendor.requests)

    outcomes = push(destination, UPDATE, people(2, first_name="Bea"), audience)

    assert [method for method, _ in bench.calls(before)] == ["PATCH", "PATCH"]
    assert (outcomes["p0@example.com"].state, outcomes["p1@example.com"].state) == (DELIVERED, REJECTED)
    assert bench.contact("p0@example.com").merge_fields["FNAME"] == "Bea"


def test_nothing_to_write_is_no_call(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    before = len(bench.calls())

    assert states(push(destination, UPDATE, people(50, first_name=None), audience)) == {DELIVERED}
    assert len(bench.calls()) == before


# Leaving.


def test_500_leave_with_one_call_and_stay_contacts_as_they_are(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    push(destination, ADD, people(500), audience)
    before = len(bench.vendor.requests)

    outcomes = push(destination, REMOVE, [*people(500)], audience)

    assert bench.calls(before) == [("POST", f"/segments/{audience}")]
    assert (states(outcomes), bench.held()) == ({DELIVERED}, set())
    assert {each.status for each in bench.audience.contacts.values()} == {"subscribed"}


def test_who_is_no_contact_or_has_no_tag_or_where_the_tag_is_gone_is_off_it(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    bench.know("p1@example.com")

    assert states(push(destination, REMOVE, people(2), audience)) == {DELIVERED}
    assert states(push(destination, REMOVE, people(2), "99")) == {DELIVERED}


def test_limits_are_what_a_call_takes(bench: Bench, world: World) -> None:
    tally = deliver(world, bench.destination(), add=[f"k{number:04}" for number in range(1_001)])

    created = [body for body in map(decoded, bench.vendor.recorded) if "members" in body]
    assert sorted(len(body["members"]) for body in created) == [1, 500, 500]
    assert (tally.delivered, tally.calls) == (1_001, 6)


def decoded(request: Any) -> dict[str, Any]:
    return json.loads(request.raw) if request.raw else {}


# Opt-outs.


def test_opt_outs_bounces_and_complaints_are_heard_with_their_time(bench: Bench) -> None:
    bench.know("p0@example.com", "p4@example.com", status="transactional")
    bench.vendor.unsubscribe("P1@Example.com")
    bench.clock.go(60)
    bench.vendor.unsubscribe("p2@example.com", reason="Reported as spam")
    bench.vendor.clean("p3@example.com")

    blocks = {each.email: (each.reason, each.recorded_at) for each in bench.destination().read_suppressions(None)}

    later = bench.clock.now
    assert blocks == {
        "p1@example.com": ("unsubscribed", later - timedelta(seconds=60)),
        "p2@example.com": ("complaint", later),
        "p3@example.com": ("hard_bounce", later),
    }


def test_only_what_changed_since_the_last_time_is_read_with_an_hour_of_overlap(bench: Bench) -> None:
    for email, minutes in (("old@example.com", 0), ("edge@example.com", 61), ("new@example.com", 121)):
        bench.clock.now = AS_OF + timedelta(minutes=minutes)
        bench.vendor.unsubscribe(email)

    heard = [each.email for each in bench.destination().read_suppressions(AS_OF + timedelta(minutes=120))]

    assert heard == ["new@example.com", "edge@example.com"]


def test_a_tag_or_field_does_not_make_an_old_opt_out_look_newer_than_an_opt_in_since(bench: Bench) -> None:
    bench.vendor.unsubscribe("p1@example.com")
    destination = bench.destination()
    first = [each.recorded_at for each in destination.read_suppressions(None)]
    bench.clock.now += timedelta(days=1)

    push(destination, ADD, [member(1, first_name="Ann")])

    bench.clock.go(60)
    assert (first, bench.contact("p1@example.com").changed) == ([AS_OF], (AS_OF + timedelta(days=1)).timestamp())
    assert list(destination.read_suppressions(bench.clock.now)) == []


def test_2500_opt_outs_take_three_pages_and_nobody_is_passed_over_when_some_leave_meanwhile(bench: Bench) -> None:
    for number in range(2_500):
        bench.clock.now = AS_OF + timedelta(seconds=number)
        bench.vendor.unsubscribe(f"p{number}@example.com")
    heard: list[str] = []

    for place, block in enumerate(bench.destination().read_suppressions(AS_OF - timedelta(days=1))):
        heard.append(str(block.email))
        if place == 500:
            # Five who were read sign up again, so that everybody behind them moves up.
            for number in range(2_495, 2_500):
                bench.contact(f"p{number}@example.com").status = "subscribed"

    assert set(heard) == {f"p{number}@example.com" for number in range(2_500)}
    asked = [path for method, path, _ in bench.vendor.requests if path.endswith("/members")]
    assert len(asked) == 4


def test_everybody_with_the_tag_is_read_once_whatever_their_status(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(TAG)
    bench.know(*(f"p{number}@example.com" for number in range(2_100)))
    for number, status in enumerate(("subscribed", "unsubscribed", "cleaned", "pending", "transactional")):
        bench.contact(f"p{number}@example.com").status = status
    for each in bench.audience.contacts.values():
        each.tags.add(int(audience))

    read = [each.email for each in destination.read_members(audience)]

    assert len(read) == len(set(read)) == 2_100


# Erasure, check, settings.


def test_forgetting_erases_for_good_and_somebody_unknown_is_fine(bench: Bench) -> None:
    bench.know("p1@example.com")
    destination = bench.destination()

    outcomes = [destination.forget(member(1)), destination.forget(member(2)), destination.forget(api.Member("x"))]

    assert [each.state for each in outcomes] == [DELIVERED, DELIVERED, REJECTED]
    assert bench.audience.deleted == {hash_of("p1@example.com")}


def test_check_tells_account_audience_quota_and_what_will_surprise(bench: Bench) -> None:
    bench.audience.double_optin = True
    bench.vendor.fault("viewer")

    found = list(bench.destination().check())

    assert [(each.level, each.code) for each in found] == [
        (api.Level.OK, None),
        (api.Level.ERROR, "mailchimp-role"),
        (api.Level.OK, None),
        (api.Level.INFO, None),
        (api.Level.WARNING, "mailchimp-double-opt-in"),
    ]


def test_check_names_the_audiences_that_there_are(bench: Bench) -> None:
    bench.vendor.fault("no-audience", times=1)

    errors = [each for each in bench.destination().check() if each.level is api.Level.ERROR]

    assert [each.code for each in errors] == ["mailchimp-list"]
    assert f"{LIST_ID} (Sandbox)" in errors[0].text


@pytest.mark.parametrize(
    ("key", "host"),
    [("abc-us21", "us21"), ("abc-def-us2", "us2"), ("abc-use1", "use1")],
)
def test_the_host_is_that_of_the_keys_data_centre(key: str, host: str) -> None:
    config = MailchimpConfig.model_validate({"api_key": key, "list_id": LIST_ID})

    assert base_url(config) == f"https://{host}.api.mailchimp.com/3.0"


@pytest.mark.parametrize(
    "key", ["abc", "abc-", "abc-evil.example/", "abc-us21@evil.example", "abc-us21.evil", "abc-US21"]
)
def test_a_key_cannot_name_another_host(key: str) -> None:
    with pytest.raises(api.ConfigError, match="data centre") as caught:
        base_url(MailchimpConfig.model_validate({"api_key": key, "list_id": LIST_ID}))
    assert key not in str(caught.value)


@pytest.mark.parametrize("list_id", ["", "../x", "a b", "a/b"])
def test_an_audience_id_is_letters_and_digits(list_id: str) -> None:
    with pytest.raises(ValueError, match="list_id"):
        MailchimpConfig.model_validate({"api_key": "abc-us1", "list_id": list_id})


# One person, one row.

ADDRESSES = st.from_regex(r"[a-cA-C]{1,2}@[x-y]\.example", fullmatch=True)


@settings(max_examples=200, deadline=None)
@given(st.lists(ADDRESSES, max_size=30))
def test_one_address_is_one_row_in_every_request(addresses: list[str]) -> None:
    members = [api.Member(str(place), email=email) for place, email in enumerate(addresses)]

    grouped = bodies.by_address(members)
    created = bodies.new_contacts(bodies.new_contact(some[0], {}) for some in grouped.values())["members"]
    tagged = bodies.tagged(list(grouped), list(grouped))

    wanted = {email.lower() for email in addresses}
    rows = [each["email_address"].lower() for each in created]
    assert len(rows) == len(wanted)
    assert set(rows) == wanted
    for emails in tagged.values():
        assert len(emails) == len(wanted)
        assert set(emails) == wanted
    assert sorted(m.key for some in grouped.values() for m in some) == sorted(m.key for m in members)


@settings(max_examples=100, deadline=None)
@given(st.datetimes(min_value=datetime(1970, 1, 1), max_value=datetime(2100, 1, 1)), st.integers(-12, 14))
def test_a_time_says_its_offset_and_is_the_same_instant(moment: datetime, hours: int) -> None:
    there = moment.replace(microsecond=0, tzinfo=timezone(timedelta(hours=hours)))

    assert instant(bodies.moment(there)) == there
    assert instant(bodies.moment(there)).tzinfo is not None
    assert bodies.moment(there).endswith("+00:00")
    assert instant("2026-11-21T12:00:00") == AS_OF.astimezone(UTC)
