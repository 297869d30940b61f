"""What a plan foretells of calls and minutes, held against the run that follows, at each vendor's stand-in."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from hub_google.stand_in import CREDENTIALS, GoogleStandIn
from hub_klaviyo.stand_in import API_KEY as KLAVIYO_KEY
from hub_klaviyo.stand_in import KlaviyoStandIn
from hub_mailchimp.stand_in import API_KEY as MAILCHIMP_KEY
from hub_mailchimp.stand_in import LIST_ID, MailchimpStandIn
from hub_meta.stand_in import ACCESS_TOKEN, MetaStandIn
from tests.forecast_kit import Vendor, hold_against, rehearsing

KLAVIYO = Vendor(
    "klaviyo",
    "hub_klaviyo",
    "Klaviyo",
    'address = "ADDRESS"',
    {"API_KEY": KLAVIYO_KEY},
    lambda clock: KlaviyoStandIn(job_seconds=10, clock=clock),
)
MAILCHIMP = Vendor(
    "mailchimp",
    "hub_mailchimp",
    "Mailchimp",
    f'address = "ADDRESS"\nlist_id = "{LIST_ID}"',
    {"API_KEY": MAILCHIMP_KEY},
    lambda clock: MailchimpStandIn(job_seconds=10, clock=clock),
)
META = Vendor(
    "meta",
    "hub_meta",
    "Meta",
    'address = "ADDRESS"\naccount = "act_1234567890"',
    {"ACCESS_TOKEN": ACCESS_TOKEN},
    lambda clock: MetaStandIn(clock=clock),
)
GOOGLE = Vendor(
    "google",
    "hub_google",
    "Google",
    'address = "ADDRESS"\ntoken_address = "ADDRESS"\ncustomer = "123-456-7890"',
    {"CREDENTIALS": CREDENTIALS},
    lambda clock: GoogleStandIn(work_seconds=600, clock=clock),
)
VENDORS = {each.plugin: each for each in (KLAVIYO, MAILCHIMP, META, GOOGLE)}
IN_TIME = ["klaviyo", "meta", "google"]


ONE_BY_ONE = {"add": 1, "update": 1, "remove": 1}


@pytest.mark.parametrize(("vendor", "count"), [("klaviyo", 1), *((vendor, 10_001) for vendor in IN_TIME)])
def test_a_first_load_takes_what_the_plan_foretold_and_so_do_the_looks_at_its_jobs(
    tmp_path: Path, vendor: str, count: int
) -> None:
    with rehearsing(tmp_path, VENDORS[vendor]) as made:
        made.people(count)

        told = made.foretold()
        found, minutes = made.sync()

        hold_against(told, found, minutes)
        assert found.delivered + found.accepted == count
        assert told.later == made.later().reads


@pytest.mark.parametrize(
    ("vendor", "count"),
    [
        *(("klaviyo", count) for count in (150, 480)),
        *(("meta", count) for count in (79, 200)),
        ("google", 650),
    ],
)
def test_windows_that_bind_are_foretold(tmp_path: Path, vendor: str, count: int) -> None:
    with rehearsing(tmp_path, VENDORS[vendor], rows=ONE_BY_ONE) as made:
        made.people(count)

        told = made.foretold()
        found, minutes = made.sync()

        hold_against(told, found, minutes)
        assert found.calls == count


@pytest.mark.parametrize("vendor", IN_TIME)
def test_additions_and_removals_together_are_foretold(tmp_path: Path, vendor: str) -> None:
    with rehearsing(tmp_path, VENDORS[vendor], rows={"add": 40, "remove": 2}) as made:
        made.people(400)
        made.sync()
        made.later()
        made.agency.shop.customers[:] = made.agency.shop.customers[350:]
        made.people(90)

        told = made.foretold()
        found, minutes = made.sync()

        assert (found.add, found.remove) == (90, 350)
        hold_against(told, found, minutes)


def test_klaviyo_s_ids_that_are_looked_up_before_a_removal_are_foretold(tmp_path: Path) -> None:
    with rehearsing(tmp_path, KLAVIYO, rows={"remove": 10}) as made:
        made.people(1_500)
        made.sync()
        made.later()
        made.agency.shop.customers[:] = made.agency.shop.customers[:100]
        made.write()

        told = made.foretold()
        found, minutes = made.sync()

        assert (found.calls, found.reads) == (140, 140)
        hold_against(told, found, minutes)
        assert minutes > 1


def test_klaviyo_s_bytes_are_foretold_from_some_of_the_people(tmp_path: Path) -> None:
    with rehearsing(tmp_path, KLAVIYO, sync='attributes = { first_name = "first_name" }') as made:
        made.people(1_500, first_name="Ada" * 1_500)
        made.people(1_500, first_name="Ada")

        told = made.foretold()
        found, minutes = made.sync()

        assert found.calls > 1
        hold_against(told, found, minutes)


@pytest.mark.parametrize(
    ("sync", "settings", "calls"),
    [('purpose = "cart_reminder"', "", 3), ("", 'entered_event = "Entered"', 1 + 3)],
    ids=["cart events", "entered events"],
)
def test_klaviyo_s_events_are_foretold(tmp_path: Path, sync: str, settings: str, calls: int) -> None:
    with rehearsing(tmp_path, KLAVIYO, sync=sync, settings=settings) as made:
        made.people(2_500)

        told = made.foretold()
        found, minutes = made.sync()

        assert (told.calls, found.calls) == (calls, calls)
        hold_against(told, found, minutes)


def test_mailchimp_s_calls_are_foretold_and_its_connections_tell_no_time(tmp_path: Path) -> None:
    with rehearsing(tmp_path, MAILCHIMP) as made:
        made.people(1_201)
        told = made.foretold()
        found, _ = made.sync()
        assert (told.calls, told.reads, told.minutes) == (found.calls, found.reads, None) == (6, 1, None)

        made.agency.shop.customers[:] = made.agency.shop.customers[600:]
        made.write()
        told = made.foretold()
        found, _ = made.sync()
        assert (told.calls, told.reads, told.later) == (found.calls, found.reads, 0) == (2, 0, 0)


@pytest.mark.parametrize("count", [3, 900])
def test_mailchimp_s_fields_of_known_contacts_are_foretold(tmp_path: Path, count: int) -> None:
    with rehearsing(tmp_path, MAILCHIMP, sync='attributes = { first_name = "first_name" }') as made:
        assert isinstance(made.stand_in, MailchimpStandIn)
        for number in range(1, count + 1):
            made.stand_in.sign_up(f"p{number}@example.com")
        made.people(count)
        told = made.foretold()
        found, _ = made.sync()
        assert (told.calls, told.reads) == (found.calls, found.reads)
        assert told.later == made.later().reads

        for customer in made.agency.shop.customers:
            customer.first_name = "Grace"
        made.write()
        told = made.foretold()
        found, _ = made.sync()
        assert found.update == count
        assert (told.calls, told.reads) == (found.calls, found.reads)


@pytest.mark.parametrize("count", [400, 760, 1_500])
def test_meta_s_hour_is_foretold_beyond_what_the_rate_allows(tmp_path: Path, count: int) -> None:
    """An account a tenth as large, so that a few hundred calls are hours: 460 calls, and 40 for the audience."""
    smaller = "quota = 500\n    can = replace(can, rate=api.Rate(per_minute=8))"
    vendor = replace(META, stand_in=lambda clock: MetaStandIn(quota=460, clock=clock))
    with rehearsing(tmp_path, vendor, rows=ONE_BY_ONE, more=smaller) as made:
        made.people(count)

        told = made.foretold()
        found, minutes = made.sync()

        assert found.delivered == count
        hold_against(told, found, minutes)
