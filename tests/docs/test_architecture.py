"""ARCHITECTURE.md names only what exists."""

from __future__ import annotations

import re
import tomllib

import pytest

from tests.docs.markdown_pages import ROOT, blocks

PAGE = ROOT / "ARCHITECTURE.md"
CODE = {
    path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
    for folder in ("hub", "plugins")
    for path in sorted((ROOT / folder).rglob("*.py"))
}
NAMES = sorted(
    set(re.findall(r"`([^`\n]+)`", re.sub(r"```.*?```", "", PAGE.read_text(encoding="utf-8"), flags=re.DOTALL)))
)
PATHS = [name for name in NAMES if re.fullmatch(r"(hub|plugins|docs|tests)/[\w/.]+", name)]
DEFINED = [name for name in NAMES if re.fullmatch(r"[A-Z]\w*[a-z]\w*|[a-z]+_[a-z_]+|diff", name)]
OUTSIDE = {"pydantic_settings"}


@pytest.mark.parametrize("path", PATHS)
def test_every_path_exists(path: str) -> None:
    assert (ROOT / path).exists()


@pytest.mark.parametrize("name", [name for name in DEFINED if name not in OUTSIDE])
def test_every_name_is_defined(name: str) -> None:
    defined = re.compile(rf"^\s*(?:class|def) {name}\b|^{name}\b.*=|from .* import .*\b{name}\b", re.MULTILINE)
    assert any(defined.search(text) for text in CODE.values())


@pytest.mark.parametrize("path", [name for name in PATHS if (ROOT / name).is_dir() and name.startswith("hub/")])
def test_a_part_begins_with_names_of_its_own(path: str) -> None:
    row = next(line for line in PAGE.read_text(encoding="utf-8").splitlines() if line.startswith(f"| `{path}` |"))
    for name in re.findall(r"`(\w+)`", row.split("|")[3]):
        own = [text for file, text in CODE.items() if file.startswith(f"{path}/")]
        assert any(re.search(rf"^(?:class|def|async def) {name}\b", text, re.MULTILINE) for text in own), name


def test_every_package_has_its_row() -> None:
    packages = {path.parent.relative_to(ROOT).as_posix() for path in (ROOT / "hub").glob("*/__init__.py")}

    assert packages <= set(PATHS)


def test_the_layers_are_those_that_are_checked() -> None:
    configured = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["tool"]["importlinter"]
    layers = next(contract["layers"] for contract in configured["contracts"] if contract["type"] == "layers")

    told = [line.strip() for line in blocks(PAGE, "text")[1].text.splitlines() if line.strip()]

    assert told == layers
