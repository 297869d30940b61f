"""What a mail looks like on the wire, against the stand-in over a socket."""

from __future__ import annotations

import email
import email.policy
import re
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from decimal import Decimal
from email.header import decode_header, make_header
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hub import api
from hub_smtp import Smtp, SmtpConfig, Tokens
from hub_smtp.message import Mail, build
from hub_smtp.stand_in import SmtpStandIn

URL = "https://shop.example/unsubscribe?t={token}"
STARTER = Path(__file__).parents[2] / "plugins/destinations/hub_smtp/templates/reminder"
HEADERS = sorted(
    [
        "To",
        "Subject",
        "Date",
        "Message-ID",
        "List-Unsubscribe",
        "List-Unsubscribe-Post",
        "From",
        "MIME-Version",
        "Content-Type",
    ]
)
Make = Callable[..., Smtp]
NOW = datetime(2026, 11, 21, 12, 0, tzinfo=UTC)


class Notes(dict[str, Any]):
    """A connection's memory that lives as long as the test."""

    def set(self, key: str, value: Any) -> None:
        self[key] = value


@pytest.fixture
def relay() -> Iterator[SmtpStandIn]:
    stand_in = SmtpStandIn()
    stand_in.address = stand_in.start()  # type: ignore[attr-defined]  # kept for the tests
    yield stand_in
    stand_in.stop()


@pytest.fixture
def make(relay: SmtpStandIn, tmp_path: Path) -> Iterator[Make]:
    made = []

    def smtp(template: dict[str, str] | None = None, notes: Notes | None = None, **settings: Any) -> Smtp:
        folder = tmp_path / "mail"
        folder.mkdir(exist_ok=True)
        parts = template or {name: (STARTER / name).read_text() for name in ("subject.txt", "body.txt", "body.html")}
        for name, text in parts.items():
            (folder / name).write_text(text)
        defaults = {
            "server": relay.address,  # type: ignore[attr-defined]
            "sender": "Acme Shoes <news@shop.example>",
            "template": "mail",
            "postal_address": "Acme Shoes\nVestergade 1\n1456 København",
            "unsubscribe_url": URL,
        }
        destination = Smtp(
            connection="mail",
            config=SmtpConfig.model_validate({**defaults, **settings}),
            shop=api.Shop("acme", "Acme Shoes", "Europe/Copenhagen", "DK", "DKK", tmp_path, tmp_path),
            remember=Notes() if notes is None else notes,
            clock=lambda: NOW,
        )
        made.append(destination)
        return destination

    yield smtp
    for destination in made:
        destination.close()


def person(email: str = "ann@example.com", **attributes: Any) -> api.Member:
    return api.Member(key="0123456789abcdef0123456789abcdef", email=email, attributes=attributes)


def send(destination: Smtp, member: api.Member, key: str = "batch-1") -> api.Outcome:
    outcomes = list(destination.push(api.Batch(api.Op.ADD, "carts", key, [member])))
    assert [outcome.member for outcome in outcomes] == [member]
    return outcomes[0]


def mails(relay: SmtpStandIn) -> list[Any]:
    return list(relay.state()["mails"])


def templates(subject: str = "Hi", text: str = "Hi\n", html: str = "<p>Hi</p>") -> dict[str, str]:
    return {"subject.txt": subject, "body.txt": text, "body.html": html}


def test_a_mail_reaches_the_person_with_its_evidence_in_both_parts(make: Make, relay: SmtpStandIn) -> None:
    member = person(first_name="Ann", cart_url="https://shop.example/c/1?a=1&b=2", cart_value=Decimal("129.90"))

    outcome = send(make(), member)

    assert outcome.state is api.State.DELIVERED
    [mail] = mails(relay)
    assert mail["to"] == "ann@example.com"
    assert mail["from"] == "Acme Shoes <news@shop.example>"
    assert mail["subject"] == "Ann, your cart is waiting at Acme Shoes"
    assert "https://shop.example/c/1?a=1&b=2" in mail["text"]
    assert 'href="https://shop.example/c/1?a=1&amp;b=2"' in mail["html"]
    assert "129.90" in mail["text"]
    assert "129.90" in mail["html"]


def test_the_starter_template_needs_no_attribute_and_no_footer_is_added_to_it(make: Make, relay: SmtpStandIn) -> None:
    assert send(make(), person(first_name=None)).state is api.State.DELIVERED

    [mail] = mails(relay)
    assert mail["subject"] == "Your cart is waiting at Acme Shoes"
    assert "None" not in mail["text"] + mail["html"]
    assert mail["text"].count("Unsubscribe") == mail["html"].count("Unsubscribe") == 1
    assert mail["text"].count("Vestergade") == mail["html"].count("Vestergade") == 1


def test_the_parts_are_text_then_html_in_quoted_printable_utf8(make: Make, relay: SmtpStandIn) -> None:
    send(make(templates(text="Grüße\n", html="<p>Grüße</p>")), person())

    message = email.message_from_string(mails(relay)[0]["raw"], policy=email.policy.default)
    assert message.get_content_type() == "multipart/alternative"
    parts = list(message.iter_parts())
    assert [part.get_content_type() for part in parts] == ["text/plain", "text/html"]
    assert {part["Content-Transfer-Encoding"] for part in parts} == {"quoted-printable"}
    assert {part.get_content_charset() for part in parts} == {"utf-8"}
    assert "Grüße" in parts[0].get_content()


@pytest.mark.parametrize("path", ["u?t={token}", "unsubscribe/" + "a-long-path/" * 30 + "?t={token}"])
def test_list_unsubscribe_is_one_raw_line_however_long(make: Make, relay: SmtpStandIn, path: str) -> None:
    destination = make(
        unsubscribe_url=f"https://shop.example/{path}",
        unsubscribe_mailto="unsub@shop.example",
        list_id="carts.shop.example",
    )

    send(destination, person())

    raw = mails(relay)[0]["raw"]
    assert "\r\nList-Unsubscribe: <https://shop.example/" in raw
    [line] = [line for line in raw.split("\r\n") if line.startswith("List-Unsubscribe:")]
    assert re.fullmatch(
        r"List-Unsubscribe: <https://\S+>, <mailto:unsub@shop.example\?subject=unsubscribe%20\w{48}>", line
    )
    assert "\r\nList-Unsubscribe-Post: List-Unsubscribe=One-Click\r\n" in raw
    assert "\r\nList-ID: <carts.shop.example>\r\n" in raw
    assert "=?utf-8?q?=3Chttps" not in raw


def test_a_long_subject_beyond_ascii_is_folded_into_short_encoded_words(make: Make, relay: SmtpStandIn) -> None:
    subject = "Größe, Æble, 靴 und vieles mehr: " * 8 + "Ende"

    send(make(templates(subject=subject)), person())

    [mail] = mails(relay)
    assert mail["subject"] == subject
    head = mail["raw"].partition("\r\n\r\n")[0]
    assert all(len(word) <= 75 for word in re.findall(r"=\?\S+\?=", head))
    assert max(len(line) for line in head.split("\r\n") if not line.startswith("List-")) <= 78


@given(
    st.text(alphabet=st.sampled_from("aZ0 ,.!?=_-<>@:;()ßæ靴🎉é"), min_size=1, max_size=200).map(str.strip).filter(bool)
)
def test_any_subject_arrives_as_it_was_in_lines_of_mail_s_length(subject: str) -> None:
    mail = Mail(
        ("Größe & Äpfel", "a@b.example"), "c@d.example", subject, "x", "y", "<i@d>", NOW, ("https://d.example/u",)
    )

    raw = build(mail)

    read = email.message_from_bytes(raw, policy=email.policy.default)
    assert " ".join(read["Subject"].split()) == " ".join(subject.split())
    assert read["From"].addresses[0].display_name == "Größe & Äpfel"
    assert max(map(len, raw.split(b"\r\n"))) <= 998
    assert b"\r\nList-Unsubscribe: <https://d.example/u>\r\n" in raw


WORDS = st.sampled_from(
    ["=?utf-8?q?=0D=0ABcc:_all=40example.com?=", "=?utf-8?b?SGk=?=", "=?x?q?=0A?=", "Ann", "=?", "?=", "靴", "a" * 90]
)


@given(st.lists(st.one_of(WORDS, st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"])))))
def test_a_subject_is_written_literally_and_brings_no_header_with_it(words: list[str]) -> None:
    subject = " ".join(filter(None, words)) or "Hi"
    mail = Mail(("Shop", "a@b.example"), "c@d.example", subject, "x", "y", "<i@d>", NOW, ("https://d.example/u",))

    read = email.message_from_bytes(build(mail))

    assert str(make_header(decode_header(read["Subject"].replace("\r\n", "")))) == subject
    assert sorted(read.keys()) == HEADERS
    assert [part.get_content_type() for part in read.walk()] == ["multipart/alternative", "text/plain", "text/html"]


def test_a_name_that_is_an_encoded_word_arrives_as_it_was_written(make: Make, relay: SmtpStandIn) -> None:
    name = "=?utf-8?q?=0D=0AContent-Type:_text/plain=0D=0A=0D=0AYou_won?="

    send(make(templates(subject="{{ name }}, hello")), person(name=name))

    [mail] = mails(relay)
    assert mail["subject"] == f"{name}, hello"
    assert sorted(name for name, _ in mail["headers"]) == HEADERS
    assert mail["text"].startswith("Hi")


def test_the_token_names_recipient_and_list_and_never_shows_the_address(make: Make, relay: SmtpStandIn) -> None:
    notes = Notes()

    send(make(notes=notes, bounce_address="bounces+{token}@bounce.shop.example"), person())

    [mail] = mails(relay)
    [token] = set(re.findall(r"\?t=([a-z2-7]{48})", mail["text"] + mail["html"]))
    tokens = Tokens.recall("mail", notes)
    read = tokens.read(token)
    assert read is not None
    assert read.member_key == person().key
    assert read.list_tag == tokens.list_tag("carts")
    assert mail["envelope_from"] == f"bounces+{token}@bounce.shop.example"
    assert len(mail["envelope_from"].partition("@")[0]) <= 64


@given(key=st.binary(min_size=16, max_size=16), audience=st.text(max_size=20), flip=st.integers(0, 239))
def test_a_token_survives_case_and_no_changed_bit(key: bytes, audience: str, flip: int) -> None:
    tokens = Tokens("mail", b"k" * 32)
    token = tokens.make(key.hex(), audience)
    alphabet = "abcdefghijklmnopqrstuvwxyz234567"
    place, bit = divmod(flip, 5)
    forged = token[:place] + alphabet[alphabet.index(token[place]) ^ (1 << bit)] + token[place + 1 :]

    read = tokens.read(token.upper())

    assert read is not None
    assert (read.member_key, read.list_tag) == (key.hex(), tokens.list_tag(audience))
    assert tokens.read(forged) is None
    assert Tokens("mail", b"x" * 32).read(token) is None


@pytest.mark.parametrize("nonsense", ["", "a", "ä" * 48, "0" * 48, "a" * 47, "a" * 56])
def test_nonsense_is_no_token(nonsense: str) -> None:
    assert Tokens("mail", b"k" * 32).read(nonsense) is None


def test_the_message_id_belongs_to_the_batch_key(make: Make, relay: SmtpStandIn) -> None:
    destination = make()

    for key in ("one", "one", "two"):
        send(destination, person(), key)

    first, again, other = (dict(mail["headers"])["Message-ID"] for mail in mails(relay))
    assert first == again != other
    assert re.fullmatch(r"<[0-9a-f]{32}@shop\.example>", first)


def test_headers_say_when_and_where_answers_go(make: Make, relay: SmtpStandIn) -> None:
    send(make(reply_to="Hilfe für Kunden <help@shop.example>"), person())

    headers = dict(mails(relay)[0]["headers"])
    assert headers["Date"] == "Sat, 21 Nov 2026 12:00:00 +0000"
    assert headers["Reply-To"] == "Hilfe für Kunden <help@shop.example>"


def test_a_template_without_link_and_postal_address_gets_a_footer_in_both_parts(make: Make, relay: SmtpStandIn) -> None:
    send(make(templates(html="<html><body><p>Hi</p><!-- {{ unsubscribe }} --></body></html>")), person())

    [mail] = mails(relay)
    for part in (mail["text"], mail["html"]):
        assert "https://shop.example/unsubscribe?t=" in part
        assert "Vestergade 1" in part
    assert mail["html"].count("/unsubscribe?t=") == 2
    assert mail["html"].index("Vestergade") < mail["html"].index("</body>")


def test_values_are_escaped_in_html_and_left_alone_in_text(make: Make, relay: SmtpStandIn) -> None:
    send(make(templates(text="{{ n }}", html="<p>{{ n }}</p>")), person(n="<b>Ann & Bo</b>"))

    [mail] = mails(relay)
    assert "<p>&lt;b&gt;Ann &amp; Bo&lt;/b&gt;</p>" in mail["html"]
    assert "<b>Ann & Bo</b>" in mail["text"]


@pytest.mark.parametrize(
    "name", ["Ann\r\nBcc: all@example.com", "Ann\nX: y", "Ann\rX: y", "Ann\u2028X: y", "Ann\x85X: y", "Ann\x00x"]
)
def test_a_line_break_in_a_header_is_that_row_s_error(make: Make, relay: SmtpStandIn, name: str) -> None:
    destination = make(templates(subject="{{ name }}, hello"))

    outcome = send(destination, person(name=name))
    next_outcome = send(destination, person(name="Bo"))

    assert (outcome.state, outcome.blocks) == (api.State.REJECTED, None)
    assert "line break" in str(outcome.reason)
    assert next_outcome.state is api.State.DELIVERED
    assert [mail["subject"] for mail in mails(relay)] == ["Bo, hello"]


@pytest.mark.parametrize(
    "name",
    [
        "Zoé\u00a0Petit",
        "Zoé\u202fPetit",
        "山田\u3000花子",
        "نرگس\u200cجان",
        "\U0001f469\u200d\U0001f680",
        "Al\u00adbert",
    ],
)
def test_names_with_spaces_and_joiners_of_their_script_are_written(make: Make, relay: SmtpStandIn, name: str) -> None:
    destination = make(templates(subject="{{ name }}, hello"), sender=f"{name} <news@shop.example>")

    assert send(destination, person(name=name)).state is api.State.DELIVERED

    [mail] = mails(relay)
    assert mail["subject"] == f"{name}, hello"
    assert mail["from"] == f"{name} <news@shop.example>"


@pytest.mark.parametrize(
    ("sender", "name"),
    [
        ("Acme, Inc. <news@shop.example>", "Acme, Inc."),
        ('"Acme, Inc." <news@shop.example>', "Acme, Inc."),
        ('"The \\"Acme\\" @ home" <news@shop.example>', 'The "Acme" @ home'),
        ("<news@shop.example>", ""),
        (" news@shop.example ", ""),
    ],
)
def test_the_sender_s_name_may_be_any_text(make: Make, relay: SmtpStandIn, sender: str, name: str) -> None:
    send(make(sender=sender, reply_to=sender), person())

    read = email.message_from_string(mails(relay)[0]["raw"], policy=email.policy.default)
    for header in ("From", "Reply-To"):
        [address] = read[header].addresses
        assert (address.display_name, address.addr_spec) == (name, "news@shop.example")


@pytest.mark.parametrize(
    "address",
    [
        "a@b.example, c@d.example",
        "a b@c.example",
        "a@b\r\nX: y",
        "no-at",
        "@x.example",
        "a" * 65 + "@x.example",
        "=?utf-8?q?all?=@x.example",
        "=?utf-8?q?=0D=0ABcc?=@x.example",
        "ann=?@x.example",
    ],
)
def test_what_is_not_one_plain_address_is_that_row_s_error(make: Make, relay: SmtpStandIn, address: str) -> None:
    outcome = send(make(), person(email=address))

    assert outcome.state is api.State.REJECTED
    assert address not in str(outcome.reason)
    assert mails(relay) == []


def test_an_international_domain_is_written_in_ascii(make: Make, relay: SmtpStandIn) -> None:
    send(make(), person(email="ann@bücher.example"))

    assert mails(relay)[0]["to"] == "ann@xn--bcher-kva.example"


def test_a_local_part_beyond_ascii_goes_to_a_relay_that_takes_it(make: Make, relay: SmtpStandIn) -> None:
    assert send(make(), person(email="jörg@example.com")).state is api.State.DELIVERED

    [mail] = mails(relay)
    assert mail["to"] == "jörg@example.com"
    assert "\r\nTo: jörg@example.com\r\n" in "\r\n" + mail["raw"]
    assert "\r\nList-Unsubscribe: <https://" in mail["raw"]


def test_a_line_that_is_a_dot_arrives_as_it_was(make: Make, relay: SmtpStandIn) -> None:
    send(make(templates(text="one\n.\n..two\nthree\n")), person())

    assert mails(relay)[0]["text"].splitlines()[:4] == ["one", ".", "..two", "three"]


def test_the_template_in_the_client_s_folder_wins(make: Make, relay: SmtpStandIn, tmp_path: Path) -> None:
    own = tmp_path / "clients" / "acme" / "mail"
    own.mkdir(parents=True)
    for name, text in templates(subject="From the client's folder").items():
        (own / name).write_text(text)

    send(make(), person())

    assert mails(relay)[0]["subject"] == "From the client's folder"


def test_a_value_the_template_cannot_use_is_that_row_s_error(make: Make, relay: SmtpStandIn) -> None:
    destination = make(templates(text="{{ '%.2f' | format(value) }}"))

    assert send(destination, person(value=None)).state is api.State.REJECTED
    assert send(destination, person(value=Decimal("1"))).state is api.State.DELIVERED


def test_attributes_cannot_take_the_place_of_what_hub_gives(make: Make, relay: SmtpStandIn) -> None:
    send(make(templates(text="{{ shop }} {{ unsubscribe }}")), person(shop="Evil", unsubscribe="https://evil.example"))

    assert mails(relay)[0]["text"].startswith("Acme Shoes https://shop.example/")
