"""``--sandbox``: the real client file against a stand-in, and nothing real is touched."""

from __future__ import annotations

import json
import signal
import urllib.request
from hashlib import sha256
from pathlib import Path

from tests.acceptance.kit import Agency, finish, only, told, until

CLIENT = """
name = "Acme Shoes"
timezone = "UTC"
country = "DK"
currency = "DKK"

[sources.shop]
plugin = "csv"
folder = "exports/acme"

[segments.all]
plugin = "everyone"

[destinations.mail]
plugin = "smtp"
server = "smtp://smtp.example.com:587"
username = "acme"
sender = "Acme <news@acme.example.com>"
postal_address = "Acme, 1 Example Street, Aarhus"
unsubscribe_url = "https://acme.example.com/unsubscribe?t={token}"
template = "templates/hello"

[destinations.paper]
plugin = "file"

[syncs.hello]
segment = "all"
destination = "mail"

[syncs.papers]
segment = "all"
destination = "paper"
"""
TEMPLATE = {
    "subject.txt": "Hello\n",
    "body.txt": "Hello {{ first_name }}.\n{{ unsubscribe }}\n{{ postal_address }}\n",
    "body.html": '<p>Hello {{ first_name }}.</p><a href="{{ unsubscribe }}">leave</a><p>{{ postal_address }}</p>',
}


OTHERS = {"sandbox", "__pycache__"}
"""Folders that a rehearsal may write to: its own, and what Python keeps of the workspace's plugins."""


def digests(folder: Path) -> dict[str, str]:
    return {
        str(path.relative_to(folder)): sha256(path.read_bytes()).hexdigest()
        for path in folder.rglob("*")
        if path.is_file() and not OTHERS.intersection(path.parts) and path.name not in {"lock", "sandbox.json"}
    }


def test_a_rehearsal_sends_to_the_stand_in_and_touches_nothing_real(agency: Agency) -> None:
    agency.client(CLIENT)
    agency.shop.people(4).people(1, "no", start=10).write()
    (agency.folder / "templates" / "hello").mkdir(parents=True)
    for name, text in TEMPLATE.items():
        (agency.folder / "templates" / "hello" / name).write_text(text)
    assert "no sandbox is running" in only(told(agency.hub("sync", "acme", "--sandbox", expect=2)))
    sandbox = agency.spawn("sandbox")
    assert sandbox.stdout is not None
    page = ""
    while not page:
        line = sandbox.stdout.readline()
        assert line, sandbox.communicate()
        page = line.partition("page: ")[2].strip()
    before = digests(agency.folder)

    try:
        done = agency.sync("--sandbox", "--force")
        again = agency.sync("--sandbox")
        with urllib.request.urlopen(f"{page}state", timeout=10) as reply:
            state = json.load(reply)
    finally:
        sandbox.send_signal(signal.SIGTERM)
        finish(sandbox, None)

    mail, paper = done["syncs"]
    assert (mail["status"], mail["delivered"], paper["delivered"]) == ("ok", 4, 4)
    assert [sync["calls"] for sync in again["syncs"]] == [0, 0]
    sent = json.dumps(state)
    assert [f"p{n}@example.com" in sent for n in (1, 2, 3, 4, 10)] == [True, True, True, True, False]
    assert digests(agency.folder) == before
    assert not (agency.folder / "audiences").exists()
    assert (agency.folder / ".hub" / "sandbox" / "acme" / "ledger.sqlite").exists()
    until(lambda: not (agency.folder / ".hub" / "sandbox" / "sandbox.json").exists())
