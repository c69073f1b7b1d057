"""Whose signatures Argo CD asks for: that each counts somewhere, and is the key that it says."""

from __future__ import annotations

import base64
import binascii
import hashlib
from typing import TYPE_CHECKING, Any

from groundplan.answers.fields import Fault, key_id, shown

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from groundplan.answers.fields import Path

_PUBLIC_KEY = 6
"""The tag of the packet that a public key begins with (RFC 9580, 5)."""


def signer_faults(
    answers: Mapping[str, Any],
    signers: Sequence[tuple[Path, Mapping[str, Any]]],
    teams: Sequence[tuple[Path, Mapping[str, Any]]],
) -> Iterator[Fault]:
    """What contradicts itself about signers; what is no key by itself is left to others."""
    asked = answers.get("signatures") == "required" and answers.get("engine") == "argocd"
    if signers and not asked:
        what = "only Argo CD asks for these keys, and only where signatures is required"
        fix = "leave signers out, or choose engine: argocd and signatures: required"
        yield Fault(("signers",), "answers.unused-signers", what, fix)
    if asked and all("team" in signer for _, signer in signers):
        what = "nobody signs this repository, so Argo CD would refuse every commit"
        fix = "name a signer without a team"
        yield Fault(("signers",), "answers.nobody-signs", what, fix)
    delivering = {team.get("name") for _, team in teams if "repository" in team}
    for path, signer in signers:
        if "team" in signer and signer["team"] not in delivering:
            what = f"the team {shown(signer['team'])} has no repository of its own"
            fix = "give the team a repository, or leave team out"
            yield Fault((*path, "team"), "answers.signer-without-repository", what, fix)
        said, made = str(signer.get("id")), id_of(str(signer.get("public_key")))
        if made and said != made and not key_id(said):
            what = f"the id of this key is {made}, not {shown(said)}"
            fix = f'write id: "{made}", or give the other key'
            yield Fault((*path, "id"), "answers.not-its-id", what, fix)


def id_of(block: str) -> str:
    """The id of the first key of an armoured block, as 16 digits; empty where it is not told.

    It is the end of the fingerprint of a version 4 key: SHA-1 of 0x99, the length in two octets
    and the body of the packet (RFC 9580, 5.5.4.2).
    """
    _, _, body = block.strip().partition("\n\n")
    try:
        packets = base64.b64decode("".join(body.split("\n=")[0].split("-----")[0].split()))
    except binascii.Error:
        return ""
    tag, start, length = _header(packets)
    key = packets[start : start + length]
    if tag != _PUBLIC_KEY or len(key) != length or key[:1] != b"\x04":
        return ""
    made = hashlib.sha1(b"\x99" + length.to_bytes(2, "big") + key, usedforsecurity=False)
    return made.hexdigest()[-16:].upper()


def _header(packets: bytes) -> tuple[int, int, int]:
    """The first packet's tag, where its body begins and how long that is (RFC 9580, 4.2)."""
    if len(packets) < 3 or not packets[0] & 0x80:
        return 0, 0, 0
    first, second = packets[0], packets[1]
    if not first & 0x40:
        octets = (1, 2, 4, 0)[first & 3]
        return first >> 2 & 15, 1 + octets, int.from_bytes(packets[1 : 1 + octets], "big")
    if second < 192:
        return first & 63, 2, second
    return first & 63, 3, (second - 192 << 8) + packets[2] + 192
