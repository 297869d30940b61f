"""The source on the page about sources reads, goes on, forgets and passes the conformance kit."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from types import ModuleType
from typing import Any

import duckdb
import pytest

from hub.catalog import Catalog, CatalogSettings
from hub.testing import make_connection
from tests.docs.markdown_pages import ROOT, blocks
from tests.docs.test_examples import DOCS, follow, run

PAGE = DOCS / "how-to" / "write-a-source.md"
NOW = datetime(2026, 11, 21, 12, tzinfo=UTC)
SETTINGS = CatalogSettings(country="DK", currency="DKK", timezone="UTC", sources=[("shop", "shop")])


@pytest.fixture
def saved(tmp_path: Path) -> Path:
    """Save the page's files in a workspace, as its reader would."""
    assert run(f"hub init {tmp_path}", tmp_path)[0] == 0
    for block in blocks(PAGE, "python"):
        place, _, code = block.text.partition("\n")
        file = tmp_path / place.removeprefix("# ")
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    return tmp_path


def load(file: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(f"page_{file.stem}", file)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture
def kiosk(saved: Path) -> Iterator[Any]:
    """Serve the page's stand-in."""
    stand_in = load(saved / "plugins" / "kiosk_sandbox.py").KioskStandIn()
    stand_in.address = stand_in.start()
    yield stand_in
    stand_in.stop()


@pytest.fixture
def wired(saved: Path, kiosk: Any, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Wire a client to the page's plugin."""
    monkeypatch.setenv("HUB_SECRET__ACME__SHOP__TOKEN", "sandbox")
    [settings] = blocks(PAGE, "toml")
    text = settings.text.replace("https://kiosk.example.com/api", kiosk.address)
    (saved / "clients" / "acme.toml").write_text(f'name = "Acme"\ncountry = "DK"\ncurrency = "DKK"\n{text}')
    return saved


def source(saved: Path, kiosk: Any) -> Any:
    plugin = load(saved / "plugins" / "kiosk.py").Kiosk
    return make_connection(plugin, {}, saved, address=kiosk.address, secrets=kiosk.secrets)


def rows(catalog: Catalog) -> list[Any]:
    with duckdb.connect(catalog.path, read_only=True) as con:
        return con.execute(
            "select c.customer_id, c.email, s.status from merged.customers as c "
            "join merged.consents as s on s.subject = c.customer_id order by all"
        ).fetchall()


def pull(catalog: Catalog, reader: Any, now: datetime, pages: int | None = None) -> Any:
    """Read some pages or all, and merge them."""
    with catalog.writer(now) as writer:
        read = reader.read("customers", writer.cursor("shop", "customers"), now)
        taken = itertools.islice(read, pages)
        writer.load("shop", "shop", "customers", reader.streams["customers"], taken)
        writer.rebuild()
        return writer.cursor("shop", "customers")


def test_the_page_shows_what_its_source_does(wired: Path) -> None:
    for block in blocks(PAGE, "console"):
        follow(block, wired)


def test_a_read_that_is_cut_off_anywhere_goes_on_to_the_same_rows(saved: Path, kiosk: Any, tmp_path: Path) -> None:
    reader = source(saved, kiosk)
    whole = Catalog(tmp_path / "whole", SETTINGS, b"k" * 32)
    pull(whole, reader, NOW)
    assert len(rows(whole)) == 7

    for cut in (1, 2):
        catalog = Catalog(tmp_path / f"cut{cut}", SETTINGS, b"k" * 32)
        pull(catalog, reader, NOW, pages=cut)
        served = kiosk.served
        pull(catalog, reader, NOW + timedelta(hours=1))
        assert rows(catalog) == rows(whole)
        assert kiosk.served - served == 3 - cut


def test_the_next_read_asks_only_for_what_changed_and_forgets_who_was_deleted(
    saved: Path, kiosk: Any, tmp_path: Path
) -> None:
    catalog, reader = Catalog(tmp_path / "catalog", SETTINGS, b"k" * 32), source(saved, kiosk)
    cursor = pull(catalog, reader, NOW)
    assert cursor == {"since": (NOW - timedelta(minutes=5)).isoformat()}
    kiosk.customers[0] |= {"mail": "new@example.com", "changed": (NOW + timedelta(minutes=1)).isoformat()}
    kiosk.deleted.append({"id": "k1", "erased": False})

    pull(catalog, reader, NOW + timedelta(hours=1))

    found = rows(catalog)
    assert len(found) == 6
    assert ("k0", "new@example.com", "unsubscribed") in found
    assert "k1" not in {row[0] for row in found}


def test_a_wrong_token_is_told_by_check(wired: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET__ACME__SHOP__TOKEN", "wrong")

    code, said = run("hub check acme --json", wired)

    assert code == 1
    assert "401" in said or "token" in json.dumps(json.loads(said.splitlines()[-1]))


def test_the_page_s_source_passes_the_conformance_kit(saved: Path) -> None:
    paths = [
        ROOT,
        *(ROOT / "plugins" / kind for kind in ("sources", "segments", "destinations")),
        saved / "plugins",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=saved,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stdout
