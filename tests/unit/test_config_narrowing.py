"""What a client's file says about sample, limit, min_size and priority."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from hub.config import Client, ConfigFileError, load_client, load_workspace

BEGIN = """\
name = "Acme"
{top}

[segments.spenders]
plugin = "high-spenders"
{strategy}

[segments.vip]
all = ["spenders"]
{combination}

[segments.off]
plugin = "one-time"
enabled = false
"""


def load(tmp_path: Path, top: str = "", strategy: str = "", combination: str = "", shared: str = "") -> Client:
    (tmp_path / "clients").mkdir(exist_ok=True)
    (tmp_path / "hub.toml").write_text(shared)
    text = BEGIN.format(top=top, strategy=strategy, combination=combination)
    (tmp_path / "clients" / "acme.toml").write_text(text)
    return load_client(load_workspace(tmp_path), "acme")


def test_any_segment_may_be_narrowed_and_a_strategys_own_settings_stay_its_own(tmp_path: Path) -> None:
    client = load(
        tmp_path,
        strategy='sample = 0.1\nwindow = "30d"\nlimit = { count = 100, by = "spend" }',
        combination='min_size = 50\nlimit = { count = 5, by = "spend", first = "smallest" }',
    )

    spenders, vip = client.segments["spenders"], client.segments["vip"]
    assert (spenders.sample, spenders.min_size, spenders.options) == (0.1, None, {"window": "30d"})
    assert spenders.limit is not None
    assert vip.limit is not None
    assert (spenders.limit.count, spenders.limit.by, spenders.limit.first) == (100, "spend", "largest")
    assert (vip.min_size, vip.limit.first, vip.sample) == (50, "smallest", None)


@pytest.mark.parametrize(
    ("written", "told"),
    [
        ("sample = 0", r"clients/acme.toml:\d+: segments.vip.sample: should be greater than 0, not 0"),
        ("sample = 1.5", r"segments.vip.sample: should be less than or equal to 1"),
        ("min_size = 0", r"segments.vip.min_size: should be greater than or equal to 1"),
        ("limit = 100", r"segments.vip.limit: should be a valid dictionary"),
        ("limit = { count = 100 }", r"segments.vip.limit.by: is missing: evidence column that ranks them"),
        ('limit = { count = 0, by = "spend" }', r"segments.vip.limit.count: should be greater than or equal to 1"),
        ('limit = { count = 1, by = "spend", last = 1 }', r"segments.vip.limit.last: unknown key"),
        ('limit = { count = 1, by = "a", first = "best" }', r"segments.vip.limit.first: should be 'largest' or 'smal"),
    ],
)
def test_wrong_narrowing_is_named_with_its_place(tmp_path: Path, written: str, told: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        load(tmp_path, combination=written)

    assert re.search(told, caught.value.problems[0]), caught.value.problems


def test_narrowing_alone_is_no_segment(tmp_path: Path) -> None:
    with pytest.raises(ConfigFileError, match='needs plugin = "…", or segments to combine'):
        load(tmp_path, top="[segments.x]\nsample = 0.5")


@pytest.mark.parametrize(
    ("own", "shared", "expected"),
    [
        ("", "", ()),
        ('priority = ["vip", "spenders"]', "", ("vip", "spenders")),
        ("", 'priority = ["vip", "off"]', ("vip", "off")),
        ('priority = ["spenders"]', 'priority = ["vip", "off"]', ("spenders",)),
        ("priority = []", 'priority = ["vip", "off"]', ()),
    ],
)
def test_priority_is_the_clients_own_or_the_workspaces(
    tmp_path: Path, own: str, shared: str, expected: tuple[str, ...]
) -> None:
    assert load(tmp_path, top=own, shared=shared).priority == expected


@pytest.mark.parametrize(
    ("top", "shared", "told"),
    [
        ('priority = ["vip", "spender"]', "", "clients/acme.toml:2: priority[1]: there is no segment 'spender'; did"),
        ('priority = ["vip", "vip"]', "", "priority[1]: 'vip' stands in the list already; remove one of them"),
        ("", 'priority = ["vop"]', "hub.toml:1: priority[0]: there is no segment 'vop'"),
        ('priority = "vip"', "", "clients/acme.toml:2: priority: should be a valid tuple"),
    ],
)
def test_a_wrong_priority_list_is_named_with_its_place(tmp_path: Path, top: str, shared: str, told: str) -> None:
    with pytest.raises(ConfigFileError) as caught:
        load(tmp_path, top=top, shared=shared)

    assert told in caught.value.problems[0]


def test_narrowing_and_priority_change_what_is_effective(tmp_path: Path) -> None:
    digests = {
        load(tmp_path, **written).digest
        for written in (
            {},
            {"top": 'priority = ["vip", "spenders"]'},
            {"top": 'priority = ["spenders", "vip"]'},
            {"strategy": "sample = 0.5"},
            {"combination": "min_size = 5"},
            {"shared": 'priority = ["vip"]'},
        )
    }

    assert len(digests) == 6
