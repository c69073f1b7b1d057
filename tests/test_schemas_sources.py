"""Where schemas come from: mirrors, Go modules, releases, and the lock file that holds them."""

from __future__ import annotations

import json
from dataclasses import replace
from hashlib import sha256
from typing import TYPE_CHECKING, Any

import pytest
import yaml
from click.testing import CliRunner

from groundplan.cli.schemas import command
from groundplan.errors import UsageError
from groundplan.schemas import (
    KindId,
    LeftOut,
    Missing,
    Schema,
    SchemaStore,
    cache,
    default_charts,
    default_store,
    downloads,
    fetch,
    gomodules,
    kubernetes,
    lock,
    sources,
)
from groundplan.schemas.compilation import Brought, digest
from groundplan.schemas.crd import definition
from groundplan.schemas.mirror import Mirror
from groundplan.schemas.relock import relock
from groundplan.schemas.store import HINT
from tests.schema_sources import SWAGGER, crd, mirror, write_mirror

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

__all__ = ["mirror"]

MODULE = gomodules.Module("example.com/Some/thing", "v1.0.0")
THING = crd(size={"type": "integer"})


def locked(**fields: Any) -> lock.LockedComponent:
    """The lock of a component whose CRD is `THING`."""
    found = definition(THING)
    assert found is not None
    entry = lock.LockedComponent(
        name="thing",
        version="v1",
        license="Apache-2.0",
        sha256=digest([found]),
        kinds=("example.com/Thing",),
        module=None,
        url="",
    )
    return replace(entry, **fields)


def write_lock(folder: Path, *components: lock.LockedComponent, **rest: Any) -> Path:
    """Write a lock file."""
    entries = {
        one.name: {
            "version": one.version,
            "license": one.license,
            "sha256": one.sha256,
            "kinds": list(one.kinds),
        }
        for one in components
    }
    path = folder / "lock.yaml"
    content = {"kubernetes": {}, "charts": {}, **rest, "components": entries}
    path.write_text(yaml.safe_dump(content))
    return path


@pytest.fixture(autouse=True)
def no_network(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Nothing that a test forgot to replace reaches out or finds what this machine has."""
    monkeypatch.setenv("GOMODCACHE", str(tmp_path / "modules"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.setenv("PATH", "")
    monkeypatch.delenv("GROUNDPLAN_UPSTREAM", raising=False)
    monkeypatch.setattr(downloads, "get", lambda url: Missing(f"{url} is out of reach"))


@pytest.fixture
def use_lock(monkeypatch: pytest.MonkeyPatch) -> Callable[[Path], None]:
    """Put a lock file in the place of the package's own."""

    def use(path: Path) -> None:
        content = lock.load(path)
        monkeypatch.setattr(lock, "load", lambda: content)

    return use


def module_folder(tmp_path: Path) -> Path:
    """Where the Go module cache has `MODULE`."""
    folder = tmp_path / "modules" / "example.com" / "!some" / "thing@v1.0.0"
    folder.mkdir(parents=True)
    return folder


def test_a_component_is_read_from_a_mirror(tmp_path: Path) -> None:
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}}))
    found = sources.crds(locked(), sources.Sources(folder, network=False))
    assert isinstance(found, Brought)
    assert found.provenance.source == "test of thing"
    assert found.provenance.sha256 == locked().sha256


def test_a_component_is_read_from_a_go_module(tmp_path: Path) -> None:
    (module_folder(tmp_path) / "thing.yaml").write_text(
        yaml.safe_dump_all([{"kind": "Namespace"}, THING])
    )
    module = lock.ModuleFiles(MODULE, "*.yaml")
    found = sources.crds(locked(module=module), sources.Sources(None, network=False))
    assert isinstance(found, Brought)
    assert found.provenance.source == "Go module example.com/Some/thing@v1.0.0"


def test_a_component_is_read_from_a_release(monkeypatch: pytest.MonkeyPatch) -> None:
    items = {"apiVersion": "v1", "kind": "List", "items": [THING]}
    monkeypatch.setattr(downloads, "get", lambda _: yaml.safe_dump(items).encode())
    found = sources.crds(locked(url="https://example.com/x"), sources.Sources(None, network=True))
    assert isinstance(found, Brought)
    assert found.provenance.source == "https://example.com/x"


def test_layout_and_prose_do_not_change_the_hash() -> None:
    wordy = json.loads(json.dumps(THING))
    wordy["status"] = {"storedVersions": ["v1"]}
    wordy["metadata"]["creationTimestamp"] = None
    schema = wordy["spec"]["versions"][0]["schema"]["openAPIV3Schema"]
    schema["properties"]["spec"]["properties"]["size"]["description"] = "Other prose."
    found = definition(wordy)
    assert found is not None
    assert digest([found]) == locked().sha256


@pytest.mark.parametrize("content", [crd(size={"type": "string"}), crd(kind="Other")])
def test_what_differs_from_the_lock_is_refused_and_the_next_source_tried(
    tmp_path: Path, content: dict[str, Any]
) -> None:
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [content]}}))
    module = lock.ModuleFiles(MODULE, "*.yaml")
    component = locked(module=module, url="https://example.com/x")
    assert sources.crds(component, sources.Sources(folder, network=False)) == LeftOut(
        "thing",
        "test of thing differs from the lock file and is refused; "
        "Go module example.com/Some/thing@v1.0.0 is not in the module cache; "
        "https://example.com/x was not tried: offline",
        ("example.com/Thing",),
    )
    (module_folder(tmp_path) / "thing.yaml").write_text(yaml.safe_dump(THING))
    assert isinstance(sources.crds(component, sources.Sources(folder, network=False)), Brought)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (b"a: [", "https://example.com/x is not YAML: "),
        (b"a: 1", "https://example.com/x has no CRDs"),
        (Missing("no route"), "no route"),
    ],
)
def test_a_release_that_cannot_be_used_is_named(
    monkeypatch: pytest.MonkeyPatch, text: Any, reason: str
) -> None:
    monkeypatch.setattr(downloads, "get", lambda _: text)
    found = sources.crds(locked(url="https://example.com/x"), sources.Sources(None, network=True))
    assert isinstance(found, LeftOut)
    assert found.reason.startswith(reason)


def test_only_https_is_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    missing = downloads.get("http://example.com/x")
    assert missing == Missing("http://example.com/x was not tried: only https is")


def test_without_go_a_module_that_is_not_cached_is_a_reason() -> None:
    assert gomodules.folder(MODULE, download=True) == Missing(
        "Go module example.com/Some/thing@v1.0.0 was not tried: go was not found; "
        "install Go, https://go.dev/dl/"
    )


@pytest.mark.parametrize(
    ("said", "reason"),
    [
        ('{"Error": "not found:\\n  nowhere"}', "cannot be downloaded: not found: nowhere"),
        ("no JSON", "cannot be downloaded: "),
    ],
)
def test_what_go_says_is_passed_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, reason: str
) -> None:
    go = tmp_path / "bin" / "go"
    go.parent.mkdir()
    go.write_text(
        "#!/bin/sh\n"
        'if [ "$1" = version ]; then echo "go version go1.99.0 linux/amd64"; exit; fi\n'
        f"printf '%s' '{said}'\nexit 1\n"
    )
    go.chmod(0o755)
    monkeypatch.setenv("PATH", str(go.parent))
    found = gomodules.folder(MODULE, download=True)
    assert isinstance(found, Missing)
    assert reason in found.reason


def test_the_openapi_document_is_held_to_its_hash(tmp_path: Path) -> None:
    document = tmp_path / "modules" / "k8s.io" / "kubernetes@v1.0.0" / kubernetes.DOCUMENT
    document.parent.mkdir(parents=True)
    document.write_text(json.dumps(SWAGGER))
    right = lock.LockedRelease("1.0", "v1.0.0", sha256(document.read_bytes()).hexdigest())
    assert "definitions.json" in kubernetes.documents(right, network=False)
    wrong = kubernetes.documents(replace(right, sha256="0" * 64), network=False)
    assert isinstance(wrong, Missing)
    assert "k8s.io/kubernetes@v1.0.0 differs from the lock file and is refused" in wrong.reason


def test_what_is_fetched_is_found_by_the_commands(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked(), locked(name="absent", kinds=())))
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}}))
    left = fetch.fetch(cache.folder(), sources.Sources(folder, network=False), ["1.37"])
    assert [one.component for one in left] == ["kubernetes 1.37", "absent"]
    store = default_store("1.37")
    assert isinstance(store.lookup("example.com", "v1", "Thing"), Schema)
    assert [one.component for one in store.left_out] == ["kubernetes", "absent"]


def test_a_package_leaves_out_what_its_licence_forbids(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked(license="AGPL-3.0")))
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}}))
    (left,) = fetch.fetch(tmp_path / "out", sources.Sources(folder), [], bundle=True)
    assert left.component == "thing"
    assert left.reason == "its licence (AGPL-3.0) keeps it out of the package"
    store = SchemaStore.open(
        "1.37", core=Missing("not needed"), crds=[tmp_path / "out" / fetch.CRDS]
    )
    assert store.lookup("example.com", "v1", "Thing") == Missing(
        f"Thing belongs to thing: {left.reason}; {HINT}"
    )
    assert fetch.fetch(tmp_path / "out", sources.Sources(folder), []) == ()


def test_fetching_twice_gives_the_same_bytes(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked()))
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}}))
    written = []
    for name in ("one", "two"):
        fetch.fetch(tmp_path / name, sources.Sources(folder), [])
        written.append([path.read_bytes() for path in sorted((tmp_path / name).iterdir())])
    assert written[0] == written[1]


def test_a_mirror_is_compiled_once_and_again_when_it_changes(tmp_path: Path) -> None:
    folder = write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}})
    assert isinstance(default_store("1.37", folder).lookup("example.com", "v1", "Thing"), Schema)
    compiled = {path: path.stat().st_mtime_ns for path in cache.folder().glob("mirror-*/*")}
    default_store("1.37", folder)
    assert compiled == {p: p.stat().st_mtime_ns for p in cache.folder().glob("mirror-*/*")}
    write_mirror(folder, {"thing": {"crds": [THING, crd(kind="Another")]}})
    store = default_store("1.37", folder)
    assert isinstance(store.lookup("example.com", "v1", "Another"), Schema)


def test_a_mirror_may_be_named_by_the_environment(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}})
    monkeypatch.setenv("GROUNDPLAN_UPSTREAM", str(folder))
    assert KindId("example.com", "v1", "Thing") in default_store("1.37").kinds()


def test_what_is_pinned_wins_over_another_version_in_a_mirror(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked()))
    right = Mirror(write_mirror(tmp_path / "right", {"thing": {"crds": [THING]}}))
    fetch.fetch(cache.folder(), sources.Sources(right), [])
    newer = {"crds": [crd(colour={"type": "string"}), crd(kind="Extra")], "version": "v2"}
    folder = write_mirror(tmp_path / "mirror", {"thing": newer})
    store = default_store("1.37", folder)
    thing, extra = (store.lookup("example.com", "v1", kind) for kind in ("Thing", "Extra"))
    assert isinstance(thing, Schema)
    assert isinstance(extra, Schema)
    assert (thing.provenance.version, extra.provenance.version) == ("v1", "v2")


def test_an_alternative_only_fills_gaps(tmp_path: Path) -> None:
    components = {
        "channel": {
            "crds": [crd(wide={"type": "integer"}), crd(kind="Extra")],
            "alternative": True,
        },
        "thing": {"crds": [THING]},
    }
    store = default_store("1.37", write_mirror(tmp_path / "mirror", components))
    sources_of = {
        kind: found.provenance.component
        for kind in ("Thing", "Extra")
        if isinstance(found := store.lookup("example.com", "v1", kind), Schema)
    }
    assert sources_of == {"Thing": "thing", "Extra": "channel"}


@pytest.mark.parametrize(
    ("index", "id"),
    [(None, "schemas.no-mirror"), ("a: [", "schemas.no-mirror"), ("a: 1", "schemas.no-mirror")],
)
def test_a_folder_that_is_no_mirror_is_an_error(tmp_path: Path, index: str | None, id: str) -> None:
    if index is not None:
        (tmp_path / "index.yaml").write_text(index)
    with pytest.raises(UsageError) as raised:
        default_store("1.37", tmp_path)
    assert raised.value.id == id


def test_a_broken_file_in_a_mirror_is_an_error_that_names_it(tmp_path: Path) -> None:
    folder = write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}})
    (folder / "thing" / "crds" / "0.yaml").write_text("a: [")
    with pytest.raises(UsageError) as raised:
        default_store("1.37", folder)
    assert raised.value.id == "schemas.bad-mirror"
    assert raised.value.where.endswith("0.yaml")


def test_an_unsupported_kubernetes_is_named(tmp_path: Path) -> None:
    store = default_store("1.12", write_mirror(tmp_path / "mirror", {"a": {"crds": [THING]}}))
    missing = store.lookup("apps", "v1", "Deployment")
    assert isinstance(missing, Missing)
    assert missing.reason.startswith("Kubernetes 1.12 is not supported, only 1.35, 1.36, 1.37")


def test_with_nothing_at_hand_every_reason_is_told() -> None:
    store = default_store("1.37")
    assert store.kinds() == ()
    left = {one.component: one.reason for one in store.left_out}
    assert left["kubernetes"].endswith("`groundplan schemas fetch` gets it")
    assert set(left) == {"kubernetes", *lock.load().components}
    assert {one.component for one in default_charts().left_out} == {
        f"chart {one.name}" for one in lock.load().charts
    }


def test_the_command_lists_what_is_there_and_what_is_not(tmp_path: Path) -> None:
    folder = write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING], "license": "MIT"}})
    done = CliRunner().invoke(command, ["--schemas", str(folder)], standalone_mode=False)
    assert done.return_value == 0
    line = next(line for line in done.output.splitlines() if "thing" in line)
    assert line.split() == ["thing", "v1", "MIT", locked().sha256[:12], "test", "of", "thing"]
    assert "  kubernetes: Go module k8s.io/kubernetes@v1.37.2 is not in the module" in done.output


def test_the_command_fetches_and_names_what_it_cannot(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked(), locked(name="absent")))
    folder = write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}})
    asked = ["fetch", "--schemas", str(folder), "--offline"]
    done = CliRunner().invoke(command, asked, standalone_mode=False)
    assert done.return_value == 0
    assert done.output.splitlines()[0].startswith("1 of 2 are in ")
    assert "  absent: the mirror folder has no CRDs of absent" in done.output.splitlines()


def test_fetching_nothing_at_all_is_not_a_success(
    tmp_path: Path, use_lock: Callable[[Path], None]
) -> None:
    use_lock(write_lock(tmp_path, locked()))
    done = CliRunner().invoke(command, ["fetch", "--offline"], standalone_mode=False)
    assert done.return_value == 3


def test_the_mirror_agrees_with_the_lock(mirror: Path) -> None:
    upstream = Mirror(mirror)
    for component in lock.load().components.values():
        found = upstream.crds(component.name)
        if found is None or found.provenance.version != component.version:
            continue
        assert found.provenance.sha256 == component.sha256, component.name
        kinds = {f"{one.group}/{one.kind}" for one in found.definitions}
        assert kinds == set(component.kinds), component.name
    for chart in lock.load().charts:
        files = upstream.chart(chart.component, chart.folder)
        assert files is not None
        assert files.sha256 == chart.sha256, chart.name


def test_the_lock_is_renewed_from_what_can_be_had(tmp_path: Path) -> None:
    path = write_lock(tmp_path, locked(sha256="old", kinds=()), locked(name="absent", sha256="old"))
    path.write_text("# What this is.\n" + path.read_text())
    folder = Mirror(write_mirror(tmp_path / "mirror", {"thing": {"crds": [THING]}}))
    left = relock(path, sources.Sources(folder, network=False))
    assert [one.component for one in left] == ["absent"]
    assert path.read_text().startswith("# What this is.\ncharts: {}\n")
    renewed = yaml.safe_load(path.read_text())["components"]
    assert renewed["thing"]["sha256"] == locked().sha256
    assert renewed["thing"]["kinds"] == ["example.com/Thing"]
    assert renewed["absent"]["sha256"] == "old"
