#!/usr/bin/env python3
"""Set up a fresh checkout and run something in it; needs only Python and git.

python3 dev.py demo   a new platform repository, checked and accepted by a real API server
python3 dev.py test   every session that guards main
"""

import subprocess
import sys
import venv
from pathlib import Path

ROOT = Path(__file__).resolve().parent
SESSIONS = {"demo": ["-s", "demo"], "test": []}


def main(words: list[str]) -> int:
    """Run nox in an environment of its own."""
    if len(words) != 1 or words[0] not in SESSIONS:
        sys.stderr.write(__doc__ or "")
        return 2
    home = ROOT / ".venv"
    python = home / "bin" / "python"
    if not (home / "bin" / "nox").exists():
        venv.create(home, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", "nox>=2026.7"], check=True)
    command = [python, "-m", "nox", "-f", ROOT / "noxfile.py", *SESSIONS[words[0]]]
    return subprocess.run(command, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
