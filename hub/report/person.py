"""One person, explained: for the terminal and as JSON."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from rich.console import RenderableType
from rich.text import Text

from hub.ledger import MemberState, Spell
from hub.report.tables import simple_table
from hub.report.words import CODES, age
from hub.segments import Explanation, sentence
from hub.sync.explain import AudienceStanding, PersonExplained


def explanation_parts(person: PersonExplained, now: datetime) -> Iterator[RenderableType]:
    """Yield what to show about one person; addresses are shown, since the user named them."""
    yield Text("Person", style="bold")
    for kind, value in person.addresses:
        yield Text(f"  {kind}: {value}")
    segments = simple_table("Segments", "segment", "in", "why")
    for each in person.segments:
        segments.add_row(each.segment, _answer(each.member), each.reason)
    yield segments
    audiences = simple_table("Audiences", "sync", "may be contacted", "why", "delivered")
    for standing in person.audiences:
        audiences.add_row(standing.sync, _may(standing), _why(standing, now), _delivered(standing, now))
    yield audiences
    blocks = [block for block, lifted in person.blocks.blocks if lifted is None]
    for block in blocks:
        channel = "every channel" if block.channel == "*" else block.channel
        yield Text(
            f"blocked on {channel}: {block.reason}, from {block.origin}, {_date(block.recorded_at)}", style="yellow"
        )


def explanation_json(person: PersonExplained) -> dict[str, Any]:
    """Return the same as JSON data."""
    return {
        "addresses": [{"kind": kind, "value": value} for kind, value in person.addresses],
        "segments": [_segment_json(each) for each in person.segments],
        "audiences": [_standing_json(each) for each in person.audiences],
        "blocks": [
            {
                "channel": block.channel,
                "reason": block.reason,
                "origin": block.origin,
                "recorded_at": _iso(block.recorded_at),
            }
            for block, lifted in person.blocks.blocks
            if lifted is None
        ],
    }


def _segment_json(each: Explanation) -> dict[str, Any]:
    deciding = each.deciding
    return {
        "segment": each.segment,
        "member": each.member,
        "reason": each.reason,
        "deciding": None
        if deciding is None
        else {"column": deciding.column, "observed": deciding.value, "says": sentence(deciding)},
        "conditions": [
            {"column": one.column, "verdict": one.verdict.value, "says": sentence(one)} for one in each.conditions
        ],
        "evidence": each.evidence,
        "decided_by": each.decided_by,
        "notes": list(each.notes),
    }


def _standing_json(standing: AudienceStanding) -> dict[str, Any]:
    decision = standing.decision
    return {
        "sync": standing.sync,
        "destination": standing.destination,
        "audience": standing.audience,
        "cleared": decision.cleared,
        "code": decision.code if not standing.withheld or not decision.cleared else standing.withheld,
        "withheld_because": standing.because if decision.cleared else None,
        "source": decision.source,
        "status": decision.status,
        "basis": decision.basis,
        "recorded_at": _iso(decision.recorded_at),
        "dated_by": decision.dated_by,
        "evidence": decision.evidence,
        "rule": decision.rule,
        "region": decision.country,
        "stays": [
            {
                "state": spell.state.value,
                "entered_at": _iso(spell.entered_at),
                "delivered_at": _iso(spell.delivered_at),
                "left_at": _iso(spell.left_at),
                "reason": spell.reason,
            }
            for spell in standing.spells
        ],
    }


def _answer(member: bool | None) -> Text:
    if member is None:
        return Text("unknown", style="yellow")
    return Text("yes", style="green") if member else Text("no", style="dim")


def _may(standing: AudienceStanding) -> Text:
    if not standing.decision.cleared:
        return Text(f"no: {standing.decision.code}", style="yellow")
    if standing.withheld:
        return Text(f"yes, held back: {standing.withheld}", style="yellow")
    return Text("yes, nobody is added", style="yellow") if standing.because else Text("yes", style="green")


def _why(standing: AudienceStanding, now: datetime) -> str:
    """Name what an extension withholds for, and the record that decided, with source and time."""
    decision = standing.decision
    parts = [standing.because] if standing.because and decision.cleared else []
    if decision.source is None:
        parts.append(CODES.get(decision.code, "no record"))
    else:
        when = f", {_date(decision.recorded_at)}" if decision.recorded_at else ""
        dated = " (the file's date)" if decision.dated_by == "file" else ""
        parts.append(f"{decision.source} says {decision.status or decision.code.lower()}{when}{dated}")
        if decision.basis:
            parts.append(decision.basis.replace("_", " "))
        if not decision.cleared:
            parts.append(CODES.get(decision.code, decision.code))
    parts += [
        f"{block.reason.replace('_', ' ')} from {block.origin or 'unknown'}, {age(block.recorded_at, now)}"
        for block in decision.blocks
    ]
    parts.append(decision.rule)
    return "; ".join(parts)


def _delivered(standing: AudienceStanding, now: datetime) -> str:
    return "; ".join(_stay(spell, now) for spell in standing.spells) or "never"


def _stay(spell: Spell, now: datetime) -> str:
    def naive(moment: datetime | None) -> datetime | None:
        return moment.astimezone(UTC).replace(tzinfo=None) if moment else None

    if spell.left_at is not None:
        return f"{age(naive(spell.delivered_at), now)}, left {age(naive(spell.left_at), now)}"
    state = "in it" if spell.state is MemberState.HELD else spell.state.value
    return f"{state}, delivered {age(naive(spell.delivered_at), now)}"


def _date(moment: datetime | None) -> str:
    return "at an unknown time" if moment is None else f"{moment:%Y-%m-%d %H:%M}"


def _iso(moment: datetime | None) -> str | None:
    if moment is None:
        return None
    return (
        (moment if moment.tzinfo else moment.replace(tzinfo=UTC)).isoformat(timespec="seconds").replace("+00:00", "Z")
    )
