"""Bad input: its exit code, its one clear line, and nothing lost."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from tests.acceptance.kit import Agency, only, told

CYCLE = """
[segments.one]
all = ["two"]

[segments.two]
any = ["one"]
"""

# What is wrong in the client's file, and what the one line about it says.
MISTAKES = {
    "an unknown key": (
        '[destinations.list]\nplugin = "keeper"\n',
        '[destinations.list]\nplugin = "keeper"\ntokn = "a"\n',
        r"clients/acme\.toml:\d+.*tokn.*token",
    ),
    "an unknown key of hub's own": ("country =", "contry =", r"clients/acme\.toml:4.*contry.*country"),
    "a wrong type": (
        'segment = "all"',
        'segment = "all"\nholdout = "many"',
        r"clients/acme\.toml:\d+.*syncs\.news\.holdout",
    ),
    "an unknown plugin": ('plugin = "keeper"', 'plugin = "kepper"', r"clients/acme\.toml:\d+.*kepper.*keeper"),
    "an unknown segment": ('segment = "all"', 'segment = "al"', r"clients/acme\.toml:\d+.*'al'.*all"),
    "a length of time beyond all dates": (
        'segment = "all"',
        'segment = "all"\ncooldown = "99999999999d"',
        r"clients/acme\.toml:\d+: syncs\.news\.cooldown: 99999999999d is longer than .*365000d or less",
    ),
    "a length of time before all dates": (
        'segment = "all"',
        'segment = "all"\ncooldown = "365001d"',
        r"clients/acme\.toml:\d+: syncs\.news\.cooldown: 365001d is longer than .*365000d or less",
    ),
    "a rate beyond all money": (
        'currency = "DKK"',
        'currency = "DKK"\ncurrencies = { EUR = 1e30 }',
        r"clients/acme\.toml:\d+: currencies\.EUR: should be less than 10000000000, not 1e\+30",
    ),
    "a limit above all people": (
        'plugin = "everyone"',
        'plugin = "buyers"\nlimit = { count = 99999999999999999999, by = "spend" }',
        r"clients/acme\.toml:\d+: segments\.all\.limit\.count: should be less than or equal to 1000000000, not 9+",
    ),
    "a segment made of itself": ("[syncs.news]", f"{CYCLE}\n[syncs.news]", r"clients/acme\.toml:\d+.*one.*two"),
    "a secret in the file": (
        '[destinations.list]\nplugin = "keeper"\n',
        '[destinations.list]\nplugin = "keeper"\ntoken = "hunter2"\n',
        r"clients/acme\.toml:\d+.*token.*secret",
    ),
}


@pytest.mark.parametrize("mistake", MISTAKES)
@pytest.mark.parametrize("command", ["plan", "sync"])
def test_a_mistake_in_the_file_starts_nothing_and_is_one_line(agency: Agency, mistake: str, command: str) -> None:
    wrong, instead, says = MISTAKES[mistake]
    agency.shop.people(2).write()
    agency.change(wrong, instead)

    done = agency.hub(command, "acme", expect=2)

    assert re.search(says, only(told(done))), done.stderr
    assert "hunter2" not in done.stdout + done.stderr
    assert agency.records() == []
    assert not (agency.state / "catalog.duckdb").exists()


@pytest.mark.parametrize("mistake", MISTAKES)
def test_check_finds_the_same_mistake_and_names_its_place(agency: Agency, mistake: str) -> None:
    wrong, instead, says = MISTAKES[mistake]
    agency.change(wrong, instead)

    done = agency.hub("check", "acme", "--offline", "--json", expect=2)

    found = [finding["text"] for finding in done.json if finding["level"] == "error"]
    assert re.search(says, only(found))
    assert "hunter2" not in done.stdout + done.stderr


def test_a_plugin_s_length_of_time_beyond_all_dates_is_a_mistake_with_its_line(agency: Agency) -> None:
    agency.change('plugin = "everyone"', 'plugin = "cart-abandoners"\nmin_age = "99999999999d"')
    agency.shop.people(2).write()

    for command in (("check", "acme", "--offline"), ("plan", "acme")):
        done = agency.hub(*command, expect=2)
        said = " ".join((done.stdout + done.stderr).split())
        assert re.search(r"clients/acme\.toml:\d+: segments\.all\.min_age: 99999999999d is longer than", said), said
        assert "unexpectedly" not in said


@pytest.mark.parametrize("instant", ["9999-12-31T23:59:59Z", "0001-01-01T00:00:00Z", "1969-12-31", "2201-01-01"])
@pytest.mark.parametrize("command", [("plan",), ("segments", "list"), ("sync",)])
def test_an_instant_out_of_reach_is_refused(running: Agency, command: tuple[str, ...], instant: str) -> None:
    done = running.hub(*command, "acme", "--as-of", instant, expect=2)

    assert only(told(done)) == f"error: --as-of {instant!r} is not in the years 1970 to 2200"


@pytest.mark.parametrize("instant", ["1970-01-01T00:00:00+14:00", "2200-12-31T23:59:59-12:00"])
def test_the_first_and_the_last_instant_can_be_asked_for(running: Agency, instant: str) -> None:
    running.hub("plan", "acme", "--no-pull", "--as-of", instant)
    running.hub("segments", "list", "acme", "--no-pull")


def test_only_takes_syncs_that_there_are(running: Agency) -> None:
    for command in ("sync", "retry"):
        done = running.hub(command, "acme", "--only", "nosuch", expect=2)
        assert only(told(done)) == "error: there is no sync 'nosuch'; there are news"


@pytest.mark.parametrize("command", [("plan", "acme"), ("export", "acme", "p1@example.com")])
@pytest.mark.parametrize(
    ("out", "says"),
    [
        (".", "--out . is a folder"),
        ("nowhere/x", "--out nowhere/x: there is no folder nowhere"),
        ("hub.toml/x", "--out hub.toml/x: there is no folder hub.toml"),
    ],
)
def test_a_file_that_cannot_be_written_is_told_before_the_work(
    running: Agency, command: tuple[str, ...], out: str, says: str
) -> None:
    before = running.hub("runs", "list", "acme", "--json").json

    done = running.hub(*command, "--out", out, expect=2)

    assert only(told(done)) == f"error: {says}"
    assert "--debug" not in done.stderr
    assert running.hub("runs", "list", "acme", "--json").json == before


@pytest.mark.parametrize("command", [("plan", "acme"), ("export", "acme", "p1@example.com")])
def test_a_folder_that_may_not_be_written_to_is_told(running: Agency, command: tuple[str, ...]) -> None:
    (running.folder / "locked").mkdir(mode=0o500)

    done = running.process(*command, "--out", "locked/x", expect=2, preamble=WITHOUT_PRIVILEGES)

    assert only(told(done)) == "error: --out locked/x: you may not write there"


def test_a_missing_secret_starts_nothing_and_says_how_to_set_it(agency: Agency) -> None:
    agency.change('plugin = "keeper"', 'plugin = "needy"')
    (agency.folder / "plugins" / "needy.py").write_text(
        "from hub import api\n\n\nclass S(api.Config):\n    token: api.Secret = api.Field(description='a token')\n\n\n"
        "class Needy(api.Destination[S]):\n    name = 'needy'\n    Config = S\n"
        "    can = api.Capabilities(ops={api.Op.ADD: api.Limit(1)})\n\n"
        "    def push(self, batch):\n        return (member.delivered() for member in batch)\n\n\n"
        "@api.hookimpl\ndef hub_destinations():\n    return [Needy]\n"
    )
    agency.shop.people(2).write()

    done = agency.hub("sync", "acme", expect=2)

    line = only(told(done))
    assert "token" in line
    assert "hub secret set acme list token" in done.stderr
    assert not (agency.state / "catalog.duckdb").exists()
    agency.hub("sync", "acme", "--force", HUB_SECRET__ACME__LIST__TOKEN="a")


# Even root is refused a file of mode 000 once it gave up its capabilities.
WITHOUT_PRIVILEGES = """
import ctypes
header, nothing = (ctypes.c_uint32 * 2)(0x20080522, 0), (ctypes.c_uint32 * 6)()
if ctypes.CDLL(None).capset(header, nothing):
    raise SystemExit("cannot give up capabilities")
"""
CUSTOMERS = "exports/acme/customers_export.csv"


def _nothing_in_it(path: Path) -> None:
    path.write_bytes(b"")


def _header_only(path: Path) -> None:
    path.write_text(path.read_text().splitlines()[0] + "\n")


def _wrong_encoding(path: Path) -> None:
    path.write_bytes(path.read_text().replace("Ada", "Zoë").encode("cp1252"))


def _not_a_csv(path: Path) -> None:
    path.write_bytes(bytes(range(256)) * 40)


def _a_broken_archive(path: Path) -> None:
    path.with_name("orders_export.csv").rename(path.with_name("orders_export.csv.gz"))


def _shrunk(path: Path) -> None:
    path.write_text("\n".join(path.read_text().splitlines()[:5]) + "\n")


def _gone(path: Path) -> None:
    path.unlink()


UNUSABLE: dict[str, tuple[Callable[[Path], None], str]] = {
    "an empty file": (_nothing_in_it, r"customers_export\.csv.*empty"),
    "a file with only a header": (_header_only, r"customers_export\.csv has a header and no rows"),
    "a wrong encoding": (_wrong_encoding, r"customers_export\.csv.*(utf-8|UTF-8)"),
    "no text at all": (_not_a_csv, r"customers_export\.csv"),
    "a broken archive": (_a_broken_archive, r"orders_export\.csv\.gz is damaged"),
    "a table that shrank": (_shrunk, r"(customers|consents) shrank from 22 to 4 rows"),
    "a file that is gone": (_gone, r"customers"),
}


@pytest.mark.parametrize("case", UNUSABLE)
def test_an_unusable_export_refuses_its_syncs_and_opt_outs_still_go(running: Agency, case: str) -> None:
    spoil, says = UNUSABLE[case]
    agency = running
    agency.hub("suppress", "acme", "p7@example.com")
    spoil(agency.folder / CUSTOMERS)

    told_by_json = agency.sync(expect=3)

    source, sync = only(told_by_json["sources"]), only(told_by_json["syncs"])
    assert told_by_json["status"] == "refused"
    assert source["status"] == "failed"
    assert re.search(says, source["error"]["text"]), source
    assert source["error"]["next_step"]
    assert sync["status"] == "refused"
    assert (sync["add"], sync["update"], sync["remove"], sync["delivered"]) == (0, 0, 1, 1)
    assert agency.held() == {f"p{n}@example.com" for n in range(1, 21)} - {"p7@example.com"}


def test_once_the_export_is_mended_the_next_run_goes_on(running: Agency) -> None:
    before = (running.folder / CUSTOMERS).read_text()
    (running.folder / CUSTOMERS).write_bytes(b"")
    running.sync(expect=3)
    (running.folder / CUSTOMERS).write_text(before)

    sync = only(running.sync()["syncs"])

    assert (sync["status"], sync["calls"], sync["unchanged"]) == ("ok", 0, 20)


def test_an_unusable_export_is_one_line_for_a_reader(running: Agency) -> None:
    _nothing_in_it(running.folder / CUSTOMERS)

    done = running.hub("sync", "acme", expect=3)

    assert len(re.findall(r"customers_export\.csv", done.stdout + done.stderr)) >= 1
    assert "Traceback" not in done.stdout + done.stderr


def test_a_first_export_that_cannot_be_read_delivers_nothing(agency: Agency) -> None:
    agency.shop.people(3).write()
    (agency.folder / CUSTOMERS).write_bytes(b"")

    told_by_json = agency.sync("--force", expect=3)

    assert only(told_by_json["sources"])["status"] == "failed"
    assert agency.records() == []


def test_a_shrunk_table_stands_until_its_new_size_is_approved(running: Agency) -> None:
    agency = running
    _shrunk(agency.folder / CUSTOMERS)
    agency.sync(expect=3)
    agency.sync(expect=3)

    approved = agency.hub("approve", "acme", "shop", "--json").json

    assert {held["size"] for held in approved} == {4}
    # The export is believed now; that sixteen people leave at once is below the 100 where a guard looks.
    done = agency.sync()
    assert only(done["sources"])["status"] == "ok"
    assert agency.held() == {f"p{n}@example.com" for n in range(1, 5)}


def test_of_two_files_that_disagree_the_newer_wins_and_it_is_said_once(agency: Agency) -> None:
    now = datetime.now(UTC)
    agency.shop.people(10)
    agency.shop.of("p3@example.com").says = "yes"
    agency.shop.write(now)
    newer = agency.folder / CUSTOMERS
    newer.rename(newer.with_name("customers_export_new.csv"))
    agency.shop.of("p3@example.com").first_name = "Old name"
    agency.shop.of("p4@example.com").says = "no"
    agency.shop.write(now - timedelta(hours=3))
    agency.add('attributes = { name = "first_name" }\n')

    done = agency.sync("--force")

    names = {each["email"]: each["attributes"]["name"] for each in agency.records() if each["op"] == "add"}
    assert names["p3@example.com"] == "Ada"
    assert "p4@example.com" in names
    notes = [note for note in only(done["sources"])["notes"] if "newest" in note]
    assert len(notes) == 1
    again = agency.sync()
    assert not [note for note in only(again["sources"]).get("notes", []) if "newest" in note]


def test_a_file_that_may_not_be_read_fails_its_source(running: Agency) -> None:
    agency = running
    (agency.folder / CUSTOMERS).chmod(0)

    done = agency.process("sync", "acme", "--json", expect=3, preamble=WITHOUT_PRIVILEGES)

    assert re.search(r"customers_export\.csv.*(permission|read)", only(done.json["sources"])["error"]["text"], re.I)
    assert len(agency.held()) == 20


@pytest.mark.parametrize("folder", ["exports", "exports/acme"])
def test_a_folder_that_may_not_be_read_fails_its_source(running: Agency, folder: str) -> None:
    agency = running
    (agency.folder / folder).chmod(0)

    done = agency.process("sync", "acme", "--json", expect=3, preamble=WITHOUT_PRIVILEGES)

    assert "exports/acme cannot be looked up (PermissionError)" in only(done.json["sources"])["error"]["text"]
    assert len(agency.held()) == 20


def test_rejected_rows_are_shown_with_file_record_and_reason(agency: Agency) -> None:
    agency.shop.people(4)
    for number in range(40):
        agency.shop.buy("p1@example.com", datetime(2026, 10, 1, tzinfo=UTC), number)
    agency.shop.orders[6]["Created at"] = "last Tuesday"
    agency.shop.orders[6]["Email"] = "secret@example.com"

    agency.shop.write()
    done = agency.sync("--force")

    assert only(done["sources"])["tables"]["orders"] == {"read": 40, "rejected": 1}
    row = only(each for each in agency.hub("rejected", "acme", "--json").json if each["table"] == "orders")
    assert (row["origin"], row["record"]) == ("exports/acme/orders_export.csv", 7)
    assert "Created at" in row["reason"]
    assert "secret@example.com" not in agency.hub("rejected", "acme").stdout
    assert "secret@example.com" in agency.hub("rejected", "acme", "--raw").stdout
    assert len(agency.hub("rejected", "acme", "--json", "--source", "shop").json) == 1
    unknown = agency.hub("rejected", "acme", "--json", "--source", "other", expect=2)
    assert only(told(unknown)) == "error: there is no source 'other'; there are shop"


def spoil(agency: Agency) -> str:
    """Break three orders and return what the next sync says of their source."""
    for order in agency.shop.orders[:3]:
        order["Total"] = "12,9O"
    agency.shop.write()
    return str(only(agency.sync(expect=3)["sources"])["error"]["text"])


def test_too_many_broken_rows_fail_the_source_and_the_old_content_stands(agency: Agency) -> None:
    agency.shop.people(4)
    for _ in range(20):
        agency.shop.buy("p1@example.com", datetime(2026, 10, 1, tzinfo=UTC))
    agency.started()

    text = spoil(agency)

    assert "3 of 20 rows of orders cannot be used" in text
    assert text.endswith("; what was stored before stands")
    assert len(agency.hub("rejected", "acme", "--json").json) >= 3


@pytest.mark.parametrize("before", ["a first read", "another currency"])
def test_nothing_is_said_to_stand_where_nothing_was_stored(agency: Agency, before: str) -> None:
    agency.shop.people(4)
    for _ in range(20):
        agency.shop.buy("p1@example.com", datetime(2026, 10, 1, tzinfo=UTC))
    if before == "another currency":
        agency.started()
        agency.change('currency = "DKK"', 'currency = "EUR"\ncurrencies = { DKK = 0.13 }')

    text = spoil(agency)

    assert "3 of 20 rows of orders cannot be used" in text
    assert text.endswith("; nothing of them is stored")


@pytest.mark.parametrize("where", ["sync", "destination"])
def test_own_shop_is_for_the_shop_itself(agency: Agency, where: str) -> None:
    if where == "sync":
        agency.add('purpose = "own_shop"\n')
    else:
        agency.change('plugin = "keeper"', 'plugin = "file"\npurpose = "own_shop"')
    agency.shop.people(1, "no").write()

    done = agency.hub("sync", "acme", "--force", expect=2)

    assert "syncs.news: the purpose own_shop asks nobody for consent, and list is not in the shop itself" in done.stderr
    assert (agency.held(), list(agency.folder.glob("audiences/**/*.csv"))) == (set(), [])
