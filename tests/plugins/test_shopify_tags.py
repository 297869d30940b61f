"""A customer tag kept equal to a segment: whom hub tags, whose tag it leaves alone, and how few calls it takes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.testing.making import Notes
from hub_shopify.doings import Doings
from hub_shopify.stand_in import ALL_SCOPES
from hub_shopify.tags import has, search
from tests.shopify_client import Bench, Limits
from tests.shopify_tags_kit import TAG, batch, destination, member, people, tagged, tagging

ADD, REMOVE = api.Op.ADD, api.Op.REMOVE
DELIVERED, REJECTED = api.State.DELIVERED, api.State.REJECTED


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with tagging(tmp_path, people=5) as served:
        yield served


def push(made: Bench, op: api.Op, *members: api.Member, tag: str = TAG) -> list[api.Outcome]:
    """Push a batch as a new run would, and return its outcomes in the members' order."""
    with destination(made) as found:
        outcomes = {each.member.key: each for each in found.push(batch(op, members, tag))}
    assert outcomes.keys() == {each.key for each in members}
    return [outcomes[each.key] for each in members]


def add(made: Bench, *numbers: int) -> list[api.Outcome]:
    return push(made, ADD, *(member(number) for number in numbers))


def test_a_tag_is_put_on_and_taken_off_and_others_stay(made: Bench) -> None:
    ada, bea, *_ = people(made)
    made.shop.add_tags(ada, ["wholesale"])

    first, second = add(made, ada.number, bea.number)
    assert (ada.tags, bea.tags) == (["VIP", "wholesale"], ["VIP"])
    assert [first.state, second.state] == [DELIVERED, DELIVERED]

    push(made, REMOVE, *(member(each.number, outcome.remote_id) for each, outcome in ((ada, first), (bea, second))))

    assert (ada.tags, bea.tags) == (["wholesale"], [])


def test_a_tag_that_was_there_before_hub_stays_whatever_its_case(made: Bench) -> None:
    ada, bea, *_ = people(made)
    made.shop.add_tags(ada, ["vip"])

    hers, ours = add(made, ada.number, bea.number)
    written = made.stand_in.state()["tagged_customers"]
    push(made, REMOVE, member(ada.number, hers.remote_id), member(bea.number, ours.remote_id))

    assert [each["tags"] for each in written] == [["vip"], ["VIP"]]
    assert (hers.state, hers.remote_id) == (DELIVERED, None)
    assert (ada.tags, bea.tags) == (["vip"], [])


@pytest.mark.parametrize("run", ["the same", "a later"])
def test_a_tag_whose_answer_was_lost_is_known_as_hub_s_own(made: Bench, run: str) -> None:
    """The next look finds the tag there, and must not take it for the shop's."""
    ada, *_ = people(made)
    with destination(made) as found:
        posted = found.http.post

        def lost(path: str, **how: Any) -> Any:
            if not how.get("reads"):
                made.stand_in.fault("dropped", when="after")
            return posted(path, **how)

        found.http.post = lost  # type: ignore[method-assign]
        with pytest.raises(api.TransientError):
            list(found.push(batch(ADD, [member(ada.number)])))
        found.http.post = posted  # type: ignore[method-assign]
        assert ada.tags == [TAG]
        if run == "the same":
            [outcome] = found.push(batch(ADD, [member(ada.number)]))
    if run == "a later":
        [outcome] = add(made, ada.number)

    assert outcome.remote_id == str(ada.number)
    push(made, REMOVE, member(ada.number, outcome.remote_id))
    assert ada.tags == []


def test_who_hub_was_about_to_tag_when_it_was_killed_can_leave(made: Bench) -> None:
    """hub writes down a batch after its answer: killed in between, it has no remote id of anybody."""
    ada, *_ = people(made)
    add(made, ada.number)

    push(made, REMOVE, member(ada.number))

    assert ada.tags == []


def test_a_tag_that_the_shop_sets_after_hub_took_its_own_off_is_the_shop_s(made: Bench) -> None:
    ada, *_ = people(made)
    [outcome] = add(made, ada.number)
    push(made, REMOVE, member(ada.number, outcome.remote_id))
    made.shop.add_tags(ada, [TAG])

    [again] = add(made, ada.number)
    push(made, REMOVE, member(ada.number, again.remote_id))

    assert again.remote_id is None
    assert ada.tags == [TAG]


def test_a_removal_that_failed_leaves_the_tag_hub_s_own(made: Bench) -> None:
    ada, *_ = people(made)
    [outcome] = add(made, ada.number)
    others = [str(number) for number in range(1_000)]
    with destination(made) as found:
        found._doings.end(TAG, put=others)  # a thousand more were tagged meanwhile
        posted = found.http.post

        def broken(path: str, **how: Any) -> Any:
            if not how.get("reads"):
                made.stand_in.fault("server-error")
            return posted(path, **how)

        found.http.post = broken  # type: ignore[method-assign]
        with pytest.raises(api.TransientError):
            list(found.push(batch(REMOVE, [member(ada.number, outcome.remote_id)])))

    [again] = add(made, ada.number)

    assert again.remote_id == str(ada.number)


def test_a_customer_who_is_gone_is_a_tombstone_and_leaves_without_a_call(made: Bench) -> None:
    ada, bea, *_ = people(made)
    [outcome] = add(made, ada.number)
    made.shop.delete_customer(ada)

    gone, there = add(made, ada.number, bea.number)
    with destination(made) as found:
        [left] = found.push(batch(REMOVE, [member(ada.number, outcome.remote_id)]))
        assert found.http.writes == 0  # type: ignore[attr-defined]

    assert (gone.state, gone.reason) == (REJECTED, "the shop has no such customer any more")
    assert (there.state, left.state) == (DELIVERED, DELIVERED)


def test_a_customer_who_is_deleted_between_look_and_change_costs_nobody_else(made: Bench) -> None:
    ada, bea, *_ = people(made)
    with destination(made) as found:
        posted = found.http.post

        def late(path: str, **how: Any) -> Any:
            if not how.get("reads") and ada.number in made.shop.customers:
                made.shop.delete_customer(ada)
            return posted(path, **how)

        found.http.post = late  # type: ignore[method-assign]
        first, second = found.push(batch(ADD, [member(ada.number), member(bea.number)]))

    assert (first.state, first.reason, second.state) == (REJECTED, "invalid id", DELIVERED)
    assert bea.tags == [TAG]


@pytest.mark.parametrize("number", ["", "abc", "gid://shopify/Customer/1", "12\u0663", "p1@example.com"])
def test_an_id_that_is_none_of_shopify_s_is_refused_alone(made: Bench, number: str) -> None:
    ada, *_ = people(made)
    wrong = api.Member("f" * 32, customer_id=number)

    first, second = push(made, ADD, wrong, member(ada.number))
    [left] = push(made, REMOVE, wrong)

    assert (first.state, second.state, left.state) == (REJECTED, DELIVERED, DELIVERED)
    assert number not in str(first.reason) or not number


def test_a_hundred_are_tagged_by_one_look_and_one_call(tmp_path: Path) -> None:
    with tagging(tmp_path, people=100) as made, destination(made) as found:
        outcomes = list(found.push(batch(ADD, [member(each.number) for each in people(made)])))
        calls = (found.http.writes, found.http.reads)  # type: ignore[attr-defined]
        repeated = list(found.push(batch(ADD, [member(each.number) for each in people(made)])))
        again = (found.http.writes, found.http.reads)  # type: ignore[attr-defined]

    assert {each.state for each in outcomes + repeated} == {DELIVERED}
    assert all(each.remote_id for each in repeated)
    assert (calls, again) == ((1, 1), (1, 2))


@pytest.mark.parametrize(
    ("limits", "most"),
    [
        (Limits(bucket=40, restore_rate=2), 40),
        (Limits(single_query=120), 120),
        (Limits(bucket=10, restore_rate=1), 10),
    ],
    ids=["a development store", "a smaller request", "just enough for one"],
)
def test_requests_are_no_larger_than_the_shop_allows(tmp_path: Path, limits: Limits, most: int) -> None:
    with tagging(tmp_path, people=30, limits=limits) as made:
        outcomes = add(made, *(each.number for each in people(made)))
        refused = made.asked("refused")
        with destination(made) as found:
            read = [each.customer_id for each in found.read_members(TAG)]

    assert {each.state for each in outcomes} == {DELIVERED}
    assert len(tagged(made)) == len(read) == 30
    assert refused <= 4, "what a request may cost is learnt once"


def test_a_shop_that_does_not_allow_one_tag_says_so(tmp_path: Path) -> None:
    with tagging(tmp_path, people=1, limits=Limits(bucket=9, restore_rate=1)) as made:
        [ada] = people(made)
        with pytest.raises(api.SourceError, match="at most 9 are allowed"):
            add(made, ada.number)


def test_members_are_read_page_by_page_past_the_end_of_a_list(tmp_path: Path) -> None:
    with tagging(tmp_path, people=620, limits=Limits(depth=300)) as made:
        for each in people(made)[5:]:
            made.shop.add_tags(each, [TAG])
        with destination(made) as found:
            read = [int(each.customer_id or "") for each in found.read_members(TAG)]
            asked = found.http.reads  # type: ignore[attr-defined]

    assert read == sorted(tagged(made))
    assert asked == 3


@given(st.text(min_size=1))
def test_a_search_for_a_tag_quotes_whatever_the_tag_has_in_it(tag: str) -> None:
    quoted, _, rest = search(tag, 41)[5:].rpartition("' AND id:>=")
    plain = quoted.replace("\\'", "\0").replace("\\\\", "\1")

    assert rest == "42"
    assert "'" not in plain
    assert "\\" not in plain
    if not {"\0", "\1"} & set(tag):
        assert plain.replace("\0", "'").replace("\1", "\\") == tag


@pytest.mark.parametrize("tag", ["VIP", 'It\'s "new"', "back\\slash", "prix été", "a:b AND (c)"])
def test_who_has_a_tag_of_any_name_is_read_back(made: Bench, tag: str) -> None:
    ada, bea, *_ = people(made)
    made.shop.add_tags(bea, [f"{tag} 2"])
    push(made, ADD, member(ada.number), tag=tag)

    with destination(made) as found:
        assert [each.customer_id for each in found.read_members(tag)] == [str(ada.number)]


@pytest.mark.parametrize("name", ["a, b", "x" * 256, " "])
def test_what_cannot_be_a_tag_is_refused_before_anything_is_sent(made: Bench, name: str) -> None:
    with destination(made) as found, pytest.raises(api.ConfigError, match="cannot be a tag"):
        found.ensure_audience(name)

    assert made.asked("served") == 0


def test_the_longest_tag_is_taken_and_blanks_around_it_are_not(made: Bench) -> None:
    ada, *_ = people(made)
    with destination(made) as found:
        assert found.ensure_audience(f" {'x' * 255} ") == "x" * 255

    [outcome] = push(made, ADD, member(ada.number), tag="x" * 255)

    assert outcome.state is DELIVERED


def test_a_check_tells_scope_and_points(made: Bench) -> None:
    told = [each for each in made.check() if "points are left" in each.text or "write_customers" in each.text]

    assert [each.level for each in told] == [api.Level.OK, api.Level.INFO]
    assert "100 come back each second, which is enough for about 9 customers" in told[1].text
    assert made.stand_in.state()["tagged_customers"] == []


def test_a_check_without_the_scope_says_who_grants_it(tmp_path: Path) -> None:
    scopes = [scope for scope in ALL_SCOPES if scope != "write_customers"]
    with tagging(tmp_path, people=1, scopes=scopes) as made:
        with destination(made) as found:
            [wrong] = [each for each in found.check() if each.level is api.Level.ERROR]
        [ada] = people(made)
        with pytest.raises(api.AuthError, match="write_customers"):
            add(made, ada.number)

    assert wrong.text == "the app lacks the scope write_customers"
    assert "Dev Dashboard" in str(wrong.next_step)


def test_a_token_that_expired_is_renewed_on_the_way(tmp_path: Path) -> None:
    with tagging(tmp_path, people=2) as made:
        made.rest = made.rest.replace('store = "acme"\n', 'store = "acme"\nclient_id = "app"\n')
        secret = made.stand_in.secrets["client_secret"]
        made.environ = {**made.environ, "HUB_SECRET__ACME__TAGS__CLIENT_SECRET": secret}
        ada, bea = people(made)
        with destination(made) as found:
            list(found.push(batch(ADD, [member(ada.number)])))
            made.stand_in.fault("expired-token")
            list(found.push(batch(ADD, [member(bea.number)])))

    assert tagged(made) == {ada.number, bea.number}


def test_forgetting_tells_of_a_tag_that_is_left(made: Bench) -> None:
    ada, bea, *_ = people(made)
    made.shop.add_tags(ada, ["wholesale", "vip"])
    add(made, ada.number, bea.number)
    made.shop.remove_tags(bea, [TAG])
    with destination(made) as found:
        hers, none = found.forget(member(ada.number)), found.forget(member(bea.number))
        unknown, strange = found.forget(member(1)), found.forget(member("abc"))

    assert (hers.state, none.state, unknown.state, strange.state) == (REJECTED, DELIVERED, DELIVERED, DELIVERED)
    assert str(hers.reason).startswith("the customer still has VIP: ")


@pytest.mark.parametrize(
    ("tags", "tag", "there"),
    [
        (["a", "VIP"], "vip", True),
        (["Stra\u00dfe"], "STRASSE", True),
        (["VIP 2", "VI"], "VIP", False),
        ([], "VIP", False),
    ],
)
def test_tags_differ_by_more_than_case(tags: list[str], tag: str, there: bool) -> None:
    assert has(tags, tag) is there


def test_what_was_answered_is_remembered_for_a_while_and_what_was_not_for_good() -> None:
    doings = Doings(Notes())
    doings.begin(TAG, ["lost"])
    for start in range(0, 1_000, 100):
        keys = [str(number) for number in range(start, start + 100)]
        doings.begin(TAG, keys)
        doings.end(TAG, put=keys)

    known = doings.known(TAG)

    assert known == {"lost", *(str(number) for number in range(500, 1_000))}
    assert doings.known("another") == set()
    doings.end(TAG, off=["lost", "999"])
    assert not {"lost", "999"} & doings.known(TAG)


def test_a_first_load_says_that_automations_may_start(made: Bench) -> None:
    with destination(made) as found:
        assert "automations that start with the tag 'VIP'" in str(found.first_load(TAG))
