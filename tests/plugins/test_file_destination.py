"""The destination ``file``: whole, at once, private, and harmless in a spreadsheet."""

from __future__ import annotations

import csv
import json
import stat
from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub_file import FileConfig, FileDestination
from hub_file.destination import file_name
from hub_file.formats import defuse, fuse

MARY = "f1904cf1a9d73a55fa5de0ac823c4403ded71afd4c3248d00bdcd0866552bb79"
META_PHONE = "1ef970831d7963307784fa8688e8fce101a15685d62aa765fed23f3a2c576a4e"
NOTHING = sha256(b"").hexdigest()


class Notes(dict[str, Any]):
    """A connection's memory that lives as long as the test."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


def make(workspace: Path, notes: Notes | None = None, **settings: Any) -> FileDestination:
    return FileDestination(
        connection="file",
        config=FileConfig.model_validate(settings),
        shop=api.Shop("acme", "Acme", "UTC", "DK", "DKK", workspace, workspace),
        remember=Notes() if notes is None else notes,
    )


def person(number: int, **attributes: Any) -> api.Member:
    return api.Member(f"{number:032x}", f"p{number}@example.com", f"+4512345{number:03d}", attributes=attributes)


def push(destination: FileDestination, *batches: Sequence[api.Member], audience: str = "vip") -> list[api.Outcome]:
    outcomes: list[api.Outcome] = []
    for number, members in enumerate(batches, start=1):
        batch = api.Batch(api.Op.ADD, audience, f"key-{number}", members, number, last=number == len(batches))
        done = list(destination.push(batch))
        assert [outcome.member for outcome in done] == list(members)
        outcomes += done
    return outcomes


def rows(path: Path) -> list[dict[str, str]]:
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def vip(tmp_path: Path) -> Path:
    return tmp_path / "audiences" / "acme" / "vip.csv"


def test_without_any_setting_it_writes_a_private_csv_for_the_client(tmp_path: Path, vip: Path) -> None:
    outcomes = push(make(tmp_path), [person(1, name="Ann", value=Decimal("12.50")), person(2, name=None, value=None)])

    assert {outcome.state for outcome in outcomes} == {api.State.DELIVERED}
    assert rows(vip) == [
        {"email": "p1@example.com", "phone": "+4512345001", "name": "Ann", "value": "12.50"},
        {"email": "p2@example.com", "phone": "+4512345002", "name": "", "value": ""},
    ]
    assert stat.S_IMODE(vip.stat().st_mode) == 0o600
    assert stat.S_IMODE(vip.parent.stat().st_mode) == 0o700
    assert [path.name for path in vip.parent.iterdir()] == ["vip.csv"]


def test_the_old_file_stands_until_the_last_batch_is_written(tmp_path: Path, vip: Path) -> None:
    destination = make(tmp_path)
    push(destination, [person(9)])

    list(destination.push(api.Batch(api.Op.ADD, "vip", "a", [person(1)], 1, last=False)))
    before = [row["email"] for row in rows(vip)]
    list(destination.push(api.Batch(api.Op.ADD, "vip", "b", [person(2)], 2, last=True)))

    assert before == ["p9@example.com"]
    assert [row["email"] for row in rows(vip)] == ["p1@example.com", "p2@example.com"]


def test_an_empty_audience_is_a_file_with_only_a_header(tmp_path: Path, vip: Path) -> None:
    destination = make(tmp_path)
    push(destination, [person(1)])

    push(destination, [])

    assert vip.read_text() == "email,phone\n" or vip.read_bytes() == b"email,phone\r\n"


def test_a_batch_sent_again_is_written_once(tmp_path: Path, vip: Path) -> None:
    destination = make(tmp_path)
    first = api.Batch(api.Op.ADD, "vip", "a", [person(1)], 1, last=False)
    second = api.Batch(api.Op.ADD, "vip", "b", [person(2)], 2, last=False)

    for batch in (first, first, second, second):
        list(destination.push(batch))
    list(destination.push(api.Batch(api.Op.ADD, "vip", "c", [person(3)], 3, last=True)))

    assert [row["email"] for row in rows(vip)] == [f"p{number}@example.com" for number in (1, 2, 3)]


def test_a_batch_whose_predecessors_are_lost_is_not_taken(tmp_path: Path, vip: Path) -> None:
    with pytest.raises(api.TransientError, match="begins again"):
        list(make(tmp_path).push(api.Batch(api.Op.ADD, "vip", "b", [person(2)], 2, last=True)))

    assert not vip.exists()


def test_what_was_never_finished_is_thrown_away(tmp_path: Path, vip: Path) -> None:
    destination = make(tmp_path)
    list(destination.push(api.Batch(api.Op.ADD, "vip", "a", [person(1)], 1, last=False)))

    destination.close()

    assert list(vip.parent.iterdir()) == []


def test_what_a_crash_left_is_replaced_by_the_next_push(tmp_path: Path, vip: Path) -> None:
    list(make(tmp_path).push(api.Batch(api.Op.ADD, "vip", "a", [person(1)], 1, last=False)))

    push(make(tmp_path), [person(2)])

    assert [path.name for path in vip.parent.iterdir()] == ["vip.csv"]
    assert [row["email"] for row in rows(vip)] == ["p2@example.com"]


def test_two_audiences_are_written_side_by_side(tmp_path: Path, vip: Path) -> None:
    destination = make(tmp_path)
    for name, number in (("vip", 1), ("all", 2)):
        list(destination.push(api.Batch(api.Op.ADD, name, "a", [person(number)], 1, last=False)))
    for name, number in (("vip", 3), ("all", 4)):
        list(destination.push(api.Batch(api.Op.ADD, name, "b", [person(number)], 2, last=True)))

    assert [row["email"][1] for row in rows(vip)] == ["1", "3"]
    assert [row["email"][1] for row in rows(vip.with_name("all.csv"))] == ["2", "4"]


@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_an_attribute_first_seen_in_a_later_batch_gets_its_column(tmp_path: Path, kind: str) -> None:
    destination = make(tmp_path, format=kind)

    push(destination, [person(1, a="=1")], [person(2, a="x", b="y")])

    members = list(destination.read_members("vip"))
    assert [dict(member.attributes) for member in members] == [
        {"a": "=1", "b": "" if kind == "csv" else None},
        {"a": "x", "b": "y"},
    ]


def test_json_lines_keep_types_and_are_not_defused(tmp_path: Path) -> None:
    member = person(
        1, name="=1+1", tags=["a", "b"], orders=3, at=datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC), value=Decimal("1.10")
    )

    push(make(tmp_path, format="jsonl"), [member])

    [line] = (tmp_path / "audiences/acme/vip.jsonl").read_text().splitlines()
    assert json.loads(line) == {
        "email": "p1@example.com",
        "phone": "+4512345001",
        "name": "=1+1",
        "tags": ["a", "b"],
        "orders": 3,
        "at": "2026-01-02T03:04:05Z",
        "value": "1.10",
    }


@pytest.mark.parametrize(
    ("cell", "written"),
    [
        ("=cmd()", "'=cmd()"),
        ("+SUM(1)", "'+SUM(1)"),
        ("-2+3", "'-2+3"),
        ("@import", "'@import"),
        ("\tx", "'\tx"),
        ("\rx", "'\rx"),
        ("＝1", "'＝1"),
        ("'=1", "''=1"),
        ("+4915112345678", "+4915112345678"),
        ("-12.50", "-12.50"),
        ("Ann", "Ann"),
        ("'t Hooft", "'t Hooft"),
        ("", ""),
    ],
)
def test_cells_a_spreadsheet_would_run_are_defused_and_phones_stay_usable(cell: str, written: str) -> None:
    assert defuse(cell) == written
    assert fuse(written) == cell


@given(st.text(alphabet=st.sampled_from("=+-@\t\r\n'＝a1. "), max_size=8))
def test_no_cell_begins_a_formula_and_every_cell_is_read_back(cell: str) -> None:
    written = defuse(cell)

    assert written[:1] not in set("=@\t\r\n＝")
    assert written[:1] not in {"+", "-"} or written[1:].replace(".", "", 1).isdigit()
    assert fuse(written) == cell


def test_headers_are_defused_too(tmp_path: Path, vip: Path) -> None:
    push(make(tmp_path), [person(1, **{"=A1": "x"})])

    assert vip.read_text().splitlines()[0] == "email,phone,'=A1"


def test_what_was_written_plain_can_be_read_back(tmp_path: Path) -> None:
    destination = make(tmp_path)
    push(destination, [person(1, name="=Ann\r\n", city='a "b", c'), api.Member("k", phone="+4511111111")])

    first, second = destination.read_members("vip")

    assert (first.email, first.phone, dict(first.attributes)) == (
        "p1@example.com",
        "+4512345001",
        {"name": "=Ann\r\n", "city": 'a "b", c'},
    )
    assert (second.email, second.phone) == (None, "+4511111111")
    assert list(destination.read_members("nobody-wrote-this")) == []


def test_hashed_layouts_tell_nobody_s_address(tmp_path: Path) -> None:
    destination = make(tmp_path, layout="meta")
    push(destination, [person(1)])

    assert "p1@example.com" not in (tmp_path / "audiences/acme/vip.csv").read_text()
    with pytest.raises(api.RejectedError):
        next(iter(destination.read_members("vip")))


def test_meta_s_vectors_hold(tmp_path: Path, vip: Path) -> None:
    member = api.Member(
        "k",
        "mary@example.com",
        "+15559876543",
        attributes={
            "first_name": "Mary-Ann ",
            "last_name": "O'Néill",
            "city": "San Francisco",
            "region": "CA",
            "postcode": "94016-1234",
            "country": "us",
            "birth_date": date(1990, 5, 1),
            "gender": "Female",
        },
    )

    push(make(tmp_path, layout="meta"), [member])

    [row] = rows(vip)
    assert row["email"] == MARY
    assert row["phone"] == META_PHONE
    clear = {
        "fn": "maryann",
        "ln": "onéill",
        "ct": "sanfrancisco",
        "st": "ca",
        "zip": "94016",
        "country": "us",
        "doby": "1990",
        "gen": "f",
    }
    assert {name: row[name] for name in clear} == {
        name: sha256(text.encode()).hexdigest() for name, text in clear.items()
    }


def test_google_s_vectors_hold_and_country_and_postcode_stay_readable(tmp_path: Path, vip: Path) -> None:
    attributes = {"first_name": " Mr. Zoë", "last_name": "Smith Jr.", "country": "dk", "postcode": " 1456 "}
    complete = api.Member("k", "mary@example.com", "+4512345678", attributes=attributes)
    partly = api.Member("l", "Mary@Example.com", attributes={**attributes, "postcode": None})

    push(make(tmp_path, layout="google"), [complete, partly])

    first, second = rows(vip)
    assert first == {
        "Email": MARY,
        "Phone": sha256(b"+4512345678").hexdigest(),
        "First Name": sha256("zoë".encode()).hexdigest(),
        "Last Name": sha256(b"smith").hexdigest(),
        "Country": "DK",
        "Zip": "1456",
    }
    assert second == {"Email": MARY, "Phone": "", "First Name": "", "Last Name": "", "Country": "", "Zip": ""}


@pytest.mark.parametrize("layout", ["meta", "google"])
@given(text=st.sampled_from(["", " ", "+", "-", "()", "."]))
def test_nothing_empty_is_hashed(tmp_path_factory: pytest.TempPathFactory, layout: str, text: str) -> None:
    workspace = tmp_path_factory.mktemp("workspace")
    names = ("first_name", "last_name", "city", "region", "postcode", "country", "birth_date", "gender")

    push(make(workspace, layout=layout), [api.Member("k", "a@b.example", text, attributes=dict.fromkeys(names, text))])

    assert NOTHING not in (workspace / "audiences/acme/vip.csv").read_text()


@pytest.mark.parametrize("layout", ["meta", "google"])
def test_nothing_is_hashed_twice(tmp_path: Path, vip: Path, layout: str) -> None:
    attributes = {"first_name": MARY, "last_name": MARY.upper(), "country": "DK", "postcode": "1456"}

    push(make(tmp_path, layout=layout), [api.Member("k", MARY, META_PHONE, attributes=attributes)])

    first, *_ = rows(vip)
    assert list(first.values())[:2] == [MARY, META_PHONE]
    assert list(first.values())[2:4] == [MARY, MARY]


@pytest.mark.parametrize("layout", ["plain", "meta", "google"])
def test_a_member_without_any_address_is_refused_and_not_written(tmp_path: Path, vip: Path, layout: str) -> None:
    outcomes = push(make(tmp_path, layout=layout), [api.Member("k"), person(1)])

    assert [outcome.state for outcome in outcomes] == [api.State.REJECTED, api.State.DELIVERED]
    assert len(rows(vip)) == 1


@pytest.mark.parametrize(
    ("settings", "purpose"),
    [
        ({}, "email_marketing"),
        ({"layout": "meta"}, "ads"),
        ({"layout": "google"}, "ads"),
        ({"layout": "meta", "purpose": "email_marketing"}, "email_marketing"),
        ({"purpose": "cart_reminder"}, "cart_reminder"),
    ],
)
def test_the_purpose_follows_the_layout_unless_set(tmp_path: Path, settings: Any, purpose: str) -> None:
    assert make(tmp_path, **settings).purpose == purpose


@given(st.lists(st.text(max_size=100), min_size=2, max_size=2, unique=True))
def test_audiences_never_share_a_file_and_a_file_s_name_stays(names: list[str]) -> None:
    one, other = map(file_name, names)

    assert one != other
    assert file_name(one) == one
    assert 0 < len(one) <= 80
    assert set(one) <= set("abcdefghijklmnopqrstuvwxyz0123456789-")


def test_a_file_s_name_is_readable(tmp_path: Path) -> None:
    assert make(tmp_path).ensure_audience("Abandoned carts, VIP").startswith("abandoned-carts-vip-")
    assert make(tmp_path).ensure_audience("vip-carts") == "vip-carts"
    assert file_name("../../etc/passwd").startswith("etc-passwd-")


def test_check_looks_and_changes_nothing(tmp_path: Path) -> None:
    [finding] = make(tmp_path).check()
    make(tmp_path).ensure_audience("VIP")

    assert finding.level is api.Level.OK
    assert list(tmp_path.iterdir()) == []


def test_check_says_where_no_file_can_be(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    [finding] = make(tmp_path, folder="taken/below").check()

    assert finding.level is api.Level.ERROR
    assert finding.next_step


def test_where_no_file_can_be_the_push_is_due_again(tmp_path: Path) -> None:
    (tmp_path / "taken").write_text("")

    with pytest.raises(api.TransientError, match="cannot write"):
        push(make(tmp_path, folder="taken"), [person(1)])


@pytest.mark.parametrize("layout", ["plain", "meta", "google"])
@pytest.mark.parametrize("kind", ["csv", "jsonl"])
def test_a_forgotten_person_leaves_every_file_at_once(tmp_path: Path, layout: str, kind: str) -> None:
    notes = Notes()
    destination = make(tmp_path, notes, layout=layout, format=kind)
    push(destination, [person(1, name="=x"), person(2, name="y")])
    push(destination, [person(1)], audience="all")
    list(
        make(tmp_path, notes, layout=layout, format=kind).push(
            api.Batch(api.Op.ADD, "vip", "a", [person(1)], 1, last=False)
        )
    )
    (tmp_path / "audiences/acme/not-ours.csv").write_text("email,phone\np1@example.com,\n")

    later = make(tmp_path, notes, layout="plain" if layout == "meta" else "meta", format="csv")
    outcomes = [later.forget(person(1)), later.forget(person(1)), later.forget(person(7))]

    assert {outcome.state for outcome in outcomes} == {api.State.DELIVERED}
    files = {path.name: path.read_text() for path in (tmp_path / "audiences/acme").iterdir()}
    assert set(files) == {f"vip.{kind}", f"all.{kind}", "not-ours.csv"}
    assert "p1@example.com" in files["not-ours.csv"]
    needle = "p1@example.com" if layout == "plain" else sha256(b"p1@example.com").hexdigest()
    assert needle not in files[f"vip.{kind}"] + files[f"all.{kind}"]
    other = "p2@example.com" if layout == "plain" else sha256(b"p2@example.com").hexdigest()
    assert other in files[f"vip.{kind}"]


HOME, OTHER = "+4512345678", "+4587654321"
ANN, BEN = api.Member("a", "ann@example.com", HOME), api.Member("b", "ben@example.com", HOME)
NO_MAIL, NO_PHONE = api.Member("c", phone=HOME), api.Member("d", "ann@example.com")
MOVED = api.Member("e", "ann@example.com", OTHER)
HOUSEHOLD = [ANN, BEN, NO_MAIL, NO_PHONE, MOVED]


def forget(destination: FileDestination, member: api.Member) -> None:
    assert destination.forget(member).state is api.State.DELIVERED


def remove(destination: FileDestination, member: api.Member) -> None:
    [outcome] = destination.push(api.Batch(api.Op.REMOVE, "vip", "r", [member]))
    assert outcome.state is api.State.DELIVERED


@pytest.mark.parametrize("take_out", [forget, remove])
@pytest.mark.parametrize("layout", ["plain", "meta", "google"])
@pytest.mark.parametrize(
    ("member", "stay"),
    [
        (ANN, [1, 4]),
        (BEN, [0, 3, 4]),
        (NO_PHONE, [1, 2]),
        (NO_MAIL, [3, 4]),
        (api.Member("f", "ann@example.com", "+4511111111"), [0, 1, 2, 4]),
        (api.Member("g", "cat@example.com", OTHER), [0, 1, 2, 3, 4]),
    ],
)
def test_who_shares_a_phone_stays_when_another_leaves(
    tmp_path: Path, vip: Path, layout: str, take_out: Any, member: api.Member, stay: list[int]
) -> None:
    destination = make(tmp_path, layout=layout)
    push(destination, HOUSEHOLD)
    before = rows(vip)

    take_out(destination, member)

    assert rows(vip) == [before[number] for number in stay]


def test_a_person_is_forgotten_beside_a_very_long_field(tmp_path: Path, vip: Path) -> None:
    destination, usual = make(tmp_path), csv.field_size_limit(131_072)
    long = "x" * 131_073
    push(destination, [person(1, **{long: long}), person(2, **{long: "y"})], [person(3, later="z")])

    destination.forget(person(1))

    kept = [member.email for member in destination.read_members("vip")]
    csv.field_size_limit(usual)
    assert kept == ["p2@example.com", "p3@example.com"]


def test_a_file_of_another_connection_is_never_replaced(tmp_path: Path, vip: Path) -> None:
    push(make(tmp_path), [person(1)])
    before, other = vip.read_bytes(), make(tmp_path, notes := Notes())

    with pytest.raises(api.ConfigError, match=r"vip\.csv is there already") as told:
        other.ensure_audience("vip")
    with pytest.raises(api.ConfigError, match=r"vip\.csv is there already"):
        push(other, [person(2)])
    with pytest.raises(api.ConfigError, match=r"vip\.csv is there already"):
        remove(other, person(1))
    other.forget(person(1))

    assert all(word in str(told.value.next_step) for word in ("Move", "`folder`", "`audience`"))
    assert [path.name for path in vip.parent.iterdir()] == ["vip.csv"]
    assert vip.read_bytes() == before
    assert notes == {}


def test_two_clients_with_one_folder_do_not_overwrite_each_other(tmp_path: Path) -> None:
    shared = tmp_path / "out"
    push(make(tmp_path, folder="out"), [person(1)])

    with pytest.raises(api.ConfigError, match="is there already"):
        push(make(tmp_path, folder=str(shared)), [person(2)])
    push(make(tmp_path, folder=str(shared)), [person(2)], audience="acme-vip")

    assert [row["email"] for row in rows(shared / "vip.csv")] == ["p1@example.com"]


def test_a_connection_goes_on_with_what_it_wrote_however_its_folder_is_named(tmp_path: Path) -> None:
    notes = Notes()
    push(make(tmp_path, notes, folder="out"), [person(1)])

    for number, folder in enumerate(("out", "./out", "out/../out", str(tmp_path / "out")), start=2):
        again = make(tmp_path, notes, folder=folder)
        assert again.ensure_audience("vip") == "vip"
        push(again, [person(number)])

    assert [row["email"] for row in rows(tmp_path / "out/vip.csv")] == ["p5@example.com"]


@pytest.mark.parametrize("before", [{"folder": "old"}, {"format": "jsonl"}, {"folder": "old", "layout": "meta"}])
def test_an_audience_is_in_one_file_also_after_its_settings_changed(
    tmp_path: Path, vip: Path, before: dict[str, str]
) -> None:
    notes = Notes()
    first = make(tmp_path, notes, **before)
    push(first, [person(1), person(2)])
    push(first, [person(1)], audience="other")
    old, other = first.path("vip"), first.path("other")

    list(make(tmp_path, notes).push(api.Batch(api.Op.REMOVE, "vip", "k", [person(2)], 1, last=True)))
    assert old.exists()
    if before.get("layout") is None:
        assert b"p2@example.com" not in old.read_bytes()

    push(make(tmp_path, notes), [person(1), person(3)])
    assert [row["email"] for row in rows(vip)] == ["p1@example.com", "p3@example.com"]
    assert (old.exists(), other.exists()) == (False, True)


def test_a_file_that_was_taken_over_may_be_replaced(tmp_path: Path, vip: Path) -> None:
    vip.parent.mkdir(parents=True)
    vip.write_text("email,phone\np1@example.com,\n")
    ours = make(tmp_path)

    assert [member.email for member in ours.read_members("vip")] == ["p1@example.com"]
    push(ours, [person(2)])

    assert [row["email"] for row in rows(vip)] == ["p2@example.com"]


def test_what_was_moved_away_is_in_nobody_s_way(tmp_path: Path, vip: Path) -> None:
    push(make(tmp_path), [person(1)])
    vip.rename(vip.with_name("old.csv"))

    push(make(tmp_path), [person(2)])

    assert [row["email"] for row in rows(vip)] == ["p2@example.com"]


def test_the_folder_may_be_set(tmp_path: Path) -> None:
    push(make(tmp_path, folder="out/here"), [person(1)])

    assert (tmp_path / "out/here/vip.csv").exists()


def test_every_setting_is_optional_and_described() -> None:
    assert not any(field.is_required() for field in FileConfig.model_fields.values())
    assert all(field.description for field in FileConfig.model_fields.values())


def test_a_large_audience_comes_in_batches_of_the_declared_size(tmp_path: Path, vip: Path) -> None:
    def people(start: int) -> Iterator[api.Member]:
        return (api.Member(str(n), f"p{n}@example.com") for n in range(start, start + 5_000))

    push(make(tmp_path), list(people(0)), list(people(5_000)))

    assert len(rows(vip)) == 10_000
    assert FileDestination.can.replaces
    assert FileDestination.can.ops[api.Op.ADD] == api.Limit(50_000)
