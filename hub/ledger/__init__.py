"""What was intended, sent and confirmed, in one SQLite file per client."""

from __future__ import annotations

from hub.ledger.ledger import Ledger
from hub.ledger.records import (
    Audience,
    Blocks,
    Freshness,
    HeldGuard,
    Intent,
    LastRun,
    NewBlock,
    PersonState,
    Receipt,
    Run,
    Settlement,
    Spell,
    StandingBlock,
)
from hub.ledger.states import MemberState

__all__ = [
    "Audience",
    "Blocks",
    "Freshness",
    "HeldGuard",
    "Intent",
    "LastRun",
    "Ledger",
    "MemberState",
    "NewBlock",
    "PersonState",
    "Receipt",
    "Run",
    "Settlement",
    "Spell",
    "StandingBlock",
]
