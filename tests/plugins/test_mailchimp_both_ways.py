"""One client whose audience is read and written: consents and engagement come from Mailchimp, tags go there."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from hub.api import Level
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.check import check_online
from hub.sync.run import RunOptions, run_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import StandIns, Wiring
from hub_mailchimp.stand_in import LIST_ID, MailchimpStandIn
from tests.acceptance.kit import START, Agency
from tests.mailchimp_kit import Recorded, hold_against_the_vendor

CLIENT = f"""
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[sources.newsletter]
plugin = "mailchimp"
list_id = "{LIST_ID}"

[segments.all]
plugin = "everyone"

[segments.spring]
plugin = "by-campaign"
campaigns = ["spring"]
did = "clicked"

[destinations.newsletter]
plugin = "mailchimp"
list_id = "{LIST_ID}"

[syncs.news]
segment = "all"
destination = "newsletter"

[syncs.spring]
segment = "spring"
destination = "newsletter"
audience = "Clicked in spring"
"""


@pytest.fixture
def agency(tmp_path: Path) -> Agency:
    made = Agency(tmp_path / "agency")
    made.client(CLIENT)
    return made


@pytest.fixture
def vendor(agency: Agency) -> Iterator[Recorded]:
    made = Recorded(job_seconds=0, clock=lambda: agency.clock().timestamp())
    made.start()
    yield made
    made.stop()
    hold_against_the_vendor(made.recorded)


def rehearsal(agency: Agency, vendor: Recorded) -> Wiring:
    """Wire the client's own file, with Mailchimp's own address in it, to the stand-in, as ``--sandbox`` does."""
    around = Surroundings(
        clock=agency.clock, monotonic=lambda: agency.clock().timestamp(), sleep=lambda _: None, environ={}
    )
    workspace = load_workspace(agency.folder)
    stand_ins = StandIns({"mailchimp": vendor.base}, {"mailchimp": MailchimpStandIn.secrets})
    return Wiring(workspace, load_client(workspace, "acme"), Plugins(agency.folder), around, stand_ins)


def held(vendor: Recorded) -> dict[str, set[str]]:
    audience = vendor.world.audience(LIST_ID)
    return {tag.name: {each.email for each in audience.tagged(tag.id)} for tag in audience.tags.values()}


def test_what_people_said_and_did_at_mailchimp_decides_who_gets_which_tag(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(5, says="").write(START)
    for number in (1, 2, 3):
        vendor.sign_up(f"p{number}@example.com")
    audience = vendor.world.audience(LIST_ID)
    row = {"email_address": "p4@example.com", "status": "subscribed"}
    vendor.world.add_contact(audience, row, START.timestamp())
    campaign = vendor.send("Spring", [f"p{number}@example.com" for number in (1, 2, 3)])
    agency.clock.go(hours=1)
    vendor.act(campaign, "p2@example.com", "click")
    vendor.act(campaign, "p3@example.com", "click")
    vendor.unsubscribe("p3@example.com")
    agency.clock.go(hours=1)

    run = run_client(rehearsal(agency, vendor), RunOptions("sync", force=True))

    news, spring = run.syncs
    assert held(vendor) == {"all": {"p1@example.com", "p2@example.com"}, "Clicked in spring": {"p2@example.com"}}
    # An imported subscription proves nothing, silence neither.
    assert news.withheld == {"NO_CONSENT": 2, "OPTED_OUT": 1}
    assert (spring.members, spring.withheld) == (2, {"OPTED_OUT": 1})
    newsletter = next(each for each in run.sources if each.name == "newsletter")
    assert {table: counts["read"] for table, counts in newsletter.tables.items()} == {"consents": 4, "engagement": 5}


def test_whoever_is_deleted_at_mailchimp_loses_the_permission_given_there(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(4, says="").write(START)
    for number in (1, 2, 3, 4):
        vendor.sign_up(f"p{number}@example.com")
    agency.clock.go(hours=1)
    run_client(rehearsal(agency, vendor), RunOptions("sync", force=True))
    audience = vendor.world.audience(LIST_ID)
    vendor.world.erase(audience, audience.contacts[next(iter(audience.contacts))])
    agency.clock.now += timedelta(days=8)

    run = run_client(rehearsal(agency, vendor), RunOptions("sync", force=True))

    assert run.syncs[0].withheld == {"NO_CONSENT": 1}


def test_the_client_s_own_file_is_rehearsed_and_checked_against_the_stand_in(agency: Agency, vendor: Recorded) -> None:
    agency.shop.people(1).write(START)

    found = list(check_online(rehearsal(agency, vendor)))

    assert [finding for _, finding in found if finding.level is Level.ERROR] == []
    told = [(name, finding.text) for name, finding in found if "audience Sandbox" in finding.text]
    assert [name for name, _ in told] == ["source newsletter", "destination newsletter"]
