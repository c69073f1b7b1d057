"""The entities for Backstage name each other, and name everything once."""

from __future__ import annotations

import re

import pytest

from tests.rendering import CLUSTERS, ENGINES, TEAMS, parsed, rendered


@pytest.mark.parametrize("engine", ENGINES)
def test_every_reference_leads_to_an_entity(engine: str) -> None:
    tree = rendered(engine, "enterprise", ("kind", "eks"))
    entities = parsed(tree, "catalog-info.yaml")
    known = [f"{e['kind'].lower()}:default/{e['metadata']['name']}" for e in entities]

    assert len(set(known)) == len(known)
    for entity in entities:
        name, spec = entity["metadata"]["name"], entity["spec"]
        assert re.fullmatch(r"[a-zA-Z0-9][-a-zA-Z0-9_.]{0,62}", name), name
        references = [*spec.get("dependsOn", ())]
        references += [spec["owner"]] if entity["kind"] != "Group" else []
        references += [f"system:default/{spec['system']}"] if "system" in spec else []
        assert set(references) <= set(known), (name, references)


@pytest.mark.parametrize("engine", ENGINES)
def test_the_catalogue_has_every_component_cluster_and_team(engine: str) -> None:
    tree = rendered(engine, "enterprise", ("kind", "eks"))
    named = {(e["kind"], e["metadata"]["name"]) for e in parsed(tree, "catalog-info.yaml")}
    folders = {p.split("/")[-2] for p in tree.files if re.search(r"components/[^/]+/README.md$", p)}

    assert {name for kind, name in named if kind == "Component"} >= folders
    assert {f"cluster-{CLUSTERS[place]['name']}" for place in ("kind", "eks")} == {
        name for kind, name in named if kind == "Resource"
    }
    assert {("System", team["name"]) for team in TEAMS} <= named
    assert "catalog-info.yaml" not in rendered(engine, "growing").files
