"""A Klaviyo list kept equal to a segment: imports, receipts, removals, opt-outs, and how few calls that takes."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.api.forecasts import json_size
from hub.ledger import MemberState
from hub_klaviyo import Klaviyo, bodies
from tests.deliver_kit import World
from tests.klaviyo_kit import AS_OF, LIST, Bench, batch, member, serving

ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE
DELIVERED, ACCEPTED, REJECTED = api.State.DELIVERED, api.State.ACCEPTED, api.State.REJECTED


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, bench: Bench) -> Iterator[World]:
    made = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
    yield made
    made.close()


def settled(bench: Bench, destination: Klaviyo, sent: api.Batch) -> list[api.Outcome]:
    """Push a batch, let its import end, and return what became of everybody."""
    outcomes = list(destination.push(sent))
    bench.clock.go(60)
    receipts = {each.receipt for each in outcomes if each.receipt}
    rest = [each for each in outcomes if each.state is not ACCEPTED]
    taken = [each.member for each in outcomes if each.state is ACCEPTED]
    for receipt in receipts:
        asked = api.Batch(sent.op, sent.audience, sent.key, taken, receipt=receipt)
        rest += [each for each in destination.poll(asked) if isinstance(each, api.Outcome)]
    return rest


def filled(bench: Bench, count: int) -> tuple[Klaviyo, str, list[api.Member]]:
    """Return a destination, its list's id, and members who are on it, with the ids that hub keeps."""
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    people = [member(number) for number in range(count)]
    outcomes = settled(bench, destination, batch(ADD, audience, people))
    known = {each.member.key: each.remote_id for each in outcomes}
    return destination, audience, [api.Member(m.key, m.email, remote_id=known[m.key]) for m in people]


def deliver(world: World, destination: Klaviyo, **what: Any) -> Any:
    """Deliver through hub's own core, to the list."""
    audience = world.audience(destination)  # type: ignore[arg-type]
    if audience.remote_id is None:
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(audience.name))
    return world.deliver(destination, **what)  # type: ignore[arg-type]


# Finding and making the list.


def test_a_list_is_found_behind_the_first_page_and_the_oldest_of_a_name_is_it(bench: Bench) -> None:
    for _ in range(12):
        bench.vendor.world.make_list("Another", None, bench.clock.seconds())
    oldest = bench.vendor.world.make_list(LIST, None, bench.clock.seconds())
    bench.vendor.world.make_list(LIST, None, bench.clock.seconds() + 60)

    assert bench.destination().ensure_audience(LIST) == oldest.id


@pytest.mark.parametrize("name", ['Say "hi"', "back\\slash", "æøå & co", "a,b)"])
def test_a_list_is_found_again_by_any_name(bench: Bench, name: str) -> None:
    made = bench.destination().ensure_audience(name)

    assert bench.destination().ensure_audience(name) == made
    assert bench.asked("POST", "/api/lists") == 1


@pytest.mark.parametrize(("setting", "made"), [(None, "double_opt_in"), ("single_opt_in", "single_opt_in")])
def test_opt_in_of_a_new_list_is_the_accounts_or_the_settings(bench: Bench, setting: str | None, made: str) -> None:
    audience = bench.destination(opt_in_process=setting).ensure_audience(LIST)

    assert bench.vendor.world.lists[audience].opt_in_process == made


# Imports.


def test_an_import_is_pending_until_its_job_ends_and_then_tells_profile_ids(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    people = [member(1), member(2)]

    accepted = list(destination.push(batch(ADD, audience, people)))
    asked = batch(ADD, audience, people, receipt=accepted[0].receipt)
    early = list(destination.poll(asked))
    bench.clock.go(10)
    late = list(destination.poll(asked))

    assert [each.state for each in accepted] == [ACCEPTED, ACCEPTED]
    assert early == [api.Pending()]
    assert [each.state for each in late] == [DELIVERED, DELIVERED]  # type: ignore[union-attr]
    ids = [each.remote_id for each in late]  # type: ignore[union-attr]
    assert [bench.vendor.world.profiles[str(each)].email for each in ids] == [each.email for each in people]
    assert bench.held() == {"p1@example.com", "p2@example.com"}


def test_attributes_are_fields_or_properties_and_what_is_unknown_now_is_unset(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    items = [{"title": "Mug", "quantity": 2, "price": Decimal("9.50")}]
    first = member(
        1, first_name="Ann", city="Aarhus", value=Decimal("19.00"), cart_items=items, cart_url="https://a.example"
    )
    settled(bench, destination, batch(ADD, audience, [first]))

    settled(
        bench,
        destination,
        batch(UPDATE, audience, [member(1, first_name=None, value=None, cart_url="https://b.example")]),
    )

    profile = bench.profile("p1@example.com")
    assert profile["first_name"] == "Ann"
    assert bench.vendor.world.profiles[profile["id"]].location == {"city": "Aarhus"}
    assert profile["properties"] == {
        "hub_segment": LIST,
        "cart_items": [{"title": "Mug", "quantity": 2, "price": 9.5}],
        "cart_url": "https://b.example",
    }


@pytest.mark.parametrize("name", ["email", "phone_number", "id"])
def test_an_attribute_may_not_overwrite_who_the_person_is(bench: Bench, name: str) -> None:
    with pytest.raises(api.ConfigError, match=name):
        bench.destination().prepare(["first_name", name])


def test_wrong_rows_are_named_and_everyone_else_is_imported_with_one_more_call(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    people = [member(number) for number in range(200)]
    for number in (0, 7, 8, 100, 199):
        people[number] = api.Member(people[number].key, f"poison{number}@example.com")
    bench.vendor.fault("poison-rows")

    outcomes = settled(bench, destination, batch(ADD, audience, people))

    refused = {each.member.email: each.reason for each in outcomes if each.state is REJECTED}
    assert refused == {
        f"poison{number}@example.com": "Invalid input (invalid): email" for number in (0, 7, 8, 100, 199)
    }
    assert len(bench.held()) == 195
    assert bench.asked("POST", "bulk-import") == 2


def test_rows_that_fail_inside_the_job_are_named_by_their_address(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    people = [member(number) for number in range(150)]
    people += [api.Member(f"b{number}", f"broken{number}@example.com") for number in range(130)]
    bench.vendor.fault("failing-rows")

    outcomes = settled(bench, destination, batch(ADD, audience, people))

    refused = {each.member.email for each in outcomes if each.state is REJECTED}
    assert refused == {f"broken{number}@example.com" for number in range(130)}
    assert sum(each.state is DELIVERED for each in outcomes) == 150


def test_a_job_that_klaviyo_forgot_is_unknown(bench: Bench) -> None:
    destination = bench.destination()

    outcomes = list(destination.poll(batch(ADD, "L1", [member(1)], receipt="gone")))

    assert [each.state for each in outcomes] == [api.State.UNKNOWN]  # type: ignore[union-attr]


def test_a_list_that_was_deleted_is_an_error_with_a_next_step(bench: Bench) -> None:
    with pytest.raises(api.ConfigError, match="no list L1"):
        list(bench.destination().push(batch(ADD, "L1", [member(1)])))


# Limits and the number of calls.


def test_adding_takes_one_call_for_ten_thousand(bench: Bench, world: World) -> None:
    destination = bench.destination()

    tally = deliver(world, destination, add=[f"p{number}" for number in range(10_001)])

    assert (tally.accepted, bench.asked("POST", "bulk-import")) == (10_001, 2)
    assert sorted(job.total for job in bench.vendor.world.jobs.values()) == [1, 10_000]


def test_large_rows_are_split_by_bytes_into_the_fewest_calls(bench: Bench, world: World) -> None:
    destination = bench.destination()
    rows = [{**_row(number), "a_story": "ø" * 12_000} for number in range(400)]

    tally = deliver(world, destination, add=rows, attributes=["a_story"])

    sent = [len(each.raw) for each in bench.vendor.recorded if "bulk-import" in each.target]
    assert tally.accepted == 400
    assert max(sent) <= bodies.LARGEST_BODY
    # Each row is 24 KB of UTF-8; hub counts escapes, three times that, as an upper bound.
    assert len(sent) <= -(-400 * 72_500 // (bodies.LARGEST_BODY - bodies.ENVELOPE)) + 1


def test_removing_takes_one_call_for_a_thousand_and_no_look_up_of_known_ids(bench: Bench) -> None:
    destination, audience, people = filled(bench, 1_000)
    before = len(bench.vendor.requests)

    outcomes = list(destination.push(batch(REMOVE, audience, people)))

    assert [each.state for each in outcomes] == [DELIVERED] * 1_000
    assert [how for how, _, _ in bench.vendor.requests[before:]] == ["DELETE"]
    assert bench.held() == set()
    assert len(bench.vendor.world.profiles) == 1_000


def test_ids_of_a_large_load_are_looked_up_when_someone_leaves_a_hundred_to_a_call(bench: Bench, world: World) -> None:
    destination = bench.destination()
    deliver(world, destination, add=[f"p{number}" for number in range(1_001)])
    bench.clock.go(60)
    world.settle(destination)  # type: ignore[arg-type]
    before = len(bench.vendor.requests)

    tally = deliver(world, destination, remove=[f"p{number}" for number in range(250)])

    asked = [how for how, _, _ in bench.vendor.requests[before:]]
    assert (tally.delivered, tally.calls, tally.reads) == (250, 1, 3)
    assert asked == ["GET", "GET", "GET", "DELETE"]
    assert len(bench.held("Everyone")) == 751


def test_a_quiet_run_makes_no_calls(bench: Bench, world: World) -> None:
    destination = bench.destination()
    deliver(world, destination, add=["a"])
    before = len(bench.vendor.requests)

    tally = deliver(world, destination)

    assert (tally.calls, len(bench.vendor.requests) - before) == (0, 0)


_values = st.one_of(
    st.none(), st.text(max_size=30), st.integers(), st.booleans(), st.floats(), st.lists(st.text(max_size=5), max_size=3),
    st.decimals(allow_nan=True, places=2), st.datetimes(timezones=st.just(UTC), min_value=datetime(1971, 1, 1)),
)  # fmt: skip
_attributes = st.dictionaries(st.sampled_from(["first_name", "city", "value", "cart_url", "x", "æ"]), _values)
_people = st.lists(st.tuples(st.emails(), _attributes), min_size=1, max_size=20, unique_by=lambda pair: pair[0])


@given(_people, st.text(min_size=1, max_size=60))
def test_every_person_is_one_row_of_no_more_bytes_than_hub_counted(people: list[Any], name: str) -> None:
    from hub.http.client import _plain

    members = [api.Member(str(n), email, attributes=about) for n, (email, about) in enumerate(people)]

    body = bodies.import_job((bodies.profile(each, name) for each in members), "L1")
    raw = json.dumps(body, default=_plain, ensure_ascii=False, separators=(",", ":"), allow_nan=False).encode(
        "utf-8", "surrogatepass"
    )

    sent = [row["attributes"]["email"] for row in body["data"]["attributes"]["profiles"]["data"]]
    assert sent == [email for email, _ in people]
    assert len(raw) <= bodies.ENVELOPE + sum(json_size(bodies.profile(each, name)) for each in members)


@given(_attributes)
def test_no_value_is_lost_and_none_is_both_told_and_unset(attributes: dict[str, Any]) -> None:
    row = bodies.profile(api.Member("k", "a@example.com", attributes=attributes))

    fields = row["attributes"]
    told = {*fields, *fields.get("location", {}), *fields.get("properties", {})} - {"email", "location", "properties"}
    unset = set(row.get("meta", {}).get("patch_properties", {}).get("unset", ()))
    assert told & unset == set()
    assert told | unset | {"first_name", "city"} == set(attributes) | {"first_name", "city"}


def _row(number: int) -> dict[str, Any]:
    return {"member_key": f"m{number:04}", "email": f"m{number:04}@example.com"}


# Receipts, over several runs.


def test_receipts_are_settled_by_later_runs_and_removal_then_needs_no_reads(bench: Bench, world: World) -> None:
    bench.vendor.fault("slow-jobs", seconds=3600)
    sent = deliver(world, bench.destination(), add=["a", "b", "c"])
    assert sent.accepted == 3
    assert set(world.states(bench.destination()).values()) == {MemberState.ACCEPTED}  # type: ignore[arg-type]

    world.restart()
    bench.clock.go(60)
    world.settle(bench.destination())  # type: ignore[arg-type]
    assert set(world.states(bench.destination()).values()) == {MemberState.ACCEPTED}  # type: ignore[arg-type]

    world.restart()
    bench.clock.go(7200)
    tally = world.settle(bench.destination())  # type: ignore[arg-type]
    assert tally.delivered == 3
    assert set(world.states(bench.destination()).values()) == {MemberState.HELD}  # type: ignore[arg-type]

    removed = deliver(world, bench.destination(), remove=["a"])
    assert (removed.delivered, removed.calls, removed.reads) == (1, 1, 0)
    assert bench.held("Everyone") == {"b@example.com", "c@example.com"}


def test_someone_klaviyo_refuses_for_good_is_a_tombstone(bench: Bench, world: World) -> None:
    bench.vendor.fault("failing-rows", text="b@")
    deliver(world, bench.destination(), add=["a", "b"])
    bench.clock.go(60)

    tally = world.settle(bench.destination())  # type: ignore[arg-type]

    assert (tally.delivered, tally.rejected) == (1, 1)
    states = world.states(bench.destination())  # type: ignore[arg-type]
    assert states == {"a": MemberState.HELD, "b": MemberState.REFUSED}


# Removals.


def test_who_klaviyo_does_not_know_is_off_the_list(bench: Bench) -> None:
    destination, audience, _ = filled(bench, 2)
    stranger = api.Member("stranger", "stranger@example.com")

    outcomes = list(destination.push(batch(REMOVE, audience, [stranger])))

    assert [each.state for each in outcomes] == [DELIVERED]
    assert bench.asked("DELETE", "relationships") == 0
    assert len(bench.held()) == 2


def test_an_id_of_an_erased_profile_keeps_nobody_else_on_the_list(bench: Bench) -> None:
    destination, audience, people = filled(bench, 3)
    bench.vendor.world.erase("p1@example.com")

    outcomes = list(destination.push(batch(REMOVE, audience, people)))

    assert [each.state for each in outcomes] == [DELIVERED] * 3
    assert bench.held() == set()


def test_a_deleted_list_holds_nobody(bench: Bench) -> None:
    destination, audience, people = filled(bench, 2)
    del bench.vendor.world.lists[audience]

    outcomes = list(destination.push(batch(REMOVE, audience, people)))

    assert [each.state for each in outcomes] == [DELIVERED] * 2


def test_two_members_that_are_one_profile_are_one_id(bench: Bench) -> None:
    destination, audience, (one,) = filled(bench, 1)
    twin = api.Member("twin", "twin@example.com", remote_id=one.remote_id)

    outcomes = list(destination.push(batch(REMOVE, audience, [one, twin])))

    assert len(outcomes) == 2
    assert [len(json.loads(each.raw)["data"]) for each in bench.vendor.recorded if each.method == "DELETE"] == [1]


# Opt-outs, members, erasure.


@pytest.mark.parametrize(
    ("theirs", "ours"),
    [
        ("HARD_BOUNCE", "hard_bounce"),
        ("INVALID_EMAIL", "hard_bounce"),
        ("SPAM_COMPLAINT", "complaint"),
        ("UNSUBSCRIBE", "unsubscribed"),
        ("USER_SUPPRESSED", "manual"),
        ("SOMETHING_NEW", "manual"),
    ],
)
def test_suppressions_become_blocks_by_their_reason(bench: Bench, theirs: str, ours: str) -> None:
    bench.vendor.suppress("Ann@Example.com", theirs)

    assert list(bench.destination().read_suppressions(None)) == [api.Block(ours, AS_OF, email="ann@example.com")]


def test_only_what_is_new_is_read_with_an_hour_of_overlap(bench: Bench) -> None:
    for minutes, email in ((0, "old@example.com"), (61, "edge@example.com"), (180, "new@example.com")):
        bench.clock.now = AS_OF + timedelta(minutes=minutes)
        bench.vendor.suppress(email)

    read = [each.email for each in bench.destination().read_suppressions(AS_OF + timedelta(minutes=120))]

    assert read == ["edge@example.com", "new@example.com"]


def test_all_pages_of_suppressions_are_read(bench: Bench) -> None:
    for number in range(250):
        bench.vendor.suppress(f"p{number}@example.com")

    assert len(list(bench.destination().read_suppressions(None))) == 250


def test_who_leaves_one_of_hubs_lists_says_no_and_other_lists_are_others_business(bench: Bench) -> None:
    _, audience, _ = filled(bench, 2)
    other = bench.vendor.world.make_list("Not hub's", None, bench.clock.seconds())
    bench.vendor.suppress("p0@example.com", list_id=audience)
    bench.vendor.suppress("p1@example.com", list_id=other.id)

    blocks = list(bench.destination().read_suppressions(None))

    assert [(each.email, each.reason) for each in blocks] == [("p0@example.com", "unsubscribed")]


def test_members_are_read_back_over_all_pages(bench: Bench) -> None:
    destination, audience, people = filled(bench, 250)

    read = list(destination.read_members(audience))

    assert {each.email for each in read} == {each.email for each in people}
    assert {each.remote_id for each in read} == {each.remote_id for each in people}


def test_forgetting_erases_the_profile_and_twice_is_fine(bench: Bench) -> None:
    destination, _, people = filled(bench, 2)

    first, again = destination.forget(people[0]), destination.forget(people[0])

    assert (first.state, again.state) == (DELIVERED, DELIVERED)
    assert set(bench.vendor.world.by_email) == {"p1@example.com"}


# When things go wrong.


def test_what_was_done_before_the_line_broke_is_done_once(bench: Bench, world: World) -> None:
    bench.vendor.fault("drop-after", path="/api/profile-bulk-import-jobs")

    tally = deliver(world, bench.destination(), add=["a", "b"])
    bench.clock.go(60)
    world.settle(bench.destination())  # type: ignore[arg-type]

    assert tally.accepted == 2
    assert bench.held("Everyone") == {"a@example.com", "b@example.com"}
    assert len(bench.vendor.world.profiles) == 2


@pytest.mark.parametrize("fault", ["rate-limit", "rate-limit-bare", "server-error", "drop-before"])
def test_passing_faults_are_waited_out(bench: Bench, world: World, fault: str) -> None:
    bench.vendor.fault(fault, path="/api/profile-bulk-import-jobs")

    assert deliver(world, bench.destination(), add=["a"]).accepted == 1


def test_retry_after_is_kept(bench: Bench, world: World) -> None:
    bench.vendor.fault("rate-limit", path="/api/profile-bulk-import-jobs", retry_after=17)

    deliver(world, bench.destination(), add=["a"])

    assert sum(bench.clock.slept) >= 17


def test_a_revoked_key_stops_the_connection_and_a_missing_permission_is_named(bench: Bench) -> None:
    destination = bench.destination()
    bench.vendor.fault("expired-key")
    with pytest.raises(api.AuthError):
        destination.ensure_audience(LIST)

    bench.vendor.heal()
    bench.vendor.fault("forbidden")
    with pytest.raises(api.AuthError, match="may not do this") as caught:
        destination.ensure_audience(LIST)
    assert "private key" in str(caught.value.next_step)


def test_check_says_what_the_key_opens_and_warns_of_carts_as_lists(bench: Bench) -> None:
    found = list(bench.destination(cart_segments="list").check())

    assert [each.level for each in found].count(api.Level.OK) == 3
    assert [each.code for each in found if each.level is api.Level.WARNING] == ["cart-lists"]
    assert not any(each.level is api.Level.WARNING for each in bench.destination().check())


def test_check_names_the_permission_that_is_missing(bench: Bench) -> None:
    bench.vendor.fault("forbidden", path="/api/profiles")

    errors = [each.text for each in bench.destination().check() if each.level is api.Level.ERROR]

    assert errors == ["the API key lacks profiles:read"]
