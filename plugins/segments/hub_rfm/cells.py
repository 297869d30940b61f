"""Which group each combination of scores belongs to: whole tables, no cell twice and none forgotten.

The names are Shopify's and Klaviyo's; neither publishes its cells, so the cells are hub's own. The widely copied
table of ten "classic" segments is not here: its rows overlap, so that some of them can never win, and many cells
match none.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from itertools import product

PROSPECTS = "prospects"

# By recency (rows) and the mean of frequency and monetary value, a half rounded up (columns 1 to 5).
_SHOPIFY_GRID = {
    5: ("new", "active", "active", "champions", "champions"),
    4: ("promising", "active", "active", "loyal", "loyal"),
    3: ("almost-lost", "needs-attention", "needs-attention", "loyal", "loyal"),
    2: ("almost-lost", "almost-lost", "at-risk", "at-risk", "previously-loyal"),
    1: ("dormant", "dormant", "at-risk", "at-risk", "previously-loyal"),
}
_KLAVIYO_CELLS = {
    "champions": "333 332 323",
    "loyal": "331 322 321 233 232",
    "recent": "313 312 311",
    "needs-attention": "231 223 222 221 213 212 211",
    "at-risk": "133 132 131 123 122",
    "inactive": "121 113 112 111",
}


@dataclass(frozen=True, slots=True)
class CellTable:
    """Groups by cell; a cell is the three scores in the order recency, frequency, monetary: ``543``.

    ``scale`` is the best score. ``in_order`` lists the groups of all cells from 111 on.
    """

    scale: int
    groups: Mapping[str, str]

    @property
    def names(self) -> tuple[str, ...]:
        """Return the groups, and prospects, who have no scores."""
        return (*dict.fromkeys(self.groups.values()), PROSPECTS)

    @property
    def in_order(self) -> list[str]:
        return [self.groups[cell] for cell in cells(self.scale)]


def cells(scale: int) -> list[str]:
    """Return every combination of three scores from 1 to ``scale``, in order."""
    return ["".join(map(str, scores)) for scores in product(range(1, scale + 1), repeat=3)]


def _shopify(cell: str) -> str:
    recency, frequency, monetary = map(int, cell)
    return _SHOPIFY_GRID[recency][(frequency + monetary + 1) // 2 - 1]


TABLES: Mapping[str, CellTable] = {
    "shopify": CellTable(5, {cell: _shopify(cell) for cell in cells(5)}),
    "klaviyo": CellTable(3, {cell: name for name, listed in _KLAVIYO_CELLS.items() for cell in listed.split()}),
}
