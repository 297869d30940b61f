"""Run strategies and combinations of them at a fixed instant, and explain any person's place in them."""

from __future__ import annotations

from hub.segments.check import Checker, Statement
from hub.segments.definitions import Definition, SettingsLike, definitions_from, in_order
from hub.segments.explain import Explanation, explain
from hub.segments.result import STALE_SOURCE, SegmentResult
from hub.segments.review import review
from hub.segments.run import MAX_LAG, run_segments
from hub.segments.sentences import Observed, Verdict, sentence
from hub.segments.session import SessionLike

__all__ = [
    "MAX_LAG",
    "STALE_SOURCE",
    "Checker",
    "Definition",
    "Explanation",
    "Observed",
    "SegmentResult",
    "SessionLike",
    "SettingsLike",
    "Statement",
    "Verdict",
    "definitions_from",
    "explain",
    "in_order",
    "review",
    "run_segments",
    "sentence",
]
