"""A Customer Match list kept equal to a segment: rows, consent, receipts, removals, refreshes, and how few calls."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from datetime import UTC, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.ledger import MemberState
from hub_google import Google, bodies
from tests.deliver_kit import World
from tests.google_kit import (
    ADD,
    CUSTOMER,
    FLAGS,
    INGEST,
    LIST,
    REMOVAL,
    REMOVE,
    STATUS,
    UPDATE,
    WORK_SECONDS,
    Bench,
    batch,
    member,
    serving,
)  # fmt: skip
from tests.meta_kit import sha, shas

DELIVERED, ACCEPTED, REJECTED, FAILED = api.State.DELIVERED, api.State.ACCEPTED, api.State.REJECTED, api.State.FAILED
MARY = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"
PLACE = {"first_name": "Ann", "last_name": "Ash", "country": "DK", "postcode": "1456"}
GRANTED = {"adUserData": "CONSENT_GRANTED", "adPersonalization": "CONSENT_GRANTED"}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, bench: Bench) -> Iterator[World]:
    made = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
    yield made
    made.close()


def settled(bench: Bench, destination: Google, sent: api.Batch) -> list[api.Outcome]:
    """Push a batch, let Google work, and return what became of everybody."""
    outcomes = list(destination.push(sent))
    bench.clock.go(WORK_SECONDS)
    rest = [each for each in outcomes if each.state is not ACCEPTED]
    taken = [each.member for each in outcomes if each.state is ACCEPTED]
    for receipt in {each.receipt for each in outcomes if each.receipt}:
        asked = batch(sent.op, sent.audience, taken, receipt=receipt)
        rest += [each for each in destination.poll(asked) if isinstance(each, api.Outcome)]
    return rest


def filled(bench: Bench, people: list[api.Member], **settings: Any) -> tuple[Google, str]:
    """Return a destination and the id of its list, with members in it."""
    destination = bench.destination(**settings)
    audience = destination.ensure_audience(LIST)
    settled(bench, destination, batch(ADD, audience, people))
    return destination, audience


def deliver(world: World, destination: Google, **what: Any) -> Any:
    """Deliver through hub's own core; members carry what cleared them."""
    audience = world.audience(destination)  # type: ignore[arg-type]
    if audience.remote_id is None:
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(audience.name))
    return world.deliver(destination, **what)  # type: ignore[arg-type]


def row(key: str, ground: str = "ADS_FLAGS", **about: Any) -> dict[str, Any]:
    """Return a cleared member as the gate hands it over."""
    record = {"cleared_by": ground, "record_basis": "opt_in_single", "recorded_at": None}
    return {"member_key": key, "email": f"{key}@example.com", **record, **about}


RECORD = ["cleared_by", "record_basis", "recorded_at"]


# Finding and making the list.


def test_a_list_is_made_once_and_found_again(bench: Bench) -> None:
    made = bench.destination(membership="60d").ensure_audience(LIST)

    assert bench.destination().ensure_audience(LIST) == made
    assert bench.asked(f"/v1/accountTypes/GOOGLE_ADS/accounts/{CUSTOMER}/userLists") == 1
    assert bench.vendor.world.lists[made].fields["membershipDuration"] == "5184000s"


@pytest.mark.parametrize("name", ['Say "hi"', "back\\slash", "æøå & co", "a = b"])
def test_a_list_is_found_again_by_any_name(bench: Bench, name: str) -> None:
    made = bench.destination().ensure_audience(name)

    assert bench.destination().ensure_audience(name) == made
    assert len(bench.vendor.world.lists) == 1


def test_a_name_that_was_taken_meanwhile_is_looked_up_again(bench: Bench) -> None:
    made = bench.destination().ensure_audience(LIST)
    bench.vendor.fault("hidden-lists")

    assert bench.destination().ensure_audience(LIST) == made


def test_a_name_that_is_taken_and_not_shown_is_an_error_with_a_next_step(bench: Bench) -> None:
    bench.destination().ensure_audience(LIST)
    bench.vendor.fault("hidden-lists", times=2)

    with pytest.raises(api.ConfigError, match="shows no list") as caught:
        bench.destination().ensure_audience(LIST)
    assert "another audience" in str(caught.value.next_step)


def test_a_list_of_another_kind_is_not_it(bench: Bench) -> None:
    visitors = {"displayName": LIST, "membershipDuration": "86400s", "membershipStatus": "OPEN"}
    bench.vendor.world.make_list(CUSTOMER, {**visitors, "ingestedUserListInfo": {"uploadKeyTypes": ["MOBILE_ID"]}}, 0)

    with pytest.raises(api.ConfigError, match="shows no list"):
        bench.destination().ensure_audience(LIST)


@pytest.mark.parametrize("purpose", ["email_marketing", "cart_reminder", "own_shop"])
def test_no_other_purpose_is_served(bench: Bench, purpose: str) -> None:
    destination = bench.destination()

    assert destination.serving("ads") is destination
    with pytest.raises(api.ConfigError, match="agreed to ads"):
        destination.serving(purpose)


@pytest.mark.parametrize(
    "setting",
    [
        {"customer": "acme"},
        {"login_customer": "x"},
        {"membership": "1d"},
        {"membership": "541d"},
        {"membership": "49h"},
    ],
)
def test_settings_that_make_no_sense_are_refused(bench: Bench, setting: dict[str, str]) -> None:
    with pytest.raises(ValueError):
        bench.destination(**setting)


@pytest.mark.parametrize(("membership", "days"), [("2d", 1), ("30d", 15), ("540d", 270)])
def test_members_are_sent_again_after_half_of_the_time_that_they_stay(
    bench: Bench, membership: str, days: float
) -> None:
    assert bench.destination(membership=membership).can.refresh_after == timedelta(days=days)


def test_manager_and_project_go_along(bench: Bench) -> None:
    destination, _ = filled(bench, [member(1)], login_customer="111-222-3333", quota_project="acme-ads")

    asked = [each for each in bench.vendor.recorded if each.path != "/token"]
    assert {each.headers["login-account"] for each in asked} == {"accountTypes/GOOGLE_ADS/accounts/1112223333"}
    assert {each.headers["x-goog-user-project"] for each in asked} == {"acme-ads"}
    [body] = bench.vendor.bodies()
    assert body["destinations"][0]["loginAccount"] == {"accountType": "GOOGLE_ADS", "accountId": "1112223333"}
    assert destination.can.permissions


# Rows and consent.


def test_a_row_has_the_vendors_hashes_and_a_whole_address(bench: Bench) -> None:
    filled(bench, [api.Member("m", "mary@example.com", "+4512345678", None, PLACE, FLAGS)])

    [body] = bench.vendor.bodies()
    assert body == {
        "destinations": [
            {
                "operatingAccount": {"accountType": "GOOGLE_ADS", "accountId": CUSTOMER},
                "productDestinationId": body["destinations"][0]["productDestinationId"],
            }
        ],
        "audienceMembers": [
            {
                "userData": {
                    "userIdentifiers": [
                        {"emailAddress": MARY},
                        {"phoneNumber": sha("+4512345678")},
                        {
                            "address": {
                                "givenName": sha("ann"),
                                "familyName": sha("ash"),
                                "regionCode": "DK",
                                "postalCode": "1456",
                            }
                        },
                    ]
                }
            }
        ],
        "encoding": "HEX",
        "termsOfService": {"customerMatchTermsOfServiceStatus": "ACCEPTED"},
        "consent": GRANTED,
    }


def test_consent_is_said_of_those_who_gave_it_and_of_nobody_else(bench: Bench) -> None:
    american = {**PLACE, "country": "US"}
    asked, never = member(1), member(2, permission=api.Permission("OPT_OUT_REGIME"), **american)

    filled(bench, [asked, never])

    [body] = bench.vendor.bodies()
    assert "consent" not in body
    assert [each.get("consent") for each in body["audienceMembers"]] == [GRANTED, None]
    assert bench.held() == shas(1, 2)


@pytest.mark.parametrize(
    ("permission", "granted"),
    [
        (api.Permission("ADS_FLAGS"), True),
        (api.Permission("OPT_IN"), False),
        (api.Permission("OPT_OUT_REGIME"), False),
        (api.Permission("SOFT_OPT_IN"), False),
        (api.Permission("IMPLIED"), False),
        (None, False),
    ],
)
def test_only_both_recorded_consents_are_consent(permission: api.Permission | None, granted: bool) -> None:
    assert bodies.has_consent(member(1, permission=permission)) is granted


def test_who_google_wants_consent_of_and_has_none_is_refused_by_name(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    nobody = member(2, permission=None, **PLACE)

    outcomes = settled(bench, destination, batch(ADD, audience, [member(1), nobody, member(3)]))

    assert [(each.state, each.reason) for each in outcomes] == [
        (DELIVERED, None), (REJECTED, "Google: NO_CONSENT"), (DELIVERED, None),
    ]  # fmt: skip
    assert bench.held() == shas(1, 3)


_people = st.lists(
    st.tuples(
        st.one_of(st.none(), st.emails(), st.text(max_size=9)),
        st.one_of(st.none(), st.text(max_size=12), st.from_regex(r"\+[1-9][0-9]{6,14}", fullmatch=True)),
        st.dictionaries(st.sampled_from([*bodies.ATTRIBUTES, "spend"]), st.one_of(st.none(), st.text(max_size=12))),
        st.sampled_from([None, FLAGS, api.Permission("OPT_IN"), api.Permission("OPT_OUT_REGIME")]),
    ),
    min_size=1,
    max_size=20,
)


@given(_people)
def test_every_person_with_an_identifier_is_exactly_one_row_and_consent_is_theirs(people: Any) -> None:
    members = [
        api.Member(str(n), mail, phone, None, about, said) for n, (mail, phone, about, said) in enumerate(people)
    ]
    rows = [(each, found) for each in members if (found := bodies.identifiers(each))]

    body = bodies.ingestion(bodies.account(CUSTOMER, None), "7", rows)

    assert len(body["audienceMembers"]) == len(rows)
    for (person, _), sent in zip(rows, body["audienceMembers"], strict=True):
        found = sent["userData"]["userIdentifiers"]
        assert 1 <= len(found) <= 3
        assert all(len(each) == 1 for each in found)
        assert any("address" not in each for each in found)
        told = sent.get("consent") or body.get("consent")
        assert (told == GRANTED) is bodies.has_consent(person)
        values = [value for each in found for part in each.values() for value in _texts(part)]
        assert "" not in values
        assert sha256(b"").hexdigest() not in values
        assert all(re.fullmatch("[0-9a-f]{64}", each[name]) for each in found for name in each if name != "address")


def _texts(part: Any) -> list[str]:
    return list(part.values()) if isinstance(part, dict) else [part]


@pytest.mark.parametrize(("phone", "postcode"), [("12", "1456"), ("+4512345678", "?"), ("not a phone", "")])
def test_one_invalid_value_costs_nothing_but_itself(bench: Bench, phone: str, postcode: str) -> None:
    filled(bench, [member(1, phone, **PLACE | {"postcode": postcode}), member(2)])

    assert bench.held() >= shas(1, 2)
    assert bench.asked(INGEST) == 1


def test_who_has_nothing_that_google_matches_is_refused_alone(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    nobody = api.Member("n", "no address", "12", None, PLACE, FLAGS)

    outcomes = settled(bench, destination, batch(ADD, audience, [nobody, member(1)]))
    alone = list(destination.push(batch(ADD, audience, [nobody])))

    assert [each.state for each in outcomes] == [REJECTED, DELIVERED]
    assert alone[0].reason == "neither an e-mail address nor a phone that Google can match"
    assert bench.asked(INGEST) == 1


def test_what_google_names_as_wrong_is_left_out_with_one_more_call(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    people = [member(number) for number in range(100)]
    people[7] = member(7, "+4512345678")
    bench.vendor.fault("poison-rows", emails="p0@example.com,p7@example.com,p99@example.com")

    outcomes = settled(bench, destination, batch(ADD, audience, people))

    refused = {each.member.email: each.reason for each in outcomes if each.state is REJECTED}
    why = "Google: INVALID_SHA256_FORMAT: email_address"
    assert refused == {"p0@example.com": why, "p99@example.com": why}
    assert sum(each.state is DELIVERED for each in outcomes) == 98
    assert sha("+4512345678") in bench.held()
    assert bench.asked(INGEST) == 2


# What became of requests.


def test_a_request_is_pending_until_google_has_worked(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    accepted = list(destination.push(batch(ADD, audience, [member(1), member(2)])))
    asked = batch(ADD, audience, [member(1), member(2)], receipt=accepted[0].receipt)

    early = list(destination.poll(asked))
    bench.clock.go(WORK_SECONDS)
    late = list(destination.poll(asked))

    assert [each.state for each in accepted] == [ACCEPTED, ACCEPTED]
    assert early == [api.Pending(1_800)]
    assert [each.state for each in late] == [DELIVERED, DELIVERED]  # type: ignore[union-attr]


def test_rows_that_fail_in_the_work_are_named_by_their_place(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    bench.vendor.fault("failing-rows", emails="p2@example.com,p4@example.com")
    nobody = api.Member("n", "no address", None, None, {}, FLAGS)

    outcomes = settled(bench, destination, batch(ADD, audience, [nobody, *(member(n) for n in range(1, 6))]))

    states = {each.member.email: each.state for each in outcomes}
    assert states == {
        "no address": REJECTED,
        **{f"p{n}@example.com": REJECTED if n in {2, 4} else DELIVERED for n in range(1, 6)},
    }
    assert {each.reason for each in outcomes if each.member.email == "p2@example.com"} == {"Google: INVALID_FORMAT"}


@pytest.mark.parametrize(("failing", "state"), [((1,), DELIVERED), ((1, 2), REJECTED)])
def test_where_only_counts_are_told_everybody_or_nobody_is_meant(
    bench: Bench, failing: tuple[int, ...], state: api.State
) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    bench.vendor.fault("counts-only")
    bench.vendor.fault("failing-rows", emails=",".join(f"p{n}@example.com" for n in failing))

    outcomes = settled(bench, destination, batch(ADD, audience, [member(1), member(2)]))

    assert {each.state for each in outcomes} == {state}


@pytest.mark.parametrize("reason", ["INTERNAL_ERROR", "DESTINATION_TOO_RECENTLY_CREATED"])
def test_a_passing_failure_of_the_work_is_due_again(bench: Bench, world: World, reason: str) -> None:
    destination = bench.destination()
    bench.vendor.fault("failing-rows", emails="a@example.com", reason=reason)
    deliver(world, destination, add=[row("a"), row("b")], attributes=RECORD)
    bench.clock.go(WORK_SECONDS)
    assert world.settle(destination).failed == 1  # type: ignore[arg-type]

    bench.vendor.heal()
    deliver(world, destination, add=[row("a")], attributes=RECORD)
    bench.clock.go(WORK_SECONDS)
    world.settle(destination)  # type: ignore[arg-type]

    assert bench.held("Everyone") == {sha("a@example.com"), sha("b@example.com")}


def test_a_request_that_google_forgot_is_unknown(bench: Bench) -> None:
    outcomes = list(bench.destination().poll(batch(ADD, "1", [member(1)], receipt="gone")))

    assert [each.state for each in outcomes] == [api.State.UNKNOWN]  # type: ignore[union-attr]


def test_receipts_are_looked_at_over_hours_by_later_runs(bench: Bench, world: World) -> None:
    bench.vendor.fault("slow-jobs", seconds=4 * 3_600)
    sent = deliver(world, bench.destination(), add=[row("a"), row("b")], attributes=RECORD)
    assert sent.accepted == 2

    looked = []
    for _ in range(24):
        world.restart()
        bench.clock.go(15 * 60)
        before = bench.asked(STATUS, "GET")
        world.settle(bench.destination())  # type: ignore[arg-type]
        looked.append(bench.asked(STATUS, "GET") - before)

    # Every quarter of an hour a run; Google asks for pauses of half an hour at first, of an hour later on.
    assert sum(looked) <= 6
    assert set(world.states(bench.destination()).values()) == {MemberState.HELD}  # type: ignore[arg-type]
    assert bench.held("Everyone") == {sha("a@example.com"), sha("b@example.com")}


def test_a_removal_has_a_receipt_too(bench: Bench, world: World) -> None:
    destination = bench.destination()
    deliver(world, destination, add=[row("a"), row("b")], attributes=RECORD)
    bench.clock.go(WORK_SECONDS)
    world.settle(destination)  # type: ignore[arg-type]

    tally = deliver(world, destination, remove=["a"])
    assert (tally.accepted, tally.calls) == (1, 1)
    assert world.states(destination)["a"] is MemberState.REMOVING  # type: ignore[arg-type]

    bench.clock.go(WORK_SECONDS)
    world.settle(destination)  # type: ignore[arg-type]
    assert world.states(destination) == {"b": MemberState.HELD}  # type: ignore[arg-type]
    assert bench.held("Everyone") == {sha("b@example.com")}


# How few calls.


def test_ten_thousand_people_take_one_call_in_either_direction(bench: Bench, world: World) -> None:
    keys = [f"k{number:05}" for number in range(10_001)]
    destination = bench.destination()

    added = deliver(world, destination, add=[row(key) for key in keys], attributes=RECORD)
    bench.clock.go(WORK_SECONDS)
    world.settle(destination)  # type: ignore[arg-type]
    removed = deliver(world, destination, remove=keys)

    assert (added.accepted, bench.asked(INGEST)) == (10_001, 2)
    assert (removed.accepted, removed.calls, removed.reads, bench.asked(REMOVAL)) == (10_001, 2, 0, 2)


def test_a_quiet_run_makes_no_calls_and_asks_for_no_token(bench: Bench, world: World) -> None:
    deliver(world, bench.destination(), add=[row("a")], attributes=RECORD)
    bench.clock.go(WORK_SECONDS)
    world.settle(bench.destination())  # type: ignore[arg-type]
    before = len(bench.vendor.requests)

    tally = deliver(world, bench.destination())

    assert (tally.calls, len(bench.vendor.requests) - before) == (0, 0)


def test_a_list_of_hubs_own_is_not_looked_at_before_people_are_added(bench: Bench) -> None:
    destination = bench.destination()
    audience = destination.ensure_audience(LIST)
    before = len(bench.vendor.requests)

    list(destination.push(batch(ADD, audience, [member(1)])))

    assert bench.since(before) == [("POST", INGEST)]


# Membership.


def test_an_adopted_list_is_opened_and_its_members_stay_as_long_as_hub_thinks(bench: Bench) -> None:
    fields = bodies.new_list("By hand", timedelta(days=30)) | {"membershipStatus": "CLOSED"}
    by_hand = bench.vendor.world.make_list(CUSTOMER, fields, 0)
    destination = bench.destination(membership="60d")

    settled(bench, destination, batch(ADD, by_hand.id, [member(1)]))
    settled(bench, destination, batch(ADD, by_hand.id, [member(2)]))

    assert (by_hand.fields["membershipStatus"], by_hand.fields["membershipDuration"]) == ("OPEN", "5184000s")
    changes = [each for each in bench.vendor.recorded if each.method == "PATCH"]
    assert [json.loads(each.body) for each in changes] == [
        {"membershipDuration": "5184000s", "membershipStatus": "OPEN"}
    ]
    assert bench.held("By hand") == shas(1, 2)


def test_a_longer_membership_is_told_before_the_next_addition(bench: Bench) -> None:
    _, audience = filled(bench, [member(1)], membership="30d")

    list(bench.destination(membership="60d").push(batch(ADD, audience, [member(2)])))

    assert bench.vendor.world.lists[audience].fields["membershipDuration"] == "5184000s"


def test_members_who_are_sent_again_in_time_stay(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1), member(2)], membership="30d")
    bench.clock.go(15 * 86_400)
    settled(bench, destination, batch(UPDATE, audience, [member(1)]))
    bench.clock.go(20 * 86_400)

    assert bench.held() == shas(1)


# Removing and forgetting.


def test_strangers_and_people_without_identifiers_are_off_the_list(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])

    outcomes = settled(bench, destination, batch(REMOVE, audience, [member(9), api.Member("n", "nothing")]))

    assert [each.state for each in outcomes] == [DELIVERED, DELIVERED]
    assert bench.held() == shas(1)
    assert set(bench.vendor.bodies(REMOVAL)[0]) == {"destinations", "audienceMembers", "encoding"}


def test_a_list_that_is_gone_holds_nobody_and_takes_nobody(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])
    del bench.vendor.world.lists[audience]

    outcomes = list(destination.push(batch(REMOVE, audience, [member(1)])))

    assert [each.state for each in outcomes] == [DELIVERED]
    with pytest.raises(api.ConfigError, match="INVALID_USER_LIST_ID"):
        list(destination.push(batch(ADD, audience, [member(1)])))
    bench.remember.set("lists", {})
    with pytest.raises(api.ConfigError, match="no list"):
        list(bench.destination().push(batch(ADD, audience, [member(1)])))


def test_forgetting_takes_a_person_out_of_every_list_ten_to_a_call(bench: Bench) -> None:
    destination, _ = filled(bench, [member(1, "+4512345678"), member(2)])
    for number in range(10):
        settled(bench, destination, batch(ADD, destination.ensure_audience(f"List {number}"), [member(1), member(2)]))
    mobile = {"displayName": "Apps", "membershipDuration": "86400s", "membershipStatus": "OPEN"}
    bench.vendor.world.make_list(CUSTOMER, {**mobile, "ingestedUserListInfo": {"uploadKeyTypes": ["MOBILE_ID"]}}, 0)
    before = bench.asked(REMOVAL)

    outcome = destination.forget(api.Member("f", "p1@example.com"))
    nobody = destination.forget(api.Member("f", None, "12"))
    bench.clock.go(WORK_SECONDS)

    assert (outcome.state, nobody.state, bench.asked(REMOVAL) - before) == (DELIVERED, REJECTED, 2)
    assert {name: bench.held(name) for name in (LIST, "List 0", "List 9")} == dict.fromkeys(
        (LIST, "List 0", "List 9"), shas(2)
    )


# Tokens.


def test_one_token_serves_a_run_and_one_that_is_refused_is_renewed_once(bench: Bench) -> None:
    destination, audience = filled(bench, [member(1)])
    assert bench.asked("/token") == 1

    bench.vendor.fault("stale-token")
    settled(bench, destination, batch(ADD, audience, [member(2)]))
    assert (bench.asked("/token"), bench.held()) == (2, shas(1, 2))

    bench.vendor.fault("expired-token")
    with pytest.raises(api.AuthError) as caught:
        list(destination.push(batch(ADD, audience, [member(3)])))
    assert caught.value.next_step


def test_a_service_accounts_key_is_traded_for_a_token(bench: Bench) -> None:
    private = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    pem = private.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    key = {
        "type": "service_account",
        "client_email": "hub@acme.example",
        "private_key": pem.decode(),
        "token_uri": "https://oauth2.example.com/token",
    }

    assert bench.destination(credentials=json.dumps(key)).ensure_audience(LIST)
    [asked] = [each for each in bench.vendor.recorded if each.path == "/token"]
    assert b"jwt-bearer" in asked.body


@pytest.mark.parametrize(
    "credentials",
    ["", "not json", "[]", "{}", '{"type": "external_account"}', '{"type": "service_account"}',
     '{"type": "service_account", "client_email": "a", "private_key": "b", "token_uri": "c"}',
     '{"type": "authorized_user"}',
     '{"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "revoked"}'],
)  # fmt: skip
def test_credentials_that_cannot_be_used_are_refused_with_a_next_step_and_never_shown(
    bench: Bench, credentials: str
) -> None:
    with pytest.raises(api.AuthError) as caught:
        bench.destination(credentials=credentials).ensure_audience(LIST)

    assert "secret" in str(caught.value.next_step)
    assert "revoked" not in str(caught.value)


# Check, and when things go wrong.


def test_check_tries_an_addition_that_is_not_made(bench: Bench) -> None:
    destination, _ = filled(bench, [member(1)])
    before = bench.vendor.state()

    found = list(destination.check())

    assert [each.level for each in found] == [api.Level.OK, api.Level.OK]
    assert bench.vendor.bodies()[-1]["validateOnly"] is True
    after = bench.vendor.state()
    assert (after["lists"], after["requests_taken"], after["writes"]) == (
        before["lists"], before["requests_taken"], before["writes"],
    )  # fmt: skip


def test_check_says_what_it_cannot_try_and_what_is_closed(bench: Bench) -> None:
    [_, cannot] = list(bench.destination().check())
    assert "cannot be tried" in cannot.text

    fields = bodies.new_list("Old", timedelta(days=30))
    made = bench.vendor.world.make_list(CUSTOMER, fields, 0)
    bench.vendor.world.make_list(CUSTOMER, fields | {"displayName": "Older", "membershipStatus": "CLOSED"}, 0)
    found = list(bench.destination().check())
    assert made.id == bench.vendor.bodies()[-1]["destinations"][0]["productDestinationId"]
    assert "'Older' is closed" in found[-1].text


@pytest.mark.parametrize(("fault", "says"), [("no-terms", "terms"), ("forbidden", "Data Manager API")])
def test_check_names_what_is_in_the_way(bench: Bench, fault: str, says: str) -> None:
    destination, _ = filled(bench, [member(1)])
    bench.vendor.fault(fault, **({} if fault == "no-terms" else {"path": "/v1"}))

    with pytest.raises(api.AuthError) as caught:
        list(destination.check())

    assert says in str(caught.value.next_step)


@pytest.mark.parametrize("fault", ["rate-limit", "rate-limit-bare", "server-error", "drop-before", "drop-after"])
def test_passing_faults_are_waited_out_and_nobody_is_there_twice(bench: Bench, world: World, fault: str) -> None:
    destination = bench.destination()
    destination.ensure_audience("Everyone")
    bench.vendor.fault(fault, path=INGEST)

    assert deliver(world, destination, add=[row("a")], attributes=RECORD).accepted == 1
    bench.clock.go(WORK_SECONDS)
    world.settle(destination)  # type: ignore[arg-type]
    bench.held("Everyone")
    [held] = bench.vendor.world.lists.values()
    assert len(held.people) == 1


def test_a_minutes_quota_waits_a_minute_and_a_days_until_the_day_ends(bench: Bench, world: World) -> None:
    destination = bench.destination()
    bench.vendor.fault("rate-limit-bare", path=INGEST)
    deliver(world, destination, add=[row("a")], attributes=RECORD)
    assert 60 <= sum(bench.clock.slept) < 70

    bench.vendor.fault("used-up", times=9)
    tally = deliver(world, destination, add=[row("b")], attributes=RECORD)
    [due] = [each["due_at"] for each in members_of(world, destination) if each["member_key"] == "b"]
    # 12:01 in UTC is 4:01 in California, where Google's day ends at midnight.
    assert timedelta(hours=19.9) < due - bench.clock.now < timedelta(hours=20.1)
    assert (tally.failed, tally.calls) == (1, 1)


def members_of(world: World, destination: Google) -> list[dict[str, Any]]:
    table = world.ledger.membership(world.audience(destination).audience_id)  # type: ignore[arg-type]
    return [each | {"due_at": each["due_at"] and each["due_at"].replace(tzinfo=UTC)} for each in table.to_pylist()]
