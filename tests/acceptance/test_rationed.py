"""What somebody approved goes to its end, also where the destination takes only so many people a day."""

from __future__ import annotations

from collections import Counter

import pytest

from hub.sync.approve import approve
from hub.sync.numbers import Status, SyncNumbers
from tests.acceptance.kit import Agency, only

PLUGIN = '''
"""A destination that takes so many members a day, and leaves the rest for the next."""

from hub import api


class Settings(api.Config):
    pass


class Rationed(api.Destination[Settings]):
    """Write down whom it took; a test says how many more it takes."""

    name = "rationed"
    Config = Settings
    can = api.Capabilities(ops={api.Op.ADD: api.Limit(500), api.Op.UPDATE: api.Limit(500)}, repeatable=False)

    def push(self, batch):
        ration = self.shop.workspace / "ration"
        for member in batch:
            left = int(ration.read_text())
            if left == 0:
                yield member.failed("the day's mails are sent; the rest goes tomorrow")
                continue
            ration.write_text(str(left - 1))
            with (self.shop.workspace / "took").open("a") as file:
                file.write(f"{member.email}\\n")
            yield member.delivered()


@api.hookimpl
def hub_destinations():
    return [Rationed]
'''


@pytest.fixture
def rationed(agency: Agency) -> Agency:
    (agency.folder / "plugins" / "rationed.py").write_text(PLUGIN)
    agency.change('plugin = "keeper"', 'plugin = "rationed"')
    return agency


def people(agency: Agency, count: int) -> None:
    """Let the shop have so many customers by now."""
    agency.shop.people(count - len(agency.shop.customers), start=len(agency.shop.customers) + 1)
    agency.shop.write(agency.clock.now)


def day(agency: Agency, ration: int = 1000, *, force: bool = False) -> SyncNumbers:
    """Run on the next day, on which the destination takes so many people."""
    agency.clock.go(days=1)
    (agency.folder / "ration").write_text(str(ration))
    return only(agency.run(force=force).syncs)


def took(agency: Agency) -> Counter[str]:
    place = agency.folder / "took"
    return Counter(place.read_text().split()) if place.exists() else Counter()


def guards(sync: SyncNumbers) -> list[str]:
    return [each["guard"] for each in sync.guards]


def approved(agency: Agency, guard: str) -> None:
    """Let a guard hold the sync, and approve it."""
    assert guards(day(agency)) == [guard]
    agency.clock.go(hours=1)
    assert [each.guard for each in approve(agency.wiring(), "news")] == [guard]


def test_an_approved_first_delivery_goes_on_day_after_day(rationed: Agency) -> None:
    people(rationed, 2200)
    approved(rationed, "first-delivery")

    days = [day(rationed) for _ in range(3)]

    assert [(each.status, each.delivered, guards(each)) for each in days] == [
        (Status.PARTIAL, 1000, []),
        (Status.PARTIAL, 1000, []),
        (Status.OK, 200, []),
    ]
    assert len(took(rationed)) == 2200
    assert set(took(rationed).values()) == {1}
    with rationed.wiring().open_ledger() as ledger:
        assert ledger.held() == []


def test_runs_between_the_days_use_nothing_up(rationed: Agency) -> None:
    people(rationed, 2200)
    approved(rationed, "first-delivery")
    day(rationed)

    for _ in range(3):
        rationed.clock.go(minutes=1)
        assert guards(only(rationed.run().syncs)) == []

    assert day(rationed).delivered == 1000


@pytest.mark.parametrize(("grown", "held"), [(2300, []), (2400, ["additions"])], ids=["little", "much"])
def test_a_shop_that_grows_by_more_than_a_tenth_of_what_is_left_is_held(
    rationed: Agency, grown: int, held: list[str]
) -> None:
    people(rationed, 2200)
    approved(rationed, "first-delivery")
    day(rationed)
    people(rationed, grown)

    second = day(rationed)

    assert guards(second) == held
    assert second.delivered == (0 if held else 1000)
    if held:
        assert [each.size for each in approve(rationed.wiring(), "news")] == [1400]
        assert [day(rationed).delivered for _ in range(2)] == [1000, 400]
    assert set(took(rationed).values()) == {1}


def test_what_grows_a_little_every_day_is_held_by_the_total(rationed: Agency) -> None:
    people(rationed, 5000)
    approved(rationed, "first-delivery")
    assert [day(rationed).delivered for _ in range(2)] == [1000, 1000]
    people(rationed, 5250)
    assert day(rationed, ration=10).delivered == 10
    people(rationed, 5350)

    assert guards(day(rationed)) == ["additions"]


def test_a_changed_definition_ends_an_approval(rationed: Agency) -> None:
    people(rationed, 2200)
    approved(rationed, "first-delivery")
    day(rationed)
    rationed.add('attributes = { name = "first_name" }\n')

    assert guards(day(rationed)) == ["changed-definition", "additions"]
    assert len(took(rationed)) == 1000


def test_approved_additions_go_on_day_after_day(rationed: Agency) -> None:
    people(rationed, 20)
    day(rationed, force=True)
    people(rationed, 2620)
    approved(rationed, "additions")

    assert [day(rationed).delivered for _ in range(3)] == [1000, 1000, 600]

    people(rationed, 2620 + 1500)
    assert guards(day(rationed)) == ["additions"]


def test_what_was_forced_goes_on_day_after_day(rationed: Agency) -> None:
    people(rationed, 2200)
    day(rationed, force=True)

    second = day(rationed)

    assert (second.delivered, guards(second)) == (1000, [])
    people(rationed, 4000)
    assert guards(day(rationed)) == ["additions"]


def test_a_reviewed_plan_goes_on_day_after_day(rationed: Agency) -> None:
    people(rationed, 2200)
    rationed.hub("plan", "acme", "--out", "plan.json")
    (rationed.folder / "ration").write_text("1000")
    assert only(rationed.hub("apply", "plan.json", "--json", expect=4).json["syncs"])["delivered"] == 1000
    (rationed.folder / "ration").write_text("1000")

    second = only(rationed.sync(expect=4)["syncs"])

    assert (second["delivered"], second.get("guards", [])) == (1000, [])


def test_an_approval_of_updates_is_none_of_additions(rationed: Agency) -> None:
    people(rationed, 900)
    day(rationed, force=True)
    rationed.add('attributes = { name = "first_name" }\n')
    approved(rationed, "changed-definition")
    day(rationed, ration=100)
    people(rationed, 2300)

    assert guards(day(rationed)) == ["additions"]
