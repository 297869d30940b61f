"""Step 0: hear what destinations know, opt-outs, suppressions and bounces, before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

from hub.api import Block, Destination
from hub.catalog import normalise_email, safe_error
from hub.consent.rules import CHANNELS
from hub.errors import AuthError, HubError, PluginError, TransientError
from hub.keys import keyed_hash
from hub.ledger import Ledger, NewBlock
from hub.sync.surroundings import Surroundings

LAST_WORD_HOLDS_FOR = timedelta(hours=24)


@dataclass(slots=True)
class Heard:
    """What listening brought: why nobody may be added on a channel, and what the user should know."""

    unheard: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def listen(ledger: Ledger, destinations: Mapping[str, Destination[Any]], around: Surroundings, key: bytes) -> Heard:
    """Read every destination's suppressions into the ledger's blocks.

    A destination that cannot be heard, and whose last word is older than 24 hours, bars additions on its channel.
    """
    heard = Heard()
    for name, destination in destinations.items():
        if type(destination).read_suppressions is Destination.read_suppressions:
            continue
        began = around.clock()
        last = ledger.heard_at(name)
        try:
            blocks = list(_new_blocks(destination.read_suppressions(last), name, key, ledger))
        except (TransientError, AuthError) as error:
            _note_silence(heard, name, destination, error, last is None or began - last > LAST_WORD_HOLDS_FOR)
            continue
        except HubError:
            raise
        except Exception as error:  # noqa: BLE001  # a plugin's fault: it cannot be heard
            broken = PluginError(f"destination {name}: reading its opt-outs failed: {safe_error(error)}")
            _note_silence(heard, name, destination, broken, last is None or began - last > LAST_WORD_HOLDS_FOR)
            continue
        ledger.add_blocks(blocks)
        ledger.heard(name, began)
    return heard


def _note_silence(heard: Heard, name: str, destination: Destination[Any], error: HubError, too_old: bool) -> None:
    text = f"{name} cannot be heard ({error})"
    if not too_old:
        heard.notes.append(f"{text}; its last word is less than 24 hours old and stands")
        return
    channel = CHANNELS.get(destination.purpose, destination.purpose)
    heard.unheard[channel] = (
        f"nobody is added on the {channel} channel: {text} and its last word is older than 24 hours"
    )


def _new_blocks(blocks: Iterator[Block], origin: str, key: bytes, ledger: Ledger) -> Iterator[NewBlock]:
    for block in blocks:
        # The vendor may write an address in its own way; an opt-out must find it nevertheless.
        email = block.email and (normalise_email(block.email) or block.email)
        for kind, value in (("email", email), ("phone", block.phone)):
            if not value:
                continue
            address = keyed_hash(key, f"{kind}:{value}")
            if block.lifted:
                ledger.lift(address, block.channel, {block.reason})
            else:
                recorded = block.recorded_at if block.recorded_at.tzinfo else block.recorded_at.replace(tzinfo=UTC)
                yield NewBlock(address, block.channel, block.reason, recorded, origin)
