"""Names of audiences that Meta blocks: those that hint at somebody's health or money.

Since September 2025 Meta flags such audiences (``operation_status`` 471) and refuses their updates ("Flagged custom and
lookalike audiences"). It publishes no list; these are words of the two subjects.
"""

from __future__ import annotations

import re

_HEALTH = re.compile(  # beginnings of words
    r"\b(addict|aids\b|allerg|anxiety|arthriti|asthma|autis|cancer|cholesterol|clinic|dementia|depress|diabet|disab|"
    r"disease|disorder|epilep|fertility|hiv\b|hospital|illness|medic|mental|obes|overweight|patient|pregnan|"
    r"prescription|symptom|therap|weight loss)"
)
_MONEY = re.compile(
    r"\b(bankrupt|credit scor|debt|foreclos|income|insolven|loan|mortgage|net worth|overdraft|payday|poor\b|rich\b|"
    r"salar|wealth)"
)
_SUBJECTS = (("health", _HEALTH), ("money", _MONEY))


def sensitive(name: str) -> tuple[str, str] | None:
    """Return the word in a name that Meta may take offence at, and its subject; None where there is none."""
    plain = re.sub(r"[\W_]+", " ", name.lower())
    for subject, words in _SUBJECTS:
        found = words.search(plain)
        if found:
            return found[1], subject
    return None
