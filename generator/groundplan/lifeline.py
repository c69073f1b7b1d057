"""Runs a program no longer than its starter lives: `python lifeline.py FOLDER PROGRAM ARGUMENT…`.

`groundplan.process` starts this file as a script and holds the other end of its standard input.
When that end closes, however the starter died, the program is killed and FOLDER (if not empty)
removed.
SIGTERM is passed on; SIGINT kills the program at once.
"""

from __future__ import annotations

import os
import select
import shutil
import signal
import sys
import threading


def _outlive_nobody(child: int, folder: str) -> None:
    """Wait for the starter's death, then leave nothing behind."""
    while os.read(0, 4096):
        pass
    os.kill(child, signal.SIGKILL)
    while folder and os.path.lexists(folder):
        shutil.rmtree(folder, ignore_errors=True)
    os._exit(1)


def main(folder: str, *argv: str) -> int:
    """Run a program to its end; the result is its exit code, or 128 + the signal that ended it."""
    closed = [(os.POSIX_SPAWN_OPEN, 0, os.devnull, os.O_RDONLY, 0)]
    child = os.posix_spawnp(argv[0], argv, os.environ, file_actions=closed)
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGTERM))
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGKILL))
    watch = threading.Thread(target=_outlive_nobody, args=(child, folder), daemon=True)
    watch.start()
    _, status = os.waitpid(child, 0)
    if select.select([0], [], [], 0)[0]:
        # The starter died too: ending now would cut the removal of its folder short.
        watch.join()
    code = os.waitstatus_to_exitcode(status)
    return code if code >= 0 else 128 - code


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
