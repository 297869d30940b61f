"""What an invented shop's mailing tool and its survey know of the customers, as CSV files."""

from __future__ import annotations

import csv
from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

_CAMPAIGNS = (("spring sale", 220), ("summer ideas", 130), ("autumn news", 70), ("new arrivals", 35), ("last week", 5))
_SPORTS = ("running", "hiking", "tennis", "none")
_LANGUAGES = ("da-DK", "de-DE", "sv-SE", "en-GB")


def write_answers(folder: Path, now: datetime, seed: int, people: Sequence[tuple[str, str]]) -> None:
    """Write ``engagement.csv``, ``survey.csv`` and ``profiles.csv`` about people, each (customer id, e-mail)."""
    folder.mkdir(parents=True, exist_ok=True)
    random = Random(seed)  # noqa: S311  # invented answers, no secrets
    mails: list[tuple[object, ...]] = []
    answers: list[tuple[object, ...]] = []
    profiles: list[tuple[object, ...]] = []
    for customer, email in people:
        keenness = random.random()
        for campaign, age in _CAMPAIGNS:
            sent = now - timedelta(days=age, hours=random.randrange(12))
            mails.append((email, "sent", campaign, _time(sent), ""))
            if random.random() < 0.3:
                mails.append((email, "opened", campaign, _time(sent + timedelta(minutes=1)), "true"))
            if random.random() < keenness * 0.7:
                mails.append((email, "opened", campaign, _time(sent + timedelta(hours=3)), "false"))
                if random.random() < keenness * 0.4:
                    mails.append((email, "clicked", campaign, _time(sent + timedelta(hours=3, minutes=1)), "false"))
        if random.random() < 0.4:
            asked = _time(now - timedelta(days=random.uniform(1, 300)))
            answers.append((email, "sport", random.choice(_SPORTS), asked))
            answers.append((email, "recommend", random.randrange(11), asked))
        born = now.date() - timedelta(days=random.randrange(18 * 366, 75 * 366))
        profiles.append((customer, born, random.choice("fm"), random.choices(_LANGUAGES, (70, 15, 10, 5))[0]))
    _write(folder / "engagement.csv", ("mail", "what", "campaign", "at", "machine"), mails)
    _write(folder / "survey.csv", ("mail", "question", "answer", "at"), answers)
    _write(folder / "profiles.csv", ("customer", "born", "gender", "language"), profiles)


def _time(moment: datetime) -> str:
    return moment.isoformat(timespec="seconds")


def _write(path: Path, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(header)
        writer.writerows(rows)
