"""The Analytics source keeps the contract that third parties are held to, from a folder and from a bucket."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, date, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest

from hub import api
from hub.testing import Notes, SourceConformance, make_connection
from hub_ga4 import Ga4
from tests.ga4_export import Export, event, visits
from tests.object_storage import KEY_ID, SECRET, ObjectStorage, serving

ROWS = visits(1, date(2026, 2, 20), days=6)
FORMS = ("parquet", "lines.gz", "avro")


def fill(folder: Path) -> None:
    export = Export(folder)
    for number, form in enumerate(FORMS):
        export.put(*(row for row in ROWS if export.day_of(row).day % len(FORMS) == number), form=form)
    path = export.put(event(datetime(2026, 2, 26, 12, tzinfo=UTC)), form="lines")[0]
    path.write_text(path.read_text() + "half a li")


class TestGa4InAFolder(SourceConformance):
    plugin = Ga4
    settings = {"path": "ga4", "system": "shop"}
    rejected = 1
    tables = ("events", "carts", "cart_lines", "consents")

    def fill(self, workspace: Path) -> None:
        fill(workspace / "ga4")


class TestGa4InABucket(SourceConformance):
    plugin = Ga4
    rejected = 1
    tables = ("events", "carts", "cart_lines", "consents")

    @pytest.fixture
    def served(self, tmp_path: Path) -> Iterator[tuple[Any, str | None]]:
        with serving(ObjectStorage()) as storage:
            fill(tmp_path / "elsewhere")
            for path in sorted((tmp_path / "elsewhere").iterdir()):
                storage.put(f"ga4/{path.name}", path.read_bytes())
            yield storage, storage.address

    def make(self, workspace: Path, remember: Notes, served: Any, address: str | None) -> Any:
        settings = {"path": "s3://acme/ga4", "region": "eu-north-1", "access_key_id": KEY_ID, "endpoint": address}
        return make_connection(Ga4, settings, workspace, remember=remember, secrets={"secret_access_key": SECRET})

    def other_side(self, workspace: Path, served: Any) -> Any:
        return {name: sha256(each.content).hexdigest() for name, each in served.buckets["acme"].items()}


def test_every_page_can_be_taken_as_the_contract_says(tmp_path: Path) -> None:
    fill(tmp_path / "ga4")
    source = make_connection(Ga4, {"path": "ga4"}, tmp_path)
    until = datetime(2026, 3, 1, tzinfo=UTC)

    kinds = {name: {page.window is None for page in source.read(name, None, until)} for name in source.streams}

    assert kinds == {"events": {False}, "carts": {True}, "consents": {True}}
    assert isinstance(source, api.Source)
