"""A destination that is the shop itself knows people by customer id: whose ids, how they leave, drift and forgetting."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from hub.ledger import MemberState
from tests.acceptance.kit import Agency, Customer, Shop, only

REGISTER = '''
"""A shop that keeps customer ids in a file."""

import json

from hub import api

ADD, REMOVE = api.Op.ADD, api.Op.REMOVE


class Settings(api.Config):
    system: str | None = api.Field(default=None, description="the shop")


class Register(api.Destination[Settings]):
    """Keep customer ids in a file; those that begin with 9 were on it before."""

    name, Config = "register", Settings
    can = api.Capabilities(
        ops={ADD: api.Limit(3), REMOVE: api.Limit(3)}, identify_by=("customer_id",), purpose="own_shop"
    )

    @property
    def place(self):
        return self.shop.workspace / "register.json"

    def read(self):
        return json.loads(self.place.read_text()) if self.place.exists() else []

    def push(self, batch):
        held = set(self.read())
        for member in batch:
            assert member.email is None and member.phone is None
            if batch.op is ADD:
                held.add(member.customer_id)
            elif member.remote_id is None:
                held.discard(member.customer_id)
        self.place.write_text(json.dumps(sorted(held)))
        if self.place.with_suffix(".fault").exists():
            raise api.TransientError("the line broke", sent=True)
        for member in batch:
            yield member.delivered("before" if batch.op is ADD and member.customer_id.startswith("9") else None)

    def read_members(self, audience):
        for number in self.read():
            yield api.Member(number, customer_id=number)

    def forget(self, member):
        self.place.with_suffix(".forgot").write_text(member.customer_id)
        return member.delivered()


@api.hookimpl
def hub_destinations():
    return [Register]
'''


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency")
    (made.folder / "plugins" / "register.py").write_text(REGISTER)
    made.change('plugin = "keeper"', 'plugin = "register"')
    made.shop.people(4)
    return made


def held(agency: Agency) -> list[str]:
    numbers: list[str] = json.loads((agency.folder / "register.json").read_text())
    return numbers


def with_a_till(agency: Agency, setting: str) -> None:
    """Give the client another shop, where the same number is somebody else."""
    till = Shop(agency.folder / "exports" / "till")
    till.customers.append(Customer(1001, "stranger@example.org"))
    till.write()
    agency.add('\n[sources.till]\nplugin = "csv"\nfolder = "exports/till"\n')
    agency.change('plugin = "register"\n', f'plugin = "register"\n{setting}')


def test_members_come_and_leave_by_customer_id_without_e_mail_or_consent(agency: Agency) -> None:
    agency.shop.customers[0].says = "no"
    agency.shop.customers[3].number = 9004
    agency.started()
    assert held(agency) == ["1001", "1002", "1003", "9004"]

    agency.shop.customers = agency.shop.customers[:2]
    agency.shop.write()
    numbers = only(agency.sync("--force")["syncs"])

    assert (numbers["remove"], numbers["delivered"]) == (2, 2)
    assert held(agency) == ["1001", "1002", "9004"], "what came back as a remote id comes along when one leaves"


def test_who_was_sent_when_the_line_broke_can_be_removed(agency: Agency) -> None:
    agency.shop.write()
    (agency.folder / "register.fault").touch()
    agency.run(force=True)
    assert held(agency) == ["1001", "1002", "1003", "1004"]
    (agency.folder / "register.fault").unlink()

    receipt = agency.hub("forget", "acme", "p2@example.com")

    assert "removed" in receipt.stdout
    assert held(agency) == ["1001", "1003", "1004"]


def test_ids_are_those_of_the_shop_that_is_named(agency: Agency) -> None:
    with_a_till(agency, 'system = "till"\n')

    agency.started()

    assert held(agency) == ["1001"]
    assert list(agency.members().values()) == [MemberState.HELD]


@pytest.mark.parametrize(
    ("setting", "told"), [("", "names no `system`"), ('system = "shpo"\n', "names the system 'shpo'")]
)
def test_a_shop_that_cannot_be_told_is_a_mistake_in_the_file(agency: Agency, setting: str, told: str) -> None:
    with_a_till(agency, setting)
    agency.shop.write()

    done = agency.hub("plan", "acme", expect=2)

    assert told in done.stderr
    assert "there are shop, till" in done.stderr


def test_no_purpose_but_own_shop_clears_a_customer_id(agency: Agency) -> None:
    agency.change('destination = "list"', 'destination = "list"\npurpose = "email_marketing"')
    agency.shop.write()

    done = agency.hub("plan", "acme", expect=2)

    assert "knows people by customer id" in done.stderr


def test_what_proves_consent_is_never_written_into_the_shop(agency: Agency) -> None:
    agency.change('destination = "list"', 'destination = "list"\naudience = "Ads-OK "')
    agency.add('\n[[consent.from]]\ntag = "ads-ok"\ngrants = ["ads"]\nevidence = "checkout box"\n')
    agency.shop.write()

    done = agency.hub("plan", "acme", expect=2)

    assert "proves consent in this shop" in done.stderr


def test_drift_and_forgetting_find_people_by_customer_id(agency: Agency) -> None:
    agency.started()
    (agency.folder / "register.json").write_text(json.dumps(["1001", "1002", "1004", "5077"]))

    found = only(agency.hub("drift", "acme", "--json").json)
    agency.hub("forget", "acme", "p2@example.com")

    assert (found["held"], found["added"], found["missing"]) == (4, ["…77"], ["…03"])
    assert held(agency) == ["1001", "1004", "5077"]
    assert (agency.folder / "register.forgot").read_text() == "1002"


def test_an_audience_of_customer_ids_is_taken_over(agency: Agency) -> None:
    (agency.folder / "register.json").write_text(json.dumps(["1001", "7777"]))
    agency.add('audience_id = "register"\nadopt = true\n')
    agency.shop.write()

    [synced] = agency.sync("--force")["syncs"]

    assert (synced["add"], synced["remove"], synced["unchanged"]) == (3, 1, 1)
    assert held(agency) == ["1001", "1002", "1003", "1004"]
