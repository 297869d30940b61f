"""A custom audience at Meta kept equal to a segment: rows, sessions, removals, and how few calls that takes."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.ledger import MemberState
from hub_meta import Meta, bodies
from hub_meta.sessions import Sessions
from tests.deliver_kit import World
from tests.meta_kit import ACCOUNT, AS_OF, AUDIENCE, Bench, batch, member, serving, sha, shas

ADD, UPDATE, REMOVE = api.Op.ADD, api.Op.UPDATE, api.Op.REMOVE
DELIVERED, REJECTED = api.State.DELIVERED, api.State.REJECTED
MARY = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"
PHONE = "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, bench: Bench) -> Iterator[World]:
    made = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
    yield made
    made.close()


def filled(bench: Bench, people: list[api.Member]) -> tuple[Meta, str]:
    """Return a destination and the id of its audience, with members in it."""
    destination = bench.destination()
    audience = destination.ensure_audience(AUDIENCE)
    list(destination.push(batch(ADD, audience, people)))
    return destination, audience


def deliver(world: World, destination: Meta, **what: Any) -> Any:
    """Deliver through hub's own core."""
    audience = world.audience(destination)  # type: ignore[arg-type]
    if audience.remote_id is None:
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(audience.name))
    return world.deliver(destination, **what)  # type: ignore[arg-type]


# Finding and making the audience.


def test_an_audience_is_made_once_and_found_again(bench: Bench) -> None:
    made = bench.destination().ensure_audience(AUDIENCE)

    assert bench.destination().ensure_audience(AUDIENCE) == made
    assert bench.asked("POST", "/customaudiences") == 1
    assert bench.vendor.world.audiences[made].about["customer_file_source"] == "USER_PROVIDED_ONLY"


def test_the_oldest_of_a_name_is_found_behind_the_first_page(bench: Bench) -> None:
    about = {"name": AUDIENCE, "subtype": "CUSTOM"}
    oldest = bench.vendor.world.make(ACCOUNT, about, 1_000)
    bench.vendor.world.make(ACCOUNT, about, 2_000)
    for number in range(250):
        bench.vendor.world.make(ACCOUNT, {"name": f"Another {number}", "subtype": "CUSTOM"}, 3_000)

    assert bench.destination().ensure_audience(AUDIENCE) == oldest.id
    assert bench.asked("GET", "/customaudiences") == 3


def test_an_audience_of_another_kind_or_account_is_not_it(bench: Bench) -> None:
    lookalike = bench.vendor.world.make(ACCOUNT, {"name": AUDIENCE, "subtype": "LOOKALIKE"}, 1_000)
    elsewhere = bench.vendor.world.make("999", {"name": AUDIENCE, "subtype": "CUSTOM"}, 1_000)

    assert bench.destination().ensure_audience(AUDIENCE) not in {lookalike.id, elsewhere.id}


@pytest.mark.parametrize("purpose", ["email_marketing", "cart_reminder", "own_shop"])
def test_no_other_purpose_is_served(bench: Bench, purpose: str) -> None:
    destination = bench.destination()

    assert destination.serving("ads") is destination
    with pytest.raises(api.ConfigError, match="agreed to ads"):
        destination.serving(purpose)


@pytest.mark.parametrize("account", ["1234567890", "act_1234567890", 1234567890, " act_1234567890 "])
def test_an_account_is_its_number_however_it_is_written(bench: Bench, account: Any) -> None:
    assert bench.destination(account=account).config.account == ACCOUNT


@pytest.mark.parametrize("setting", [{"account": "acme"}, {"account": "act_"}, {"version": "26"}, {"version": "v26"}])
def test_settings_that_make_no_sense_are_refused(bench: Bench, setting: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        bench.destination(**setting)


def test_the_app_s_proof_goes_along_where_there_is_a_secret(bench: Bench) -> None:
    bench.destination(app_secret="sandbox-app-secret").ensure_audience(AUDIENCE)
    assert all("appsecret_proof" in each.query for each in bench.vendor.recorded)

    with pytest.raises(api.RejectedError, match="appsecret_proof"):
        bench.destination(app_secret="wrong").ensure_audience(AUDIENCE)


# Rows.


def test_the_vendor_s_vectors_are_what_is_sent(bench: Bench) -> None:
    filled(bench, [api.Member("m", "mary@example.com", "+15559876543")])

    [body] = bench.vendor.bodies()
    assert body["payload"] == {"schema": ["EMAIL", "PHONE"], "data": [[MARY, PHONE]]}


def test_a_row_has_a_value_for_every_attribute_of_the_sync(bench: Bench) -> None:
    about = {
        "first_name": "Ann",
        "last_name": "Ash",
        "city": "Aarhus",
        "region": None,
        "postcode": "8000",
        "country": "DK",
        "birth_date": date(1990, 5, 1),
        "gender": "female",
    }
    filled(bench, [member(1, "+4520000001", **about), member(2, **dict.fromkeys(about))])

    [body] = bench.vendor.bodies()
    clear = ["ann", "ash", "aarhus", "", "8000", "dk", "1990", "f"]
    assert body["payload"]["schema"] == ["EMAIL", "PHONE", "FN", "LN", "CT", "ST", "ZIP", "COUNTRY", "DOBY", "GEN"]
    assert body["payload"]["data"] == [
        [sha("p1@example.com"), sha("4520000001"), *(sha(text) if text else "" for text in clear)],
        [sha("p2@example.com"), *[""] * 9],
    ]


@pytest.mark.parametrize(("phone", "postcode"), [("12", "8000"), ("+4520000001", "?"), ("not a phone", "")])
def test_one_invalid_value_costs_nothing_but_itself(bench: Bench, phone: str, postcode: str) -> None:
    people = [member(1, phone, postcode=postcode), member(2, "+4520000002", postcode="8000")]

    filled(bench, people)

    assert bench.held() == shas(1, 2)
    assert bench.asked("POST", "/users") == 1


def test_who_has_nothing_that_meta_matches_is_refused_alone_and_without_a_call_of_their_own(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(AUDIENCE)
    nobody = api.Member("n", "no address", "12", attributes={"first_name": "Ann"})

    outcomes = list(destination.push(batch(ADD, audience, [nobody, member(1)])))
    alone = list(destination.push(batch(ADD, audience, [nobody])))

    assert [each.state for each in outcomes] == [REJECTED, DELIVERED]
    assert alone[0].reason == "neither an e-mail address nor a phone that Meta can match"
    assert bench.asked("POST", "/users") == 1


def test_identifiers_that_meta_calls_invalid_are_named_and_everyone_else_is_in(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(AUDIENCE)
    bench.vendor.fault("poison-rows", emails="p2@example.com,p3@example.com")

    outcomes = list(destination.push(batch(ADD, audience, [member(1), member(2), member(3, "+4520000003")])))

    assert [each.state for each in outcomes] == [DELIVERED, REJECTED, DELIVERED]
    assert outcomes[1].reason == "Meta calls every identifier invalid"
    assert bench.held() == shas(1)
    [audience_held] = bench.vendor.world.audiences.values()
    assert {"PHONE": sha("4520000003")} in audience_held.people.values()


_attributes = st.dictionaries(
    st.sampled_from([*bodies.ATTRIBUTES, "spend"]),
    st.one_of(st.none(), st.text(max_size=20), st.integers(), st.dates()),
)
_people = st.lists(
    st.tuples(st.one_of(st.none(), st.emails(), st.text(max_size=9)), st.one_of(st.none(), st.text(max_size=12))),
    min_size=1,
    max_size=20,
)


@given(_people, _attributes)
def test_every_person_with_an_identifier_is_exactly_one_row_of_hashes(people: Any, attributes: dict[str, Any]) -> None:
    members = [api.Member(str(n), email, phone, attributes=attributes) for n, (email, phone) in enumerate(people)]

    known = bodies.rows(members)
    usable = [identifiers for _, identifiers in known if identifiers]
    sent = bodies.payload(bodies.schema(members), usable)

    assert [each.key for each, _ in known] == [str(n) for n in range(len(people))]
    assert len(sent["data"]) == len(usable)
    assert {len(row) for row in sent["data"]} <= {len(sent["schema"])}
    values = [value for row in sent["data"] for value in row]
    assert all(value == "" or re.fullmatch("[0-9a-f]{64}", value) for value in values)
    assert sha256(b"").hexdigest() not in values
    assert all(row[0] or row[1] for row in sent["data"])


@given(_people)
def test_removing_tells_identifiers_and_nothing_else(people: Any) -> None:
    members = [api.Member(str(n), email, phone) for n, (email, phone) in enumerate(people)]

    assert bodies.schema(members) == ["EMAIL", "PHONE"]


# Sessions.


def test_batches_of_one_upload_are_one_session(bench: Bench, world: World) -> None:
    deliver(world, bench.destination(), add=[f"k{number:05}" for number in range(20_001)])

    sessions = [body["session"] for body in bench.vendor.bodies()]
    assert len({each["session_id"] for each in sessions}) == 1
    assert [each["batch_seq"] for each in sessions] == [1, 2, 3]
    assert [each["last_batch_flag"] for each in sessions] == [False, False, True]
    assert [each["estimated_num_total"] for each in sessions] == [30_000, 30_000, 20_001]


def test_adding_and_removing_and_another_run_are_other_sessions(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])
    list(destination.push(batch(REMOVE, audience, [member(1)])))
    later = AS_OF + timedelta(minutes=15)
    list(destination.push(batch(ADD, audience, [member(2)], as_of=later, key="later")))

    numbers = [
        json.loads(each.body)["session"]["session_id"] for each in bench.vendor.recorded if "/users" in each.path
    ]
    assert len(set(numbers)) == 3


def placed(sessions: Sessions, **batch_: Any) -> tuple[int, int, bool]:
    told = sessions.place(batch(ADD, "1", [], **batch_), 1)
    return told["session_id"], told["batch_seq"], told["last_batch_flag"]


def test_a_batch_that_is_sent_again_keeps_its_place(bench: Bench) -> None:
    sessions = Sessions(ACCOUNT, bench.clock)
    first = placed(sessions, key="a", last=False)
    bench.clock.go(60)
    second = placed(sessions, key="b", last=True)

    assert placed(sessions, key="a", last=False) == first
    assert placed(sessions, key="b", last=True) == second
    assert (first[0], second[1]) == (second[0], 2)


def test_what_comes_after_the_last_batch_begins_another_session(bench: Bench) -> None:
    """A batch that is split around a row comes in parts, each of them as the last."""
    sessions = Sessions(ACCOUNT, bench.clock)
    whole = placed(sessions, key="whole", last=True)
    part = placed(sessions, key="part", last=True)

    assert part[0] != whole[0]
    assert part[1:] == (1, True)


@pytest.mark.parametrize(("minutes", "same"), [(79, True), (80, False)])
def test_a_session_that_is_about_to_be_closed_is_left(bench: Bench, minutes: int, same: bool) -> None:
    sessions = Sessions(ACCOUNT, bench.clock)
    first = placed(sessions, key="a", last=False)
    bench.clock.go(60 * minutes)

    assert (placed(sessions, key="b", last=False)[0] == first[0]) is same


@given(st.text(max_size=50))
def test_a_session_s_number_is_positive_and_has_64_bits(text: str) -> None:
    assert 0 < bodies.session_number(text) < 2**63
    assert bodies.session_number(text) == bodies.session_number(text)


# Removing and forgetting.


def test_removing_takes_one_call_for_ten_thousand(bench: Bench, world: World) -> None:
    keys = [f"k{number:05}" for number in range(10_001)]
    deliver(world, bench.destination(), add=keys)
    before = len(bench.vendor.requests)

    tally = deliver(world, bench.destination(), remove=keys)

    assert (tally.delivered, tally.calls, tally.reads) == (10_001, 2, 0)
    assert [how for how, _, _ in bench.vendor.requests[before:]] == ["DELETE", "DELETE"]
    assert bench.held("Everyone") == set()


def test_who_is_matched_by_the_phone_only_leaves_too(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1, "+4520000001", country="DK"), member(2)])

    outcomes = list(destination.push(batch(REMOVE, audience, [api.Member("x", None, "+4520000001")])))

    assert [each.state for each in outcomes] == [DELIVERED]
    assert bench.held() == shas(2)


def test_strangers_and_people_without_identifiers_are_off_the_audience(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])

    outcomes = list(destination.push(batch(REMOVE, audience, [member(9), api.Member("n", "nothing")])))

    assert [each.state for each in outcomes] == [DELIVERED, DELIVERED]
    assert bench.held() == shas(1)


def test_an_audience_that_is_gone_holds_nobody(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])
    del bench.vendor.world.audiences[audience]

    outcomes = list(destination.push(batch(REMOVE, audience, [member(1)])))

    assert [each.state for each in outcomes] == [DELIVERED]


def test_an_audience_that_is_listed_and_cannot_be_changed_is_an_error(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])
    hidden = bench.vendor.world.audiences.pop(audience)
    bench.vendor.world.audiences["1"] = hidden  # listed under its id, not found by it
    hidden.id = audience

    with pytest.raises(api.ConfigError, match="does not exist"):
        list(destination.push(batch(REMOVE, audience, [member(1)])))


def test_adding_to_an_audience_that_is_gone_is_an_error_with_a_next_step_and_one_call(
    bench: Bench, world: World
) -> None:
    destination = bench.destination()
    deliver(world, destination, add=["a"])
    bench.vendor.world.audiences.clear()
    before = bench.asked("POST", "/users")

    tally = deliver(world, destination, add=[f"k{number}" for number in range(100)])

    assert isinstance(tally.error, api.ConfigError)
    assert "another audience" in str(tally.error.next_step)
    assert (tally.failed, tally.connection_stopped, bench.asked("POST", "/users") - before) == (100, False, 1)


def test_forgetting_takes_a_person_out_of_every_audience_of_the_account(bench: Bench) -> None:
    destination, _ = filled(bench, [member(1, "+4520000001"), member(2)])
    other = destination.ensure_audience("Another")
    list(destination.push(batch(ADD, other, [member(1)])))
    before = len(bench.vendor.requests)

    first = destination.forget(api.Member("f", "p1@example.com"))
    again = destination.forget(api.Member("f", "p1@example.com"))
    nobody = destination.forget(api.Member("f", None, "12"))

    assert [first.state, again.state, nobody.state] == [DELIVERED, DELIVERED, REJECTED]
    assert (bench.held(), bench.held("Another")) == (shas(2), set())
    assert len(bench.vendor.requests) - before == 2


# Through hub's core.


def test_a_quiet_run_makes_no_calls(bench: Bench, world: World) -> None:
    deliver(world, bench.destination(), add=["a"])
    before = len(bench.vendor.requests)

    tally = deliver(world, bench.destination())

    assert (tally.calls, len(bench.vendor.requests) - before) == (0, 0)


def test_a_changed_attribute_is_one_more_upload(bench: Bench, world: World) -> None:
    row = {"member_key": "a", "email": "a@example.com", "postcode": "8000"}
    deliver(world, bench.destination(), add=[row], attributes=["postcode"])

    tally = deliver(world, bench.destination(), update=[row | {"postcode": "9000"}], attributes=["postcode"])

    assert (tally.delivered, tally.calls) == (1, 1)
    [audience] = bench.vendor.world.audiences.values()
    assert len(audience.people) == 1


def test_what_was_done_before_the_line_broke_is_done_once(bench: Bench, world: World) -> None:
    bench.vendor.fault("drop-after", path="/users")

    tally = deliver(world, bench.destination(), add=["a", "b"])

    assert tally.delivered == 2
    [audience] = bench.vendor.world.audiences.values()
    assert len(audience.people) == 2
    assert len({body["session"]["batch_seq"] for body in bench.vendor.bodies()}) == 1


@pytest.mark.parametrize(
    "fault", ["rate-limit", "rate-limit-bare", "server-error", "drop-before", "broken-page", "busy", "new-audience"]
)
def test_passing_faults_are_waited_out(bench: Bench, world: World, fault: str) -> None:
    bench.destination().ensure_audience("Everyone")
    bench.vendor.fault(fault)

    assert deliver(world, bench.destination(), add=["a"]).delivered == 1


def test_the_minutes_that_meta_tells_are_kept(bench: Bench, world: World) -> None:
    bench.vendor.fault("rate-limit", path="/users", retry_after=170)

    deliver(world, bench.destination(), add=["a"])

    assert 180 <= sum(bench.clock.slept) < 200


@pytest.mark.parametrize("fault", ["server-error", "drop-after", "broken-page"])
def test_someone_who_may_have_been_taken_is_removed_later(bench: Bench, world: World, fault: str) -> None:
    """What outlasts every attempt may have done its work: whoever leaves then is taken out."""
    destination = bench.destination()
    destination.ensure_audience("Everyone")
    bench.vendor.fault(fault, times=5, path="/users")
    tally = deliver(world, destination, add=["a"])
    assert tally.failed == 1
    assert world.states(destination) == {"a": MemberState.UNKNOWN}  # type: ignore[arg-type]

    assert deliver(world, destination, remove=["a"]).calls == 1


# What check and plan say.


def test_check_is_content_where_all_is_well_and_writes_nothing(tmp_path: Path) -> None:
    with serving(tmp_path, limits=True) as bench:
        found = list(bench.destination().check())

        assert {each.level for each in found} == {api.Level.OK, api.Level.INFO}
        assert [each.text for each in found if each.level is api.Level.INFO] == [
            "0 % of the hour's quota of calls is used"
        ]
        assert {how for how, _, _ in bench.vendor.requests} == {"GET"}


def test_check_names_what_is_in_the_way(bench: Bench) -> None:
    bench.vendor.world.make(ACCOUNT, {"name": "High income", "subtype": "CUSTOM"}, 0)
    bench.vendor.fault("flagged", text="income")
    bench.vendor.fault("no-terms")

    found = {each.code: each for each in bench.destination(version="v24.0").check() if each.code}

    assert set(found) == {"terms", "flagged-audience", "version"}
    assert found["terms"].level is api.Level.ERROR
    assert f"?act={ACCOUNT}" in str(found["terms"].next_step)
    assert "'High income'" in found["flagged-audience"].text
    assert "v26.0 answers in its place" in found["version"].text


def test_check_counts_audiences_to_the_limit(bench: Bench) -> None:
    for number in range(499):
        bench.vendor.world.make(ACCOUNT, {"name": f"A {number}", "subtype": "CUSTOM"}, 0)
    assert "audience-limit" not in {each.code for each in bench.destination().check()}

    bench.vendor.world.make(ACCOUNT, {"name": "The last", "subtype": "CUSTOM"}, 0)
    assert "audience-limit" in {each.code for each in bench.destination().check()}


@pytest.mark.parametrize(
    ("name", "says"),
    [
        ("High income households", "money"),
        ("debt_consolidation", "money"),
        ("Diabetics", "health"),
        ("PREGNANCY yoga", "health"),
        ("Rich people", "money"),
    ],
)
def test_a_name_that_meta_blocks_is_warned_of_before_the_first_load(bench: Bench, name: str, says: str) -> None:
    assert says in str(bench.destination().first_load(name))


@pytest.mark.parametrize("name", ["Best customers", "high-spenders", "Richmond store", "Cart abandoners", "Aidsworth"])
def test_a_neutral_name_is_not_warned_of(bench: Bench, name: str) -> None:
    assert bench.destination().first_load(name) is None


def test_nobody_can_be_read_back(bench: Bench) -> None:
    with pytest.raises(NotImplementedError):
        next(iter(bench.destination().read_members("1")))


def test_a_token_is_never_in_a_message(bench: Bench) -> None:
    with pytest.raises(api.AuthError) as caught:
        bench.destination(access_token="EAAB-our-own-token").ensure_audience(AUDIENCE)

    assert "EAAB" not in str(caught.value)
    assert "190" in str(caught.value)


def test_an_address_is_never_in_a_message(bench: Bench, world: World) -> None:
    bench.vendor.fault("poison-rows", emails="a@example.com")

    tally = deliver(world, bench.destination(), add=["a"])

    assert "@" not in str(tally.rejects)
