"""A client's file: what is right is read, what is wrong is named with file, line, key and remedy."""

from __future__ import annotations

import re
from datetime import timedelta
from decimal import Decimal
from pathlib import Path

import pytest

from hub.config import Client, ConfigFileError, find_workspace, load_client, load_workspace
from hub.errors import ConfigError

GOOD = """\
name = "Acme Shoes"
timezone = "Europe/Copenhagen"
country = "DK"
currency = "DKK"

[consent]
soft_opt_in = true

[[consent.from]]
tag = "ads-ok"
grants = ["ads"]
evidence = "checkout box"

[guards]
max_lag = "2h"

[sources.shop]
plugin = "csv"
folder = "exports/acme"
guards = { max_rejected = 0.2 }

[currencies]
EUR = 7.46

[segments.cart-abandoners]
plugin = "cart-abandoners"
min_value = 100

[segments.coupon-lovers]
plugin = "coupon-lovers"

[segments.vip]
all = ["cart-abandoners"]
none = ["coupon-lovers"]

[destinations.newsletter]
plugin = "smtp"
server = "smtp://localhost:25"

[syncs.vip-carts]
segment = "vip"
destination = "newsletter"
attributes = { name = "first_name" }
holdout = 0.1
schedule = "*/15 * * * *"
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "clients").mkdir()
    (tmp_path / "hub.toml").write_text("")
    return tmp_path


def load(folder: Path, text: str, shared: str = "", client: str = "acme") -> Client:
    (folder / "hub.toml").write_text(shared, encoding="utf-8")
    (folder / "clients" / f"{client}.toml").write_text(text, encoding="utf-8")
    return load_client(load_workspace(folder), client)


def problems(folder: Path, text: str, shared: str = "") -> list[str]:
    with pytest.raises(ConfigFileError) as caught:
        load(folder, text, shared)
    return list(caught.value.problems)


def test_a_whole_file_is_read(folder: Path) -> None:
    client = load(folder, GOOD)

    assert (client.id, client.name, client.timezone, client.currency) == (
        "acme",
        "Acme Shoes",
        "Europe/Copenhagen",
        "DKK",
    )
    assert client.consent.soft_opt_in
    assert client.consent.sources[0].tag == "ads-ok"
    assert client.guards.max_lag == timedelta(hours=2)
    assert client.currencies == {"EUR": Decimal("7.46")}
    assert client.sources["shop"].plugin == "csv"
    assert client.sources["shop"].options == {"folder": "exports/acme"}
    assert client.guards_with(client.sources["shop"].guards).max_rejected == 0.2
    assert client.segments["cart-abandoners"].options == {"min_value": 100}
    assert client.segments["vip"].operands == ("cart-abandoners", "coupon-lovers")
    assert client.syncs["vip-carts"].audience_name == "vip"
    assert client.state == folder / ".hub" / "acme"


def test_the_state_folder_is_made_private(folder: Path) -> None:
    state = load(folder, GOOD).open_state()

    assert state.is_dir()
    assert state.stat().st_mode & 0o777 == 0o700
    assert state.parent.stat().st_mode & 0o777 == 0o700


def test_shared_tables_come_first_and_are_overridden_key_by_key(folder: Path) -> None:
    shared = """
[segments.high-spenders]
plugin = "high-spenders"
percentile = 90
min_orders = 3
[segments.vip]
plugin = "vip"
[consent]
casl_implied = true
[guards]
max_shrink = 0.1
max_removals = 0.2
"""
    text = GOOD + "[segments.high-spenders]\npercentile = 95\n"

    client = load(folder, text.replace('max_lag = "2h"', "max_removals = 0.3"), shared)

    assert list(client.segments) == ["high-spenders", "vip", "cart-abandoners", "coupon-lovers"]
    assert client.segments["high-spenders"].options == {"percentile": 95, "min_orders": 3}
    assert client.segments["vip"].plugin is None, "a combination replaces the inherited strategy"
    assert client.consent.soft_opt_in
    assert client.consent.casl_implied
    assert (client.guards.max_shrink, client.guards.max_removals) == (0.1, 0.3)


def test_an_inherited_connection_can_be_switched_off(folder: Path) -> None:
    shared = '[destinations.ads]\nplugin = "meta"\naccount = "1"\n'

    client = load(folder, GOOD + "[destinations.ads]\nenabled = false\n", shared)

    assert not client.destinations["ads"].enabled
    assert client.destinations["ads"].options == {"account": "1"}


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ('country = "DK"', 'countri = "DK"', 'acme.toml:3: countri: unknown key; did you mean "country"?'),
        ('country = "DK"', 'country = "Denmark"', "acme.toml:3: country: .*such as DK"),
        ("Europe/Copenhagen", "Europe/Kopenhagen", "acme.toml:2: timezone: .*IANA time zone"),
        ('name = "Acme Shoes"\n', "", "acme.toml: name: is missing: the client's name"),
        ("soft_opt_in = true", "soft_optin = true", 'acme.toml:7: consent.soft_optin: .*"soft_opt_in"'),
        ('tag = "ads-ok"', "", r"acme.toml:9: consent.from\[0\]: name exactly one of tag"),
        ('grants = ["ads"]', 'grants = ["adds"]', r"acme.toml:11: consent.from\[0\].grants\[0\]: should be .*'ads'"),
        ('max_lag = "2h"', 'max_lag = "2x"', "acme.toml:15: guards.max_lag: '2x' is not a duration; write 30m"),
        ('max_lag = "2h"', "max_lag = 2", "acme.toml:15: guards.max_lag: a duration needs a unit, such as 2d"),
        ("max_rejected = 0.2", "max_reject = 0.2", 'acme.toml:20: sources.shop.guards.max_reject: .*"max_rejected"'),
        ("EUR = 7.46", "EUR = 0", "acme.toml:23: currencies.EUR: should be greater than 0"),
        ("EUR = 7.46", "EUR = 0.000000009", "acme.toml:23: currencies.EUR: should be at least 0.00000001;"),
        ('plugin = "coupon-lovers"', 'plugn = "coupon-lovers"', 'acme.toml:30: segments.coupon-lovers.plugn: .*"plugin"'),
        ('all = ["cart-abandoners"]', 'all = ["cart-abandoner"]', r'acme.toml:33: segments.vip.all\[0\]: there is no .*"cart-abandoners"'),
        ('all = ["cart-abandoners"]', 'all = ["vip"]', "acme.toml:32: segments.vip: .*circle: vip → vip"),
        ('segment = "vip"', 'segmet = "vip"', 'acme.toml:41: syncs.vip-carts.segmet: unknown key; did you mean "segment"'),
        ('segment = "vip"', 'segment = "vips"', 'acme.toml:41: syncs.vip-carts.segment: .*did you mean "vip"'),
        ('destination = "newsletter"', 'destination = "news"', "acme.toml:42: syncs.vip-carts.destination: there is no"),
        ("holdout = 0.1", 'holdout = "some"', "acme.toml:44: syncs.vip-carts.holdout: .*number.*not 'some'"),
        ("holdout = 0.1", "holdout = 1", "acme.toml:44: syncs.vip-carts.holdout: should be less than 1"),
        ("*/15 * * * *", "*/15 * * *", "acme.toml:45: syncs.vip-carts.schedule: .*five fields"),
        ("*/15 * * * *", "61 * * * *", "acme.toml:45: syncs.vip-carts.schedule: .*bad minute"),
        ("*/15 * * * *", "0 0 30 2 *", "acme.toml:45: syncs.vip-carts.schedule: .*cron expression"),
        ("holdout = 0.1", 'mode = "mirrored"', "acme.toml:44: syncs.vip-carts.mode: should be 'mirror' or 'append'"),
        ("holdout = 0.1", "adopt = true", "acme.toml:40: syncs.vip-carts: .*add audience_id"),
        ("holdout = 0.1", 'audience_id = "9"', "acme.toml:40: syncs.vip-carts: .*add adopt = true"),
        ("[sources.shop]", "[sources.Shop]", "acme.toml:17: sources.Shop: 'Shop' is not a name; use lower-case"),
        ("[currencies]", "[sources]\ntill = 5\n[currencies]", "acme.toml:23: sources.till: should be a table; write"),
    ],
)  # fmt: skip
def test_a_wrong_setting_is_named_with_file_line_key_and_remedy(
    folder: Path, old: str, new: str, expected: str
) -> None:
    assert old in GOOD

    found = problems(folder, GOOD.replace(old, new, 1))

    assert any(re.search(expected, line) for line in found), found
    assert all(line.startswith("clients/acme.toml") for line in found)


def test_all_problems_of_a_file_are_said_at_once(folder: Path) -> None:
    text = GOOD.replace("country", "countri").replace("EUR = 7.46", "EUR = 0").replace('"vip"', '"vips"')

    found = problems(folder, text)

    assert len(found) == 3


def test_a_cycle_names_every_segment_in_it_once(folder: Path) -> None:
    text = GOOD + '[segments.a]\nall = ["b"]\n[segments.b]\nany = ["c"]\n[segments.c]\nall = ["a"]\n'

    found = problems(folder, text)

    assert found == ["clients/acme.toml:46: segments.a: segments must not need each other in a circle: a → b → c → a"]


def test_one_audience_belongs_to_one_sync(folder: Path) -> None:
    text = GOOD + '[syncs.again]\nsegment = "coupon-lovers"\ndestination = "newsletter"\naudience = "vip"\n'

    found = problems(folder, text)

    assert found == [
        "clients/acme.toml:46: syncs.again: audience 'vip' at 'newsletter' is kept by sync 'vip-carts' already; "
        "name another audience"
    ]


def test_a_sync_cannot_use_what_is_switched_off(folder: Path) -> None:
    text = GOOD.replace('plugin = "smtp"', 'plugin = "smtp"\nenabled = false')

    found = problems(folder, text)

    assert len(found) == 1
    assert "syncs.vip-carts.destination: destination 'newsletter' is switched off" in found[0]


def test_what_is_wrong_in_the_shared_file_is_said_of_the_shared_file(folder: Path) -> None:
    found = problems(folder, GOOD, '[guards]\nmax_shrink = "half"\n')

    assert found[0].startswith("hub.toml:2: guards.max_shrink: ")


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"a = 1\nname = ", "clients/acme.toml:2: is not TOML: Invalid value"),
        (b'name = "a"\nname = "b"\n', "clients/acme.toml:2: is not TOML: Cannot overwrite a value"),
        (b'# ok\nname = "caf\xe9"\n', "clients/acme.toml:2: is not UTF-8"),
    ],
)
def test_a_file_that_is_no_toml_is_named_with_its_line(folder: Path, content: bytes, expected: str) -> None:
    (folder / "clients" / "acme.toml").write_bytes(content)

    with pytest.raises(ConfigFileError, match=expected):
        load_client(load_workspace(folder), "acme")


def test_a_clients_file_name_is_its_id(folder: Path) -> None:
    with pytest.raises(ConfigFileError, match=r"clients/Acme_1\.toml: the file's name is the client's id; use lower"):
        load(folder, GOOD, client="Acme_1")


def test_an_unknown_client_gets_the_closest(folder: Path) -> None:
    load(folder, GOOD)

    with pytest.raises(ConfigFileError, match=r"there is no client 'acne'.*did you mean \"acme\"") as caught:
        load_client(load_workspace(folder), "acne")
    assert "hub client add" in str(caught.value.next_step)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ('requires = ">=99"', "hub.toml:1: requires: needs hub >=99, this is .*upgrade"),
        ('requires = "new"', "hub.toml:1: requires: 'new' is not a version requirement"),
        ('secret_dir = "x"', 'hub.toml:1: secret_dir: unknown key; did you mean "secrets_dir"'),
        ("[syncs.a]", "hub.toml:1: syncs: syncs belong to one client"),
        ("segments = 1", "hub.toml:1: segments: should be a table"),
    ],
)
def test_what_is_wrong_with_the_workspace_is_named(folder: Path, text: str, expected: str) -> None:
    (folder / "hub.toml").write_text(text)

    with pytest.raises(ConfigFileError, match=expected):
        load_workspace(folder)


def test_the_environment_wins_over_the_workspace(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (folder / "hub.toml").write_text('secrets_dir = "secrets"\nmemory_limit = "2GB"\n')
    monkeypatch.setenv("HUB_SECRETS_DIR", "/run/secrets")

    workspace = load_workspace(folder)

    assert workspace.secrets_dir == Path("/run/secrets")
    assert workspace.memory_limit == "2GB"


def test_the_digest_changes_with_what_is_effective_and_with_nothing_else(folder: Path) -> None:
    first = load(folder, GOOD).digest

    assert load(folder, "# a comment\n" + GOOD).digest == first
    assert load(folder, GOOD, "[guards]\nmax_shrink = 0.5\n").digest == first
    assert load(folder, GOOD, "[guards]\nmax_shrink = 0.4\n").digest != first
    assert load(folder, GOOD.replace("100", "101")).digest != first


def test_the_nearest_workspace_upwards_is_found(folder: Path) -> None:
    below = folder / "clients"

    assert find_workspace(below, {}) == folder.resolve()
    assert find_workspace(None, {"HUB_WORKSPACE": str(below)}) == folder.resolve()


def test_where_there_is_no_workspace_the_message_says_where_hub_looked(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=re.escape(str(tmp_path))) as caught:
        find_workspace(tmp_path, {})
    assert "hub init" in str(caught.value.next_step)
