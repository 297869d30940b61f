"""Audiences that no sync names any more: retired, not forgotten."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from hub.api import Destination
from hub.config import Client
from hub.config.models import SyncSettings
from hub.deliver import Work, deliver
from hub.errors import ConfigError, HubError
from hub.ledger import Audience, Ledger, MemberState
from hub.ledger.lock import hold
from hub.plan.guards import people
from hub.sync.lines import close_line
from hub.sync.wiring import Wiring

_KEYS_AT_ONCE = 20_000


@dataclass(slots=True)
class Retired:
    """Retired audiences that may still hold somebody: those that can be reached, and a note about each."""

    audiences: list[Audience] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


def retire_missing(wiring: Wiring, ledger: Ledger) -> Retired:
    """Rename what was renamed, retire what no sync keeps, and name every retired audience that holds somebody."""
    client = wiring.client
    for name, sync in client.syncs.items():
        if sync.was and sync.was not in client.syncs:
            ledger.rename(sync.was, name)
    kept = {(sync.destination, sync.audience_name) for sync in client.syncs.values() if sync.enabled}
    paused = {(sync.destination, sync.audience_name) for sync in client.syncs.values()} - kept
    retired = Retired()
    for audience in ledger.audiences():
        known = (audience.destination, audience.name)
        if known in kept:
            continue
        held = sum(number for state, number in ledger.count_members(audience.audience_id).items() if state.may_be_held)
        if not held:
            continue
        if known in paused:
            reached = "only consent and erasure removals reach its audience"
            if audience.destination not in wiring.live_destinations:
                off = f"{audience.destination} is switched off"
                reached = f"{off}, so that nobody who withdraws leaves its audience of {people(held)}: switch it on"
            retired.notes.append(f"sync {audience.sync} is paused; {reached}")
        else:
            ledger.retire(audience.audience_id)
            retired.notes.append(retired_text(audience, held, client))
        if audience.destination in wiring.live_destinations:
            retired.audiences.append(audience)
    return retired


def settings_of(audience: Audience) -> SyncSettings:
    """Return settings for an audience without a sync, good enough for removals that a record demands."""
    return SyncSettings(segment="", destination=audience.destination, audience=audience.name)


def purpose_of(audience: Audience, client: Client, destination: Destination[Any]) -> str:
    """Return what an audience is for that no running sync keeps: as its paused sync says, else as it was delivered."""
    for sync in client.syncs.values():
        if (sync.destination, sync.audience_name) == (audience.destination, audience.name):
            return sync.purpose or destination.purpose
    return audience.purpose or destination.purpose


def retired_text(audience: Audience, held: int, client: Client) -> str:
    """Say that an audience has no sync any more, how many it holds, and how to end it."""
    text = f"audience {audience.name!r} at {audience.destination} is kept by no sync and still holds {people(held)}"
    live = client.destinations.get(audience.destination)
    if live is None or not live.enabled:
        why, step = ("gone from the file", "put {} back") if live is None else ("switched off", "switch {} on")
        step = step.format(f"[destinations.{audience.destination}]")
        text += f"; the destination is {why}, so nobody can be removed from it: {step}"
    return f"{text}; end it with `hub retire {client.id} {audience.name!r} --empty` or `--leave`"


def end_audience(wiring: Wiring, name: str, *, empty: bool) -> str:
    """End a retired audience: remove everybody from it, or leave it as it is; return what was done.

    Raises:
        ConfigError: there is no such audience, or a sync still keeps it.
        HubError: not everybody could be removed; what is left stays in the ledger.
    """
    with hold(wiring.folder), wiring.open_ledger() as ledger:
        audience = _find(wiring, ledger, name)
        if empty:
            _empty(wiring, ledger, audience)
        ledger.leave(audience.audience_id)
        ledger.audit(
            "retire", None, f"{audience.destination}/{audience.name}: {'emptied' if empty else 'left as it is'}"
        )
    return f"audience {audience.name!r} at {audience.destination} was {'emptied and ' if empty else ''}ended"


def _find(wiring: Wiring, ledger: Ledger, name: str) -> Audience:
    kept = {(sync.destination, sync.audience_name) for sync in wiring.client.syncs.values()}
    known = ledger.audiences()
    named = [each for each in known if name in {each.name, each.sync}]
    # Of several with one name it is the one that may still hold somebody; those that were ended do not.
    holding = [each for each in named if _may_hold(ledger, each)]
    found = holding if len(named) > 1 and holding else named
    if len(found) != 1:
        names = ", ".join(f"{each.name!r} at {each.destination}" for each in known) or "none"
        raise ConfigError(
            f"{len(found)} audiences of {wiring.client.id} are called {name!r}; there are {names}",
            next_step=f"name it as `hub status {wiring.client.id}` does",
        )
    if (found[0].destination, found[0].name) in kept:
        raise ConfigError(
            f"sync {found[0].sync!r} still keeps audience {found[0].name!r}",
            next_step=f"take the sync out of clients/{wiring.client.id}.toml first",
        )
    return found[0]


def _may_hold(ledger: Ledger, audience: Audience) -> bool:
    return any(state.may_be_held for state in ledger.count_members(audience.audience_id))


def _empty(wiring: Wiring, ledger: Ledger, audience: Audience) -> None:
    destination = wiring.destination(audience.destination, ledger)
    members = ledger.membership(audience.audience_id)
    keys = [
        key
        for key, state in zip(members["member_key"].to_pylist(), members["state"].to_pylist(), strict=True)
        if MemberState(state).may_be_held
    ]
    around = wiring.around
    work = Work(
        audience=audience,
        destination=destination,
        as_of=around.clock(),
        run_id="",
        removals=[keys[start : start + _KEYS_AT_ONCE] for start in range(0, len(keys), _KEYS_AT_ONCE)],
        channel=None,
    )
    try:
        tally = deliver(work, ledger, clock=around.clock, sleep=around.sleep, stop=around.stop)
    finally:
        close_line(destination)
    left = tally.failed + tally.unknown + tally.rejected + tally.held_back
    if left or tally.error:
        why = tally.error or tally.stopped or "see the destination"
        raise HubError(
            f"{left} people could not be removed from {audience.name!r}: {why}",
            next_step="run it again, or use --leave",
        )
