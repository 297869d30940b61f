"""Find the parameters under which what happened was most likely, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Score = Callable[[Array], tuple[float, Array]]
"""From positive parameters to the mean log-likelihood per case, and its slopes by the parameters' logarithms."""

# Parameters lie between exp(-8) and exp(8): beyond, people are all but alike in what the parameter is about, and its
# value says nothing more.
EDGE = 8.0
STEP = 1e-4
NEWTON = 5
# How near a climb comes to its top: to begin from, where Newton's steps do the rest, or where they did not.
NEARLY = {"ftol": 1e-8, "gtol": 1e-4, "xtol": 1e-4}
TIGHT = {"ftol": 1e-14, "gtol": 1e-8, "xtol": 1e-10}
STILL = 1e-12
# A direction without curvature is a ridge. The top is reached where a further step promises next to nothing: a
# hundredth of a unit of log-likelihood in all is far below what tells parameters apart.
RIDGE, FLAT, NOTHING = 1e-9, 1e-5, 0.01


@dataclass(frozen=True, slots=True)
class Found:
    """The parameters of greatest likelihood.

    Attributes:
        log_likelihood: of all cases together; ``cases`` says how many they were.
        errors: standard errors, from the curvature at the top; None where the cases do not pin the parameters down
            one by one, which predictions need not mind.
        converged: whether the top was reached.
    """

    parameters: tuple[float, ...]
    log_likelihood: float
    errors: tuple[float, ...] | None
    converged: bool
    cases: int


def dot(first: Array, second: Array) -> float:
    """Return the sum of products, the same on every machine.

    With ``@`` the last digits depend on how many threads the matrix library has, and so would the cents of an expected
    value where the parameters lie on a ridge; besides, the threads cost more than they save.
    """
    return float(np.einsum("i,i->", first, second))


def products(rows: Array, factors: Array) -> Array:
    """Return the sum of products of each row, for the same reasons."""
    sums: Array = np.einsum("ij,j->i", rows, factors)
    return sums


def best_start(score: Score, starts: Sequence[Sequence[float]]) -> Array:
    """Climb from each of several starts and return the highest point, for a likelihood may have more than one top."""
    tops = [_climb(score, np.log(np.array(start, dtype=float)), NEARLY) for start in starts]
    highest: Array = max(tops, key=lambda top: score(np.exp(top))[0])
    return np.exp(highest)


def maximise(score: Score, start: Array, cases: int) -> Found:
    """Go to the top from a start near it, and measure there."""
    score = _remembering(score)
    top = _newton(score, np.log(start))
    if not _ahead(score, top).is_nothing(cases):
        top = _newton(score, _climb(score, top, TIGHT))
    value, _ = score(np.exp(top))
    converged = bool(np.isfinite(value)) and _ahead(score, top).is_nothing(cases)
    errors = _errors(top, _curvature(score, top), cases)
    return Found(tuple(map(float, np.exp(top))), float(value) * cases, errors, converged, cases)


def _remembering(score: Score) -> Score:
    """Return a score that looks at no place twice: what is measured at the top is asked for several times."""
    seen: dict[bytes, tuple[float, Array]] = {}

    def remembered(parameters: Array) -> tuple[float, Array]:
        place = parameters.tobytes()
        if place not in seen:
            seen[place] = score(parameters)
        return seen[place]

    return remembered


def _climb(score: Score, start: Array, tolerances: Mapping[str, float]) -> Array:
    def downhill(place: Array) -> tuple[float, Array]:
        value, slopes = score(np.exp(place))
        return -value, -slopes

    bounds = [(-EDGE, EDGE)] * len(start)
    options = {"maxfun": 2000, **tolerances}
    # TNC, for with so few parameters L-BFGS-B spends its time in starting the threads of its matrix library.
    place: Array = minimize(downhill, start, jac=True, method="TNC", bounds=bounds, options=options).x
    return place


def _curvature(score: Score, place: Array) -> Array:
    """Return the second derivatives by the logarithms, from differences of the slopes."""
    rows = []
    for number in range(len(place)):
        step = np.zeros(len(place))
        step[number] = STEP
        rows.append((score(np.exp(place + step))[1] - score(np.exp(place - step))[1]) / (2 * STEP))
    found = np.array(rows)
    return (found + found.T) / 2


@dataclass(frozen=True, slots=True)
class _Ahead:
    """Newton's step, what it promises in mean log-likelihood, and the steepest slope along a ridge."""

    step: Array
    promise: float
    ridge: float

    def is_nothing(self, cases: int) -> bool:
        return self.promise * cases < NOTHING and self.ridge < FLAT


def _ahead(score: Score, place: Array) -> _Ahead:
    """Look ahead from a place; a parameter at its edge stays there."""
    inside = np.abs(place) < EDGE - STEP
    slopes = score(np.exp(place))[1][inside]
    bends, directions = np.linalg.eigh(_curvature(score, place)[np.ix_(inside, inside)])
    along = directions.T @ slopes
    level = bends > -RIDGE
    lengths = np.where(level, 0.0, along / np.where(level, 1.0, -bends))
    step = np.zeros(len(place))
    step[inside] = directions @ lengths
    return _Ahead(step, float(lengths @ along) / 2, float(np.max(np.abs(along[level]), initial=0.0)))


def _newton(score: Score, place: Array) -> Array:
    """Return where Newton's steps lead, as long as each goes up and stays between the edges."""
    value, _ = score(np.exp(place))
    for _ in range(NEWTON):
        step = _ahead(score, place).step
        if not STILL < np.max(np.abs(step)) < 1 or np.max(np.abs(place + step)) > EDGE:
            break
        reached, _ = score(np.exp(place + step))
        if reached < value:
            break
        place, value = place + step, reached
    return place


def _errors(top: Array, curvature: Array, cases: int) -> tuple[float, ...] | None:
    if np.any(np.abs(top) >= EDGE - STEP) or np.max(np.linalg.eigvalsh(curvature)) > -RIDGE:
        return None
    variances = np.diag(np.linalg.inv(-curvature * cases))
    return tuple(map(float, np.exp(top) * np.sqrt(variances)))
