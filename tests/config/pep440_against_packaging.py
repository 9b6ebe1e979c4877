#!/usr/bin/env python3
"""Compare versions and conditions of PEP 440 as this project reads them with the package `packaging`.

Usage: pep440_against_packaging.py PROBE [SEED]

PROBE is tests/config/pep440_probe.cc: it reads lines "VERSION<TAB>VERSION<TAB>CONDITION" and answers each with the
order of the two and whether the condition allows the first, "-" for what it cannot read.
"""

from __future__ import annotations

import contextlib
import random
import subprocess
import sys

from packaging.specifiers import InvalidSpecifier, Specifier
from packaging.version import InvalidVersion, Version

CASES = 20000


def some_version(rng: random.Random) -> str:
    text = rng.choice(["", "", "", "v", "1!"]) + ".".join(
        str(rng.choice([0, 0, 1, 2, 10])) for _ in range(rng.randint(1, 4))
    )
    text += rng.choice(["", "", "", "a1", "-b.2", "RC1", ".pre", "c", "_alpha"])
    text += rng.choice(["", "", "", ".post1", "-1", "rev2", ".r"])
    text += rng.choice(["", "", "", ".dev1", "dev"])
    text += rng.choice(["", "", "", "+a.1", "+ubuntu-2"])
    return rng.choice([text] * 9 + [text + rng.choice([".", "x", "..1", "+"])])


def some_condition(rng: random.Random) -> str:
    version = some_version(rng)
    if rng.random() < 0.25:
        version = ".".join(str(rng.choice([0, 1, 2, 10])) for _ in range(rng.randint(1, 3))) + ".*"
    operator = rng.choice(["==", "!=", "<", "<=", ">", ">=", "~="])
    if operator == "~=":  # of which `packaging` takes only normal forms apart as it should
        with contextlib.suppress(InvalidVersion):
            version = str(Version(version))
    return operator + version


def expected(first: str, second: str, condition: str) -> str:
    try:
        a, b = Version(first), Version(second)
    except InvalidVersion:
        return "-"
    order = "<" if a < b else ">" if a > b else "="
    try:
        return order + (" yes" if Specifier(condition).contains(a, prereleases=True) else " no")
    except InvalidSpecifier:
        return order + " -"


def main() -> int:
    rng = random.Random(int(sys.argv[2]) if len(sys.argv) > 2 else 1)
    cases = []
    while len(cases) < CASES:
        case = (some_version(rng), some_version(rng), some_condition(rng))
        # Older releases of `packaging` do not pad versions with an epoch before they compare prefixes.
        if "!" in case[0] + case[2] and ("*" in case[2] or "~=" in case[2]):
            continue
        cases.append(case)
    text = "".join("\t".join(case) + "\n" for case in cases)
    answers = subprocess.run(
        [sys.argv[1]], input=text, capture_output=True, text=True, check=True, timeout=60
    ).stdout.splitlines()
    wrong = [(case, answer, expected(*case)) for case, answer in zip(cases, answers) if answer != expected(*case)]
    for case, answer, right in wrong[:20]:
        print(f"{case}: {answer!r}, packaging says {right!r}")
    print(f"{len(cases)} cases, {len(wrong)} differ")
    return 0 if len(answers) == len(cases) and not wrong else 1


if __name__ == "__main__":
    sys.exit(main())
