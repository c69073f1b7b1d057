"""Manifests of the shape that repositories hold, as many as asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

PER_FILE = 10

_DEPLOYMENT = """\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: app-{number}
  namespace: team-{team}
  labels:
    app.kubernetes.io/name: app-{number}
    app.kubernetes.io/part-of: platform
spec:
  replicas: 2
  selector:
    matchLabels:
      app.kubernetes.io/name: app-{number}
  template:
    metadata:
      labels:
        app.kubernetes.io/name: app-{number}
    spec:
      serviceAccountName: app-{number}
      securityContext:
        runAsNonRoot: true
        seccompProfile:
          type: RuntimeDefault
      containers:
        - name: app
          image: registry.example.com/team-{team}/app:1.{number}.0
          args: ["--listen=:8080", "--name={number}"]
          ports:
            - name: http
              containerPort: 8080
          resources:
            requests:
              cpu: 100m
              memory: 128Mi
            limits:
              memory: 256Mi
          securityContext:
            allowPrivilegeEscalation: false
            readOnlyRootFilesystem: true
            capabilities:
              drop: ["ALL"]
"""
_SERVICE = """\
apiVersion: v1
kind: Service
metadata:
  name: app-{number}
  namespace: team-{team}
  labels:
    app.kubernetes.io/name: app-{number}
spec:
  type: ClusterIP
  selector:
    app.kubernetes.io/name: app-{number}
  ports:
    - name: http
      port: 80
      targetPort: http
"""
_NETWORK_POLICY = """\
# Only the gateway may call this app.
apiVersion: networking.k8s.io/v1
kind: NetworkPolicy
metadata:
  name: app-{number}
  namespace: team-{team}
spec:
  podSelector:
    matchLabels:
      app.kubernetes.io/name: app-{number}
  policyTypes:
    - Ingress
  ingress:
    - from:
        - namespaceSelector:
            matchLabels:
              kubernetes.io/metadata.name: gateway
      ports:
        - protocol: TCP
          port: 8080
"""
_SHAPES = (_DEPLOYMENT, _SERVICE, _NETWORK_POLICY)


def write(folder: Path, count: int) -> None:
    """Write this many documents, ten to a file."""
    folder.mkdir()
    texts = [
        _SHAPES[index % 3].format(number=index // 3, team=index % 17) for index in range(count)
    ]
    for first in range(0, count, PER_FILE):
        text = "---\n".join(texts[first : first + PER_FILE])
        (folder / f"{first:06}.yaml").write_text(text, "utf-8")
