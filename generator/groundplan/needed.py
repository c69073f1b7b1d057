"""The charts, images and definitions that clusters pull to become what a repository says."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from groundplan.charts import merged
from groundplan.gitops.scene import dig, is_mirror, maps, same_repository
from groundplan.schemas import Missing

if TYPE_CHECKING:
    from collections.abc import Iterable

    from groundplan.catalogue import Pulled
    from groundplan.charts import Installation
    from groundplan.gitops.model import Unit
    from groundplan.repository import Repository
    from groundplan.schemas import ChartDefaults

_OPERATOR = "fluxcd.controlplane.io"
_OF_IMAGES = {"tag", "digest", "pullPolicy", "imagePullPolicy"}
"""Values that stand beside an image's name and nowhere else."""
_PULLED = ("initContainers", "containers", "ephemeralContainers")
_SCHEME = re.compile("^[a-z]+://")
_REGISTRY = re.compile("[^/]*[.:][^/]*/|localhost/")
"""How an image's name begins when it says its registry."""


@dataclass(frozen=True, slots=True, order=True)
class Needed:
    """Something that a mirror must have."""

    kind: str
    """`chart`, `image`, `artifact` or `git`."""
    source: str
    """The address where it is published, without the version."""
    version: str
    """A tag, a version or a digest; a tag with a digest as `TAG@DIGEST`."""
    by: tuple[str, ...]
    """What needs it: charts, objects or units."""
    target: str = ""
    """Where clusters ask for it, without the version; empty when nothing moves it."""
    paths: tuple[str, ...] = ()
    """The folders of it that are needed; none for charts and images, which are needed whole."""


@dataclass(frozen=True, slots=True, order=True)
class Unknown:
    """Something that is needed too and that the files do not name."""

    subject: str
    reason: str


@dataclass(frozen=True, slots=True)
class Needs:
    """Everything that a repository's clusters pull."""

    found: tuple[Needed, ...]
    unknown: tuple[Unknown, ...]


def needs(
    repository: Repository, pulled: Iterable[Pulled] = (), published: Iterable[str] = ()
) -> Needs:
    """Collect what every cluster of a repository pulls, each thing once.

    The repositories that teams deliver from are the organisation's own and are left out.

    What a chart runs is taken from what is known of it; what the repository's own values say of
    images counts more. Images of other charts are read from the values that they are given, laid
    over the chart's defaults. A chart's templates are not rendered: where they choose a tag and
    nobody has noted which, the image is unknown.

    Args:
        repository: Whose clusters pull; its answers say which registry they ask, if not the usual.
        pulled: What is known of charts, and of Flux.
        published: Git repositories whose definitions a registry may have as artifacts.
    """
    answers = repository.answers or {}
    own = tuple(str(team.get("repository") or "") for team in maps(answers, "teams"))
    known = {(each.name, each.version): each for each in pulled}
    said = [
        *_of_units((unit for c in repository.clusters for unit in c.units), known, own),
        *(each for one in repository.installations for each in _of_chart(one, known)),
    ]
    unknown = {each for each in said if isinstance(each, Unknown)}
    found = (each for each in said if isinstance(each, Needed))
    mirror = str(answers.get("registry_mirror") or "")
    charts = tuple(f"{one.repository}/{one.name}" for one in known.values() if one.repository)
    return Needs(tuple(_once(found, mirror, charts, tuple(published))), tuple(sorted(unknown)))


def _once(
    found: Iterable[Needed], mirror: str, charts: Iterable[str], repositories: Iterable[str]
) -> list[Needed]:
    """Name each thing by where it is published, with all that need it."""
    merged: dict[Needed, tuple[set[str], set[str]]] = {}
    for each in found:
        thing = _published(replace(each, by=(), paths=()), mirror, charts, repositories)
        by, paths = merged.setdefault(thing, (set(), set()))
        by.update(each.by)
        paths.update(each.paths)
    return sorted(
        replace(thing, by=tuple(sorted(by)), paths=tuple(sorted(paths)))
        for thing, (by, paths) in merged.items()
    )


def _published(
    each: Needed, mirror: str, charts: Iterable[str], repositories: Iterable[str]
) -> Needed:
    """Tell where something is published from where clusters ask for it."""
    if not mirror or each.kind == "git":
        return each
    address = _SCHEME.sub("", each.source)
    usual = address.removeprefix(f"{mirror}/")
    is_there = address.partition("/")[0] == mirror.partition("/")[0]
    target = address if is_there else f"{mirror}/{_whole(address)}"
    source = usual if is_there and _REGISTRY.match(usual) else address
    if each.kind == "image":
        return replace(each, source=source, target=target)
    target = f"oci://{target}"
    if repository := next((one for one in repositories if is_mirror(source, one)), ""):
        return replace(each, kind="git", source=repository, target=target)
    source = next((chart for chart in charts if is_mirror(source, chart)), f"oci://{source}")
    return replace(each, source=source, target=target)


def _whole(name: str) -> str:
    """A name with its registry, which is Docker Hub's where it has none."""
    if _REGISTRY.match(name):
        return name
    return f"docker.io/{name}" if "/" in name else f"docker.io/library/{name}"


_Known = Mapping[tuple[str, str], "Pulled"]


def _of_units(
    units: Iterable[Unit], known: _Known, own: Iterable[str]
) -> Iterator[Needed | Unknown]:
    for unit in units:
        for problem in unit.problems:
            if place := problem.elsewhere:
                if any(same_repository(team, place.repository) for team in own):
                    continue
                kind = "artifact" if place.repository.startswith("oci://") else "git"
                paths = (place.path,) if place.path else ()
                by = (str(unit.id),)
                yield Needed(kind, place.repository, place.revision, by, paths=paths)
            elif not problem.evaluated:
                yield Unknown(str(unit.id), problem.message)
        for resource in unit.resources:
            for image in _images(resource.body):
                yield _image(image, str(resource.id))
            if (resource.id.group, resource.id.kind) == (_OPERATOR, "FluxInstance"):
                yield from _of_flux(resource.body, str(resource.id), known)


def _images(body: Any) -> Iterator[str]:
    """Walk the images of every pod template in an object."""
    if isinstance(body, Mapping):
        for field in _PULLED:
            yield from (str(c["image"]) for c in maps(body, field) if c.get("image"))
        for value in body.values():
            yield from _images(value)
    elif isinstance(body, list):
        for item in body:
            yield from _images(item)


def _image(reference: str, by: str) -> Needed:
    name, version = _parted(reference)
    return Needed("image", name, version or "latest", (by,))


def _parted(reference: str) -> tuple[str, str]:
    """The name of an image, and its tag, its digest, both or neither."""
    name, _, digest = reference.partition("@")
    bare, colon, tag = name.rpartition(":")
    if not colon or "/" in tag:
        return name, digest
    return bare, f"{tag}@{digest}" if digest else tag


def _of_flux(instance: Mapping[str, Any], by: str, known: _Known) -> Iterator[Needed | Unknown]:
    """The distribution's manifests and the controllers that they run."""
    distribution = dig(instance, "spec", "distribution", default={})
    version = str(distribution.get("version", ""))
    if artifact := distribution.get("artifact"):
        yield Needed("artifact", str(artifact), "latest", (by,))
    flux = known.get(("flux", version))
    tags = dict(_parted(image) for image in flux.images) if flux else {}
    tags = {name.rpartition("/")[2]: tag for name, tag in tags.items()}
    for controller in dig(instance, "spec", "components", default=[]):
        image = f"{distribution.get('registry')}/{controller}"
        if tag := tags.get(controller):
            yield Needed("image", image, tag, (by,))
        else:
            yield Unknown(f"image {image}", f"the manifests of Flux {version} name its tag")


def _of_chart(installation: Installation, known: _Known) -> Iterator[Needed | Unknown]:
    release, defaults = installation.release, installation.chart
    by = f"chart {release.chart} {release.version}"
    yield Needed("chart", f"{release.repository}/{release.chart}", release.version, (by,))
    given: dict[str, Any] = {}
    for layer in release.values:
        given = merged(given, layer.body)
    noted = known.get((release.chart, release.version))
    if noted:
        yield from _of_noted(noted, _said_more(defaults, given, by), by)
    elif isinstance(defaults, Missing):
        yield Unknown(by, defaults.reason)
    else:
        parts = tuple(_of_values(defaults, given, by))
        yield from map(_needed, parts)
        if not parts:
            yield Unknown(by, "its values name no image")


@dataclass(frozen=True, slots=True)
class _Part:
    """What values say of one image."""

    name: str
    version: str
    """Empty when the chart's templates choose it, or the registry."""
    by: str
    why: str
    """Why nothing more is known of it."""


def _needed(part: _Part) -> Needed | Unknown:
    if part.version:
        return Needed("image", part.name, part.version, (part.by,))
    subject = f"image {part.name} of {part.by}".replace("  ", " ")
    return Unknown(subject, part.why)


def _of_noted(noted: Pulled, more: Iterable[_Part], by: str) -> Iterator[Needed | Unknown]:
    """What is known of a chart, and what the values that it is given say besides."""
    more = tuple(more)
    images = dict(_parted(image) for image in noted.images)
    chosen = {part.name for part in more if part.version}
    for name, version in images.items():
        if version and name not in chosen:
            yield Needed("image", name, version, (by,))
        elif name not in chosen:
            yield Unknown(
                f"image {name} of {by}", "the chart chooses its tag, and which is not noted"
            )
    yield from (_needed(part) for part in more if part.version or part.name not in images)


def _said_more(
    chart: ChartDefaults | Missing, given: Mapping[str, Any], by: str
) -> Iterator[_Part]:
    """What values say of images that a chart's own do not."""
    if isinstance(chart, Missing):
        yield from _named(given, by, "")
        return
    usual = set(_of_values(chart, {}, by))
    yield from (part for part in _of_values(chart, given, by) if part not in usual)


def _of_values(
    chart: ChartDefaults | Missing, given: Mapping[str, Any], by: str
) -> Iterator[_Part]:
    if isinstance(chart, Missing):
        yield _Part("", "", by, chart.reason)
        return
    values = merged(chart.values, given)
    inner = {key for key in chart.dependencies if isinstance(values.get(key, {}), Mapping)}
    own = {key: value for key, value in values.items() if key not in inner}
    yield from _named(own, by, "")
    for key in sorted(inner):
        below = values.get(key) or {}
        if below.get("enabled") is not False:
            yield from _of_values(chart.dependencies[key], below, f"{by}, its {key}")


def _named(values: Any, by: str, place: str) -> Iterator[_Part]:
    """Walk values for what charts call images: a repository with a tag, or a whole reference."""
    if isinstance(values, list):
        for index, item in enumerate(values):
            yield from _named(item, by, f"{place}/{index}")
    if not isinstance(values, Mapping) or values.get("enabled") is False:
        return
    image = values.get("image")
    if isinstance(image, str) and ":" in image and "$" not in image:
        yield _Part(*_parted(image), by, "")
    elif isinstance(image, str) or values.keys() & _OF_IMAGES:
        yield from _in_parts(values, by, place or "/")
    for key, value in values.items():
        yield from _named(value, by, f"{place}/{key}")


def _in_parts(values: Mapping[str, Any], by: str, place: str) -> Iterator[_Part]:
    """Read an image whose registry, repository and tag are values of their own."""
    names = [values[key] for key in ("repository", "image", "name") if key in values]
    if not all(isinstance(name, str) for name in names) or not names:
        return
    registry = str(values.get("registry") or "")
    name = next((name for name in names if name), "")
    tag = values.get("digest") or values.get("sha") or values.get("tag")
    whole = f"{registry}/{name}" if registry and name else name
    known = str(tag) if tag and name is names[0] else ""
    yield _Part(whole, known, by, f"templates complete it ({place})")
