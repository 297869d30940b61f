"""Which hooks a module has is read from its text: nothing is imported that nobody wants."""

from __future__ import annotations

import inspect
import subprocess
import sys
from pathlib import Path
from textwrap import dedent

import pytest

from hub.api import hooks
from hub.plugins.names import EXTENDING, STAND_INS, read_hooks

EVERY = EXTENDING | {STAND_INS}


def test_the_hooks_known_by_name_are_those_that_are_specified() -> None:
    specified = {name for name, value in vars(hooks).items() if name.startswith("hub_") and inspect.isfunction(value)}

    assert specified - {"hub_sources", "hub_segments", "hub_destinations"} == EVERY


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("def hub_before_run(run): ...", {"hub_before_run"}),
        ("async def hub_after_run(run): ...", {"hub_after_run"}),
        ("from .steps import hub_after_run, other as hub_commands", {"hub_after_run", "hub_commands"}),
        ("if True:\n    def hub_commands(): ...\nelse:\n    hub_after_run = print", {"hub_commands", "hub_after_run"}),
        ("try:\n    import x\nexcept ImportError:\n    from y import hub_withholdings", {"hub_withholdings"}),
        ("hub_withholdings: object = offer()", {"hub_withholdings"}),
        ("def hub_stand_ins(): ...", {"hub_stand_ins"}),
        ('"""Has no hub_before_run."""\nimport hub_google\nurl = "def hub_commands"', set()),
        ("class Mine:\n    def hub_before_run(self): ...", set()),
        ("def hub_sources(): ...\ndef hub_segments(): ...", set()),
        ("def hub_befor_run(run): ...", {"hub_before_run"}),
        ("def hub_destination(): ...", set()),
        ("def hub_withholding(): ...", {"hub_withholdings"}),
        ("def hub_xyz(): ...", EVERY),
        ("from elsewhere import *", EVERY),
        ("def hub_withholdings(:", {"hub_withholdings"}),
        (None, EVERY),
        ("", set()),
    ],
)
def test_hooks_are_read_from_a_modules_text(text: str | None, expected: set[str]) -> None:
    assert read_hooks(text) == expected


def test_asking_for_a_hook_that_nobody_has_imports_nothing_of_any_extension(tmp_path: Path) -> None:
    (tmp_path / "plugins").mkdir()
    (tmp_path / "plugins" / "other.py").write_text("raise SystemExit('was run')\ndef hub_after_run(run): ...\n")
    script = dedent(
        f"""
        import sys
        from pathlib import Path
        from hub.plugins import Plugins
        extensions = Plugins(Path({str(tmp_path)!r})).extensions
        print([str(entry) for entry in extensions.entries()], extensions.offering("hub_withholdings"))
        print([name for name in sys.modules if name.startswith("hub_") or name == "hub.api"])
        """
    )

    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)

    assert done.stdout.splitlines() == ["[\"extension 'other' (plugins/other.py)\"] []", "[]"]
