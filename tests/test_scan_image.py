"""The image of the posture scan, built, and run by its CronJob on a kind cluster."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from groundplan import nodeimage, toolchain
from groundplan.errors import ToolError
from groundplan.process import Command, serving, which
from groundplan.runners import docker, kind, kubeconfig
from groundplan.runners.apiserver import ADMINISTRATOR, ApiServer, unused_port
from groundplan.runners.definitions import define
from groundplan.schemas import default_store
from tests.programs import program
from tests.rendering import parsed, put, rendered
from tests.test_posture_live import EVE, STRAY, binding

if TYPE_CHECKING:
    from collections.abc import Iterator

    from groundplan.tree import Tree

ROOT = Path(__file__).parents[1]
BASE = "localhost/groundplan-python:bookworm"
PACKAGES = ("ca-certificates", "git", "openssh-client", "python-is-python3", "python3-venv")
IMAGE = "localhost/groundplan-posture-scan:test"
NAME = "groundplan-test-scan"
KUBERNETES = "1.37"


@pytest.fixture(scope="module")
def image(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The image on a base of Debian's packages, with wheels and without a network."""
    try:
        docker.ensure_answers()
        if not docker.has_image(BASE):
            nodeimage.import_debian(BASE, PACKAGES, "ENV PIP_NO_INDEX=1")
    except ToolError as error:
        pytest.skip(str(error))
    if which("pip") is None:
        pytest.skip("pip was not found, which fetches the wheels")
    context = tmp_path_factory.mktemp("image")
    argv = ("pip", "wheel", "--quiet", "--wheel-dir", str(context), str(ROOT))
    Command(argv, timeout=600).run()
    shutil.copy(ROOT / "images/posture-scan/Dockerfile", context)
    docker.build(IMAGE, context, PYTHON=BASE)
    yield IMAGE
    docker.docker("image", "rm", "--force", IMAGE)


def run(image: str, program: str, *words: str) -> str:
    """Run a program of the image as the CronJob does."""
    bounds = ("--read-only", "--tmpfs=/tmp", "--cap-drop=ALL", "--security-opt=no-new-privileges")
    argv = ("run", "--rm", "--network=none", *bounds, f"--entrypoint={program}", image, *words)
    return docker.docker(*argv).text


@pytest.mark.kind
def test_the_image_has_what_the_scan_needs_and_no_rights(image: str) -> None:
    assert run(image, "groundplan", "posture", "scan", "--help").startswith("Usage: ")
    assert run(image, "git", "--version").startswith("git version ")
    assert run(image, "id").startswith("uid=65532(scan) gid=65532")
    # It refuses a user that has no name.
    assert "user scan" in run(image, "ssh", "-G", "git.example.org")


def job(tree: Tree, image: str, url: str) -> dict[str, Any]:
    """The rendered CronJob, with an image and a repository that are there."""
    path = next(path for path in tree.files if path.endswith("posture-scan-schedule/cronjob.yaml"))
    (body,) = parsed(tree, path)
    spec = body["spec"]["jobTemplate"]["spec"]["template"]["spec"]
    (fetch,), (scan,) = spec["initContainers"], spec["containers"]
    fetch["image"] = scan["image"] = image
    words = [word for word in fetch["command"] if not word.startswith("--branch=")]
    fetch["command"] = [*words[:-2], "--branch=main", url, words[-1]]
    found: dict[str, Any] = body
    return found


class Cluster:
    """A kind cluster whose nodes have the image."""

    def __init__(self, folder: Path, server: ApiServer) -> None:
        self.server = server
        self.access = kubeconfig.write(folder / "kubeconfig", server.endpoints[ADMINISTRATOR])

    def call(self, *words: str, bodies: object = ()) -> str:
        argv = (str(program("kubectl")), "--kubeconfig", str(self.access), *words)
        items = {"apiVersion": "v1", "kind": "List", "items": bodies}
        return Command(argv, stdin=json.dumps(items).encode(), timeout=400, ok=(0, 1)).run().text

    def report(self) -> list[dict[str, Any]]:
        said = self.call("get", "clusterreport", "posture-scan", "--output=json")
        results: list[dict[str, Any]] = json.loads(said)["results"]
        return results


@pytest.fixture
def cluster(image: str, tmp_path: Path) -> Iterator[Cluster]:
    node = nodeimage.ensure(KUBERNETES, progress=print)
    wanted = kind.Wanted(toolchain.ensure("kind").path, node, NAME, logs=tmp_path / "logs")
    with kind.running(wanted) as server:
        argv = (str(wanted.kind), "load", "docker-image", image, "--name", NAME)
        Command(argv, timeout=300).run()
        yield Cluster(tmp_path, server)


@pytest.fixture
def platform(tmp_path: Path) -> Iterator[tuple[Tree, str]]:
    """A rendered repository, and where the pods of a kind cluster find it."""
    tree = rendered("argocd", "enterprise", ("kind",))
    work = tmp_path / "sources/platform"
    put(tree, work)
    identity = ("-c", "user.name=a", "-c", "user.email=a@acme.io", "-c", "commit.gpgsign=false")
    for words in (("init", "-q", "-b", "main"), ("add", "-A"), ("commit", "-q", "-m", "first")):
        Command(("git", *identity, *words), cwd=work).run()
    port = unused_port()
    base = str(work.parent)
    argv = ("git", "daemon", "--export-all", f"--port={port}", f"--base-path={base}", base)
    with serving(Command(argv), tmp_path / "git-daemon.log", grace=0):
        yield tree, f"git://GATEWAY:{port}/platform"


def gateway() -> str:
    """The address of this machine as kind's nodes see it."""
    said = docker.docker("network", "inspect", "kind").text
    addresses = [
        one["Gateway"] for one in json.loads(said)[0]["IPAM"]["Config"] if "Gateway" in one
    ]
    return next(address for address in addresses if "." in address)


@pytest.mark.kind
def test_the_cronjob_of_a_rendered_platform_scans_its_cluster(
    cluster: Cluster, image: str, platform: tuple[Tree, str]
) -> None:
    tree, url = platform
    crd = default_store(KUBERNETES).crd_for("openreports.io", "ClusterReport")
    assert crd is not None
    define(cluster.server.client, [crd])
    files = [f"components/posture-scan/{name}.yaml" for name in ("namespace", "roles")]
    bodies = [body for path in files for body in parsed(tree, path)]
    bodies += [job(tree, image, url.replace("GATEWAY", gateway())), binding("eve", "admin", EVE)]
    cluster.call("apply", "--filename=-", bodies=bodies)

    of_scan = "--namespace=posture-scan"
    cluster.call("create", "job", "scan", "--from=cronjob/posture-scan", of_scan)
    # Pod Security admits it, it clones the repository, reads the API and writes the report.
    done = cluster.call("wait", "--for=condition=complete", "job/scan", of_scan, "--timeout=240s")
    state = ("describe", "pods", of_scan), ("logs", "job/scan", of_scan, "--all-containers")
    assert "condition met" in done, [cluster.call(*words) for words in state]

    results = cluster.report()
    said = f": {STRAY}"
    stray = {r["message"].partition(said)[0] for r in results if said in r["message"]}
    assert "ClusterRoleBinding eve" in stray
    # What Kubernetes runs and what kubeadm grants is nobody's drift.
    words = ("kube-system", "kube-public", "default/", "kubeadm")
    assert not [name for name in stray if any(word in name for word in words)]
    # Its role reads every kind that it asks for.
    assert "RUN-004" not in {r["policy"] for r in results if r["result"] == "skip"}
