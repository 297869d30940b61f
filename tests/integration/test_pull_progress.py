"""A pull says how far it is, whatever its source's rows come as."""

from __future__ import annotations

from pathlib import Path

import pytest

from hub.config import load_client, load_workspace
from hub.plugins import Plugins
from hub.sync.run import pull_client
from hub.sync.surroundings import Surroundings
from hub.sync.wiring import Wiring

SOURCE = """
import pyarrow as pa
from hub import api


class Counting(api.Source[api.SourceConfig]):
    \"\"\"Yield customers, two pages of three.\"\"\"

    name = "counting"
    Config = api.SourceConfig
    streams = {"customers": api.Stream(("customers",))}

    def read(self, stream, since, until):
        for page in range(2):
            rows = [{"customer_id": str(page * 3 + number)} for number in range(3)]
            yield api.Page({"customers": %s}, total=6)


@api.hookimpl
def hub_sources():
    return [Counting]
"""


@pytest.mark.parametrize(
    "rows",
    ["rows", "iter(rows)", "pa.Table.from_pylist(rows)", "pa.Table.from_pylist(rows).to_reader()"],
    ids=["mappings", "an iterator", "a table", "a stream"],
)
def test_rows_are_counted_as_they_are_stored(tmp_path: Path, rows: str) -> None:
    for folder in ("clients", "plugins"):
        (tmp_path / folder).mkdir()
    (tmp_path / "hub.toml").touch()
    (tmp_path / "plugins" / "counting.py").write_text(SOURCE % rows)
    (tmp_path / "clients" / "acme.toml").write_text('name = "Acme"\n[sources.shop]\nplugin = "counting"\n')
    workspace = load_workspace(tmp_path)
    told: list[tuple[str, int, int | None]] = []
    around = Surroundings(progress=lambda *news: told.append(news))

    numbers = pull_client(Wiring(workspace, load_client(workspace, "acme"), Plugins(tmp_path), around))

    assert numbers.sources[0].tables == {"customers": {"read": 6, "rejected": 0}}
    assert [news for news in told if news[0] == "shop: customers"] == [
        ("shop: customers", 3, 6),
        ("shop: customers", 6, 6),
    ]
