"""One client at every vendor: kept, looked at, explained and forgotten."""

from __future__ import annotations

import json
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub.sandbox import Sandbox
from hub_google.stand_in import GoogleStandIn
from hub_klaviyo.stand_in import KlaviyoStandIn
from hub_mailchimp.stand_in import LIST_ID, MailchimpStandIn
from hub_meta.stand_in import MetaStandIn
from hub_shopify.stand_in import Limits, ShopifyStandIn
from tests.acceptance.kit import Agency, only

CLIENT = f"""
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[[consent.from]]
tag = "asked"
grants = ["email", "ads"]
evidence = "checkout box"

[sources.shop]
plugin = "shopify"
store = "acme"

[segments.everybody]
plugin = "everyone"

[destinations.klaviyo]
plugin = "klaviyo"

[destinations.mailchimp]
plugin = "mailchimp"
list_id = "{LIST_ID}"

[destinations.meta]
plugin = "meta"
account = "1234567890"

[destinations.google]
plugin = "google"
customer = "123-456-7890"

[destinations.shop]
plugin = "shopify"
store = "acme"
"""
VENDORS = ("klaviyo", "mailchimp", "meta", "google", "shop")
READABLE = ("klaviyo", "mailchimp", "shop")
AUDIENCE = "hub everybody"
_RUNS = 30  # a receipt is looked at seconds after it was given


class Shop(ShopifyStandIn):
    """A shop of few customers, which takes changes fast."""

    def __init__(self) -> None:
        super().__init__(size=40, limits=Limits(bucket=10_000, restore_rate=1_000, bulk_polls=1))


class Klaviyo(KlaviyoStandIn):
    """Jobs are done at once."""

    def __init__(self) -> None:
        super().__init__(job_seconds=0)


class Meta(MetaStandIn):
    """Uploads are matched at once."""

    def __init__(self) -> None:
        super().__init__(work_seconds=0)


class Google(GoogleStandIn):
    """Requests are processed at once."""

    def __init__(self) -> None:
        super().__init__(work_seconds=0)


class Vendors:
    """The stand-ins, as somebody at each vendor's desk sees and changes them."""

    def __init__(self, sandbox: Sandbox) -> None:
        self.sandbox = sandbox
        self.all = sandbox.stand_ins
        self.shop = self.all["shopify"].shop  # type: ignore[attr-defined]
        self.asked: set[str] = set()

    def held(self, vendor: str) -> set[str]:
        """Return who is in the audience: hashes of e-mails at ad platforms, e-mails elsewhere."""
        if vendor in {"meta", "google"}:
            return set(self.all[vendor].held(AUDIENCE))  # type: ignore[attr-defined]
        if vendor == "klaviyo":
            return {email for each in self._lists() for email in each["members"]}
        if vendor == "mailchimp":
            return {
                email
                for each in self.all[vendor].state()["tags"]
                if each["name"] == AUDIENCE
                for email in each["members"]
            }
        return {each.email for each in self.shop.customers.values() if AUDIENCE in each.tags}

    def by_hand(self, vendor: str, email: str, *, add: bool) -> None:
        """Put somebody into the audience, or take them out, past hub."""
        if vendor == "shop":
            customer = next(each for each in self.shop.customers.values() if each.email == email)
            (self.shop.add_tags if add else self.shop.remove_tags)(customer, [AUDIENCE])
            return
        world: Any = self.all[vendor].world  # type: ignore[attr-defined]
        if vendor == "klaviyo":
            profile, members = world.upsert({"attributes": {"email": email}}, 0.0), self._list(world).members
            members.update({profile.id: 0.0}) if add else members.pop(profile.id)
            return
        audience = world.audience(LIST_ID)
        contact = audience.of(email) or world.add_contact(audience, {"email_address": email, "status": "cleaned"}, 0.0)
        tag = next(number for number, each in audience.tags.items() if each.name == AUDIENCE)
        contact.tags ^= {tag}

    def _lists(self) -> list[Any]:
        return [each for each in self.all["klaviyo"].state()["lists"] if each["name"] == AUDIENCE]

    @staticmethod
    def _list(world: Any) -> Any:
        return only(each for each in world.lists.values() if each.name == AUDIENCE)


@pytest.fixture
def vendors(tmp_path: Path) -> Iterator[Vendors]:
    """Serve a shop of people of whom 25 were asked, and every vendor."""
    kinds = [Klaviyo, MailchimpStandIn, Meta, Google, Shop]
    Agency(tmp_path / "agency")
    with Sandbox(kinds, tmp_path / "agency") as sandbox:
        made = Vendors(sandbox)
        for customer in [each for each in made.shop.customers.values() if each.email][:25]:
            made.shop.add_tags(customer, ["asked"])
            made.asked.add(customer.email)
        yield made


@pytest.fixture
def agency(vendors: Vendors, tmp_path: Path) -> Agency:
    """One client with everybody in an audience at every vendor, delivered."""
    made = Agency(tmp_path / "agency")
    syncs = (
        f'[syncs.at-{vendor}]\nsegment = "everybody"\ndestination = "{vendor}"\naudience = "{AUDIENCE}"\n'
        for vendor in VENDORS
    )
    made.client(CLIENT + "\n".join(syncs))
    made.sync("--sandbox", "--force")
    return made


def states(agency: Agency, email: str) -> dict[str, str]:
    """Return what a person's state is at each vendor."""
    (person,) = agency.hub("explain", "acme", email, "--sandbox", "--json").json
    return {each["destination"]: each["stays"][-1]["state"] for each in person["audiences"] if each["stays"]}


def settled(agency: Agency, email: str) -> dict[str, str]:
    """Let runs follow each other until the vendors have answered for a person, and return the states."""
    for _ in range(_RUNS):
        agency.sync("--sandbox")
        if set(states(agency, email).values()) == {"held"}:
            break
    return states(agency, email)


def hashes(emails: set[str]) -> set[str]:
    return {sha256(email.encode()).hexdigest() for email in emails}


def test_one_segment_is_kept_at_each_and_changes_by_hand_are_found_where_one_can_look(
    agency: Agency, vendors: Vendors
) -> None:
    again = agency.sync("--sandbox")

    told = {each["destination"]: each for each in again["syncs"]}
    assert {name: (each["status"], each["calls"]) for name, each in told.items()} == dict.fromkeys(VENDORS, ("ok", 0))
    mailed = vendors.held("klaviyo")
    settled(agency, min(mailed))
    assert len(mailed) >= 20
    assert vendors.held("mailchimp") == mailed
    assert vendors.held("meta") <= vendors.held("google") & hashes(vendors.asked)
    assert len(vendors.held("meta")) == told["meta"]["cleared"] == told["google"]["cleared"] >= 15
    assert len(vendors.held("shop")) == told["shop"]["cleared"] > len(mailed)

    newcomer = vendors.shop.add_customer(email="stranger@example.org")
    for vendor in READABLE:
        vendors.by_hand(vendor, min(mailed), add=False)
        vendors.by_hand(vendor, newcomer.email, add=True)
    drift = {each["destination"]: each for each in agency.hub("drift", "acme", "--sandbox", "--json").json}

    found = {name: (each["added_count"], each["missing_count"]) for name, each in drift.items()}
    assert found == dict.fromkeys(VENDORS, (0, 0)) | dict.fromkeys(READABLE, (1, 1))
    assert {name for name, each in drift.items() if "why_not" not in each} == set(READABLE)


def test_a_person_is_explained_at_each_and_forgotten_by_all(agency: Agency, vendors: Vendors) -> None:
    email = next(each for each in sorted(vendors.held("klaviyo")) if hashes({each}) <= vendors.held("meta"))
    known = (email, *hashes({email}))

    assert settled(agency, email) == dict.fromkeys(VENDORS, "held")
    receipt = agency.hub("forget", "acme", email, "--sandbox", "--json").json
    agency.sync("--sandbox")

    assert [name for name in VENDORS if f"{name}: delivered" not in receipt["done"]] == []
    held = {name: json.dumps(vendors.all[name].state()) for name in ("klaviyo", "mailchimp", "meta", "google")}
    assert [name for name, state in held.items() for each in known if each in state] == []
    assert email not in vendors.held("shop")
    assert agency.hub("explain", "acme", email, "--sandbox", "--json").json == []
