#!/usr/bin/env python3
"""Checks a commit message: `commit_message.py FILE`, as git's commit-msg hook calls it."""

from __future__ import annotations

import re
import sys
from pathlib import Path

LONGEST = 72
# Verbs and nouns that end as an inflected verb does.
NOT_INFLECTED = {"Address", "Bring", "Embed", "Feed", "Focus", "Pass", "Process", "Seed", "Speed"}


def problems(message: str) -> list[str]:
    """Return what is wrong with a commit message, nothing if it is as CONTRIBUTING asks."""
    lines = [line for line in message.splitlines() if not line.startswith("#")]
    subject = lines[0] if lines else ""
    if subject.startswith(("Merge ", "Revert ", "fixup! ", "squash! ")):
        return []
    first = subject.split(" ", 1)[0]
    found = []
    if not subject.strip():
        found.append("the subject is empty")
    if len(subject) > LONGEST:
        found.append(f"the subject has {len(subject)} characters, at most {LONGEST} are allowed")
    if subject.endswith("."):
        found.append("the subject ends with a period")
    if not first[:1].isupper():
        found.append("the subject does not begin with a capital letter")
    if re.search(r"(ed|ing|[^s]s)$", first) and first not in NOT_INFLECTED:
        found.append(f"{first!r} is not an imperative: write 'Add', not 'Added' or 'Adds'")
    if len(lines) > 1 and lines[1].strip():
        found.append("the second line is not empty")
    return found


if __name__ == "__main__":
    wrong = problems(Path(sys.argv[1]).read_text(encoding="utf-8"))
    sys.exit("".join(f"commit message: {text}\n" for text in wrong) if wrong else 0)
