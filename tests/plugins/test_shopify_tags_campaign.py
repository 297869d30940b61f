"""Whole runs of a shop that is read and tagged at once: through everything that may go wrong, and without going round."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from hub.sync.drift import find_drift
from hub.sync.numbers import Status
from hub.sync.people import forget
from hub_shopify.stand_in import Limits
from tests.shopify_client import Bench
from tests.shopify_tags_kit import MEMBERS, TAG, people, plan, prices, sync, tagged, tagging

GONE, HERS = 50, 25


@pytest.fixture
def made(tmp_path: Path) -> Iterator[Bench]:
    with tagging(tmp_path, people=6, limits=Limits(bulk_polls=1)) as served:
        yield served


def watch(made: Bench) -> list[tuple[bool, str]]:
    """Note each GraphQL request: whether it writes, and what became of it."""
    noted: list[tuple[bool, str]] = []
    service = made.stand_in._service
    answered = service.graphql

    def graphql(version: str, token: str, body: bytes) -> Any:
        answer = answered(version, token, body)
        throttled = answer.status == 429 or (isinstance(answer.body, dict) and "Throttled" in str(answer.body))
        noted.append((b"mutation Tag" in body, "throttled" if throttled else "served"))
        return answer

    service.graphql = graphql  # type: ignore[method-assign]
    return noted


@pytest.mark.parametrize(
    ("size", "how"),
    [(20_000, {}), (2_500, {"status": 429, "retry_after": 2})],
    ids=["THROTTLED", "429"],
)
def test_everyone_deliverable_is_tagged_once_and_the_next_sync_writes_nothing(
    tmp_path: Path, size: int, how: Any
) -> None:
    with tagging(tmp_path, people=size, limits=Limits(bulk_polls=1)) as made:
        made.pull()
        gone, hers, rest = people(made)[:GONE], people(made)[GONE : GONE + HERS], people(made)[GONE + HERS :]
        for each in hers:
            made.shop.add_tags(each, [TAG])
        for each in gone:
            made.shop.delete_customer(each)
        noted = watch(made)
        # A tenth is throttled; 2 % break; 1 % hang up when the work is done.
        made.stand_in.fault("throttled", every=10, times=1_000, **how)
        made.stand_in.fault("server-error", every=45, times=max(2, size // 2_500))
        made.stand_in.fault("dropped", every=31, times=max(1, size // 5_000), when="after")

        first = prices(sync(made, force=True, pull=False))
        made.stand_in.heal()
        writes = [what for writing, what in noted if writing]
        throttled = sum(what == "throttled" for _, what in noted)
        del noted[:]
        second = prices(sync(made))
        again = [what for writing, what in noted if writing]
        # Whose tag a lost answer left in doubt shows here: hub's own go, the shop's stay.
        for each in people(made):
            made.shop.add_tags(each, ["left"])
        made.rest = made.rest.replace(MEMBERS, "where false")
        third = prices(sync(made, force=True, pull=False))

    assert (first.status, first.rejected, first.failed, first.unknown) == (Status.PARTIAL, GONE, 0, 0)
    assert first.delivered == size - GONE
    assert 0.06 <= throttled / (len(writes) * 2) <= 0.16
    least = -(-(size - GONE - HERS) // 100)
    assert len(writes) - least <= 0.03 * least + throttled + 3
    assert (second.status, second.calls, second.unchanged, again) == (Status.OK, 0, size - GONE, [])
    assert third.delivered == size - GONE
    assert tagged(made) == {each.number for each in hers}
    assert all(each.tags == ["left"] for each in rest)


def test_hub_s_own_tags_are_read_back_once_and_nothing_goes_round(made: Bench) -> None:
    first = prices(sync(made, force=True))
    assert (first.add, first.calls) == (6, 1)

    second, third = sync(made), sync(made)

    [source] = second.sources
    assert source.tables["customers"]["read"] == 6, "a tag changes the customer, who is read once more"
    assert made.ask("select count(*) from people where list_contains(tags, 'VIP')") == [(6,)]
    for run in (second, third):
        assert (prices(run).status, prices(run).unchanged, prices(run).calls) == (Status.OK, 6, 0)


def test_people_enter_and_leave_with_one_call_for_each_kind(made: Bench) -> None:
    ada, bea, *others = people(made)
    made.shop.add_tags(ada, ["left"])
    sync(made, force=True)
    made.clock.go(minutes=15)
    made.shop.remove_tags(ada, ["left"])
    made.shop.add_tags(bea, ["left"])

    numbers = prices(sync(made, force=True))

    assert (numbers.add, numbers.remove, numbers.delivered, numbers.calls, numbers.reads) == (1, 1, 2, 2, 2)
    assert tagged(made) == {ada.number, *(each.number for each in others)}


def test_neither_e_mail_nor_consent_is_needed_to_see_prices_in_one_s_own_shop(made: Bench) -> None:
    quiet = made.shop.add_customer(first_name="Quiet")
    made.shop.set_consent(people(made)[0], "email", "UNSUBSCRIBED")

    numbers = prices(sync(made, force=True))

    assert (numbers.cleared, numbers.withheld) == (7, {})
    assert quiet.tags == [TAG]


def test_drift_finds_who_was_tagged_and_who_was_stripped_by_hand(made: Bench) -> None:
    sync(made, force=True)
    ada, *_ = people(made)
    stranger = made.shop.add_customer(tags=[TAG])
    made.shop.remove_tags(ada, [TAG])

    [found] = find_drift(made.wiring())

    assert (found.held, found.read) == (6, 6)
    assert found.added == [f"…{str(stranger.number)[-2:]}"]
    assert found.missing == [f"…{str(ada.number)[-2:]}"]


def test_forgetting_takes_hub_s_tag_off_and_leaves_the_shop_s_own(made: Bench) -> None:
    ada, bea, *_ = people(made)
    made.shop.add_tags(bea, [TAG])
    sync(made, force=True)

    receipt = forget(made.wiring(), "p0@example.com")
    other = forget(made.wiring(), "p1@example.com")

    assert ada.tags == []
    assert receipt.still_open == []
    assert bea.tags == [TAG]
    assert [each for each in other.still_open if "the customer still has VIP" in each]
    again = prices(sync(made, force=True))
    assert (again.add, ada.tags) == (0, [])


def test_a_customer_whom_the_shop_deleted_leaves_without_a_call_once_the_source_knows(made: Bench) -> None:
    sync(made, force=True)
    ada, *_ = people(made)
    made.shop.delete_customer(ada)
    made.clock.go(days=8)

    numbers = prices(sync(made, force=True))

    assert (numbers.remove, numbers.delivered, numbers.calls) == (1, 1, 0)


def test_a_first_load_is_never_throttled_and_uses_what_the_shop_allows(tmp_path: Path) -> None:
    with tagging(tmp_path, people=1_500, limits=Limits(bulk_polls=1)) as made:
        made.pull()
        made.clock.go(hours=1)
        used, begun = made.asked("points_used"), made.clock.seconds

        numbers = prices(sync(made, force=True, pull=False))

        allowed = 2_000 + (made.clock.seconds - begun) * 100
        assert (numbers.delivered, numbers.calls, made.asked("throttled")) == (1_500, 15, 0)
        assert 0.95 * allowed <= made.asked("points_used") - used <= allowed


@pytest.mark.parametrize("bucket", [(2_000, 100), (1_500, 50)])
def test_a_plan_foretells_calls_and_minutes_of_what_comes_and_goes(tmp_path: Path, bucket: tuple[float, float]) -> None:
    with tagging(tmp_path, people=1_000, limits=Limits(bulk_polls=1, bucket=bucket[0], restore_rate=bucket[1])) as made:
        made.pull()
        for leaving in (0, 500):
            for each in [each for each in people(made) if "left" not in each.tags][:leaving]:
                made.shop.add_tags(each, ["left"])
            planned = prices(plan(made))
            made.clock.go(hours=1)
            told, begun = planned.forecast, made.clock.seconds
            found = prices(sync(made, force=True, pull=False))
            minutes = (made.clock.seconds - begun) / 60

            assert told is not None
            assert (planned.calls, told.calls, told.reads) == (0, found.calls, found.reads)
            assert told.minutes is not None
            # The first load does not know yet how large the bucket is.
            if max(told.minutes, minutes) >= 1 and (leaving or bucket == (2_000, 100)):
                assert told.minutes == pytest.approx(minutes, rel=0.15)
