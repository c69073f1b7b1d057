"""Where each outside program can be had: the typed form of `recipes.yaml`."""

from __future__ import annotations

import platform
import sys
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from groundplan import documents
from groundplan.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

_ARCHITECTURES = {"x86_64": "amd64", "amd64": "amd64", "aarch64": "arm64", "arm64": "arm64"}


@dataclass(frozen=True, slots=True)
class Go:
    """The Go tool chain as a wheel."""

    minimum: str
    """Minor version of the oldest Go that builds everything here."""
    wheel: str
    version: str
    sha256: tuple[str, ...]
    """Of the wheel, for each platform."""


@dataclass(frozen=True, slots=True)
class Kubernetes:
    """One minor version and what is built with it."""

    version: str
    etcd: str
    go_sum: tuple[str, str]
    """Checksums of the module's content and of its go.mod."""


@dataclass(frozen=True, slots=True)
class Module:
    """A Go module that programs are built from in a module of our own."""

    path: str
    version: str
    go_sum: tuple[str, str]
    """Checksums of its content and of its go.mod."""
    stamps: tuple[tuple[str, str], ...] = ()
    """Variables that the linker sets."""
    tags: tuple[str, ...] = ()
    """Build tags."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How one program is found and had. Addresses are filled in; empty where there is none."""

    name: str
    version: str
    """What is installed when none is found; empty for what is never installed."""
    purpose: str
    version_command: tuple[str, ...]
    fix: str
    release: str
    checksums: str
    member: str
    """The program's path in the release archive; empty when the release is the program."""
    module: str
    """For `go install`."""
    package: str
    """For a build in a module of our own."""
    source: Module | None
    """The module that such a build requires."""
    assets: bool
    """Whether KUBEBUILDER_ASSETS is a folder of such programs."""
    same_minor: bool
    """Whether one of another minor version is taken only where there is no other."""
    ours: bool
    """Whether it is taken only as groundplan got it."""
    required: bool
    """Whether `new` and `check` do not work without it."""


def recipe(name: str, kubernetes: str = "") -> Recipe:
    """Return how to get a program, for a Kubernetes minor version or the newest."""
    line: Mapping[str, Any] = {**_data()["tools"], **_data()["node"]}[name]
    release = kubernetes_release(kubernetes)
    version = line.get("version", "")
    if "kubernetes_package" in line:
        version = release.etcd if name == "etcd" else release.version
    system, architecture = host()
    places = {"version": version, "os": system, "arch": architecture}
    return Recipe(
        name=name,
        version=str(version),
        purpose=line.get("purpose", "the image of kind's nodes"),
        version_command=tuple(line["version_command"]),
        fix=line.get("fix", f"put {name} in PATH; groundplan gets {version} itself when needed"),
        release=line.get("release", "").format(**places),
        checksums=line.get("checksums", "").format(**places),
        member=line.get("member", "").format(**places),
        module=line.get("module", "").format(**places),
        package=line.get("kubernetes_package") or line.get("package", ""),
        source=_source(line, release),
        assets=line.get("assets", False),
        same_minor=line.get("same_minor", False),
        ours=name in _data()["node"],
        required=line.get("required", False),
    )


def _source(line: Mapping[str, Any], kubernetes: Kubernetes) -> Module | None:
    """Which module a program is built from, when it is not had by `go install`."""
    if "kubernetes_package" in line:
        version = f"v{kubernetes.version}"
        _, minor, _ = kubernetes.version.split(".")
        said = {"gitVersion": version, "gitMajor": "1", "gitMinor": minor, "gitTreeState": "clean"}
        stamps = tuple((f"k8s.io/component-base/version.{key}", text) for key, text in said.items())
        return Module("k8s.io/kubernetes", kubernetes.version, kubernetes.go_sum, stamps)
    if "package" not in line:
        return None
    content, own = line["go.sum"]
    stamps = tuple((name, line["version"]) for name in line.get("stamps", ()))
    tags = tuple(line.get("tags", ()))
    return Module(line["package_of"], line["version"], (content, own), stamps, tags)


def names() -> tuple[str, ...]:
    """Every program that groundplan may use from this machine."""
    return tuple(_data()["tools"])


def node_names() -> tuple[str, ...]:
    """The programs that a node image of our own is made of, beside `names`."""
    return tuple(_data()["node"])


def kubernetes_release(minor: str = "") -> Kubernetes:
    """Return the patch release of a minor version, or of the newest.

    Raises:
        UsageError: `toolchain.kubernetes` for a version that nothing is known about.
    """
    known: Mapping[str, Any] = _data()["kubernetes"]
    line = known.get(minor or list(known)[-1])
    if line is None:
        raise UsageError(
            "toolchain.kubernetes",
            f"Kubernetes {minor} is not known",
            fix=f"use one of {', '.join(known)}",
        )
    return Kubernetes(line["version"], line["etcd"], (line["go.sum"][0], line["go.sum"][1]))


def go() -> Go:
    """Return which Go builds are made with."""
    line: Mapping[str, Any] = _data()["go"]
    return Go(line["minimum"], line["wheel"], line["version"], tuple(line["sha256"]))


def host() -> tuple[str, str]:
    """Name this machine's system and architecture as Go does."""
    system = "darwin" if sys.platform == "darwin" else "linux"
    machine = platform.machine().lower()
    return system, _ARCHITECTURES.get(machine, machine)


@cache
def _data() -> Mapping[str, Any]:
    text = files(__package__).joinpath("recipes.yaml").read_text("utf-8")
    data: Mapping[str, Any] = documents.load(text)
    return data
