"""The page about JSON names every key there is, and its example is what hub prints."""

from __future__ import annotations

import json
import re

from hub.sync.numbers import ForecastNumbers, RunNumbers, Status, SyncNumbers, Trouble
from tests.docs.markdown_pages import ROOT, blocks

PAGE = ROOT / "docs" / "reference" / "json.md"


def everything() -> SyncNumbers:
    """Return a sync with all keys that there may be."""
    return SyncNumbers(
        *("vip-carts", "vip", "newsletter", "VIP", Status.REFUSED),
        forecast=ForecastNumbers(1, 0, 2, 0.0),
        settled={"delivered": 1},
        guards=[{"guard": "first-delivery", "text": "…", "size": 1, "next_step": "…"}],
        notes=["…"],
        trouble=Trouble("…"),
    )


def told(head: str) -> set[str]:
    """Return the keys in the first column of the table with a head."""
    table = PAGE.read_text(encoding="utf-8").split(f"| {head} |")[1].split("\n\n")[0]
    return {key for row in table.splitlines()[2:] for key in re.findall(r"`(\w+)`", row.split("|")[1])}


def test_every_key_of_a_run_a_sync_and_a_forecast_is_documented() -> None:
    sync = everything().as_json()

    assert told("key of a forecast") == set(sync["forecast"])
    assert told("key of a sync") == set(sync)
    assert told("key") == set(RunNumbers("acme", "1").as_json())


def test_the_example_has_the_keys_of_a_sync_that_waits() -> None:
    (example,) = (json.loads(block.text) for block in blocks(PAGE, "json"))

    assert list(example) == [key for key in everything().as_json() if key not in {"settled", "notes", "error"}]
    assert example["members"] == example["cleared"] + sum(example["withheld"].values())
    assert set(example["guards"][0]) == set(everything().guards[0])
