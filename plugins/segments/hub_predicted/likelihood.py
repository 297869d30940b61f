"""Find the parameters under which what happened was most likely, and how sure they are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.optimize import minimize

Array = NDArray[np.float64]
Score = Callable[[Array], tuple[float, Array]]
"""From positive parameters to the mean log-likelihood per case, and its slopes by the parameters' logarithms."""

# Parameters lie between exp(-12) and exp(12): beyond, the likelihood is flat and the parameter says nothing more.
EDGE = 12.0
FLAT = 1e-5
FLATTEST = 1e-11
NEWTON = 5
STEP = 1e-4


@dataclass(frozen=True, slots=True)
class Found:
    """The parameters of greatest likelihood.

    Attributes:
        log_likelihood: of all cases together.
        errors: standard errors, from the curvature at the top; None where the cases do not pin the parameters down
            one by one, which predictions need not mind.
        converged: whether the top was reached.
    """

    parameters: tuple[float, ...]
    log_likelihood: float
    errors: tuple[float, ...] | None
    converged: bool


def best_start(score: Score, starts: Sequence[Sequence[float]]) -> Array:
    """Climb from each of several starts and return the highest point, for a likelihood may have more than one top."""
    tops = [_climb(score, np.log(np.array(start, dtype=float))) for start in starts]
    highest: Array = max(tops, key=lambda top: score(np.exp(top))[0])
    return np.exp(highest)


def maximise(score: Score, start: Array, cases: int) -> Found:
    """Go to the top from a start near it, and measure there."""
    top = _newton(score, np.log(start))
    if not _is_flat(score(np.exp(top))[1], top):
        top = _newton(score, _climb(score, top))
    value, slopes = score(np.exp(top))
    converged = bool(np.isfinite(value)) and _is_flat(slopes, top)
    errors = _errors(top, _curvature(score, top), cases)
    return Found(tuple(map(float, np.exp(top))), float(value) * cases, errors, converged)


def _climb(score: Score, start: Array) -> Array:
    def downhill(place: Array) -> tuple[float, Array]:
        value, slopes = score(np.exp(place))
        return -value, -slopes

    bounds = [(-EDGE, EDGE)] * len(start)
    options = {"maxfun": 2000, "ftol": 1e-14, "gtol": 1e-8, "xtol": 1e-10}
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


def _newton(score: Score, place: Array) -> Array:
    """Return where Newton's steps lead, as long as each goes up from a place that curves down on all sides."""
    value, slopes = score(np.exp(place))
    for _ in range(NEWTON):
        curvature = _curvature(score, place)
        if np.max(np.abs(slopes)) < FLATTEST or not _curves_down(curvature, place):
            break
        step = np.linalg.solve(curvature, slopes)
        reached, there = score(np.exp(place - step)) if np.max(np.abs(step)) < 1 else (-np.inf, slopes)
        if reached < value:
            break
        place, value, slopes = place - step, reached, there
    return place


def _is_flat(slopes: Array, place: Array) -> bool:
    """Tell whether there is no way up; at an edge one may lead out."""
    return bool(np.all(np.abs(slopes[np.abs(place) < EDGE - STEP]) < FLAT))


def _curves_down(curvature: Array, place: Array) -> bool:
    return bool(np.all(np.abs(place) < EDGE - STEP) and np.max(np.linalg.eigvalsh(curvature)) < 0)


def _errors(top: Array, curvature: Array, cases: int) -> tuple[float, ...] | None:
    if not _curves_down(curvature, top):
        return None
    variances = np.diag(np.linalg.inv(-curvature * cases))
    return tuple(map(float, np.exp(top) * np.sqrt(variances)))
