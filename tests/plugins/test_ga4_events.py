"""Rows of the Analytics export become events, whatever format they come in."""

from __future__ import annotations

import gzip
import json
import os
import sys
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hub import api
from tests.ga4_export import ENDINGS, Export, event, item, microseconds, param, visits
from tests.ga4_shop import NOW, Analytics, at

FORMS = sorted(ENDINGS)
CODES = {"Denmark": "DK", "Germany": "DE", "United States": "US", "Türkiye": "TR"}


@pytest.fixture
def analytics(tmp_path: Path) -> Analytics:
    return Analytics(tmp_path)


def one(analytics: Analytics, row: dict[str, Any], form: str = "parquet") -> dict[str, Any]:
    """Export a row and return the event it becomes."""
    analytics.export.put(row, form=form)
    (found,) = analytics.read().tables["events"]
    return found


# -- formats


def by_hand(row: dict[str, Any]) -> dict[str, Any]:
    """Say what a row of the generator means, by another way than the source's."""
    params = {each["key"]: next(iter(each["value"].values())) for each in row["event_params"]}
    said = {"Yes": True, "No": False, None: None}
    visitor, session = row["user_pseudo_id"], params.get("ga_session_id")
    items, told = row["items"], row.get("ecommerce")
    the_item = items[0] if items else {}
    category = the_item.get("item_category")
    analytics = said[row["privacy_info"]["analytics_storage"]]
    return {
        "visitor_id": visitor,
        "user_id": row.get("user_id"),
        "session_id": f"{visitor}.{session}" if visitor else None,
        "name": row["event_name"],
        "happened_at": datetime(1970, 1, 1) + timedelta(microseconds=row["event_timestamp"]),
        "url": params.get("page_location"),
        "product_id": the_item.get("item_id"),
        "product_type": None if category == "(not set)" else category,
        "value": Decimal(str(params["value"])) if "value" in params else None,
        "currency": params.get("currency"),
        "transaction_id": told["transaction_id"] if told else None,
        "engagement_ms": params.get("engagement_time_msec"),
        "country": CODES.get(row["geo"]["country"]),
        "device": row["device"]["category"],
        "traffic_source": "(direct) / (none)",
        "analytics_consent": False if visitor is None and analytics is None else analytics,
        "ads_consent": said[row["privacy_info"]["ads_storage"]],
    }


def in_order(rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(rows, key=lambda row: (row["happened_at"], row["name"], str(row["visitor_id"]), str(row["user_id"])))


@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 2**32), form=st.sampled_from(FORMS))
def test_every_format_gives_the_events_that_happened(
    tmp_path_factory: pytest.TempPathFactory, seed: int, form: str
) -> None:
    analytics = Analytics(tmp_path_factory.mktemp("export"))
    rows = visits(seed, date(2026, 11, 16), days=3, visitors=8)
    analytics.export.put(*rows, form=form)

    read = analytics.read()

    found = [{name: value for name, value in row.items() if name != "event_id"} for row in read.tables["events"]]
    assert in_order(found) == in_order([by_hand(row) for row in rows])
    assert (read.rejected, read.notes) == ([], [])


def test_a_day_in_several_files_of_several_formats_is_one_day(analytics: Analytics) -> None:
    rows = [event(at(f"20 1{number}:00"), params={"value": number}) for number in range(len(FORMS))]
    for number, (form, row) in enumerate(zip(FORMS, rows, strict=True)):
        analytics.export.put(row, form=form, part=f"_{number:012}")

    read = analytics.read()

    assert sorted(read.column("value")) == [Decimal(number) for number in range(len(FORMS))]
    assert read.pages == 1


def test_rows_of_a_true_export_are_read(analytics: Analytics) -> None:
    data = os.environ.get("HUB_DATA")
    if not data:
        pytest.skip("HUB_DATA is not set: no true export at hand")
    lines = gzip.decompress(Path(data, "ga4", "real_shape_rows.ndjson.gz").read_bytes()).decode().splitlines()
    days: dict[str, list[str]] = {}
    for line in lines:
        told = datetime(1970, 1, 1) + timedelta(microseconds=int(json.loads(line)["event_timestamp"]))
        days.setdefault(f"{told:%Y%m%d}", []).append(line)
    for day, some in days.items():
        (analytics.export.folder / f"events_{day}.json.gz").write_bytes(gzip.compress("\n".join(some).encode()))

    read = analytics.read(timezone="Etc/UTC")

    assert len(read.tables["events"]) == len(lines) == 14
    assert read.rejected == []
    purchase = next(row for row in read.tables["events"] if row["name"] == "purchase")
    assert purchase["event_id"] == "427292018.1702650951.1702651559604143.1969418159.purchase"
    assert (purchase["value"], purchase["currency"], purchase["transaction_id"]) == (31, "EUR", "257059")
    assert purchase["session_id"] == "427292018.1702650951.1702650951"
    assert (purchase["country"], purchase["device"], purchase["traffic_source"]) == ("DE", "desktop", "google / cpc")
    assert (purchase["product_id"], purchase["product_type"]) == (None, None), "two products"
    visit = next(row for row in read.tables["events"] if row["name"] == "form_visibility")
    assert (visit["country"], visit["engagement_ms"], visit["analytics_consent"]) == ("CH", 17415, True)


@pytest.mark.parametrize(
    "leave_out",
    [
        ("session_traffic_source_last_click", "collected_traffic_source"),
        ("batch_event_index", "batch_page_id", "batch_ordering_id"),
        ("items", "ecommerce", "privacy_info", "user_id", "geo", "device", "traffic_source"),
    ],
)
def test_an_older_export_lacks_columns_and_is_read_all_the_same(
    analytics: Analytics, leave_out: tuple[str, ...]
) -> None:
    analytics.export.put(event(at("20"), "view_item", items=[item("p")]), leave_out=leave_out)

    (found,) = analytics.read().tables["events"]

    assert found["name"] == "view_item"
    assert (found["product_id"] is None) == ("items" in leave_out)
    assert (found["traffic_source"] or None) == (None if "traffic_source" in leave_out else "(direct) / (none)")


# -- values


@pytest.mark.parametrize(
    ("value", "revenue", "worth"),
    [
        ({"int_value": 31}, None, "31"),
        ({"double_value": 14.596638}, None, "14.596638"),
        ({"float_value": 2.5}, None, "2.5"),
        ({"string_value": "19.90"}, None, "19.90"),
        ({"string_value": "free"}, None, None),
        ({"double_value": float("nan")}, 31.0, "31"),
        (None, 31.0, "31"),
        (None, float("nan"), None),
        (None, None, None),
    ],
)
def test_a_value_may_stand_in_any_member(
    analytics: Analytics, value: dict[str, Any] | None, revenue: float | None, worth: str | None
) -> None:
    row = event(at("20"), "purchase", ecommerce={"purchase_revenue": revenue, "transaction_id": "1"})
    row["event_params"].append(param("currency", "EUR"))
    if value is not None:
        row["event_params"].append({"key": "value", "value": value})

    found = one(analytics, row)

    assert found["value"] == (None if worth is None else Decimal(worth))
    assert found["currency"] == (None if worth is None else "EUR")


@pytest.mark.parametrize("absent", [None, "", "(not set)"])
@pytest.mark.parametrize("form", ["parquet", "lines", "console"])
def test_not_set_empty_and_null_are_the_same(analytics: Analytics, absent: str | None, form: str) -> None:
    row = event(
        at("20"),
        "view_item",
        user_id=absent,
        country=absent,
        device={"category": absent},
        items=[item("p", item_category=absent)],
        ecommerce={"transaction_id": absent},
        traffic_source={"source": absent, "medium": absent},
    )

    found = one(analytics, row, form)

    names = ("user_id", "country", "device", "product_type", "transaction_id", "traffic_source")
    assert {name: found[name] or None for name in names} == dict.fromkeys(names)


def test_sessions_of_two_visitors_that_began_in_the_same_second_are_two(analytics: Analytics) -> None:
    for visitor in ("1.1", "2.2"):
        analytics.export.put(event(at("20"), visitor=visitor, session=5), part=f"_{visitor}")

    assert sorted(analytics.read().column("session_id")) == ["1.1.5", "2.2.5"]


@pytest.mark.parametrize(
    ("name", "items", "product"),
    [
        ("view_item", 1, "p0"),
        ("view_item", 2, "p0"),
        ("add_to_cart", 2, "p0"),
        ("view_item_list", 1, "p0"),
        ("view_item_list", 2, None),
        ("purchase", 2, None),
        ("page_view", 0, None),
    ],
)
def test_an_event_has_a_product_where_it_is_about_one(
    analytics: Analytics, name: str, items: int, product: str | None
) -> None:
    row = event(at("20"), name, items=[item(f"p{number}", item_category="Hats") for number in range(items)])

    found = one(analytics, row)

    assert (found["product_id"], found["product_type"]) == (product, product and "Hats")


CLICK = {
    "cross_channel_campaign": {"source": "google", "medium": "cpc"},
    "manual_campaign": {"source": "x", "medium": "y"},
}


@pytest.mark.parametrize(
    ("columns", "source"),
    [
        ({"session_traffic_source_last_click": CLICK}, "google / cpc"),
        ({"session_traffic_source_last_click": {"manual_campaign": {"source": "x", "medium": "y"}}}, "x / y"),
        ({"collected_traffic_source": {"manual_source": "news", "manual_medium": "email"}}, "news / email"),
        ({"collected_traffic_source": {"manual_source": "(not set)", "manual_medium": None}}, "(direct) / (none)"),
        ({"traffic_source": {"source": "bing", "medium": None}}, "bing"),
    ],
)
def test_the_traffic_source_is_the_sessions_else_the_events_else_the_visitors(
    analytics: Analytics, columns: dict[str, Any], source: str
) -> None:
    assert one(analytics, event(at("20"), **columns))["traffic_source"] == source


@pytest.mark.parametrize(
    ("said", "visitor", "analytics_consent", "ads_consent"),
    [
        (("Yes", "Yes"), "1.1", True, True),
        (("Yes", "No"), "1.1", True, False),
        (("No", "No"), None, False, False),
        (("No", None), "1.1", False, None),
        ((None, None), "1.1", None, None),
        (("(not set)", ""), "1.1", None, None),
        (("Unset", "maybe"), "1.1", None, None),
        (("yes", "NO"), "1.1", True, False),
        ((None, None), None, False, None),
        ((None, "No"), "", False, False),
    ],
)
def test_the_consent_of_an_event_is_what_it_says_and_no_visitor_means_refused(
    analytics: Analytics,
    said: tuple[str | None, str | None],
    visitor: str | None,
    analytics_consent: bool | None,
    ads_consent: bool | None,
) -> None:
    found = one(analytics, event(at("20"), consent=said, visitor=visitor))

    assert (found["analytics_consent"], found["ads_consent"]) == (analytics_consent, ads_consent)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("Denmark", "DK"),
        ("Türkiye", "TR"),
        ("Turkey", "TR"),
        ("Côte d’Ivoire", "CI"),
        ("Bosnia & Herzegovina", "BA"),
        ("Bosnia and Herzegovina", "BA"),
        ("Myanmar (Burma)", "MM"),
        ("Czechia", "CZ"),
        ("Åland Islands", "AX"),
        ("St. Martin", "MF"),
        ("South Korea", "KR"),
        ("Hong Kong", "HK"),
        ("Congo - Kinshasa", "CD"),
        ("Kosovo", "XK"),
        ("GB", "GB"),
        ("Atlantis", "ZZ"),
        ("(not set)", None),
    ],
)
def test_names_of_countries_become_codes(analytics: Analytics, name: str, code: str | None) -> None:
    analytics.export.put(event(at("20"), country=name))

    read = analytics.read()

    assert read.column("country") == [code]
    assert any("Atlantis" in note for note in read.notes) == (code == "ZZ")


def test_every_country_that_hub_has_rules_for_has_a_name() -> None:
    from importlib.resources import files

    from hub.places import places

    lines = files("hub_ga4").joinpath("countries.csv").read_text(encoding="utf-8").splitlines()[1:]
    names = [line.partition(",")[2] for line in lines]

    assert {line.partition(",")[0] for line in lines} == {country for place in places() for country in place.countries}
    assert len(names) == len(set(names))


def test_an_events_id_is_the_documented_key(analytics: Analytics) -> None:
    moment = at("20")
    same = event(moment, "add_to_cart")
    others = [
        event(moment, "add_to_cart", batch_event_index=2),
        event(moment, "add_to_cart", event_bundle_sequence_id=8),
        event(moment, "view_item"),
        event(moment, "add_to_cart", visitor="9.9"),
        event(moment + timedelta(microseconds=1), "add_to_cart"),
    ]
    analytics.export.put(same, {**same, "user_id": "c1"}, *others)

    ids = analytics.read().column("event_id")

    assert (len(ids), len(set(ids))) == (7, 6)
    assert f"101.1700000000.{microseconds(moment)}.7.1.add_to_cart" in ids


@pytest.mark.parametrize("form", ["parquet", "lines"])
def test_signs_in_names_of_folders_mean_themselves(tmp_path: Path, form: str) -> None:
    for name in ("it's [1] {a} *", "it's 1 {a} x"):
        other = Analytics(tmp_path / name)
        other.export.put(event(at("20"), name[5:8]), form=form)

    assert Analytics(tmp_path / "it's [1] {a} *").read().column("name") == ["[1]"]


def test_a_day_without_events_is_a_day(analytics: Analytics) -> None:
    analytics.export.put(event(at("19")))
    (analytics.export.folder / "events_20261120.json").touch()
    analytics.export.put(day=date(2026, 11, 21))

    read = analytics.read()

    assert (len(read.tables["events"]), read.windows) == (1, [(at("18 23:00"), at("21 23:00"))])
    assert analytics.read("consents").tables == {"consents": []}


def test_events_keep_the_order_of_their_file(analytics: Analytics) -> None:
    # Of two events with one key the last one stands. DuckDB keeps the order of rows unless it joins them with something.
    (path,) = analytics.export.put(event(at("20")))
    one, rows = pq.read_table(path), 400_000
    many = one.take(pa.array([0] * rows))
    times = pa.array([microseconds(at("20 01:00")) + number for number in range(rows)], pa.int64())
    name = many.schema.get_field_index("event_timestamp")
    pq.write_table(many.set_column(name, "event_timestamp", times), path, row_group_size=50_000)

    for _ in range(3):
        for page in analytics.source().read("events", None, NOW):
            told = page.tables["events"].read_all()["happened_at"].cast(pa.int64())
            assert told.equals(pa.chunked_array([times]))


# -- what cannot be read


BROKEN = ['{"event_name": "half', "[1, 2]", '{"some": "thing"}', '{"event_name":"x","event_timestamp":"soon"}']


def test_a_line_that_is_no_event_is_rejected_with_its_number_and_text(analytics: Analytics) -> None:
    path = analytics.export.put(event(at("20")), form="lines")[0]
    path.write_text("\n".join([path.read_text().strip(), *BROKEN]) + "\n")

    read = analytics.read()

    assert len(read.tables["events"]) == 1
    assert [(each.record, each.table, each.origin) for each in read.rejected] == [
        (number, "events", "ga4/events_20261120.json") for number in (2, 3, 4, 5)
    ]
    assert [each.raw for each in read.rejected[1:]] == BROKEN[1:]


def test_a_file_full_of_other_json_is_refused_whole(analytics: Analytics) -> None:
    (analytics.export.folder / "events_20261120.json").write_text('{"order": 1}\n' * 1_001)

    with pytest.raises(api.SourceError, match=r"more than 1,000 lines of ga4/events_20261120\.json are no events"):
        analytics.read()


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("events_20261120.csv", "event_date,event_timestamp,event_name\n20261120,17,x\n", "CSV, which cannot hold the event_params"),
        ("events_20261120.csv.gz", gzip.compress(b"event_date;event_name\n20261120;x\n", mtime=0), "CSV, which cannot hold"),
        ("Traffic acquisition.csv", "# ----\n# Acme\n# Start date: 20261101\nSession source,Sessions\n", "downloaded from the Analytics screens"),
        ("events_20261120.csv", "\ufeff# Acme - GA4\n", "downloaded from the Analytics screens"),
        ("events_20261120.zip", b"PK\x03\x04" + bytes(range(200)), "neither Parquet nor Avro nor JSON"),
    ],
)  # fmt: skip
def test_what_is_no_export_is_told_apart_with_the_export_that_is_needed(
    analytics: Analytics, name: str, content: str | bytes, says: str
) -> None:
    (analytics.export.folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    with pytest.raises(api.SourceError, match=says) as caught:
        analytics.read()

    assert caught.value.next_step is not None
    assert "Parquet" in caught.value.next_step


def test_a_screen_export_beside_daily_tables_harms_nobody(analytics: Analytics) -> None:
    analytics.export.put(event(at("20")))
    (analytics.export.folder / "Traffic acquisition.csv").write_text("# ----\n")

    assert len(analytics.read().tables["events"]) == 1


@pytest.mark.parametrize("form", ["parquet", "lines.gz", "avro"])
def test_a_file_that_was_cut_off_stops_the_source(analytics: Analytics, form: str) -> None:
    path = analytics.export.put(*(event(at(f"20 {hour:02}:00")) for hour in range(9, 21)), form=form)[0]
    path.write_bytes(path.read_bytes()[:-200])

    with pytest.raises(api.SourceError, match=r"ga4/events_20261120\S* cannot be read to its end"):
        analytics.read()


def test_avro_without_its_package_says_what_to_install(analytics: Analytics, monkeypatch: pytest.MonkeyPatch) -> None:
    analytics.export.put(event(at("20")), form="avro")
    monkeypatch.setitem(sys.modules, "fastavro", None)

    with pytest.raises(api.SourceError, match="needs the package fastavro") as caught:
        analytics.read()

    assert "audience-hub[avro]" in str(caught.value.next_step)


def test_a_parquet_file_of_something_else_is_named(analytics: Analytics) -> None:
    analytics.export.put(event(at("20")), leave_out=("event_params", "user_pseudo_id"))

    with pytest.raises(api.SourceError, match="is no table of events: it has no event_params, user_pseudo_id"):
        analytics.read()


@pytest.mark.parametrize(
    ("files", "says"),
    [([], "there is no file at all"), (["users_20261120.parquet", "_SUCCESS"], "1 other files lie there")],
)
def test_a_folder_without_daily_tables_says_what_to_extract(analytics: Analytics, files: list[str], says: str) -> None:
    source = Export(analytics.workspace / "other")
    for name in files:
        (analytics.export.folder / name).write_bytes(source.write("x", [event(at("20"))]).read_bytes())

    with pytest.raises(api.SourceError, match="is named events_YYYYMMDD") as caught:
        analytics.read()

    assert says in str(caught.value)


def test_a_folder_that_does_not_exist_is_named(analytics: Analytics) -> None:
    with pytest.raises(api.SourceError, match="there is nothing at exports/nowhere"):
        analytics.read(path="exports/nowhere")
