"""The commands in the docs are run and show what the docs show; the plugins in them work."""

from __future__ import annotations

import contextlib
import io
import json
import os
import re
import shlex
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from hub.cli.app import main
from tests.docs.markdown_pages import ROOT, Block, blocks, commands

DOCS = ROOT / "docs"
WIRE, PEOPLE, PLUGIN, UNATTENDED = (
    DOCS / "how-to" / f"{name}.md" for name in ("wire-a-client", "handle-people", "write-a-plugin", "run-unattended")
)


def write_exports(workspace: Path) -> None:
    """Write what a small shop exported an hour ago: three customers, three orders, three open carts."""

    def ago(days: float) -> str:
        return f"{datetime.now(UTC) - timedelta(days=days):%Y-%m-%d %H:%M:%S +0000}"

    files = {
        "customers_export.csv": "Customer ID,First Name,Last Name,Email,Accepts Email Marketing,"
        "Default Address Country Code,Phone,Tags\n"
        "1,Ada,Ash,ada@example.com,yes,DK,,ads-ok\n2,Bo,Birch,bo@example.com,yes,DK,,\n3,Cleo,Cedar,cleo@example.com,no,DK,,\n",
        "checkouts_export.csv": "Id,Email,Created at,Completed at,Total,Currency,Abandoned Checkout URL,"
        "Lineitem name,Lineitem quantity,Lineitem price\n"
        + "".join(
            f"900{number},{who}@example.com,{ago(1)},,{total},DKK,https://shop.example/c/{number},Boots,1,{total}\n"
            for number, who, total in ((1, "ada", 150), (2, "bo", 80), (3, "cleo", 90))
        ),
        "orders_export.csv": "Name,Email,Financial Status,Created at,Currency,Subtotal,Total,Discount Code,"
        "Discount Amount,Lineitem quantity,Lineitem name,Lineitem price,Id\n"
        + "".join(
            f"#{number},{who}@example.com,paid,{ago(days)},DKK,{total},{total},,0.00,1,Boots,{total},{number}\n"
            for number, who, days, total in ((5001, "ada", 200, 200), (5002, "bo", 50, 50), (5003, "bo", 20, 50))
        ),
    }
    for name, text in files.items():
        file = workspace / "exports" / "acme" / name
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)


def run(line: str, workspace: Path) -> tuple[int, str]:
    """Run a command as a user in the workspace would, and return its exit code and all it said."""
    said = io.StringIO()
    with contextlib.chdir(workspace), contextlib.redirect_stdout(said), contextlib.redirect_stderr(said):
        try:
            main(shlex.split(line)[1:])
        except SystemExit as ended:
            return int(ended.code or 0), said.getvalue()
    return 0, said.getvalue()


def follow(block: Block, workspace: Path) -> None:
    """Run the commands of a block; every line shown must be in what they say.

    ``…`` stands for anything; ``# exits 1`` after a command is its exit code where that is not 0.
    """
    for typed, shown in commands(block):
        line, _, ends = typed.partition("  # exits ")
        code, said = run(line, workspace)
        assert code == int(ends or 0), f"{block}: `{line}` ended with {code}:\n{said}"
        lines = [" ".join(each.split()) for each in said.splitlines()]
        for expected in shown:
            pattern = ".*".join(re.escape(part) for part in " ".join(expected.split()).split("…"))
            assert any(re.search(pattern, each) for each in lines), (
                f"{block}: `{line}` does not say {expected!r}:\n{said}"
            )


@pytest.fixture(autouse=True)
def _wide(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make tables as wide as they like, and keep this machine's own settings out."""
    monkeypatch.setenv("COLUMNS", "400")
    monkeypatch.setenv("PYTHON_KEYRING_BACKEND", "keyring.backends.null.Keyring")
    monkeypatch.delenv("HUB_WORKSPACE", raising=False)


@pytest.fixture
def agency(tmp_path: Path) -> Path:
    """Make the workspace of the how-to pages, with exports."""
    assert run("hub init", tmp_path)[0] == 0
    write_exports(tmp_path)
    return tmp_path


@pytest.fixture
def wired(agency: Path) -> Path:
    """Follow the page on wiring a client."""
    for block in blocks(WIRE, "console"):
        follow(block, agency)
    return agency


def test_the_pages_on_the_demo_show_what_it_does(tmp_path: Path) -> None:
    assert run(f"hub demo --keep {tmp_path / 'demo'}", tmp_path)[0] == 0

    for page in (DOCS / "tutorial.md", DOCS / "how-to" / "try-segments.md"):
        for block in blocks(page, "console"):
            follow(block, tmp_path / "demo")


def test_the_examples_of_the_page_on_trying_segments_hold(agency: Path) -> None:
    (example,) = blocks(DOCS / "how-to" / "try-segments.md", "toml")
    (agency / "clients" / "acme.toml").write_text(f'name = "Acme"\ncurrency = "DKK"\n{example.text}')

    code, said = run("hub check acme --offline", agency)

    assert code == 0, said
    assert "1 test of segments passed" in said


def test_a_client_can_be_wired_handled_run_and_handed_over(wired: Path) -> None:
    for page in (UNATTENDED, PEOPLE):
        for block in blocks(page, "console"):
            follow(block, wired)


def test_the_readme_wires_a_client(agency: Path) -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    add = next(line for line in readme.splitlines() if line.startswith("hub client add acme"))
    assert run(add, agency)[0] == 0

    for line, code in (
        ("hub check acme", 0),
        ("hub plan acme --json", 0),
        ("hub approve acme cart-abandoners-file", 0),
        ("hub sync acme --json", 0),
    ):
        ended, said = run(line, agency)
        assert ended == code, said
    assert all(sync["calls"] == 0 for sync in json.loads(run("hub sync acme --json", agency)[1])["syncs"])


class Crm(BaseHTTPRequestHandler):
    """Be the address that the docs' plugin posts to."""

    def do_POST(self) -> None:
        body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        assert self.headers["Authorization"] == "Bearer secret-of-the-crm"
        self.server.received.append(body)  # type: ignore[attr-defined]
        answer = json.dumps({"refused": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *told: Any) -> None:
        """Be quiet."""


@pytest.fixture
def crm() -> Iterator[ThreadingHTTPServer]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), Crm)
    server.received = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield server
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def with_plugins(agency: Path, crm: ThreadingHTTPServer) -> Path:
    """Save the page's plugins and wire a client to them."""
    for block in blocks(PLUGIN, "python"):
        place, _, code = block.text.partition("\n")
        file = agency / place.removeprefix("# ")
        file.parent.mkdir(exist_ok=True)
        file.write_text(code)
    (agency / "exports" / "survey.jsonl").write_text(
        '{"email": "ada@example.com", "question": "size", "answer": "39", "at": "2026-01-02T10:00:00Z"}\n'
    )
    fragments = "".join(block.text for block in blocks(PLUGIN, "toml"))
    fragments = fragments.replace("https://crm.example.com", f"http://127.0.0.1:{crm.server_port}")
    (agency / "clients" / "acme.toml").write_text(
        'name = "Acme"\ncountry = "DK"\ncurrency = "DKK"\n[sources.shop]\nplugin = "csv"\nsystem = "acme"\n'
        f'folder = "exports/acme"\n[segments.cart-abandoners]\nplugin = "cart-abandoners"\n{fragments}'
    )
    return agency


def test_the_destination_of_the_page_is_short() -> None:
    destination = next(block for block in blocks(PLUGIN, "python") if block.text.startswith("# plugins/webhook.py"))

    assert len(destination.text.splitlines()) <= 45


def test_a_dropped_in_plugin_is_listed_and_gets_a_sync(
    with_plugins: Path, crm: ThreadingHTTPServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HUB_SECRET__ACME__CRM__TOKEN", "secret-of-the-crm")

    for line in ("hub plugins list", "hub check acme", "hub plan acme", "hub approve acme carts-crm", "hub sync acme"):
        code, said = run(line, with_plugins)
        assert code == 0, said

    received: list[dict[str, Any]] = crm.received  # type: ignore[attr-defined]
    assert [body["op"] for body in received] == ["add"]
    assert sorted(person["email"] for person in received[0]["people"]) == ["ada@example.com", "bo@example.com"]
    assert {person["value"] for person in received[0]["people"]} == {"150.00", "80.00"}
    again = json.loads(run("hub sync acme --json", with_plugins)[1])
    assert all(sync["calls"] == 0 for sync in again["syncs"])
    assert len(received) == 1


def test_the_page_on_plugins_shows_what_its_plugins_do(with_plugins: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HUB_SECRET__ACME__CRM__TOKEN", "secret-of-the-crm")
    assert run("hub pull acme", with_plugins)[0] == 0

    for block in blocks(PLUGIN, "console"):
        follow(block, with_plugins)


def test_the_page_s_plugins_pass_the_conformance_kit(with_plugins: Path) -> None:
    paths = [
        ROOT,
        *(ROOT / "plugins" / kind for kind in ("sources", "segments", "destinations")),
        with_plugins / "plugins",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "tests"],
        cwd=with_plugins,
        env={**os.environ, "PYTHONPATH": os.pathsep.join(map(str, paths))},
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )

    assert done.returncode == 0, done.stdout
