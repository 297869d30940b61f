"""The Analytics export in a bucket: listed, fetched, checked, and left alone where nothing changed."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from pydantic import ValidationError

from hub import api
from hub_ga4.config import Ga4Config
from tests.ga4_export import event
from tests.ga4_shop import NOW, Analytics, at
from tests.object_storage import KEY_ID, SECRET, ObjectStorage, account_key, serving

VENDORS = ("s3", "gs")


@pytest.fixture
def storage(monkeypatch: pytest.MonkeyPatch) -> Iterator[ObjectStorage]:
    # What this machine may know of clouds must not get into the tests.
    for name in ("AWS_PROFILE", "AWS_ACCESS_KEY_ID", "GOOGLE_APPLICATION_CREDENTIALS", "HTTP_PROXY", "http_proxy"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    with serving(ObjectStorage()) as storage:
        yield storage


def settings(storage: ObjectStorage, vendor: str) -> dict[str, Any]:
    own = {"s3": {"access_key_id": KEY_ID, "region": "eu-central-1"}, "gs": {}}[vendor]
    return {"path": f"{vendor}://acme/ga4", "endpoint": storage.address, **own}


def secrets(storage: ObjectStorage, vendor: str) -> dict[str, str]:
    return {"s3": {"secret_access_key": SECRET}, "gs": {"service_account": storage.service_account()}}[vendor]


def in_bucket(workspace: Path, storage: ObjectStorage, vendor: str, **further: Any) -> Analytics:
    return Analytics(workspace, {**settings(storage, vendor), **further}, secrets(storage, vendor))


def upload(analytics: Analytics, storage: ObjectStorage, *rows: Any, **how: Any) -> None:
    for path in analytics.export.put(*rows, **how):
        storage.put(f"ga4/{path.name}", path.read_bytes())


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("form", ["parquet", "lines.gz"])
def test_an_export_in_a_bucket_gives_what_a_folder_gives(
    tmp_path: Path, storage: ObjectStorage, vendor: str, form: str
) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, *(event(at(f"{day}"), params={"value": day}) for day in range(10, 20)), form=form)
    storage.put("other/events_20261120.parquet", b"of somebody else")

    read = analytics.read()

    folder = Analytics(tmp_path).read()
    assert read.tables == folder.tables
    assert len(read.tables["events"]) == 10
    assert storage.refused == []
    assert len(storage.fetched()) == 10


@pytest.mark.parametrize("vendor", VENDORS)
def test_only_new_and_changed_objects_are_fetched(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, event(at("18"), "a"), event(at("19"), "b"))
    first = analytics.read()
    del storage.requests[:]
    assert analytics.read(since=first.cursor).pages == 0
    assert storage.fetched() == []
    upload(analytics, storage, event(at("19"), "c"), event(at("20"), "d"))

    second = analytics.read(since=first.cursor)

    assert sorted(second.column("name")) == ["c", "d"]
    assert sorted(set(storage.fetched())) == ["ga4/events_20261119.parquet", "ga4/events_20261120.parquet"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_carts_and_consents_need_no_second_fetch(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, event(at("19"), "add_to_cart", user_id="c1"))
    analytics.read()
    fetched = len(storage.fetched())

    carts, consents = analytics.read("carts"), analytics.read("consents")

    assert (len(carts.tables["carts"]), len(consents.tables["consents"])) == (1, 2)
    assert len(storage.fetched()) == fetched


def test_what_was_fetched_is_deleted_once_it_is_stored(tmp_path: Path, storage: ObjectStorage) -> None:
    analytics = in_bucket(tmp_path, storage, "s3")
    upload(analytics, storage, event(at("19")))

    analytics.read()

    assert list((tmp_path / ".hub" / "cache" / "objects").iterdir()) == []


def test_what_a_killed_run_had_fetched_is_not_fetched_again(tmp_path: Path, storage: ObjectStorage) -> None:
    analytics = in_bucket(tmp_path, storage, "s3")
    upload(analytics, storage, event(at("19")))
    objects = tmp_path / ".hub" / "cache" / "objects"
    killed = analytics.source().read("events", None, NOW)
    next(killed)
    (objects / "left-by-another").write_bytes(b"x")
    fetched = len(storage.fetched())

    assert len(analytics.read().tables["events"]) == 1

    assert len(storage.fetched()) == fetched
    assert list(objects.iterdir()) == []
    killed.close()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_pattern_chooses_objects(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor, path=f"{vendor}://acme/ga4/events_202611*.parquet")
    upload(analytics, storage, event(at("19"), "parquet"))
    upload(analytics, storage, event(at("19"), "json"), form="lines")

    assert analytics.read().column("name") == ["parquet"]


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_public_bucket_needs_no_credentials(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    storage.public = True
    analytics = Analytics(tmp_path, {"path": f"{vendor}://acme/ga4", "endpoint": storage.address, "anonymous": True})
    upload(analytics, storage, event(at("19")))

    assert len(analytics.read().tables["events"]) == 1


def test_a_file_that_google_unpacks_on_the_way_is_whole(tmp_path: Path, storage: ObjectStorage) -> None:
    storage.unpacks = True
    analytics = in_bucket(tmp_path, storage, "gs")
    upload(analytics, storage, event(at("18")), event(at("18 13:00")), form="lines.gz")

    assert len(analytics.read().tables["events"]) == 2


def test_a_token_is_renewed_before_it_ends(tmp_path: Path, storage: ObjectStorage) -> None:
    storage.lasting = 60  # less than what Google's library leaves as a margin
    analytics = in_bucket(tmp_path, storage, "gs")
    upload(analytics, storage, event(at("18")), event(at("19")))

    assert len(analytics.read().tables["events"]) == 2

    assert storage.tokens > 2
    assert storage.refused == []


def test_one_token_serves_a_whole_run(tmp_path: Path, storage: ObjectStorage) -> None:
    analytics = in_bucket(tmp_path, storage, "gs")
    upload(analytics, storage, event(at("18")), event(at("19")))
    source = analytics.source()

    for stream in source.streams:
        for page in source.read(stream, None, NOW):
            assert page.tables

    assert storage.tokens == 1


# -- what may go wrong


def test_a_bucket_in_another_region_says_what_to_set(tmp_path: Path, storage: ObjectStorage) -> None:
    storage.region = "us-west-2"
    analytics = in_bucket(tmp_path, storage, "s3")

    with pytest.raises(api.SourceError, match="another region") as caught:
        analytics.read()

    assert "`region`" in str(caught.value.next_step)


@pytest.mark.parametrize("vendor", VENDORS)
def test_credentials_that_are_refused_say_what_to_renew(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, event(at("19")))
    storage.denied = True

    with pytest.raises(api.AuthError) as caught:
        analytics.read()

    assert caught.value.next_step is not None
    assert SECRET not in str(caught.value)


def test_a_wrong_access_key_is_refused(tmp_path: Path, storage: ObjectStorage) -> None:
    analytics = Analytics(tmp_path, settings(storage, "s3"), {"secret_access_key": "another-key"})

    with pytest.raises(api.AuthError, match="s3://acme/ga4 may not be read"):
        analytics.read()

    assert set(storage.refused) == {"SignatureDoesNotMatch"}


@pytest.mark.parametrize(
    "key", ["not json", "[]", '{"type": "authorized_user"}', '{"type": "service_account", "token_uri": "http://127.0.0.1:9"}']
)  # fmt: skip
def test_a_key_that_is_none_is_refused_without_showing_it(tmp_path: Path, storage: ObjectStorage, key: str) -> None:
    analytics = Analytics(tmp_path, settings(storage, "gs"), {"service_account": key})

    with pytest.raises(api.AuthError, match="service account's key cannot be used") as caught:
        analytics.read()

    assert key not in str(caught.value)
    assert storage.requests == []


def test_a_key_without_its_package_says_what_to_install(
    tmp_path: Path, storage: ObjectStorage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "google.oauth2", None)

    with pytest.raises(api.SourceError, match="needs the package google-auth") as caught:
        in_bucket(tmp_path, storage, "gs").read()

    assert "audience-hub[gcs]" in str(caught.value.next_step)


def test_the_key_of_another_account_is_refused_by_the_vendor(tmp_path: Path, storage: ObjectStorage) -> None:
    other = ObjectStorage(address=storage.address, key=account_key("another"))
    analytics = Analytics(tmp_path, settings(storage, "gs"), {"service_account": other.service_account()})

    with pytest.raises(api.AuthError, match="service account's key cannot be used") as caught:
        analytics.read()

    assert "PRIVATE KEY" not in str(caught.value)


@pytest.mark.parametrize("vendor", VENDORS)
@pytest.mark.parametrize("path", ["nobody/ga4", "acme/nothing"])
def test_a_bucket_or_folder_that_does_not_exist_is_named(
    tmp_path: Path, storage: ObjectStorage, vendor: str, path: str
) -> None:
    analytics = in_bucket(tmp_path, storage, vendor, path=f"{vendor}://{path}")

    with pytest.raises(api.SourceError, match=f"{vendor}://{path}"):
        analytics.read()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_passing_fault_of_the_storage_is_survived(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, event(at("19")))
    storage.faults = [503]

    assert len(analytics.read().tables["events"]) == 1


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_connection_that_breaks_off_never_gives_half_an_object(
    tmp_path: Path, storage: ObjectStorage, vendor: str
) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(
        analytics, storage, *(event(at("19 10:00"), batch_event_index=number) for number in range(500)), form="lines"
    )
    storage.cut = 1

    try:
        read = analytics.read()
    except api.TransientError:
        read = analytics.read()

    assert len(read.tables["events"]) == 500


def test_a_storage_that_is_not_there_is_tried_again_later(tmp_path: Path) -> None:
    # Google's library tries for a quarter of a minute before it says the same.
    nowhere = {"path": "s3://acme/ga4", "endpoint": "http://127.0.0.1:9", "anonymous": True}

    with pytest.raises(api.TransientError, match="s3://acme/ga4 cannot be read"):
        Analytics(tmp_path, nowhere).read()


@pytest.mark.parametrize("vendor", VENDORS)
def test_a_screen_export_in_a_bucket_is_told_by_its_first_bytes(
    tmp_path: Path, storage: ObjectStorage, vendor: str
) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    storage.put("ga4/report.csv", b"# ----\n# Acme\n" + b"Source,Sessions\ngoogle,5\n" * 20_000)

    with pytest.raises(api.SourceError, match="downloaded from the Analytics screens"):
        analytics.read()


@pytest.mark.parametrize("vendor", VENDORS)
def test_check_reads_the_newest_day_and_leaves_nothing(tmp_path: Path, storage: ObjectStorage, vendor: str) -> None:
    analytics = in_bucket(tmp_path, storage, vendor)
    upload(analytics, storage, event(at("18")), event(at("19"), user_id="c1"))

    found = [finding.text for finding in analytics.findings(system="shop")]

    assert any("events_20261119 has 1 events" in text for text in found)
    assert set(storage.fetched()) == {"ga4/events_20261119.parquet"}
    assert [path for path in (tmp_path / ".hub" / "cache").rglob("*") if path.is_file()] == []


# -- settings


@pytest.mark.parametrize(
    ("given", "says"),
    [
        ({"path": "ftp://acme/ga4"}, "gs://bucket/folder or s3://bucket/folder"),
        ({"path": "ga4", "region": "eu-central-1"}, "region goes with a path that begins with s3://"),
        ({"path": "gs://acme", "access_key_id": "x", "secret_access_key": "y"}, "begins with s3://"),
        ({"path": "s3://acme", "access_key_id": "x"}, "goes with the secret secret_access_key"),
        ({"path": "s3://acme", "access_key_id": "x", "secret_access_key": "y", "anonymous": True}, "no credentials"),
        ({"path": "ga4", "timezone": "Europe/Kopenhagen"}, "is no time zone"),
        ({"path": ""}, "at least 1 character"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(given: dict[str, Any], says: str) -> None:
    with pytest.raises(ValidationError, match=says):
        Ga4Config.model_validate(given)


@pytest.mark.parametrize("path", ["ga4", "gs://acme/ga4"])
def test_a_secret_that_was_left_over_harms_nobody(tmp_path: Path, storage: ObjectStorage, path: str) -> None:
    storage.public = True
    left_over = {"service_account": "of another time", "secret_access_key": "of another time"}
    further = {"anonymous": True, "endpoint": storage.address} if "://" in path else {}
    analytics = Analytics(tmp_path, {"path": path, **further}, left_over)
    upload(analytics, storage, event(at("19")))

    assert len(analytics.read().tables["events"]) == 1
