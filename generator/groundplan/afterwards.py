"""Runs a program when its standard input closes: `python afterwards.py PROGRAM ARGUMENT…`.

`groundplan.process` starts this file as a script and holds the other end. However the starter
ended, the program is run once.
"""

from __future__ import annotations

import os
import signal
import sys


def main(*argv: str) -> int:
    """Wait for the end of the input, then run the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    while os.read(0, 4096):
        pass
    _, status = os.waitpid(os.posix_spawnp(argv[0], argv, os.environ), 0)
    return os.waitstatus_to_exitcode(status)


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
