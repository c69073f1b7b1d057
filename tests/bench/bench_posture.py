"""`groundplan posture diff` of many clusters: the whole command, in every dimension.

No program compares the same: netpol-analyzer compares the network, nothing the rest. So the time
stands beside reading and building the same repositories, which any peer must do first.
"""

from __future__ import annotations

import resource
import statistics
import sys
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from tests.bench.measure import Row, run

if TYPE_CHECKING:
    from collections.abc import Iterator

CLUSTERS, OBJECTS = 10, 2_000
ROUNDS = 3

_UNIT = """\
apiVersion: kustomize.toolkit.fluxcd.io/v1
kind: Kustomization
metadata: {{name: {name}, namespace: flux-system}}
spec:
  interval: 1h
  path: ./{path}
  prune: true
  sourceRef: {{kind: GitRepository, name: flux-system}}
"""
_SOURCE = """\
apiVersion: source.toolkit.fluxcd.io/v1
kind: GitRepository
metadata: {name: flux-system, namespace: flux-system}
spec: {interval: 1m, url: "https://github.com/acme/platform"}
"""
_NAMESPACE = """\
apiVersion: v1
kind: Namespace
metadata:
  name: team-{team}
  labels:
    groundplan.dev/owner: team-{team}
    pod-security.kubernetes.io/enforce: baseline
    pod-security.kubernetes.io/enforce-version: v1.37
"""
_APPLICATION = """\
apiVersion: v1
kind: ServiceAccount
metadata: {{name: app-{n}, namespace: team-{team}}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: Role
metadata: {{name: app-{n}, namespace: team-{team}}}
rules:
  - {{apiGroups: [""], resources: [configmaps], resourceNames: [app-{n}], verbs: [get, watch]}}
  - {{apiGroups: [coordination.k8s.io], resources: [leases], verbs: [create, get, update]}}
---
apiVersion: rbac.authorization.k8s.io/v1
kind: RoleBinding
metadata: {{name: app-{n}, namespace: team-{team}}}
roleRef: {{apiGroup: rbac.authorization.k8s.io, kind: Role, name: app-{n}}}
subjects: [{{kind: ServiceAccount, name: app-{n}, namespace: team-{team}}}]
---
apiVersion: apps/v1
kind: Deployment
metadata: {{name: app-{n}, namespace: team-{team}}}
spec:
  selector: {{matchLabels: {{app.kubernetes.io/name: app-{n}}}}}
  template:
    metadata: {{labels: {{app.kubernetes.io/name: app-{n}}}}}
    spec:
      serviceAccountName: app-{n}
      containers:
        - name: app
          image: registry.acme.example/app:{version}
          ports: [{{name: http, containerPort: 8080}}]
---
apiVersion: v1
kind: Service
metadata: {{name: app-{n}, namespace: team-{team}}}
spec:
  selector: {{app.kubernetes.io/name: app-{n}}}
  ports: [{{name: http, port: 80, targetPort: http}}]
---
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata: {{name: app-{n}, namespace: team-{team}}}
spec:
  podSelector: {{matchLabels: {{app.kubernetes.io/name: app-{n}}}}}
  policyTypes: [Ingress]
  ingress:
    - from: [{{podSelector: {{}}}}]
      ports: [{{port: http}}]
"""
PER_APPLICATION = 6
TEAMS = 20


def write(root: Path, *, wider: bool) -> int:
    """Write a fleet, and give the number of its objects."""
    count = 0
    for cluster in range(CLUSTERS):
        entry, apps = root / f"clusters/c{cluster}", root / f"apps/c{cluster}"
        for folder in (entry, apps):
            folder.mkdir(parents=True)
        units = (_UNIT.format(name="flux-system", path=f"clusters/c{cluster}"),)
        units += (_UNIT.format(name="apps", path=f"apps/c{cluster}"), _SOURCE)
        (entry / "sync.yaml").write_text("---\n".join(units), "utf-8")
        for team in range(TEAMS):
            numbers = range(team, (OBJECTS - TEAMS) // PER_APPLICATION, TEAMS)
            version = "2.0.0" if wider and team == cluster else "1.0.0"
            texts = [_NAMESPACE.format(team=team)]
            texts += [_APPLICATION.format(n=n, team=team, version=version) for n in numbers]
            text = "---\n".join(texts)
            if wider and team == cluster:
                text = text.replace("verbs: [get, watch]", "verbs: [get, list, watch]", 1)
            (apps / f"team-{team}.yaml").write_text(text, "utf-8")
            count += 1 + PER_APPLICATION * len(numbers)
    return count


def rows() -> Iterator[Row]:
    """One row: the command beside reading and building the same two sides."""
    groundplan = Path(sys.executable).parent / "groundplan"
    with tempfile.TemporaryDirectory() as name:
        base, head = Path(name, "base"), Path(name, "head")
        count = write(base, wider=False)
        write(head, wider=True)

        def ours() -> tuple[float, float]:
            before = resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime
            words = ["posture", "diff", base, head, "--fail-on", "never"]
            seconds = run([groundplan, *words]).seconds
            return seconds, resource.getrusage(resource.RUSAGE_CHILDREN).ru_utime - before

        def reading() -> float:
            code = (
                "import sys\nfrom pathlib import Path\n"
                "from groundplan.garbage import uncollected\n"
                "from groundplan.posture import comparison, revisions\n"
                "with uncollected():\n"
                "    for side in sys.argv[1:]:\n"
                "        comparison.Side.of(revisions.read(side, Path()))\n"
            )
            return run([sys.executable, "-c", code, base, head]).seconds

        times = [(ours(), reading()) for _ in range(ROUNDS)]
        mine = statistics.median(seconds for (seconds, _), _ in times)
        processor = statistics.median(used for (_, used), _ in times)
        theirs = statistics.median(seconds for _, seconds in times)
    yield Row(
        f"`posture diff` of {CLUSTERS} clusters with {count // CLUSTERS:,} objects each",
        f"{mine:.1f} s, {processor:.1f} CPU s",
        f"reading and building alone {theirs:.1f} s",
        f"{statistics.median(a / b for (a, _), b in times):.1f}",
        "under 10 s on 2 cores",
    )
