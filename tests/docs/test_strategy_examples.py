"""Every strategy has an example that holds, with somebody in and somebody out, and the picture drawn of it."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest

from hub.catalog import CatalogSettings
from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.segments import try_segment
from hub.sync.wiring import Wiring
from tests.docs.markdown_pages import ROOT

EXAMPLES = ROOT / "docs" / "examples" / "strategies.toml"
TOLD = tomllib.loads(EXAMPLES.read_text(encoding="utf-8"))["segments"]
OWN = sorted(entry.name for entry in Plugins().entries("segment") if entry.distribution == "audience-hub")
PREDICTED = {"likely-lost", "likely-to-recover", "likely-to-return", "top-predicted-value"}
"""They need hundreds of customers: no example, and a picture of their models."""
WITH_EXAMPLE = sorted({*OWN} - PREDICTED)


@pytest.fixture(scope="module")
def wiring(tmp_path_factory: pytest.TempPathFactory) -> Wiring:
    folder = tmp_path_factory.mktemp("examples")
    (folder / "clients").mkdir()
    (folder / "hub.toml").touch()
    (folder / "clients" / "examples.toml").write_text(EXAMPLES.read_text(encoding="utf-8"), encoding="utf-8")
    workspace = load_workspace(folder)
    return Wiring(workspace, load_client(workspace, "examples"), Plugins(folder))


def test_every_strategy_has_an_example_and_a_picture() -> None:
    pictures = {path.stem for path in (ROOT / "docs" / "reference" / "pictures").iterdir()}

    assert sorted(TOLD) == WITH_EXAMPLE
    assert sorted(pictures) == OWN


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_the_example_holds(name: str, wiring: Wiring) -> None:
    client = wiring.client
    settings = CatalogSettings(client.country, client.currency, client.currencies, client.timezone)
    (test,) = client.segments[name].tests

    assert [str(outcome) for outcome in try_segment(wiring.definitions, name, test, settings)] == []
    assert test.members


@pytest.mark.parametrize("name", WITH_EXAMPLE)
def test_the_picture_is_of_the_example(name: str, wiring: Wiring) -> None:
    (test,) = wiring.client.segments[name].tests
    picture = Path(ROOT / "docs" / "reference" / "pictures" / f"{name}.svg").read_text(encoding="utf-8")

    assert test.name in picture
    for member in test.members:
        assert f">{member.partition('@')[0]}<" in picture
