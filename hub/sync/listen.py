"""Step 0: hear what destinations know, opt-outs, suppressions and bounces, before anything else."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, timedelta
from typing import Any

from hub.api import Block, Destination
from hub.catalog import normalise_email, normalise_phone, safe_error
from hub.consent.rules import BLOCKED_CHANNELS, CHANNELS, EVERY_CHANNEL, REASONS
from hub.errors import ConfigError, HubError, PluginError
from hub.keys import keyed_hash
from hub.ledger import Ledger, NewBlock
from hub.sync.lines import close_line
from hub.sync.wiring import Wiring

LAST_WORD_HOLDS_FOR = timedelta(hours=24)


@dataclass(slots=True)
class Heard:
    """What listening brought: why nobody may be added on a channel, and what the user should know."""

    unheard: dict[str, str] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)


def listen(wiring: Wiring, ledger: Ledger, opened: Mapping[str, Destination[Any]]) -> Heard:
    """Read the suppressions of every destination into the ledger's blocks, also of those that this run sends nothing.

    Who said no at one destination must not be contacted through another, whenever its own syncs are due. ``opened``
    are the destinations that the run is connected to; a mistake in the wiring of one of them ends the run, as every
    other one does. A destination that cannot be heard, and whose last word is older than 24 hours, bars additions on
    its channel.
    """
    heard = Heard()
    for name in dict.fromkeys((*opened, *wiring.live_destinations)):
        began, last = wiring.around.clock(), ledger.heard_at(name)
        try:
            with _connected(wiring, ledger, name, opened) as destination:
                if destination is None:
                    continue
                blocks = list(_new_blocks(destination.read_suppressions(last), name, wiring, ledger))
        except HubError as error:
            if name in opened and isinstance(error, ConfigError):
                raise
            silence: HubError = error
        except Exception as error:  # noqa: BLE001  # a plugin's fault: it cannot be heard
            silence = PluginError(f"destination {name}: reading its opt-outs failed: {safe_error(error)}")
        else:
            ledger.add_blocks(blocks)
            ledger.heard(name, began)
            continue
        if last is not None and began - last <= LAST_WORD_HOLDS_FOR:
            heard.notes.append(
                f"{name} cannot be heard ({silence}); its last word is less than 24 hours old and stands"
            )
        else:
            since = "was never heard" if last is None else "was last heard more than 24 hours ago"
            channel = _channel(wiring, ledger, name, opened)
            heard.unheard[channel] = f"nobody is added on the {channel} channel: {name} {since} ({silence})"
    return heard


@contextmanager
def _connected(
    wiring: Wiring, ledger: Ledger, name: str, opened: Mapping[str, Destination[Any]]
) -> Iterator[Destination[Any] | None]:
    """Lend a destination that has suppressions to read; None where it has not."""
    plugin = wiring.destination_class(name) if name not in opened else type(opened[name])
    if plugin.read_suppressions is Destination.read_suppressions:
        yield None
    elif name in opened:
        yield opened[name]
    else:
        destination = wiring.destination(name, ledger)
        try:
            yield destination
        finally:
            close_line(destination)


def _channel(wiring: Wiring, ledger: Ledger, name: str, opened: Mapping[str, Destination[Any]]) -> str:
    """Return the channel that a silent destination speaks about; e-mail where not even its plugin can be asked."""
    try:
        purpose = opened[name].purpose if name in opened else wiring.purpose_of(name, ledger)
    except HubError:
        return "email"
    return CHANNELS.get(purpose, purpose)


def _refuse_unknown(block: Block) -> None:
    """Raise PluginError for a block that would bar nobody, as one does whose reason or channel nobody knows."""
    for what, value, known in (
        ("reason", block.reason, REASONS),
        ("channel", block.channel, (EVERY_CHANNEL, *BLOCKED_CHANNELS)),
    ):
        if value not in known:
            raise PluginError(f"it told of a block whose {what} is {value!r}, none of {', '.join(known)}")


def _new_blocks(blocks: Iterator[Block], origin: str, wiring: Wiring, ledger: Ledger) -> Iterator[NewBlock]:
    for block in blocks:
        _refuse_unknown(block)
        # The vendor may write an address in its own way; an opt-out must find it nevertheless.
        email = block.email and (normalise_email(block.email) or block.email)
        phone = block.phone and (normalise_phone(block.phone, wiring.client.country) or block.phone)
        for kind, value in (("email", email), ("phone", phone)):
            if not value:
                continue
            address = keyed_hash(wiring.key, f"{kind}:{value}")
            if block.lifted:
                ledger.lift(address, block.channel, {block.reason})
            else:
                recorded = block.recorded_at if block.recorded_at.tzinfo else block.recorded_at.replace(tzinfo=UTC)
                yield NewBlock(address, block.channel, block.reason, recorded, origin)
