"""Run strategies and combinations of them at a fixed instant, and explain any person's place in them."""

from __future__ import annotations

from hub.segments.carts import CartReport, Ending, report_carts
from hub.segments.check import Checker, Statement
from hub.segments.definitions import Definition, SettingsLike, definitions_from, in_order
from hub.segments.explain import Explanation, explain
from hub.segments.overlap import overlaps
from hub.segments.past import Bought, Moment, Past, Step, compare
from hub.segments.result import STALE_SOURCE, SegmentResult
from hub.segments.review import review
from hub.segments.run import MAX_LAG, run_segments
from hub.segments.sentences import Observed, Verdict, sentence
from hub.segments.session import SessionLike
from hub.segments.trial import Outcome, example_shop, try_segment

__all__ = [
    "MAX_LAG",
    "STALE_SOURCE",
    "Bought",
    "CartReport",
    "Checker",
    "Definition",
    "Ending",
    "Explanation",
    "Moment",
    "Observed",
    "Outcome",
    "Past",
    "SegmentResult",
    "SessionLike",
    "SettingsLike",
    "Statement",
    "Step",
    "Verdict",
    "compare",
    "definitions_from",
    "example_shop",
    "explain",
    "in_order",
    "overlaps",
    "report_carts",
    "review",
    "run_segments",
    "sentence",
    "try_segment",
]
