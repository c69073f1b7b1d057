"""The image of a kind node: kind's own where a registry has it, else one that is built here."""

from __future__ import annotations

import hashlib
import json
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from importlib.resources import as_file, files
from pathlib import Path

from groundplan import toolchain
from groundplan.errors import ToolError
from groundplan.process import Command, which
from groundplan.runners import docker
from groundplan.toolchain import gobuilds, recipes

SUITE = "bookworm"
PACKAGES = (
    *("systemd", "systemd-sysv", "dbus", "mount", "kmod", "util-linux", "hostname", "procps"),
    *("iptables", "nftables", "iproute2", "conntrack", "ethtool", "socat"),
    *("runc", "libseccomp2", "pigz", "e2fsprogs", "bash", "ca-certificates", "curl", "jq"),
)
BASE = f"localhost/groundplan-debian:{SUITE}"

ON_NODE = (
    *("kubeadm", "kubelet", "kubectl", "containerd", "containerd-shim-runc-v2", "ctr"),
    *("host-local", "loopback", "ptp", "portmap"),
)
"""Programs that a node runs itself, or that its container runtime does."""

_PULL_TIMEOUT = 600.0
_BUILD_TIMEOUT = 1800.0
_MIRROR = "http://deb.debian.org/debian"

Progress = Callable[[str], None]


@dataclass(frozen=True, slots=True)
class NodeImage:
    """What kind's nodes run."""

    tag: str
    ours: bool
    """Whether it was built here: then it has no network of kind's own and no registry behind it."""


def ensure(kubernetes: str, *, offline: bool = False, progress: Progress) -> NodeImage:
    """Have the engine hold an image for a Kubernetes minor version.

    Raises:
        ToolError: `nodeimage.offline` when it would have to be downloaded or built offline; with
            what failed when it can be neither pulled nor built.
    """
    release = recipes.kubernetes_release(kubernetes)
    theirs = f"kindest/node:v{release.version}"
    if docker.has_image(theirs):
        return NodeImage(theirs, ours=False)
    ours = f"localhost/groundplan-node:v{release.version}-{_fingerprint(kubernetes)}"
    if docker.has_image(ours):
        return NodeImage(ours, ours=True)
    if offline:
        raise ToolError(
            "nodeimage.offline",
            f"the engine has no {theirs}, and nothing is downloaded when offline",
            fix="leave out --offline once",
        )
    progress(f"pulling {theirs}")
    reason = docker.pull(theirs, _PULL_TIMEOUT)
    if not reason:
        return NodeImage(theirs, ours=False)
    progress(f"{theirs} cannot be pulled, so a node image is built; this takes some minutes, once")
    _build(ours, kubernetes, progress)
    return NodeImage(ours, ours=True)


def _fingerprint(kubernetes: str) -> str:
    """Change with everything that the image is made of."""
    parts = [repr(recipes.recipe(name, kubernetes)) for name in (*ON_NODE, *_IMAGES, "kind")]
    parts += [f"{path.name}\0{path.read_text('utf-8')}" for path in _sources()]
    return hashlib.sha256("\0".join((SUITE, *PACKAGES, *parts)).encode()).hexdigest()[:12]


def _sources() -> list[Path]:
    with as_file(files(__package__).joinpath("files")) as folder:
        return sorted(folder.iterdir())


_IMAGES = {
    "kube-apiserver": "/usr/local/bin/kube-apiserver",
    "kube-controller-manager": "/usr/local/bin/kube-controller-manager",
    "kube-scheduler": "/usr/local/bin/kube-scheduler",
    "kube-proxy": "/usr/local/bin/kube-proxy",
    "etcd": "/usr/local/bin/etcd",
    "coredns": "/coredns",
}
"""Programs that run in pods, with their places in their images."""

_NEEDS_SYSTEM = frozenset({"kube-proxy"})
"""Those that call other programs."""


def _build(tag: str, kubernetes: str, progress: Progress) -> None:
    """Build the image; nothing of it is left when that fails."""

    def program(name: str) -> Path:
        return toolchain.ensure(name, kubernetes, progress=progress).path

    programs = {name: program(name) for name in (*ON_NODE, *_IMAGES)}
    if not docker.has_image(BASE):
        progress("getting Debian's packages")
        import_debian(BASE, PACKAGES)
    with tempfile.TemporaryDirectory(prefix="groundplan-node-") as name:
        scratch = Path(name)
        programs["pause"] = _pause(scratch)
        images = list(_component_images(programs, kubernetes))
        for image, component in images:
            progress(f"building {image}")
            _build_component(scratch, image, programs[component], component)
        context = scratch / "node"
        context.mkdir()
        for path in _sources():
            shutil.copy(path, context)
        for component in ON_NODE:
            shutil.copy(programs[component], context / component)
        shutil.copytree(_kinds_own_files(), context / "kind")
        docker.docker("save", "--output", str(context / "images.tar"), *dict(images), timeout=300)
        progress(f"building {tag}")
        release = recipes.kubernetes_release(kubernetes)
        pause = next(image for image, component in images if component == "pause")
        docker.build(tag, context, BASE=BASE, VERSION=f"v{release.version}", PAUSE=pause)


def _component_images(programs: dict[str, Path], kubernetes: str) -> Iterator[tuple[str, str]]:
    """Ask kubeadm for the names of the images that it will look for."""
    release = recipes.kubernetes_release(kubernetes)
    version = f"v{release.version}"
    argv = (str(programs["kubeadm"]), "config", "images", "list", "--kubernetes-version", version)
    for image in Command(argv).run().text.split():
        yield image, image.rpartition("/")[2].partition(":")[0]


def _build_component(scratch: Path, tag: str, program: Path, component: str) -> None:
    """Build an image that has one program."""
    context = scratch / component
    context.mkdir()
    shutil.copy(program, context / component)
    place = _IMAGES.get(component, f"/{component}")
    base = BASE if component in _NEEDS_SYSTEM else "scratch"
    lines = (f"FROM {base}", f"COPY {component} {place}", f"ENTRYPOINT {json.dumps([place])}")
    (context / "Dockerfile").write_text("\n".join(lines) + "\n")
    docker.build(tag, context)
    shutil.rmtree(context)


def _pause(scratch: Path) -> Path:
    """Build the program that holds a pod's namespaces."""
    source = next(path for path in _sources() if path.name == "pause.go")
    program = scratch / "pause-program"
    argv = (str(toolchain.go()), "build", "-o", str(program), str(source))
    Command(argv, cwd=scratch, env=gobuilds.environment(), timeout=_BUILD_TIMEOUT).run()
    return program


def _kinds_own_files() -> Path:
    """Take what kind puts into its node images from kind's own module."""
    version = recipes.recipe("kind").version
    argv = (str(toolchain.go()), "mod", "download", "-json")
    command = Command(
        (*argv, f"sigs.k8s.io/kind@v{version}"), env=gobuilds.environment(), timeout=_BUILD_TIMEOUT
    )
    return Path(json.loads(command.run().text)["Dir"]) / "images" / "base" / "files"


def import_debian(tag: str, packages: tuple[str, ...], *changes: str) -> None:
    """Make a small Debian tree with some packages an image.

    Args:
        tag: What the image is called.
        packages: Beside the most essential ones.
        changes: Lines of a Dockerfile that it gets, too.

    Raises:
        ToolError: `nodeimage.debootstrap` where that program is missing.
    """
    debootstrap = which("debootstrap")
    if debootstrap is None:
        raise ToolError(
            "nodeimage.debootstrap",
            "debootstrap was not found, and no registry has the node image",
            fix="install debootstrap, or give Docker access to a registry that has kindest/node",
        )
    with tempfile.TemporaryDirectory(prefix="groundplan-debian-") as name:
        root = Path(name) / "root"
        included = f"--include={','.join(packages)}"
        argv = (str(debootstrap), "--variant=minbase", included, SUITE, str(root), _MIRROR)
        Command(argv, timeout=_BUILD_TIMEOUT, fix="run as root").run()
        archive = Path(name) / "root.tar"
        Command(("tar", "-C", str(root), "-cf", str(archive), "."), timeout=300).run()
        given = [word for change in changes for word in ("--change", change)]
        docker.docker("import", *given, str(archive), tag, timeout=300)
