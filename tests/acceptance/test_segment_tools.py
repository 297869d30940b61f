"""What surrounds segments: sizes and overlap, their past, one against another, and how carts end."""

from __future__ import annotations

import random
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from hub.cli.app import main
from tests.acceptance.kit import Agency, only

AS_OF = datetime(2026, 11, 1, 12, tzinfo=UTC)
AT = AS_OF.strftime("%Y-%m-%dT%H:%M:%SZ")
SEGMENTS = """
[segments.active]
plugin = "active"

[segments.repeat]
plugin = "repeat"

[segments.both]
all = ["active", "repeat"]

[segments.broken]
plugin = "fragile"
flag = "flag"
"""


def days(count: float) -> datetime:
    return AS_OF - timedelta(days=count)


@pytest.fixture
def agency(tmp_path: Path, empty_keyring: None) -> Agency:
    return made(tmp_path)


def made(folder: Path) -> Agency:
    agency = Agency(folder / "agency")
    agency.add(SEGMENTS)
    return agency


def pulled(agency: Agency, at: datetime | None = None) -> Agency:
    agency.shop.write(at)
    agency.hub("pull", "acme")
    return agency


def mail(number: int) -> str:
    return f"p{number}@example.com"


# Sizes, change and overlap.


@pytest.fixture(scope="module")
def listed_once(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    agency = made(tmp_path_factory.mktemp("listed"))
    agency.shop.people(8)
    for number, ages in enumerate([(5,), (5, 200), (200,), (200, 300), (1, 2, 3)], 1):
        for age in ages:
            agency.shop.buy(mail(number), days(age))
    agency.shop.of(mail(1)).says = "no"
    return pulled(agency, days(2))


@pytest.fixture
def listed(listed_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    return listed_once.copied(tmp_path / "agency")


def sizes(agency: Agency, expect: int = 0) -> dict[str, Any]:
    rows = agency.hub("segments", "list", "acme", "--as-of", AT, "--json", expect=expect).json
    return {row["name"]: row for row in rows}


def test_sizes_come_with_share_reach_and_what_is_shared_with_each_other_segment(listed: Agency) -> None:
    found = sizes(listed)

    assert {name: row["members"] for name, row in found.items()} == {
        "all": 8, "active": 3, "repeat": 3, "both": 2, "broken": 8,
    }  # fmt: skip
    assert found["active"]["share"] == 3 / 8
    assert found["active"]["reachable"] == {"email": 2, "sms": 0, "ads": 0}
    assert found["active"]["overlap"] == {"all": 3, "active": 3, "repeat": 2, "both": 2, "broken": 3}
    assert found["both"]["overlap"] == {"all": 2, "active": 2, "repeat": 2, "both": 2, "broken": 2}
    assert found["all"]["change"] is None, "no run has computed it yet"


def test_change_is_against_the_last_run_before(listed: Agency) -> None:
    listed.clock.now = days(1)
    listed.run()
    listed.shop.people(2, start=20)
    listed.shop.buy(mail(20), days(0.5))
    listed.shop.write()

    found = sizes(listed)

    assert (found["all"]["change"], found["active"]["change"], found["repeat"]["change"]) == (2, 1, 0)
    shown = listed.hub("segments", "list", "acme", "--as-of", AT, "--no-pull").stdout
    assert "+2" in next(line for line in shown.splitlines() if line.lstrip().startswith("all "))


def test_a_segment_that_fails_is_named_and_has_no_numbers(listed: Agency) -> None:
    (listed.folder / "flag").touch()
    told = listed.hub("segments", "list", "acme", "--as-of", AT, "--overlap", expect=4)

    assert "the model did not fit" in told.stderr
    assert "failed" in next(line for line in told.stdout.splitlines() if line.lstrip().startswith("broken"))
    assert set(sizes(listed, expect=4)["active"]["overlap"]) == {"all", "active", "repeat", "both"}


def test_overlap_is_a_share_of_the_row(listed: Agency) -> None:
    shown = listed.hub("segments", "list", "acme", "--as-of", AT, "--overlap").stdout

    row = next(line.split() for line in shown.splitlines() if line.lstrip().startswith("2 active"))
    assert row == ["2", "active", "100%", "—", "67%", "67%", "100%"]


@pytest.mark.parametrize(
    ("name", "begins"), [("sizes.svg", b"<?xml"), ("sizes.png", b"\x89PNG"), ("sizes.pdf", b"%PDF")]
)
def test_a_picture_is_written_as_its_name_says(listed: Agency, name: str, begins: bytes) -> None:
    path = listed.folder / name
    assert listed.hub("segments", "list", "acme", "--as-of", AT, "--plot", str(path)).code == 0
    content = path.read_bytes()
    assert content.startswith(begins)
    if path.suffix == ".svg":
        assert b"Acme Shoes" in content


def test_a_picture_of_an_unknown_kind_is_refused(listed: Agency) -> None:
    told = listed.hub("segments", "list", "acme", "--plot", str(listed.folder / "sizes.doc"), expect=1)
    assert ".svg, .png, .pdf" in told.stderr


# The past.


def reckon(
    orders: dict[int, list[datetime]], instants: list[datetime], window: int, within: int
) -> tuple[list[tuple[int, ...]], int]:
    """Work out each step by sets: members, entered, left, came back, members who bought after, others who did.

    The number is how many people came back at some step.
    """
    told = []
    seen: set[int] = set()
    back: set[int] = set()
    before: set[int] | None = None
    for instant in instants:
        span = timedelta(days=window)
        now = {who for who, times in orders.items() if any(instant - span < at <= instant for at in times)}
        buyers = {
            who
            for who, times in orders.items()
            if any(instant < at <= instant + timedelta(days=within) for at in times)
        }
        entered = now - before if before is not None else set()
        left = before - now if before is not None else set()
        told.append((len(now), len(entered), len(left), len(entered & seen), len(now & buyers), len(buyers - now)))
        back |= entered & seen
        seen |= now
        before = now
    return told, len(back)


@pytest.mark.parametrize(("every", "instants"), [("30d", 13), ("1w", 53)])
def test_the_past_is_what_sets_say(agency: Agency, every: str, instants: int) -> None:
    chance = random.Random(7)
    agency.shop.people(40)
    orders = {number: [days(chance.uniform(0, 700)) for _ in range(chance.randrange(9))] for number in range(1, 41)}
    for number, times in orders.items():
        for at in times:
            agency.shop.buy(mail(number), at.replace(microsecond=0))
    exact = {number: [at.replace(microsecond=0) for at in times] for number, times in orders.items()}
    agency.shop.write()

    told = agency.hub(
        "segments", "backtest", "acme", "active", "--months", "12", "--every", every, "--within", "20d", "--as-of", AT, "--json"
    ).json  # fmt: skip

    step = timedelta(days=30 if every == "30d" else 7)
    times = sorted(AS_OF - step * number for number in range(instants))
    assert [entry["at"] for entry in told["steps"]] == [f"{at:%Y-%m-%dT%H:%M:%SZ}" for at in times]
    expected, flapping = reckon(exact, times, 90, 20)
    found = [tuple(entry[name] for name in ("members", "entered", "left", "returned")) for entry in told["steps"]]
    assert found == [row[:4] for row in expected]
    for entry, at, row in zip(told["steps"], times, expected, strict=True):
        if at + timedelta(days=20) > AS_OF:
            assert entry["bought"] == {"members": None, "others": None}
        else:
            assert entry["bought"]["members"] == pytest.approx(row[4] / row[0] if row[0] else None)
            assert entry["bought"]["others"] == pytest.approx(row[5] / (40 - row[0]))
    assert sum(row[3] for row in expected) > 0, "the shop has people who came back"
    assert told["flapping"] == flapping


def test_a_month_back_from_the_31st_is_the_month_s_last_day(listed: Agency) -> None:
    told = listed.hub(
        "segments", "backtest", "acme", "active", "--months", "3", "--as-of", "2026-05-31T10:00:00Z", "--json"
    ).json  # fmt: skip
    assert [step["at"][:10] for step in told["steps"]] == ["2026-02-28", "2026-03-31", "2026-04-30", "2026-05-31"]


def test_what_has_no_past_is_named(listed: Agency) -> None:
    listed.add('[segments.tagged]\nplugin = "tags"\nany_of = ["vip"]\n\n[segments.rich]\nplugin = "high-spenders"\n')

    assert only(backtest(listed, "active")["no_past"]).startswith("cancellations")
    assert {words.split()[0] for words in backtest(listed, "rich")["no_past"]} == {"refunds", "cancellations", "tags"}
    assert only(backtest(listed, "tagged")["no_past"]).startswith("tags")
    assert backtest(listed, "all")["no_past"] == []


def backtest(agency: Agency, name: str) -> Any:
    return agency.hub("segments", "backtest", "acme", name, "--months", "1", "--as-of", AT, "--json").json


def test_a_segment_without_an_answer_is_no_backtest(listed: Agency) -> None:
    (listed.folder / "flag").touch()
    told = listed.hub("segments", "backtest", "acme", "broken", "--months", "1", "--as-of", AT, expect=4)
    assert "the model did not fit" in told.stderr


@pytest.mark.parametrize(("option", "value"), [("--every", "soon"), ("--within", "0d"), ("--every", "30")])
def test_a_length_of_time_that_is_none_is_refused(listed: Agency, option: str, value: str) -> None:
    told = listed.hub("segments", "backtest", "acme", "active", option, value, expect=2)
    assert option in told.stderr


def test_the_past_is_drawn_and_told(listed: Agency) -> None:
    path = listed.folder / "past.svg"
    told = listed.hub("segments", "backtest", "acme", "active", "--as-of", AT, "--plot", str(path))
    assert path.read_bytes().startswith(b"<?xml")
    assert "what would have happened anyway" in told.stdout


# One against another.


def test_two_segments_are_held_against_each_other_with_reasons(listed: Agency) -> None:
    told = listed.hub("segments", "diff", "acme", f"active@{AT}", f"repeat@{AT}", "--json", "--show-addresses").json

    assert (told["both"], told["one"]["only_here"], told["other"]["only_here"]) == (2, 1, 1)
    one, other = only(told["one"]["sample"]), only(told["other"]["sample"])
    assert (one["person"], other["person"]) == (mail(1), mail(4))
    assert "needs at least 2" in one["not_in_the_other_because"]
    assert "90 days" in other["not_in_the_other_because"]


def test_one_segment_is_held_against_itself_at_another_time(listed: Agency) -> None:
    then = f"{days(150):%Y-%m-%dT%H:%M:%SZ}"
    told = listed.hub("segments", "diff", "acme", f"active@{AT}", f"active@{then}", "--json").json

    assert told["one"]["members"] == 3
    assert told["other"]["members"] == 3, "those who bought 200 days ago"
    assert told["both"] == 1
    assert all("…@example.com" in each["person"] for each in told["one"]["sample"])


# How carts end.


def cart(agency: Agency, number: int, at: datetime, *, completed: datetime | None = None, title: str = "Boot") -> None:
    agency.shop.carts.append(
        {
            "Id": 7000 + len(agency.shop.carts), "Email": mail(number), "Created at": f"{at:%Y-%m-%d %H:%M:%S +0000}",
            "Completed at": f"{completed:%Y-%m-%d %H:%M:%S +0000}" if completed else "", "Total": 50, "Currency": "DKK",
            "Abandoned Checkout URL": "https://shop.example/recover", "Lineitem quantity": 1, "Lineitem name": title,
            "Lineitem price": 50,
        }
    )  # fmt: skip


@pytest.fixture(scope="module")
def carts_once(tmp_path_factory: pytest.TempPathFactory, empty_keyring: None) -> Agency:
    agency = made(tmp_path_factory.mktemp("carts"))
    agency.shop.people(8)
    hour = timedelta(hours=1)
    cart(agency, 1, days(10), completed=days(10) + hour / 2)
    cart(agency, 2, days(10), completed=days(10) + 1 * hour)
    cart(agency, 3, days(10))
    agency.shop.buy(mail(3), days(10) + hour / 2)
    cart(agency, 4, days(10))
    agency.shop.buy(mail(4), days(3))
    cart(agency, 5, days(10))
    agency.shop.buy(mail(5), days(3) + timedelta(seconds=1))
    cart(agency, 6, days(10) - 3 * hour, title="Shoe")
    cart(agency, 7, AS_OF - hour + timedelta(seconds=1))
    cart(agency, 8, days(90))
    return pulled(agency)


@pytest.fixture
def carts(carts_once: Agency, tmp_path: Path, empty_keyring: None) -> Agency:
    return carts_once.copied(tmp_path / "agency")


def carts_of(agency: Agency, *options: str) -> Any:
    return agency.hub("segments", "carts", "acme", "--as-of", AT, "--json", *options).json


def test_a_cart_is_bought_recovered_or_abandoned_at_its_boundaries(carts: Agency) -> None:
    told = carts_of(carts)
    total = told["total"]

    # 1 and 3 within the hour; 2 after exactly an hour and 4 after exactly 7 days; 5 a second later; 6 never.
    # 7 is not yet an hour old, 8 is exactly 90 days old: neither counts.
    assert (total["carts"], total["recovered"], total["abandoned"], total["lost"]) == (6, 2, 2, 100.0)
    assert (total["left_share"], total["recovered_share"]) == (4 / 6, 2 / 4)
    by_product = {each["value"]: (each["carts"], each["abandoned"]) for each in told["by"]["product"]}
    assert by_product == {"Boot": (5, 1), "Shoe": (1, 1)}
    assert {each["value"]: each["carts"] for each in told["by"]["hour"]} == {"12": 5, "9": 1}
    segments = {each["value"]: each["carts"] for each in told["by"]["segment"]}
    assert segments == {"all": 6, "active": 3, "broken": 6}
    assert "step" not in told["by"]
    assert told["funnel"] is None
    assert any("no source gives events" in note for note in told["notes"])


def test_hours_are_the_shop_s_own(carts: Agency) -> None:
    carts.change('timezone = "UTC"', 'timezone = "Asia/Tokyo"')
    assert {each["value"]: each["carts"] for each in carts_of(carts)["by"]["hour"]} == {"21": 5, "18": 1}


EVENTS = """
[sources.web]
plugin = "csv"
system = "shop"

[[sources.web.files]]
path = "web/events.csv"
table = "events"
columns = { event_id = "id", visitor_id = "visitor", user_id = "user", name = "name", happened_at = "at", device = "device", analytics_consent = "consent" }
"""


def test_devices_and_the_way_to_an_order_come_from_visits(carts: Agency) -> None:
    carts.add(EVENTS)
    near, long_before = f"{days(10) - timedelta(hours=23):%Y-%m-%dT%H:%M:%SZ}", f"{days(12):%Y-%m-%dT%H:%M:%SZ}"
    lines = ["id,visitor,user,name,at,device,consent"]
    visits = [
        ("v1", "1006", "view_item", near, "mobile"), ("v1", "1006", "add_to_cart", near, "mobile"),
        ("v2", "1005", "view_item", long_before, "desktop"), ("v2", "1005", "begin_checkout", long_before, "desktop"),
        ("v3", "", "view_item", near, "tablet"), ("v4", "", "purchase", near, "tablet"), ("v4", "", "scroll", near, "tablet"),
    ]  # fmt: skip
    lines += [f"{number},{','.join(visit)},yes" for number, visit in enumerate(visits)]
    (carts.folder / "web").mkdir()
    (carts.folder / "web" / "events.csv").write_text("\n".join(lines) + "\n")

    told = carts_of(carts)

    assert {each["value"]: each["carts"] for each in told["by"]["device"]} == {"mobile": 1, "not known": 5}
    assert told["funnel"] == {"view": 4, "cart": 3, "checkout": 2, "payment": 1, "order": 1}
    picture = carts.folder / "carts.svg"
    shown = carts.hub("segments", "carts", "acme", "--as-of", AT, "--no-pull", "--plot", str(picture)).stdout
    assert picture.read_bytes().startswith(b"<?xml")
    assert "From a view to an order" in shown


def test_a_shop_without_carts_says_so(listed: Agency) -> None:
    told = carts_of(listed)
    assert told["total"]["carts"] == 0
    assert "no source gives carts" in told["notes"]
    assert listed.hub("segments", "carts", "acme", "--as-of", AT, "--plot", str(listed.folder / "none.svg")).code == 0


def test_help_names_every_tool(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit):
        main(["segments", "--help"])
    shown = capsys.readouterr().out
    assert all(name in shown for name in ("list", "preview", "backtest", "carts", "diff"))
