"""Check that every changelog fragment is named and written as changelog.d/README.md says."""

from __future__ import annotations

import re
import sys
from pathlib import Path

KINDS = ("security", "removed", "deprecated", "added", "changed", "fixed")
NAME = re.compile(rf"[a-z0-9]+(-[a-z0-9]+)*\.({'|'.join(KINDS)})\.md")
NOT_FRAGMENTS = {"README.md", "check.py", "__pycache__"}


def problems(folder: Path) -> list[str]:
    """Return what is wrong with the fragments of a folder, one line each."""
    found = []
    for file in sorted(folder.iterdir()):
        if file.name in NOT_FRAGMENTS:
            continue
        if not NAME.fullmatch(file.name):
            found.append(f"{file.name}: name it <topic>.<kind>.md; kinds are {', '.join(KINDS)}")
            continue
        text = file.read_text(encoding="utf-8").strip()
        if not text.endswith("."):
            found.append(f"{file.name}: write a sentence, with a full stop at its end")
        if text.startswith(("#", "-", "*")):
            found.append(f"{file.name}: write plain sentences, no heading and no list")
    return found


if __name__ == "__main__":
    wrong = problems(Path(__file__).parent)
    sys.stderr.writelines(f"changelog.d/{line}\n" for line in wrong)
    sys.exit(1 if wrong else 0)
