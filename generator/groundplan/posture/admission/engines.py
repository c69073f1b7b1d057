"""The objects of other policy engines: Kyverno's older policies, Gatekeeper, and exceptions."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from groundplan.posture.admission.guards import Guard, Strength, Words, text
from groundplan.posture.admission.matching import Scope
from groundplan.posture.pod_security_checks import items, mapping

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from groundplan.resources import Resource

_ALL = Scope.of({})


def cluster_policy(policy: Resource) -> Iterator[tuple[str, Guard]]:
    """Read each rule of a policy of `kyverno.io`."""
    spec = mapping(policy.body, "spec")
    for index, rule in enumerate(map(mapping, items(spec, "rules"))):
        at = f"/spec/rules/{index}"
        validate = mapping(rule, "validate")
        action = validate.get("failureAction", spec.get("validationFailureAction", "Audit"))
        refuses = str(action).lower() == "enforce"
        overrides = validate.get(
            "failureActionOverrides", spec.get("validationFailureActionOverrides")
        )
        asked = {k: v for k, v in validate.items() if not k.startswith("failureAction")}
        rest = {k: v for k, v in rule.items() if k not in {"name", "validate", "exclude"}}
        yield (
            str(rule.get("name", index)),
            Guard(
                policy,
                Strength.REFUSES if refuses else Strength.REPORTS,
                _ALL,
                at=at,
                acts=at,
                loose=_entries(mapping(rule, "exclude"), f"{at}/exclude"),
                opaque={
                    "what it asks": text({k: v for k, v in asked.items() if k != "message"}),
                    "where it refuses": text(overrides),
                    "the rest of it": text(rest),
                },
            ),
        )


def _entries(exclude: Mapping[str, Any], at: str) -> Words:
    """Read what a rule leaves out; more of `all` leaves out less, so that is one entry."""
    found = {
        f"leaves out {text(entry)}": f"{at}/any/{index}"
        for index, entry in enumerate(items(exclude, "any"))
    }
    rest = {key: exclude[key] for key in exclude if key != "any"}
    return found | ({f"leaves out {text(rest)}": at} if rest else {})


def constraint(written: Resource) -> Guard:
    """Read a constraint of Gatekeeper."""
    spec = mapping(written.body, "spec")
    refuses = spec.get("enforcementAction", "deny") in {"deny", "scoped"}
    loose = _names(mapping(spec, "match"), "excludedNamespaces", "/spec/match")
    loose |= _names(mapping(spec, "parameters"), "exemptImages", "/spec/parameters")
    rest = [
        {k: v for k, v in mapping(spec, "match").items() if k != "excludedNamespaces"},
        {k: v for k, v in mapping(spec, "parameters").items() if k != "exemptImages"},
        spec.get("scopedEnforcementActions"),
    ]
    return Guard(
        written,
        Strength.REFUSES if refuses else Strength.REPORTS,
        _ALL,
        acts="/spec/enforcementAction",
        loose=loose,
        opaque={"what it asks and where": text(rest)},
    )


def constraint_template(written: Resource) -> Guard:
    """Read the code behind constraints of Gatekeeper."""
    opaque = {"its code": text(mapping(written.body, "spec"))}
    return Guard(written, Strength.REFUSES, _ALL, opaque=opaque)


def gatekeeper_config(written: Resource) -> Guard:
    """Read what Gatekeeper leaves out altogether."""
    loose: Words = {}
    for index, match in enumerate(map(mapping, items(mapping(written.body, "spec"), "match"))):
        processes = ", ".join(sorted(map(str, items(match, "processes"))))
        names = _names(match, "excludedNamespaces", f"/spec/match/{index}")
        loose |= {f"{atom} in {processes}": pointer for atom, pointer in names.items()}
    return Guard(written, Strength.NOTHING, _ALL, loose=loose)


def _names(body: Mapping[str, Any], name: str, at: str) -> Words:
    return {f"leaves out {one}": f"{at}/{name}" for one in map(str, items(body, name))}


def exception(written: Resource) -> Guard:
    """Read a PolicyException: it lets through, so what it asks for keeps things out."""
    spec = mapping(written.body, "spec")
    loose: Words = {}
    for reference in map(mapping, items(spec, "policyRefs")):
        policy = f"{reference.get('kind', 'policy')} {reference.get('name')}"
        loose[f"lets through what {policy} refuses"] = "/spec/policyRefs"
    for reference in map(mapping, items(spec, "exceptions")):
        rules = ", ".join(sorted(map(str, items(reference, "ruleNames"))))
        policy = f"policy {reference.get('policyName')} ({rules})"
        loose[f"lets through what {policy} refuses"] = "/spec/exceptions"
    for field in ("images", "allowedValues"):
        for value in items(spec, field):
            loose[f"lets through {value}"] = f"/spec/{field}"
    if spec.get("reportResult") == "pass":
        loose["is reported as passed"] = "/spec/reportResult"
    asks = {
        f"whether {condition.get('expression')}": "/spec/matchConditions"
        for condition in map(mapping, items(spec, "matchConditions"))
    }
    known = {"policyRefs", "exceptions", "images", "allowedValues", "reportResult"}
    known |= {"matchConditions", "expiresAt", "properties"}
    rest = {key: value for key, value in spec.items() if key not in known}
    return Guard(
        written, Strength.NOTHING, _ALL, loose=loose, asks=asks, opaque={"its scope": text(rest)}
    )


def expiry(written: Resource) -> str:
    """When an exception ends; a date sorts after all others when there is none."""
    return str(mapping(written.body, "spec").get("expiresAt", "")) or "never"
