"""What is spared by words in files: exceptions, and what scanners are told beside the objects."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from groundplan.posture.catalogue import PILED
from groundplan.posture.exceptions.model import KIND
from groundplan.posture.exceptions.reading import read
from groundplan.posture.exceptions.suppressions import in_file
from groundplan.posture.model import Change, Dimension, Verdict
from groundplan.repository import EXCEPTION_GROUP
from groundplan.resources import Origin, ResourceId

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from groundplan.posture.exceptions.model import PostureException
    from groundplan.tree import Tree


def compare_files(base: Tree, head: Tree) -> tuple[Change, ...]:
    """Find what the files of one side only spare from policies and scanners."""
    before, after = (read(tree.files)[0] for tree in (base, head))
    return (
        *_beyond(after, before, Verdict.WIDENED),
        *_beyond(before, after, Verdict.NARROWED),
        *_more_suppressed(base, head),
    )


def _beyond(
    ones: Iterable[PostureException], others: Iterable[PostureException], verdict: Verdict
) -> Iterator[Change]:
    """Find exceptions that spare more, or longer, than any single one of the other side."""
    known = tuple(others)
    for one in ones:
        until = f"until {one.expires}" if one.expires else "without end"
        for policy in one.policies:
            if any(_spared(one, policy, other) for other in known):
                continue
            what = f"spares {one.scope} from {policy} {until}"
            yield Change(
                dimension=Dimension.ADMISSION,
                verdict=verdict,
                atom=what if verdict is Verdict.WIDENED else f"no longer {what}",
                subject=ResourceId(EXCEPTION_GROUP, "", KIND, "", one.name),
                origin=Origin(one.location.path),
                pointer="/spec",
                detail="clusters, namespaces, kinds, names",
                gone=verdict is Verdict.NARROWED,
                policy=PILED,
            )


def _spared(one: PostureException, policy: str, other: PostureException) -> bool:
    """Whether another exception spares the same from a policy, and at least as long."""
    lasts = other.expires is None or (one.expires is not None and one.expires <= other.expires)
    return policy in other.policies and lasts and one.scope.within(other.scope)


def _more_suppressed(base: Tree, head: Tree) -> Iterator[Change]:
    """Find checks that scanners are told to leave out at more places, wherever those are."""
    before, after = _told(base), _told(head)
    for check, paths in sorted(after.items()):
        more = len(paths) - len(before.get(check, ()))
        if more > 0:
            fresh = Counter(paths) - Counter(before.get(check, ()))
            yield Change(
                dimension=Dimension.ADMISSION,
                verdict=Verdict.WIDENED,
                atom=f"is left out at {len(paths)} places instead of {len(paths) - more}",
                subject=ResourceId("", "", "Check", "", check),
                origin=Origin(min(fresh)),
                pointer="",
                detail=", ".join(sorted(fresh)),
                policy=PILED,
            )


def _told(tree: Tree) -> dict[str, list[str]]:
    """The files that tell a scanner to leave out a check, once for each time."""
    found: dict[str, list[str]] = {}
    for path, content in tree.files.items():
        for check, _ in in_file(path, content):
            found.setdefault(check, []).append(path)
    return found
