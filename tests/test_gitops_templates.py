"""Templates and substitution against what Go makes of them, recorded with its own libraries."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from groundplan.gitops import substitution
from groundplan.gitops.envsubst import SubstitutionError, substitute
from groundplan.gitops.gotemplate import TemplateError, UnknownError, render
from groundplan.gitops.templating import Templating
from groundplan.resources import Origin, Resource

CORPUS = Path(__file__).parent / "corpus"
TEMPLATES = json.loads((CORPUS / "go-templates.json").read_text("utf-8"))
SUBSTITUTIONS = json.loads((CORPUS / "flux-substitution.json").read_text("utf-8"))


def ours(kind: str, text: str) -> str | None:
    """The result; None where the text is refused."""
    facts = TEMPLATES["provenance"]
    try:
        if kind == "env":
            return substitute(text, facts["variables"]).text
        return render(text, facts["data"], strict=kind == "strict")
    except (SubstitutionError, TemplateError):
        return None


@pytest.mark.parametrize(("kind", "text", "expected"), TEMPLATES["cases"])
def test_gives_what_go_gives(kind: str, text: str, expected: str | None) -> None:
    assert ours(kind, text) == expected


def typed(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: typed(item) for key, item in value.items()}
    if isinstance(value, list):
        return [typed(item) for item in value]
    return type(value).__name__, value


@pytest.mark.parametrize(("body", "expected"), SUBSTITUTIONS["cases"])
def test_substitutes_objects_as_flux_does(body: Any, expected: Any) -> None:
    variables = substitution.Variables(SUBSTITUTIONS["variables"])
    try:
        found = substitution.apply(Resource.of(body, Origin("a.yaml")), variables).resource.body
    except SubstitutionError:
        found = None
    assert typed(found) == typed(expected)


def test_missing_variables_are_named_unless_a_default_stands_in() -> None:
    found = substitute("${A} ${B:=b} ${C^^} ${D:-}", {})
    assert found.text == " b  "
    assert found.missing == {"A", "C"}


def test_an_unknown_function_is_not_the_template_s_fault() -> None:
    with pytest.raises(UnknownError, match="genCA"):
        render('{{ genCA "x" 1 }}', {})


def test_the_older_templates_leave_unknown_tags_as_they_are() -> None:
    parameters = {"name": "a", "values.size": "3"}
    text = "{{name}}-{{ values.size }}-{{other}}"
    assert Templating(go=False).text(text, parameters) == "a-3-{{other}}"


def test_argo_cd_s_names_fit_kubernetes() -> None:
    assert render('{{ normalize "Feature/A_b" }} {{ slugify 8 "Hello World" }}', {}) == (
        "feature-a-b hello-wo"
    )
