"""Cart segments as events at Klaviyo: each entry once, a first load that starts no flow, nothing to take back."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub.ledger import MemberState
from hub_klaviyo import Klaviyo, KlaviyoEvents, bodies
from tests.deliver_kit import World
from tests.klaviyo_kit import AS_OF, LIST, Bench, batch, member, serving

ADD = api.Op.ADD
CARTS = "cart_reminder"


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Bench]:
    with serving(tmp_path) as made:
        yield made


@pytest.fixture
def world(tmp_path: Path, bench: Bench) -> Iterator[World]:
    made = World(tmp_path / "ledger", bench.clock)  # type: ignore[arg-type]  # a clock like its own
    yield made
    made.close()


def events(bench: Bench) -> list[dict[str, Any]]:
    return list(bench.vendor.world.events)


def push(bench: Bench, *batches: api.Batch) -> list[api.Outcome]:
    """Push batches as one run does."""
    destination = bench.destination().serving(CARTS)
    return [outcome for each in batches for outcome in destination.push(each)]


def entering(*numbers: int, **more: Any) -> api.Batch:
    return batch(ADD, f"metric:{LIST}", [member(number) for number in numbers], **more)


def deliver(world: World, destination: api.Destination[Any], **what: Any) -> Any:
    audience = world.audience(destination)  # type: ignore[arg-type]
    if audience.remote_id is None:
        world.ledger.set_remote_id(audience.audience_id, destination.ensure_audience(audience.name))
    return world.deliver(destination, **what)  # type: ignore[arg-type]


def test_carts_are_events_and_newsletters_are_lists(bench: Bench) -> None:
    destination = bench.destination()

    assert isinstance(destination.serving(CARTS), KlaviyoEvents)
    assert destination.serving("email_marketing") is destination


def test_carts_are_lists_where_the_settings_say_so(bench: Bench) -> None:
    assert isinstance(bench.destination(cart_segments="list").serving(CARTS), Klaviyo)


def test_an_event_says_what_the_cart_is(bench: Bench) -> None:
    about = {"first_name": "Ann", "cart_url": "https://a.example", "cart_value": Decimal("19.50"), "gone": None}

    push(bench, batch(ADD, f"metric:{LIST}", [member(1, **about)]))

    assert events(bench) == [
        {
            "metric": LIST,
            "email": "p1@example.com",
            "time": "2026-11-21T12:00:00Z",
            "value": 19.5,
            "backfill": True,
            "unique_id": f"{LIST}:{1:032x}:2026-11-21",
            "properties": {
                "first_name": "Ann",
                "cart_url": "https://a.example",
                "cart_value": 19.5,
                "segment": LIST,
            },
        }
    ]
    assert bench.profile("p1@example.com")["first_name"] == "Ann"


def test_a_first_load_starts_no_flow_and_what_comes_later_does(bench: Bench) -> None:
    push(bench, entering(1, 2, last=False), entering(3, last=True))
    push(bench, entering(4, last=True))

    assert {each["email"]: each["backfill"] for each in events(bench)} == {
        "p1@example.com": True,
        "p2@example.com": True,
        "p3@example.com": True,
        "p4@example.com": False,
    }


def test_two_audiences_have_a_first_load_each(bench: Bench) -> None:
    push(bench, entering(1))
    push(bench, batch(ADD, "metric:Another", [member(2)]))

    assert [each["backfill"] for each in events(bench)] == [True, True]


def test_a_first_load_goes_on_where_its_run_was_killed(bench: Bench) -> None:
    push(bench, entering(1, last=False))
    push(bench, entering(2, last=True))
    push(bench, entering(3, last=True))

    assert [each["backfill"] for each in events(bench)] == [True, True, False]


def test_a_first_load_stays_open_while_a_part_of_it_failed(bench: Bench) -> None:
    destination = bench.destination().serving(CARTS)
    bench.vendor.fault("server-error")
    with pytest.raises(api.TransientError):
        list(destination.push(entering(1, last=False)))
    list(destination.push(entering(2, last=True)))

    push(bench, entering(1, last=True))
    push(bench, entering(3, last=True))

    assert {each["email"]: each["backfill"] for each in events(bench)} == {
        "p2@example.com": True,
        "p1@example.com": True,
        "p3@example.com": False,
    }


def test_a_part_that_succeeds_when_repeated_ends_the_first_load(bench: Bench) -> None:
    destination = bench.destination().serving(CARTS)
    bench.vendor.fault("server-error")
    with pytest.raises(api.TransientError):
        list(destination.push(entering(1, last=False)))
    list(destination.push(entering(1, last=False)))
    list(destination.push(entering(2, last=True)))

    push(bench, entering(3, last=True))

    assert [each["backfill"] for each in events(bench)] == [True, True, False]


def test_wrong_rows_are_named_and_everyone_else_is_recorded(bench: Bench, world: World) -> None:
    bench.vendor.fault("poison-rows", text="b@")

    tally = deliver(world, bench.destination().serving(CARTS), add=["a", "b", "c"])

    assert (tally.delivered, tally.rejected, tally.calls) == (2, 1, 2)
    assert {each["email"] for each in events(bench)} == {"a@example.com", "c@example.com"}
    assert all(each["backfill"] for each in events(bench))


def test_an_answer_that_was_lost_records_nothing_twice(bench: Bench, world: World) -> None:
    bench.vendor.fault("drop-after", path="/api/event-bulk")

    tally = deliver(world, bench.destination().serving(CARTS), add=["a", "b"])

    assert (tally.delivered, len(events(bench))) == (2, 2)


def test_who_enters_on_another_day_is_recorded_again(bench: Bench) -> None:
    for days in (0, 0, 1):
        push(bench, entering(1, as_of=AS_OF + timedelta(days=days)))

    assert [each["unique_id"][-10:] for each in events(bench)] == ["2026-11-21", "2026-11-22"]


def test_a_thousand_events_are_one_call(bench: Bench, world: World) -> None:
    tally = deliver(world, bench.destination().serving(CARTS), add=[f"p{number}" for number in range(1_001)])

    assert (tally.delivered, tally.calls, tally.reads) == (1_001, 2, 0)


def test_leaving_is_no_call(bench: Bench, world: World) -> None:
    destination = bench.destination().serving(CARTS)
    deliver(world, destination, add=["a"])
    before = len(bench.vendor.requests)

    tally = deliver(world, destination, remove=["a"])

    assert (tally.delivered, len(bench.vendor.requests) - before) == (1, 0)
    assert MemberState.HELD not in world.states(destination).values()  # type: ignore[arg-type]


def test_an_event_audience_that_no_sync_keeps_is_left_without_a_call(bench: Bench) -> None:
    outcomes = list(bench.destination().push(batch(api.Op.REMOVE, f"metric:{LIST}", [member(1)])))

    assert [each.state for each in outcomes] == [api.State.DELIVERED]
    assert bench.vendor.requests == []


@pytest.mark.parametrize(("purpose", "audience"), [(CARTS, "L1"), ("email_marketing", "metric:Carts")])
def test_an_audience_does_not_turn_from_one_way_into_the_other(bench: Bench, purpose: str, audience: str) -> None:
    with pytest.raises(api.ConfigError, match="was delivered as"):
        list(bench.destination().serving(purpose).push(batch(ADD, audience, [member(1)])))


@pytest.mark.parametrize(("length", "fits"), [(127, True), (128, False)])
def test_a_metrics_name_has_fewer_than_128_characters(bench: Bench, length: int, fits: bool) -> None:
    destination = bench.destination().serving(CARTS)

    if fits:
        assert destination.ensure_audience("x" * length) == "metric:" + "x" * length
    else:
        with pytest.raises(api.ConfigError):
            destination.ensure_audience("x" * length)


def test_entering_a_list_may_be_recorded_too(bench: Bench) -> None:
    destination = bench.destination(entered_event="Hub Segment Entered")
    audience = destination.ensure_audience(LIST)
    people = [member(number) for number in range(1_500)]

    outcomes = list(destination.push(batch(ADD, audience, people)))
    list(destination.push(batch(api.Op.UPDATE, audience, people[:1])))

    assert {each.state for each in outcomes} == {api.State.ACCEPTED}
    assert [each["metric"] for each in events(bench)] == ["Hub Segment Entered"] * 1_500
    assert {each["properties"]["segment"] for each in events(bench)} == {LIST}
    assert bench.asked("POST", "event-bulk") == 2


@given(
    st.lists(
        st.tuples(st.text(alphabet="0123456789abcdef", min_size=32, max_size=32), st.emails()),
        unique_by=lambda pair: pair[0],
    )
)
def test_one_person_is_one_event_and_no_unique_id_is_repeated(people: list[tuple[str, str]]) -> None:
    entry = bodies.Entry(LIST, LIST, AS_OF, "DKK")
    members = [api.Member(key, email) for key, email in people]

    rows = bodies.events_job(bodies.event(each, entry) for each in members)["data"]["attributes"]["events-bulk-create"][
        "data"
    ]

    told = [row["attributes"]["events"]["data"] for row in rows]
    assert [len(each) for each in told] == [1] * len(people)
    assert len({each[0]["attributes"]["unique_id"] for each in told}) == len(people)
