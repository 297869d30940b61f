"""One person at a time: explain, suppress, forget, export."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

import hub.sync.explain
from hub.ledger.lock import hold
from tests.acceptance.kit import Agency, Customer, Shop, only, until

P1, P2, STRANGER = "p1@example.com", "p2@example.com", "stranger@example.org"
FILE = """
[segments.buyers]
plugin = "buyers"
at_least = 2

[destinations.paper]
plugin = "file"

[syncs.letters]
segment = "buyers"
destination = "paper"
attributes = { name = "first_name" }
"""


@pytest.fixture(scope="module")
def explained(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    agency = Agency(tmp_path_factory.mktemp("people") / "agency")
    agency.add(FILE)
    agency.shop.people(5).people(1, "no", start=9)
    agency.shop.of(P1).phone = "+4532123456"
    for _ in range(3):
        agency.shop.buy(P1, datetime.now(UTC) - timedelta(days=5), 70)
    agency.shop.buy(P2, datetime.now(UTC) - timedelta(days=5), 70)
    return agency.started()


@pytest.fixture
def people(explained: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    return explained.copied(tmp_path / "agency")


def test_explain_names_condition_value_threshold_consent_and_delivery(people: Agency) -> None:
    told = only(people.hub("explain", "acme", P2, "--json").json)

    buyers = next(each for each in told["segments"] if each["segment"] == "buyers")
    assert buyers["member"] is False
    assert buyers["deciding"]["column"] == "orders"
    assert buyers["deciding"]["observed"] == 1
    assert "2" in buyers["deciding"]["says"]
    news = next(each for each in told["audiences"] if each["sync"] == "news")
    assert (news["cleared"], news["source"], news["status"], news["dated_by"]) == (True, "shop", "subscribed", "file")
    assert news["recorded_at"].endswith("Z")
    assert only(news["stays"])["delivered_at"].endswith("Z")
    assert only(news["stays"])["state"] == "held"

    text = people.hub("explain", "acme", "1009").stdout
    assert "p9@example.com" in text
    assert "no: NO_CONSENT" in text
    assert "shop says never" in text
    assert people.hub("explain", "acme", "+4532123456", "--json").json[0]["addresses"]


def test_explain_of_a_stranger_says_so(people: Agency) -> None:
    assert people.hub("explain", "acme", STRANGER, "--json").json == []
    assert "Nobody" in people.hub("explain", "acme", STRANGER).stdout


def test_suppress_removes_at_the_next_run_and_lift_lets_back_in(people: Agency) -> None:
    people.hub("suppress", "acme", P1)
    people.sync()
    assert P1 not in people.held()
    told = only(people.hub("explain", "acme", P1, "--json").json)
    assert {block["reason"] for block in told["blocks"]} == {"manual"}
    assert next(each for each in told["audiences"] if each["sync"] == "news")["code"] == "SUPPRESSED"

    people.hub("suppress", "acme", P1, "--lift")
    people.sync()
    assert P1 in people.held()


def test_suppress_works_for_someone_who_is_not_known_yet(people: Agency) -> None:
    people.hub("suppress", "acme", STRANGER)
    people.shop.of("p3@example.com").email = STRANGER
    people.shop.write()

    people.sync()

    assert STRANGER not in people.held()


def files_with(folder: Path, *texts: str) -> list[str]:
    """Return the files of a folder in which one of the texts stands, in whatever case."""
    wanted = [text.lower().encode() for text in texts]
    return [
        str(path)
        for path in folder.rglob("*")
        if path.is_file() and any(text in path.read_bytes().lower() for text in wanted)
    ]


def test_a_forgotten_person_is_in_no_file_and_does_not_come_back(people: Agency) -> None:
    places = (people.folder / ".hub" / "acme", people.folder / "audiences" / "acme")
    assert files_with(places[0], P1)
    assert files_with(places[1], P1)

    receipt = people.hub("forget", "acme", P1, "--json").json

    for place in places:
        assert not files_with(place, P1, "4532123456", "32123456")
    assert P1 not in people.held()
    assert receipt["addresses"] >= 3
    assert any(line.startswith("list: cannot erase by itself") for line in receipt["open"])
    assert not any(line.startswith("paper") for line in receipt["open"])
    assert any("catalog" in line for line in receipt["done"])

    people.shop.write()
    people.sync("--force")
    people.sync("--force")
    assert P1 not in people.held()
    for place in places:
        assert not files_with(place, P1)
    assert people.hub("explain", "acme", P1, "--json").json == []
    assert P2 in people.held()


def order_without_a_date(shop: Shop, person: str) -> None:
    shop.buy(person, datetime.now(UTC), 70)
    shop.orders[-1]["Created at"] = "31/31/2026"
    shop.write()


def customer_with_a_field_too_many(shop: Shop, person: str) -> None:
    with (shop.folder / "customers_export.csv").open("a", encoding="utf-8") as file:
        file.write(f"'{1001 if person == P1 else 2002},Ada,,{person.upper()},yes,DK,,0,0,,one too many\n")


def customer_with_nothing_but_a_phone(shop: Shop, person: str) -> None:
    with (shop.folder / "customers_export.csv").open("a", encoding="utf-8") as file:
        file.write(f",Ada,,,yes,DK,{'(32) 12-34-56' if person == P1 else person},0,0,,one too many\n")


BROKEN = [order_without_a_date, customer_with_a_field_too_many, customer_with_nothing_but_a_phone]
TRACES = (P1, "32123456", "32) 12-34-56")


@pytest.mark.parametrize("give_broken", BROKEN)
def test_a_broken_row_of_a_forgotten_person_is_dropped(
    people: Agency, give_broken: Callable[[Shop, str], None]
) -> None:
    people.add("[guards]\nmax_rejected = 1")
    people.hub("forget", "acme", P1)
    people.shop.customers = [each for each in people.shop.customers if each.email != P1]
    people.shop.orders = [each for each in people.shop.orders if each["Email"] != P1]
    people.shop.write()

    give_broken(people.shop, P1)
    give_broken(people.shop, STRANGER)
    pulled = people.hub("pull", "acme", "--json").json

    assert not files_with(people.state, *TRACES)
    assert "1 rows of people who were erased were dropped" in only(pulled["sources"])["notes"]
    assert STRANGER in people.hub("rejected", "acme", "--raw", "--json").stdout.lower()


@pytest.mark.parametrize("give_broken", BROKEN)
def test_a_forgotten_person_is_in_no_file_after_an_export_that_is_refused(
    people: Agency, give_broken: Callable[[Shop, str], None]
) -> None:
    people.hub("forget", "acme", P1)

    give_broken(people.shop, P1)
    pulled = people.hub("pull", "acme", "--json", expect=3).json

    assert "max_rejected" in only(pulled["sources"])["error"]["text"]
    assert not files_with(people.state, *TRACES)


def test_a_forgotten_person_is_in_no_file_after_an_export_that_shrank(people: Agency) -> None:
    people.add("[guards]\nmax_rejected = 1")
    people.hub("forget", "acme", P1)
    people.shop.customers = [people.shop.of(P1)]
    people.shop.write()

    customer_with_a_field_too_many(people.shop, P1)
    pulled = people.hub("pull", "acme", "--json", expect=3).json

    assert "shrank" in only(pulled["sources"])["error"]["text"]
    assert not files_with(people.state, *TRACES)


def test_forget_works_for_a_stranger_and_twice(people: Agency) -> None:
    for person in (STRANGER, P2, P2):
        receipt = people.hub("forget", "acme", person, "--json").json
        assert receipt["addresses"] >= 1
        assert receipt["done"]

    people.shop.of("p3@example.com").email = STRANGER
    people.shop.write()
    people.sync()
    assert {STRANGER, P2}.isdisjoint(people.held())
    assert not files_with(people.folder / ".hub" / "acme", STRANGER, P2)


def test_export_gives_everything_held_about_a_person(people: Agency) -> None:
    people.hub("suppress", "acme", P1, "--channel", "sms")

    held = people.hub("export", "acme", P1).json

    catalog = str(held["catalog"])
    for fact in (P1, "+4532123456", "1001", "Ada", "#5000", "#5002", "Boot", "subscribed"):
        assert fact in catalog, fact
    assert {each["destination"] for each in held["audiences"]} == {"list", "paper"}
    assert {block["reason"] for block in held["blocks"]} == {"manual"}
    assert P2 not in str(held)


def test_export_of_a_stranger_is_empty_json(people: Agency) -> None:
    held = people.hub("export", "acme", STRANGER).json

    assert not any(held["catalog"].values())
    assert (held["audiences"], held["blocks"]) == ([], [])


def test_export_to_a_file_is_private(people: Agency) -> None:
    people.hub("export", "acme", P1, "--out", "person.json")

    assert (people.folder / "person.json").stat().st_mode & 0o777 == 0o600


def test_runs_are_listed_and_shown(people: Agency) -> None:
    newest = people.sync()

    listed = people.hub("runs", "list", "acme", "--json").json
    assert listed[0]["run_id"] == newest["run_id"]
    assert (listed[0]["command"], listed[0]["status"]) == ("sync", "ok")
    assert people.hub("runs", "show", "acme", newest["run_id"][:8]).json == newest
    people.hub("runs", "show", "acme", "zzzz", expect=2)


def test_suppress_blocks_at_once_while_a_pull_holds_the_catalog(
    people: Agency, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(hub.sync.explain, "WAIT_FOR_CATALOG", 0)
    with people.wiring().catalog.writer():
        done = people.hub("suppress", "acme", P1, expect=1)

    assert done.stderr.startswith("error: blocked as named; the person's other addresses cannot be looked up")
    people.sync()
    assert P1 not in people.held()


def test_forget_blocks_at_once_while_a_run_works_and_erases_afterwards(people: Agency) -> None:
    with hold(people.state):
        done = people.hub("forget", "acme", P1, expect=1)
        people.hub("retire", "acme", "news", "--leave", expect=1)

    assert done.stderr.startswith("error: nobody adds this person any more, but nothing is erased yet: process ")
    people.sync()
    assert P1 not in people.held()
    assert people.hub("forget", "acme", P1, "--json").json["done"]


def test_forget_takes_out_whom_a_killed_run_may_have_sent(people: Agency) -> None:
    late = "p100@example.com"
    people.shop.people(1, start=100).write()
    people.fault("wait")
    run = people.spawn("sync", "acme")
    until(people.waiting().exists, run)
    run.kill()
    run.communicate()
    assert late in people.held()

    receipt = people.hub("forget", "acme", late, "--json").json

    assert "list, audience 'all': removed" in receipt["done"]
    assert late not in people.held()


def test_forget_empties_what_rehearsals_keep(people: Agency) -> None:
    rehearsal = people.wiring().rehearsal
    (rehearsal / "audiences").mkdir(parents=True)
    (rehearsal / "audiences" / "news.csv").write_text(f"email\n{P1}\n")
    (rehearsal / "catalog.duckdb").write_text(P1)

    with hold(rehearsal):
        opened = people.hub("forget", "acme", P1, "--json").json["open"]
    assert any(line.startswith("sandbox: process ") for line in opened)
    done = people.hub("forget", "acme", P1, "--json").json["done"]

    assert "sandbox: what rehearsals of this client left is gone" in done
    assert not files_with(rehearsal, P1)


@pytest.mark.parametrize("person", ["P1 <p1@example.com>", "p1 @example.com", "+45 12", " "])
@pytest.mark.parametrize("command", ["suppress", "forget", "export"])
def test_what_looks_like_an_address_and_is_none_is_no_person(people: Agency, command: str, person: str) -> None:
    done = people.hub(command, "acme", person, expect=2)

    assert done.stderr.startswith("error: that is no e-mail address, no phone number and no customer id that hub knows")
    assert P1 in people.held()


def test_forget_says_when_nothing_but_a_customer_id_is_known(people: Agency) -> None:
    opened = people.hub("forget", "acme", "4711", "--json").json["open"]
    assert any(line.startswith("no e-mail and no phone of that customer is known") for line in opened)

    opened = people.hub("forget", "acme", "1001", "--json").json["open"]
    assert not any(line.startswith("no e-mail") for line in opened)


@pytest.mark.parametrize("channel", ["EMAIL", "e-mail", "fax"])
def test_a_channel_that_nobody_knows_is_not_blocked(people: Agency, channel: str) -> None:
    done = people.hub("suppress", "acme", P1, "--channel", channel, expect=2)

    assert done.stderr.startswith(f"error: there is no channel {channel!r}; ")


def test_a_block_of_every_channel_there_is_can_be_lifted(people: Agency) -> None:
    for channel in ("email", "sms", "whatsapp", "ads"):
        people.hub("suppress", "acme", P1, "--channel", channel)

    people.hub("suppress", "acme", P1, "--lift")

    assert people.hub("export", "acme", P1).json["blocks"] == []


def test_a_customer_id_may_look_like_an_address(people: Agency) -> None:
    people.shop.of(P2).number = "a @ b"
    people.shop.write()
    people.sync()

    assert people.hub("export", "acme", "a @ b").json["catalog"]["people"]


def test_explain_tells_nobody_what_withheld_another_at_the_same_phone(agency: Agency) -> None:
    for number, says in ((1, "yes"), (2, "no")):
        agency.shop.customers.append(Customer(1000 + number, f"p{number}@example.com", says, phone="+4520123456"))
    agency.started()

    (mine,) = agency.hub("explain", "acme", "p1@example.com", "--json").json
    (theirs,) = agency.hub("explain", "acme", "p2@example.com", "--json").json

    assert [(each["cleared"], each["code"]) for each in mine["audiences"]] == [(True, "OPT_IN")]
    assert [each["cleared"] for each in theirs["audiences"]] == [False]
