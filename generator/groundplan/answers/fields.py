"""What a single answer must look like, and how its faults are told."""

from __future__ import annotations

import ipaddress
import json
import re
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping


Path = tuple[str | int, ...]
"""Keys and indices that lead to a value."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that is wrong with the answers."""

    path: Path
    id: str
    """Stable, such as `answers.unknown-key`."""
    what: str
    fix: str


@dataclass(frozen=True, slots=True)
class Text:
    """A string; `check` says what is wrong with it, if anything."""

    check: Callable[[str], Wrong | None]
    required: bool = True
    choices: tuple[str, ...] = ()
    """What it can be; empty when `check` alone decides."""
    none: bool = False
    """Whether the empty text is an answer: that there is none."""

    def wrong(self, value: str) -> Wrong | None:
        """What is wrong with a value, if anything."""
        if self.none and not value:
            return None
        return _empty(value) or self.check(value)


@dataclass(frozen=True, slots=True)
class Number:
    """A whole number."""

    required: bool = True
    least: int = 0


@dataclass(frozen=True, slots=True)
class Record:
    """A mapping with these keys and no other."""

    fields: Mapping[str, Kind]
    required: bool = True
    by: str = ""
    """The key whose value decides which further keys there are, if any."""
    further: Mapping[str, Mapping[str, Kind]] = field(default_factory=dict)

    def known(self, value: Mapping[Any, Any]) -> Mapping[str, Kind]:
        """Every key that a value may have; all further ones while what decides is not known."""
        further = self.further.get(str(value.get(self.by)))
        if further is None:
            anywhere = {key: kind for each in self.further.values() for key, kind in each.items()}
            further = {key: replace(kind, required=False) for key, kind in anywhere.items()}
        return {**self.fields, **further}


@dataclass(frozen=True, slots=True)
class Many:
    """A list of equal things."""

    item: Text | Record
    required: bool = True


@dataclass(frozen=True, slots=True)
class Named:
    """A mapping from names to equal things."""

    item: Text
    required: bool = True


Kind = Text | Number | Record | Many | Named
Wrong = tuple[str, str, str]
"""Error id, what is wrong, and what to write instead."""

PRIVATE = tuple(
    ipaddress.IPv4Network(text)
    for text in ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "100.64.0.0/10")
)

_LABEL = re.compile(r"[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?")
_DOMAIN = re.compile(
    r"(?=.{4,253}$)([a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?\.)+[a-z]([-a-z0-9]{0,61}[a-z0-9])?"
)
_REPOSITORY = re.compile(
    r"(https://|ssh://([\w.-]+@)?)[\w.-]+(:\d+)?(/[\w.~+-]+)+/?",
    re.ASCII,  # an https address with a user in it may have a token there
)
_ARTIFACT = re.compile(r"oci://[\w.-]+(:\d+)?(/[a-z0-9]+([._-]+[a-z0-9]+)*)+", re.ASCII)
_DIGEST = re.compile(r"[0-9a-f]{64}")
_REGISTRY = re.compile(
    r"(?=[^/]*[.:])[a-z0-9]([-a-z0-9.]*[a-z0-9])?(:[0-9]{1,5})?(/[a-z0-9]+([._-]+[a-z0-9]+)*)*",
    re.ASCII,
)
_FOLDER = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*", re.ASCII)
_COUNT = re.compile(r"[0-9]{1,4}")
_RECIPIENT = re.compile(r"age1[02-9ac-hj-np-z]{58}")
_MAILBOX = re.compile(
    r"[\w.+-]+@([a-z0-9]([-a-z0-9]*[a-z0-9])?\.)+[a-z]{2,}", re.ASCII | re.IGNORECASE
)
_REACHED = re.compile(r"#[a-zA-Z0-9][\w-]*|@[\w-]+(/[\w-]+)*|https://[\w./~-]+", re.ASCII)
_IMAGES = re.compile(r"[a-z0-9-]+(\.[a-z0-9-]+)+(:\d+)?(/[a-z0-9._*-]+)+", re.ASCII)
_RANGE = re.compile(r"\d{1,3}(\.\d{1,3}){3}/\d{1,2}", re.ASCII)


def shown(value: Any) -> str:
    """A value as an error message quotes it: short, on one line, and never a private key."""
    if isinstance(value, str) and "SECRET-KEY" in value.upper():
        return "this value"
    text = json.dumps(value, ensure_ascii=False, default=str)
    return text if len(text) <= 80 else f"{text[:77]}…"


def pointed(path: Path) -> str:
    """A path as people write it: `clusters[0].pod_cidr`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def suggestion(word: str, known: Iterable[str]) -> str:
    """What was probably meant, or all that can be meant."""
    known = sorted(known)
    close = get_close_matches(word, known, n=1)
    return f"did you mean {close[0]}?" if close else f"use one of {', '.join(known)}"


def faults(kind: Kind, value: Any, path: Path) -> Iterator[Fault]:
    """Everything that is wrong with a value by itself, in reading order."""
    match kind, value:
        case Text(), str():
            if wrong := kind.wrong(value):
                yield Fault(path, *wrong)
        case Number(), int() if value >= kind.least and not isinstance(value, bool):
            pass
        case Number(least=least), int() if least > 0 and not isinstance(value, bool):
            what = f"{value} is less than {least}"
            yield Fault(path, "answers.too-small", what, f"write {least} or more")
        case Record(), dict():
            yield from _record(kind, value, path)
        case Many(item), list():
            for index, each in enumerate(value):
                yield from faults(item, each, (*path, index))
        case Named(item), dict():
            for key, each in value.items():
                yield from faults(item, each, (*path, str(key)))
        case _:
            yield wrong_type(path, value, _NAMES[type(kind)])


def wrong_type(path: Path, value: Any, wanted: str) -> Fault:
    """A value of another type than the question asks for."""
    fix = f"write {wanted}"
    if wanted == _NAMES[Text] and isinstance(value, int | float):
        fix = f'write it in quotes, as in "{value}"'
    return Fault(path, "answers.wrong-type", f"{shown(value)} is not {wanted}", fix)


def unknown_key(path: Path, known: Iterable[str]) -> Fault:
    """A key that nobody asked for."""
    key = str(path[-1])
    return Fault(path, "answers.unknown-key", f"no key is called {key}", suggestion(key, known))


_NAMES: dict[type, str] = {Text: "a text", Number: "a whole number", Many: "a list"}
_NAMES |= dict.fromkeys((Record, Named), "a mapping")


def _record(kind: Record, value: dict[Any, Any], path: Path) -> Iterator[Fault]:
    fields = kind.known(value)
    for key, part in value.items():
        if key in fields:
            yield from faults(fields[key], part, (*path, key))
        elif any(key in further for further in kind.further.values()):
            what = f"what is at {value[kind.by]} has no {key}"
            yield Fault((*path, key), "answers.key-of-other-place", what, f"leave {key} out")
        else:
            yield unknown_key((*path, str(key)), fields)
    for key, part in fields.items():
        if part.required and key not in value:
            what, fix = f"{key} is missing", f"add {key}"
            reason = _MISSING.get(key, "missing-key")
            if key not in kind.fields:
                what = f"what is at {value[kind.by]} needs its {key}"
                reason = f"{kind.by}-without-{key.replace('_', '-')}"
            yield Fault((*path, key), f"answers.{reason}", what, fix)


_MISSING = {"place": "cluster-without-place", "namespaces": "team-without-namespaces"}


def _empty(value: str) -> Wrong | None:
    if value.strip():
        return None
    return "answers.empty", "the text is empty", "write a value, or leave the key out"


def label(value: str) -> Wrong | None:
    """A DNS label (RFC 1123)."""
    if _LABEL.fullmatch(value):
        return None
    near = re.sub(r"[^a-z0-9]+", "-", value.lower())[:63].strip("-")
    fix = f"did you mean {near}?" if near else "use lower-case letters, digits and hyphens"
    what = f"{shown(value)} is no DNS label (at most 63 of a-z, 0-9 and -)"
    return "answers.not-a-label", what, fix


def domain(value: str) -> Wrong | None:
    """A domain name with at least one dot."""
    if _DOMAIN.fullmatch(value):
        return None
    fix = "write it in lower case with at least one dot, as in acme.example"
    return "answers.not-a-domain", f"{shown(value)} is no domain name", fix


def repository(value: str) -> Wrong | None:
    """A Git address that clusters can pull from, without a password in it."""
    if _REPOSITORY.fullmatch(value):
        return None
    fix = "write https://HOST/PATH.git or ssh://git@HOST/PATH.git, without password or token"
    bare = re.sub(r"//[^/@]*@", "//…@", value)
    what = f"{shown(bare)} is no https or ssh address of a Git repository"
    return "answers.not-a-repository", what, fix


def folder(value: str) -> Wrong | None:
    """A folder inside a repository."""
    if _FOLDER.fullmatch(value):
        return None
    fix = "write it from the repository's root, as in deploy or apps/deploy"
    return "answers.not-a-folder", f"{shown(value)} is no folder of a repository", fix


def count(value: str) -> Wrong | None:
    """A number of things, at most four digits."""
    if _COUNT.fullmatch(value):
        return None
    return "answers.not-a-count", f"{shown(value)} is no count", 'write it as in "4"'


def artifact(value: str) -> Wrong | None:
    """A place for artifacts in an OCI registry, without a tag."""
    if _ARTIFACT.fullmatch(value):
        return None
    fix = "write oci://HOST/PATH, without tag or digest"
    return "answers.not-an-artifact", f"{shown(value)} is no OCI address", fix


def registry(value: str) -> Wrong | None:
    """A registry, or a path in one, that images and charts are kept below."""
    if _REGISTRY.fullmatch(value):
        return None
    fix = "write HOST or HOST/PATH in lower case, without oci:// or a tag"
    return "answers.not-a-registry", f"{shown(value)} is no registry", fix


def pinned(value: str) -> Wrong | None:
    """An image that nobody can change any more."""
    name, _, digest = value.partition("@sha256:")
    if "/" in name and _REGISTRY.fullmatch(name) and _DIGEST.fullmatch(digest):
        return None
    fix = "write HOST/PATH@sha256:DIGEST, without a tag"
    return "answers.not-pinned", f"{shown(value)} is no image by digest", fix


def contact(value: str) -> Wrong | None:
    """How somebody is reached."""
    if _MAILBOX.fullmatch(value) or _REACHED.fullmatch(value):
        return None
    fix = "write a mailbox (ops@acme.example), a channel (#ops), an owner (@acme/ops) or https://…"
    return "answers.not-a-contact", f"{shown(value)} reaches nobody", fix


def recipient(value: str) -> Wrong | None:
    """A public age key."""
    if _RECIPIENT.fullmatch(value):
        return None
    fix = "give the public line that age-keygen prints: age1 and 58 more characters"
    if "SECRET-KEY" in value.upper():
        fix = "replace this key, since it has left its place, and give the new one's public line"
    return "answers.not-a-recipient", f"{shown(value)} is no public age key", fix


def key_id(value: str) -> Wrong | None:
    """The long id of a PGP key."""
    if re.fullmatch(r"[0-9A-F]{16}", value):
        return None
    fix = "write the 16 digits, in capitals, that gpg --list-keys --keyid-format long shows"
    return "answers.not-a-key-id", f"{shown(value)} is no id of a PGP key", fix


def public_key(value: str) -> Wrong | None:
    """A PGP public key as text."""
    begin, end = (f"-----{word} PGP PUBLIC KEY BLOCK-----" for word in ("BEGIN", "END"))
    if re.fullmatch(rf"{begin}\n(?s:.+)\n{end}", value.strip()):
        return None
    fix = "give what gpg --armor --export prints for the key"
    if "PRIVATE KEY" in value:
        fix = "replace this key, since it has left its place, and give the new one's public part"
    return "answers.not-a-public-key", "this is no PGP public key", fix


def images(value: str) -> Wrong | None:
    """Images of a registry, with stars for what may differ."""
    if _IMAGES.fullmatch(value):
        return None
    fix = "begin with the registry and end with the name or with stars, as in ghcr.io/acme/**"
    return "answers.not-images", f"{shown(value)} names no images of a registry", fix


def issuer(value: str) -> Wrong | None:
    """Who vouches for the identity of a signer."""
    if value.startswith("https://") and not re.search(r"\s", value):
        return None
    fix = "write its address, as in https://token.actions.githubusercontent.com"
    return "answers.not-an-issuer", f"{shown(value)} is no issuer of identities", fix


def subject(value: str) -> Wrong | None:
    """The identity of a signer: an address, with stars for parts of its path."""
    if re.fullmatch(r"[^\s*]{4,}\S*", value):
        return None
    fix = "write who signs, as in https://github.com/acme/*/release.yaml@refs/heads/main"
    return "answers.not-a-subject", f"{shown(value)} is nobody in particular", fix


def pod_range(value: str) -> Wrong | None:
    """Addresses for pods: private, and at least the 256 of one node."""
    return _range(value, 8, 24)


def service_range(value: str) -> Wrong | None:
    """Addresses for services: private, and of a size that the API server takes."""
    return _range(value, 12, 24)


def _range(value: str, largest: int, smallest: int) -> Wrong | None:
    try:
        interface = ipaddress.IPv4Interface(value if _RANGE.fullmatch(value) else "")
    except ValueError:
        fix = "write an IPv4 range as in 10.0.0.0/16"
        return "answers.not-a-range", f"{shown(value)} is no range of addresses", fix
    network = interface.network
    if interface.ip != network.network_address:
        return (
            "answers.host-bits",
            f"{shown(value)} has host bits set",
            f"did you mean {network}?",
        )
    if not largest <= network.prefixlen <= smallest:
        what = f"{shown(value)} has {network.num_addresses} addresses"
        return "answers.range-size", what, f"use a range between /{largest} and /{smallest}"
    if not any(network.subnet_of(private) for private in PRIVATE):
        fix = "use a part of 10.0.0.0/8, 172.16.0.0/12, 192.168.0.0/16 or 100.64.0.0/10"
        return "answers.range-public", f"{shown(value)} has public addresses", fix
    return None
