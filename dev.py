#!/usr/bin/env python3
"""Set up a fresh checkout and run something in it; needs only Python and git.

python3 dev.py demo   a new platform repository, checked and accepted by a real API server
python3 dev.py test   every session that guards main
"""

import shutil
import subprocess
import sys
import tempfile
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
# The tests begin with clusters, which take a while to start; what needs none fills the time.
SESSIONS = {"demo": [("demo",)], "test": [("tests",), ("lint", "types", "docs", "build")]}


def main(words: list[str]) -> int:
    """Run nox in an environment of its own; what groups beside the first say comes at the end."""
    if len(words) != 1 or words[0] not in SESSIONS:
        sys.stderr.write(__doc__ or "")
        return 2
    home = ROOT / ".venv"
    python = home / "bin" / "python"
    if not (home / "bin" / "nox").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "nox>=2026.7"], check=True)
    nox = [python, "-m", "nox", "-f", ROOT / "noxfile.py", "-s"]
    first, *others = SESSIONS[words[0]]
    with tempfile.TemporaryFile() as said:
        beside = [
            subprocess.Popen([*nox, *group], stdout=said, stderr=subprocess.STDOUT)
            for group in others
        ]
        codes = [subprocess.run([*nox, *first], check=False).returncode]
        codes += [process.wait() for process in beside]
        said.seek(0)
        shutil.copyfileobj(said, sys.stdout.buffer)
    return int(any(codes))


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
