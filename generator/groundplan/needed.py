"""The charts, images and Git sources that clusters pull to become what a repository says."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from groundplan.charts import merged
from groundplan.gitops.scene import dig, maps
from groundplan.schemas import Missing

if TYPE_CHECKING:
    from groundplan.charts import Installation
    from groundplan.gitops.model import Unit
    from groundplan.repository import Repository
    from groundplan.schemas import ChartDefaults

_OPERATOR = "fluxcd.controlplane.io"
_OF_IMAGES = {"tag", "digest", "pullPolicy", "imagePullPolicy"}
"""Values that stand beside an image's name and nowhere else."""
_PULLED = ("initContainers", "containers", "ephemeralContainers")


@dataclass(frozen=True, slots=True, order=True)
class Needed:
    """Something that a mirror must have."""

    kind: str
    """`chart`, `image`, `artifact` or `git`."""
    name: str
    """The address, without the version."""
    version: str
    """A tag, a version or a digest."""
    by: str
    """What needs it: a chart, an object or a unit."""


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


def needs(repository: Repository) -> Needs:
    """Collect what every cluster of a repository pulls.

    Images of charts are read from the values that they are given, laid over the chart's defaults. A
    chart's templates are not rendered: where they choose a tag, the image is unknown.
    """
    said = [
        *_of_units(unit for cluster in repository.clusters for unit in cluster.units),
        *(each for installation in repository.installations for each in _of_chart(installation)),
    ]
    found = {each for each in said if isinstance(each, Needed)}
    unknown = {each for each in said if isinstance(each, Unknown)}
    return Needs(tuple(sorted(found)), tuple(sorted(unknown)))


def _of_units(units: Iterator[Unit]) -> Iterator[Needed | Unknown]:
    for unit in units:
        for problem in unit.problems:
            if problem.elsewhere is not None:
                place = problem.elsewhere
                yield Needed("git", place.repository, place.revision, str(unit.id))
            elif not problem.evaluated:
                yield Unknown(str(unit.id), problem.message)
        for resource in unit.resources:
            for image in _images(resource.body):
                yield _image(image, str(resource.id))
            if (resource.id.group, resource.id.kind) == (_OPERATOR, "FluxInstance"):
                yield from _of_flux(resource.body, str(resource.id))


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
    name, at, digest = reference.partition("@")
    bare, colon, tag = name.rpartition(":")
    if colon and "/" not in tag:
        return Needed("image", bare, digest if at else tag, by)
    return Needed("image", name, digest if at else "latest", by)


def _of_flux(instance: Mapping[str, Any], by: str) -> Iterator[Needed | Unknown]:
    """The distribution's manifests, and what a FluxInstance does not say of its controllers."""
    distribution = dig(instance, "spec", "distribution", default={})
    version = str(distribution.get("version", ""))
    if artifact := distribution.get("artifact"):
        yield Needed("artifact", str(artifact), "latest", by)
    for controller in dig(instance, "spec", "components", default=[]):
        yield Unknown(
            f"image {distribution.get('registry')}/{controller}",
            f"the manifests of Flux {version} name its tag",
        )


def _of_chart(installation: Installation) -> Iterator[Needed | Unknown]:
    release, defaults = installation.release, installation.chart
    by = f"chart {release.chart} {release.version}"
    yield Needed("chart", f"{release.repository}/{release.chart}", release.version, by)
    if isinstance(defaults, Missing):
        yield Unknown(by, defaults.reason)
        return
    given: dict[str, Any] = {}
    for layer in release.values:
        given = merged(given, layer.body)
    images = tuple(_of_values(defaults, given, by))
    yield from images or (Unknown(by, "its values name no image"),)


def _of_values(
    chart: ChartDefaults | Missing, given: Mapping[str, Any], by: str
) -> Iterator[Needed | Unknown]:
    if isinstance(chart, Missing):
        yield Unknown(by, chart.reason)
        return
    values = merged(chart.values, given)
    inner = {key for key in chart.dependencies if isinstance(values.get(key, {}), Mapping)}
    own = {key: value for key, value in values.items() if key not in inner}
    yield from _named(own, by, "")
    for key in sorted(inner):
        below = values.get(key) or {}
        if below.get("enabled") is not False:
            yield from _of_values(chart.dependencies[key], below, f"{by}, its {key}")


def _named(values: Any, by: str, place: str) -> Iterator[Needed | Unknown]:
    """Walk values for what charts call images: a repository with a tag, or a whole reference."""
    if not isinstance(values, Mapping) or values.get("enabled") is False:
        return
    image = values.get("image")
    if isinstance(image, str) and ":" in image and "$" not in image:
        yield _image(image, by)
    elif isinstance(image, str) or values.keys() & _OF_IMAGES:
        yield from _in_parts(values, by, place or "/")
    for key, value in values.items():
        yield from _named(value, by, f"{place}/{key}")


def _in_parts(values: Mapping[str, Any], by: str, place: str) -> Iterator[Needed | Unknown]:
    """Read an image whose registry, repository and tag are values of their own."""
    names = [values[key] for key in ("repository", "image", "name") if key in values]
    if not all(isinstance(name, str) for name in names) or not names:
        return
    registry = str(values.get("registry") or "")
    name = next((name for name in names if name), "")
    tag = values.get("digest") or values.get("sha") or values.get("tag")
    if name and tag and name is names[0]:
        yield Needed("image", f"{registry}/{name}" if registry else name, str(tag), by)
    else:
        yield Unknown(
            f"image {name} of {by}".replace("  ", " "), f"templates complete it ({place})"
        )
