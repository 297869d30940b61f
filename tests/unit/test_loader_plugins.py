"""Plugins are listed without being run, loaded on demand, and kept apart when they are broken."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from hub import api
from hub.errors import ConfigError, PluginError
from hub.plugins import Plugins

BREVO = """
from hub import api


class BrevoConfig(api.Config):
    folder: int = api.Field(description="the folder")


class Brevo(api.Destination[BrevoConfig]):
    name = "brevo"
    Config = BrevoConfig
    can = api.Capabilities(ops={api.Op.ADD: api.Limit(150)})

    def push(self, batch):
        for member in batch:
            yield member.delivered()


@api.hookimpl
def hub_destinations():
    return [Brevo]
"""

STRATEGIES = """
from hub import api


class Lucky(api.Segment[api.Config]):
    name, version, Config = "lucky", 2, api.Config
    rule = (api.at_least("orders", 7),)


class Luckier(Lucky):
    name: str = "luckier"


@api.hookimpl
def hub_segments():
    offered = [Lucky]
    return (*offered, Luckier)
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "plugins").mkdir()
    return tmp_path


def write(folder: Path, name: str, text: str) -> None:
    (folder / "plugins" / name).write_text(dedent(text), encoding="utf-8")


def test_a_file_is_listed_without_being_run(folder: Path) -> None:
    write(folder, "brevo.py", BREVO + "\nraise SystemExit('was run')\n")

    plugins = Plugins(folder)

    assert "brevo" in plugins.names("destination")
    entry = plugins.entry("destination", "brevo")
    assert (entry.distribution, entry.origin) == (None, "plugins/brevo.py")
    assert plugins.broken == []


def test_a_file_is_loaded_once_under_a_private_name(folder: Path) -> None:
    write(folder, "brevo.py", BREVO)

    first = Plugins(folder).load("destination", "brevo")
    again = Plugins(folder).load("destination", "brevo")

    assert first is again
    assert issubclass(first, api.Destination)
    assert first.__module__ not in {"brevo", "plugins.brevo"}


def test_names_are_read_however_a_class_writes_them(folder: Path) -> None:
    write(folder, "lucky.py", STRATEGIES)
    plugins = Plugins(folder)

    assert {"lucky", "luckier"} <= set(plugins.names("segment"))
    assert plugins.load("segment", "lucky").version == 2
    assert plugins.load("segment", "luckier").name == "luckier"


def test_files_that_begin_with_an_underscore_are_left_alone(folder: Path) -> None:
    write(folder, "_brevo.py", BREVO)

    assert "brevo" not in Plugins(folder).names("destination")


def test_hubs_own_plugins_come_from_its_metadata() -> None:
    entry = Plugins().entry("segment", "high-spenders")

    assert entry.distribution == "audience-hub"
    assert entry.module == "hub_purchases"
    assert entry.version


def test_an_unknown_name_gets_the_known_ones_and_the_closest(folder: Path) -> None:
    write(folder, "brevo.py", BREVO)

    with pytest.raises(ConfigError, match=r"no destination plugin 'bravo'; did you mean 'brevo'\? Known are: .*brevo"):
        Plugins(folder).load("destination", "bravo")


def test_two_of_the_same_kind_and_name_are_an_error_naming_both(folder: Path) -> None:
    write(folder, "one.py", BREVO)
    write(folder, "two.py", BREVO)
    plugins = Plugins(folder)

    with pytest.raises(ConfigError, match=r"'brevo' is offered twice: by plugins/one\.py and by plugins/two\.py"):
        plugins.load("destination", "brevo")
    assert [broken.origin for broken in plugins.broken] == ["plugins/one.py and plugins/two.py"]


def test_a_file_cannot_take_the_name_of_an_installed_plugin(folder: Path) -> None:
    write(folder, "mine.py", BREVO.replace('"brevo"', '"file"'))

    with pytest.raises(ConfigError, match=r"offered twice: by audience-hub .* and by plugins/mine\.py"):
        Plugins(folder).load("destination", "file")


def test_a_plugin_of_one_kind_may_share_its_name_with_another_kind(folder: Path) -> None:
    write(folder, "brevo.py", BREVO)
    write(folder, "lucky.py", STRATEGIES.replace('"lucky"', '"brevo"'))
    plugins = Plugins(folder)

    assert plugins.load("destination", "brevo") is not plugins.load("segment", "brevo")


@pytest.mark.parametrize(
    ("old", "new", "expected"),
    [
        ("from hub import api", "import nothing_like_it", "ModuleNotFoundError"),
        ("return [Brevo]", "Brevo; raise ValueError('no')", "ValueError: no"),
        ("return [Brevo]", "Brevo; raise SystemExit(3)", "SystemExit: 3"),
        ("return [Brevo]", "Brevo; return None", "TypeError|offers nothing"),
        ("return [Brevo]", "[Brevo]; return []", "offers nothing, not 'brevo'"),
        ("@api.hookimpl\n", "", "hub_destinations is not marked as a hook; write @api.hookimpl"),
        ("def hub_destinations():", "def hub_destinations(surprise):", "PluginValidationError"),
        ("    can = api", "    cannot = api", "can is missing; declare api.Capabilities"),
        ("api.Op.ADD:", "api.Op.REMOVE:", "can.ops has no api.Op.ADD"),
        ("Limit(150)", "Limit(0)", "limit below 1"),
        ("Limit(150)}", "Limit(150)}, identify_by=('name',)", "not some of email and phone, or customer_id"),
        ("Limit(150)}", "Limit(150)}, identify_by=('email', 'customer_id')", "customer_id stands alone"),
        ("api.Limit(150)", "100", "can.ops is no mapping of api.Op to api.Limit"),
        ("{api.Op.ADD: api.Limit(150)}", "[api.Op.ADD]", "can.ops is no mapping of api.Op to api.Limit"),
        ("Limit(150)", "Limit('150')", "limit that is no whole number"),
        ("Limit(150)}", "Limit(150), 'ADD': api.Limit(1)}", "can.ops has 'ADD', which is no api.Op"),
        ("Limit(150)}", "Limit(150)}, identify_by='email'", "can.identify_by is 'email'"),
        ("Limit(150)}", "Limit(150)}, rate=api.Rate(concurrent=0)", "can.rate has concurrent = 0"),
        (
            "Limit(150)}",
            "Limit(150)}, rate=api.Rate(per_second=0)",
            "can.rate has per_second = 0, not a number above 0",
        ),
        ("Limit(150)}", "Limit(150)}, rate=5", "can.rate is 5, not an api.Rate"),
        ("    can = api", "    rate = api.Rate(per_day=-1)\n    can = api", "rate has per_day = -1"),
        ("Limit(150)}", "Limit(150)}, cap=24", "can.cap is 24, not a datetime.timedelta"),
        ("Limit(150)}", "Limit(150)}, refresh_after=30", "can.refresh_after is 30, not a datetime.timedelta"),
        ("Limit(150)}", "Limit(150)}, cooldown='7d'", "can.cooldown is '7d', not a datetime.timedelta"),
        ("Limit(150)}", "Limit(150)}, purpose=None", "can.purpose is None, not text"),
        ("Limit(150)}", "Limit(150)}, attributes='country'", "can.attributes is 'country', not a tuple of names"),
        ("def push", "def pull", "push is not implemented"),
        ("    Config = BrevoConfig", "    Config = dict", "Config is not a subclass of api.Config"),
        ("api.Destination[BrevoConfig]", "api.Source[BrevoConfig]", "is not a subclass of api.Destination"),
    ],
)
def test_a_broken_plugin_is_named_and_harms_nobody_else(folder: Path, old: str, new: str, expected: str) -> None:
    assert old in BREVO
    write(folder, "broken.py", BREVO.replace(old, new))
    write(folder, "lucky.py", STRATEGIES)
    plugins = Plugins(folder)

    assert plugins.load("segment", "lucky").name == "lucky"
    with pytest.raises(PluginError, match=expected) as caught:
        plugins.load("destination", "brevo")

    assert "'brevo' (plugins/broken.py)" in str(caught.value)
    assert caught.value.next_step


def test_a_typo_in_a_hooks_name_fails_at_load(folder: Path) -> None:
    write(folder, "brevo.py", BREVO + "\n\n@api.hookimpl\ndef hub_destination():\n    return []\n")

    with pytest.raises(PluginError, match="unknown hook 'hub_destination'"):
        Plugins(folder).load("destination", "brevo")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("def hub_sources(:\n", "cannot be read"),
        ("class A:\n    pass\n\ndef hub_sources():\n    return [A]\n", "class A has no name"),
        ("def hub_sources():\n    return make()\n", "hub_sources mentions no class of this file"),
    ],
)
def test_a_file_that_cannot_be_listed_is_reported(folder: Path, text: str, reason: str) -> None:
    write(folder, "odd.py", text)

    broken = Plugins(folder).broken

    assert [each.origin for each in broken] == ["plugins/odd.py"]
    assert reason in broken[0].reason


def test_stand_ins_come_from_extensions_and_a_broken_one_is_left_out(folder: Path) -> None:
    write(
        folder,
        "good.py",
        """
        from hub import api

        class Brevo(api.StandIn):
            plugin = "brevo"

        @api.hookimpl
        def hub_stand_ins():
            return [Brevo]
        """,
    )
    write(folder, "bad.py", "import nothing_like_it\n\ndef hub_stand_ins():\n    return []\n")
    plugins = Plugins(folder)

    found = plugins.stand_ins()

    assert "brevo" in [stand_in.plugin for stand_in in found]
    assert [broken.origin for broken in plugins.broken] == ["plugins/bad.py"]


def test_listing_imports_nothing_of_any_plugin() -> None:
    script = dedent(
        """
        import sys
        from hub.plugins import Plugins
        Plugins().entries()
        print([name for name in sys.modules if name.startswith("hub_") or name == "hub.api"])
        """
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.strip() == "[]"
