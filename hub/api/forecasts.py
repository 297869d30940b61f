"""Forecasts: what a delivery would take, reckoned from the limits before anything is sent."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from hub.api.destinations import Limit, Member, Op


@dataclass(frozen=True, slots=True)
class Forecast:
    """What a delivery would take, were everything accepted.

    Attributes:
        calls: write calls.
        reads: other calls of the same run.
        later: calls by which later runs ask what became of the vendor's jobs, each looked at once.
        points: what the calls cost where the vendor counts that, and not calls.
    """

    calls: int = 0
    reads: int = 0
    later: int = 0
    points: float = 0.0

    def __add__(self, other: Forecast) -> Forecast:
        """Return what one delivery after the other would take."""
        return Forecast(
            self.calls + other.calls, self.reads + other.reads, self.later + other.later, self.points + other.points
        )


@dataclass(frozen=True, slots=True)
class Planned:
    """What a delivery would send to one audience.

    Attributes:
        audience: the audience's name.
        remote_id: what the destination knows it by; None before the first delivery.
        counts: how many members an operation is for; one that is for nobody is left out.
        samples: some of these members as ``push`` would get them, 1,000 at most; everybody where there are no more.
    """

    audience: str
    remote_id: str | None = None
    counts: Mapping[Op, int] = field(default_factory=dict)
    samples: Mapping[Op, Sequence[Member]] = field(default_factory=dict)

    def batches(
        self, op: Op, limit: Limit, row: Callable[[Member], Mapping[str, Any] | None] | None = None
    ) -> dict[int, int]:
        """Return how many batches of which size an operation would come in: ``{10_000: 12, 345: 1}``.

        Where a limit in bytes is the narrower one, it is reckoned by what ``row`` says of the sample.
        """
        count, size, sample = self.counts.get(op, 0), limit.count, self.samples.get(op, ())
        if limit.bytes is not None and row is not None and sample:
            size = min(size, max(1, limit.bytes * len(sample) // sum(json_size(row(each)) for each in sample)))
        full, rest = divmod(count, size)
        return ({size: full} if full else {}) | ({rest: 1} if rest else {})


def json_size(row: Mapping[str, Any] | None) -> int:
    """Return the bytes of a row in a request, at most: one for the comma, and escapes longer than they are sent."""
    return 0 if row is None else len(json.dumps(row, separators=(",", ":"), default=str)) + 1
