"""`groundplan posture scan`: the posture of the cluster that this runs in, kept as a report."""

from __future__ import annotations

from pathlib import Path

import click


@click.command("scan", short_help="Judge the cluster that this runs in, and report it there.")
@click.argument(
    "path", type=click.Path(path_type=Path, exists=True, file_okay=False), default=Path()
)
@click.option("--cluster", required=True, metavar="NAME", help="Which cluster of the repository.")
@click.option(
    "--source",
    metavar="KIND/NAMESPACE/NAME",
    help="Compare with what this source of Flux has fetched.  [default: the files at PATH]",
)
@click.option(
    "--service-account",
    "account",
    type=click.Path(path_type=Path),
    default=Path("/var/run/secrets/kubernetes.io/serviceaccount"),
    show_default=True,
    help="The folder with the token and the API server's certificate.",
)
def scan(path: Path, cluster: str, source: str | None, account: Path) -> int:
    """Compare the cluster that this runs in with the repository at PATH, as its service account.

    What `posture drift --live` finds, and exceptions that have run out, are written to the cluster
    as one ClusterReport of OpenReports, `posture-scan`. Nothing else is changed. A kind that may
    not be read is in the report as not evaluated.

    The exit code is 0 when the report was written, whatever is in it, 2 when the command cannot be
    carried out, and 4 when the cluster or the source cannot be read or the report is refused.
    """
    from datetime import UTC, datetime

    from groundplan.errors import ExitCode
    from groundplan.garbage import uncollected
    from groundplan.posture.scan import examination, incluster, reports
    from groundplan.posture.scan import source as sources
    from groundplan.report import Format, render
    from groundplan.repository import load, of_tree
    from groundplan.runners.kinds import discover

    now = datetime.now(UTC)
    with uncollected(), incluster.connected(account) as client:
        known = discover(client)
        revision = ""
        if source:
            tree, revision = sources.artifact(source, client, known)
            repository = of_tree(tree)
        else:
            repository = load(path)
        found, namespaces = examination.scan(repository, cluster, client, known, now.date())
        reports.write(reports.cluster_report(found, cluster, namespaces, now, revision), client)
    click.echo(render(found, Format.TEXT), nl=False)
    return ExitCode.CLEAN
