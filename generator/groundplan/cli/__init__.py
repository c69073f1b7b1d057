"""The command line: it parses, calls and prints.

A module of this package is a command when it has a click command named `command`. Such modules
import nothing heavy at the top, so that `--help` stays quick.
"""

from __future__ import annotations

import errno
import os
import pkgutil
import platform
import signal
import sys
import traceback
from importlib import import_module
from typing import TYPE_CHECKING, Any

import click

import groundplan
from groundplan.errors import ExitCode, GroundplanError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

ISSUES = "https://github.com/groundplan/groundplan/issues"

_PLACE = {
    errno.EACCES: ("io.denied", "check who may read and write there"),
    errno.EPERM: ("io.denied", "check who may read and write there"),
    errno.EROFS: ("io.read-only", "choose a folder that can be written to"),
    errno.ENOSPC: ("io.no-space", "free some space or choose another folder"),
    errno.EDQUOT: ("io.no-space", "free some space or choose another folder"),
    errno.ENAMETOOLONG: ("io.name-too-long", "choose a shorter path"),
}
"""What the operating system can refuse to the user, as stable error ids."""


class CommandLine(click.Group):
    """The commands, found in this package and loaded when they are needed."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Every command, by name."""
        names = sorted(_word(module.name) for module in pkgutil.iter_modules(__path__))
        return [name for name in names if self.get_command(ctx, name)]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """The command, or None when no module has it."""
        modules = {_word(module.name): module.name for module in pkgutil.iter_modules(__path__)}
        if cmd_name not in modules:
            return None
        command = getattr(import_module(f"{__name__}.{modules[cmd_name]}"), "command", None)
        return command if isinstance(command, click.Command) else None

    def invoke(self, ctx: click.Context) -> Any:
        """Run a command; with `--debug` also show where an error came from."""
        try:
            return super().invoke(ctx)
        except (GroundplanError, OSError):
            if ctx.params.get("debug"):
                traceback.print_exc()
            raise

    def main(
        self,
        args: Sequence[str] | None = None,
        prog_name: str | None = None,
        complete_var: str | None = None,
        standalone_mode: bool = True,
        windows_expand_args: bool = True,
        **extra: Any,
    ) -> Any:
        """Run, say in one line what went wrong if anything did, and end the process."""
        extra |= {"complete_var": complete_var, "windows_expand_args": windows_expand_args}
        if not standalone_mode:
            return super().main(args, prog_name, standalone_mode=False, **extra)
        # Being asked to end is like ^C: whatever was started is ended first.
        signal.signal(signal.SIGTERM, signal.default_int_handler)
        try:
            code = super().main(args, prog_name, standalone_mode=False, **extra)
            sys.stdout.flush()
        except Exception as error:
            code = _report(error)
        except KeyboardInterrupt:
            click.echo("interrupted", err=True)
            code = ExitCode.INTERRUPTED
        sys.exit(code if isinstance(code, int) else ExitCode.CLEAN)


def _word(module: str) -> str:
    """A module's name as people type it."""
    return module.replace("_", "-")


def _report(error: Exception) -> int:
    """Tell the user about an error on stderr; the result is the exit code."""
    match error:
        case click.Abort():
            click.echo("interrupted", err=True)
            return ExitCode.INTERRUPTED
        case click.ClickException():
            error.show()
            return error.exit_code
        case GroundplanError():
            click.echo(f"{error}", err=True)
            return error.exit_code
        case BrokenPipeError():
            # The reader has gone; whatever is still buffered must not raise at exit.
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
            return ExitCode.INTERRUPTED
        case OSError(errno=int(number)) if number in _PLACE:
            error_id, fix = _PLACE[number]
            what = os.strerror(number).lower()
            refused = UsageError(error_id, what, where=str(error.filename or ""), fix=fix)
            click.echo(f"{refused}", err=True)
            return refused.exit_code
        case _:
            click.echo(_bug(error), err=True)
            return ExitCode.INTERNAL


def _bug(error: Exception) -> str:
    """A fault of groundplan itself, in the form of a report that can be pasted."""
    trace = "".join(traceback.format_exception(error))
    return "\n".join(
        (
            f"This is a fault of groundplan, not yours. Please report it: {ISSUES}",
            "",
            f"groundplan {groundplan.__version__}, Python {platform.python_version()}, "
            f"{platform.system()} {platform.machine()}",
            f"command: {' '.join(sys.argv[1:])}",
            "",
            f"{trace}[internal]",
        )
    )


@click.group(
    cls=CommandLine,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(
    groundplan.__version__, prog_name="groundplan", message="%(prog)s %(version)s"
)
@click.option("--debug", is_flag=True, help="Show where in groundplan an error came from.")
def main(debug: bool) -> None:
    """A GitOps platform repository that you own, proven on Kubernetes and kept true."""
