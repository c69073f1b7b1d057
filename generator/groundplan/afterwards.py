"""Runs a program when its standard input closes: `python afterwards.py PROGRAM ARGUMENT…`.

`groundplan.process` starts this file as a script and holds the other end. However the starter
ended, the program is run until it succeeds; several times when the starter was killed.
"""

from __future__ import annotations

import os
import signal
import sys
import time

ATTEMPTS = 5
"""What is to be undone may still be on its way when the starter is killed."""
PAUSE = 3.0
"""Seconds."""


def main(*argv: str) -> int:
    """Wait for the end of the input, then run the program."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, signal.SIG_IGN)
    ended_well = False
    while os.read(0, 4096):
        ended_well = True
    for _ in range(ATTEMPTS):
        _, status = os.waitpid(os.posix_spawnp(argv[0], argv, os.environ), 0)
        code = os.waitstatus_to_exitcode(status)
        if ended_well and code == 0:
            break
        time.sleep(PAUSE)
    return code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
