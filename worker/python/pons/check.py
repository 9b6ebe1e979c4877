"""Runs the conformance check on a worker: ``python -m pons.check app.py`` is ``pons adapter check app.py``.

The worker runs under this very interpreter. Further arguments and the exit status are those of the program; it is
looked for in the variable ``PONS_PROGRAM``, then on the PATH, and without it the status is 2.
"""

from __future__ import annotations

import os
import shutil
import sys
from typing import Dict, List, Mapping, Optional

__all__ = ["main"]


def _find_program(environment: Mapping[str, str]) -> Optional[str]:
    named = environment.get("PONS_PROGRAM")
    return shutil.which(named or "pons")


def _with_this_interpreter(environment: Mapping[str, str]) -> Dict[str, str]:
    """Return an environment in which `python3` is the interpreter that runs this."""
    folder = os.path.dirname(sys.executable)
    return {**environment, "PATH": os.pathsep.join(filter(None, [folder, environment.get("PATH")]))}


def main(arguments: List[str]) -> int:
    """Replace this process by the check; return only if that is impossible.

    Parameters
    ----------
    arguments
        Of ``pons adapter check``: the worker's path first.
    """
    program = _find_program(os.environ)
    if program is None:
        named = os.environ.get("PONS_PROGRAM")
        where = f"PONS_PROGRAM names {named}, which cannot be run" if named else "pons is not on the PATH"
        print(f"pons.check: {where}: set PONS_PROGRAM to the program's path", file=sys.stderr)
        return 2
    try:
        os.execve(program, [program, "adapter", "check", *arguments], _with_this_interpreter(os.environ))
    except OSError as error:
        print(f"pons.check: {program}: {error.strerror}", file=sys.stderr)
        return 2


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
