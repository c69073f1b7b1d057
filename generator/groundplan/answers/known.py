"""What is known about answers beyond their questions: their parts, and what each must look like."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import (
    Many,
    Named,
    Record,
    Text,
    artifact,
    contact,
    count,
    domain,
    folder,
    images,
    issuer,
    key_id,
    label,
    pinned,
    pod_range,
    public_key,
    recipient,
    registry,
    repository,
    service_range,
    shown,
    subject,
    suggestion,
)

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from groundplan.answers.fields import Kind, Wrong
    from groundplan.places import Fact, Place


def fact(said: Fact, place: Place, answers: Mapping[str, Any]) -> Kind:
    """What a cluster says because of its place."""
    words = said.name.replace("_", "-")
    article = "an" if words[0] in "aeiou" else "a"

    def check(value: str) -> Wrong | None:
        if re.fullmatch(said.pattern, value):
            return None
        what = f"{shown(value)} is no {words.replace('-', ' ')} of {place.title}"
        return f"answers.not-{article}-{words}", what, f'write it as in "{said.example}"'

    text = Text(check, required=said.needed(answers))
    return Named(text, required=text.required) if said.by_component else text


def known_fields(places: Iterable[Place], answers: Mapping[str, Any]) -> Mapping[str, Kind]:
    """What is known about answers beyond their question: by question.

    Args:
        places: Where clusters can be.
        answers: What is answered so far, by question; it decides which facts a place needs.
    """
    places = tuple(places)
    names = tuple(place.name for place in places)

    def place(value: str) -> Wrong | None:
        if value in names:
            return None
        what = f"clusters cannot be at {shown(value)}"
        return "answers.unknown-place", what, suggestion(value, names)

    cluster = Record(
        {
            "name": Text(label),
            "place": Text(place, choices=names),
            "environment": Text(label),
            "pod_cidr": Text(pod_range),
            "service_cidr": Text(service_range),
        },
        by="place",
        further={
            one.name: {said.name: fact(said, one, answers) for said in one.facts} for one in places
        },
    )
    team = Record(
        {
            "name": Text(label),
            "namespaces": Many(Text(label)),
            "contact": Text(contact),
            "clusters": Many(Text(label), required=False),
            "repository": Text(repository, required=False),
            "path": Text(folder, required=False),
            "gpus": Text(count, required=False),
        }
    )
    signed = Record({"images": Text(images), "issuer": Text(issuer), "subject": Text(subject)})
    signer = Record(
        {
            "id": Text(key_id),
            "public_key": Text(public_key),
            "subkeys": Many(Text(key_id), required=False),
            "team": Text(label, required=False),
        }
    )
    return {
        "organisation": Text(label),
        "repository": Text(repository),
        "domain": Text(domain),
        "sops_recipient": Text(recipient),
        "artifact": Text(artifact),
        "registry_mirror": Text(registry, none=True),
        "posture_scan": Text(pinned, none=True),
        "clusters": Many(cluster),
        "teams": Many(team),
        "signers": Many(signer),
        "image_signatures": Many(signed),
        "contacts": Record(dict.fromkeys(("platform", "oncall", "security"), Text(contact))),
    }
