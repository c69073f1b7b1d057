from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from groundplan.errors import UsageError
from groundplan.process import Command
from groundplan.tree import MAX_FILE_BYTES, Tree, Unreadable

if TYPE_CHECKING:
    from pathlib import Path


def write(root: Path, files: dict[str, str]) -> None:
    for path, text in files.items():
        (root / path).parent.mkdir(parents=True, exist_ok=True)
        (root / path).write_text(text, "utf-8")


def git(root: Path, *words: str) -> None:
    Command(("git", "-C", str(root), *words)).run()


def kinds(tree: Tree) -> dict[str, str]:
    return {found.path: found.kind for found in tree.unreadable}


class TestFolder:
    def test_every_file_by_its_path(self, tmp_path):
        write(tmp_path, {"b/c.yaml": "c", "a.yaml": "a", ".hidden/d": "d"})

        tree = Tree.read(tmp_path)

        assert list(tree.files.items()) == [
            (".hidden/d", b"d"),
            ("a.yaml", b"a"),
            ("b/c.yaml", b"c"),
        ]
        assert tree.unreadable == ()
        assert tree.root == tmp_path.resolve()

    def test_git_folders_are_left_out(self, tmp_path):
        write(tmp_path, {"a": "", ".git/config": "", "vendor/.git/HEAD": "", "vendor/b": ""})

        assert set(Tree.read(tmp_path).files) == {"a", "vendor/b"}

    def test_missing_folder(self, tmp_path):
        with pytest.raises(UsageError) as caught:
            Tree.read(tmp_path / "no")

        assert caught.value.id == "check.no-such-path"
        assert caught.value.where == str(tmp_path / "no")

    def test_a_file_is_no_folder(self, tmp_path):
        write(tmp_path, {"a": ""})

        with pytest.raises(UsageError, match="is a file") as caught:
            Tree.read(tmp_path / "a")

        assert caught.value.id == "check.no-such-path"

    def test_without_git_on_the_machine(self, tmp_path, monkeypatch):
        write(tmp_path, {"a": "", ".gitignore": "a\n"})
        git(tmp_path, "init", "-q")
        monkeypatch.setenv("PATH", str(tmp_path))

        assert set(Tree.read(tmp_path).files) == {"a", ".gitignore"}

    def test_files_cannot_be_changed(self, tmp_path):
        with pytest.raises(TypeError):
            Tree.read(tmp_path).files["a"] = b""


class TestGit:
    def test_what_git_ignores_is_left_out_and_what_is_new_is_not(self, tmp_path):
        write(
            tmp_path, {".gitignore": "*.tmp\nout/\n", "a": "a", "b.tmp": "", "out/c": "", "ü": "d"}
        )
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", "a")

        assert set(Tree.read(tmp_path).files) == {".gitignore", "a", "ü"}

    def test_a_tracked_file_counts_although_ignored(self, tmp_path):
        write(tmp_path, {".gitignore": "a\n", "a": ""})
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", "-f", "a")

        assert "a" in Tree.read(tmp_path).files

    def test_deleted_but_tracked_is_gone(self, tmp_path):
        write(tmp_path, {"a": "", "b": ""})
        git(tmp_path, "init", "-q")
        git(tmp_path, "add", ".")
        (tmp_path / "a").unlink()

        tree = Tree.read(tmp_path)

        assert set(tree.files) == {"b"}
        assert tree.unreadable == ()

    def test_a_folder_inside_a_repository(self, tmp_path):
        write(tmp_path, {"a": "", "sub/b": "", "sub/.gitignore": "c\n", "sub/c": ""})
        git(tmp_path, "init", "-q")

        assert set(Tree.read(tmp_path / "sub").files) == {"b", ".gitignore"}

    def test_the_repository_of_a_calling_hook_is_not_ours(self, tmp_path, monkeypatch):
        write(tmp_path, {"a": "", "b/.gitignore": "d\n", "b/c": "", "b/d": ""})
        for folder in (tmp_path, tmp_path / "b"):
            git(folder, "init", "-q")
        monkeypatch.setenv("GIT_DIR", str(tmp_path / ".git"))

        assert set(Tree.read(tmp_path / "b").files) == {".gitignore", "c"}

    def test_a_nested_repository_is_read(self, tmp_path):
        write(tmp_path, {"a": "", "nested/b": ""})
        git(tmp_path, "init", "-q")
        git(tmp_path / "nested", "init", "-q")

        assert set(Tree.read(tmp_path).files) == {"a", "nested/b"}

    def test_nothing_of_the_repository_is_executed(self, tmp_path):
        write(tmp_path, {"a": "", "hook": f"#!/bin/sh\ntouch '{tmp_path}/ran'\n"})
        (tmp_path / "hook").chmod(0o755)
        git(tmp_path, "init", "-q")
        git(tmp_path, "config", "core.fsmonitor", str(tmp_path / "hook"))

        assert set(Tree.read(tmp_path).files) == {"a", "hook"}
        assert not (tmp_path / "ran").exists()


@pytest.fixture(params=[False, True], ids=["folder", "git"])
def root(tmp_path, request):
    root = tmp_path / "root"
    root.mkdir()
    if request.param:
        git(root, "init", "-q")
    return root


class TestLinks:
    def test_inside_are_followed(self, root):
        write(root, {"a/b": "x"})
        (root / "file").symlink_to("a/b")
        (root / "folder").symlink_to("a")

        tree = Tree.read(root)

        assert dict(tree.files) == {"a/b": b"x", "file": b"x", "folder/b": b"x"}
        assert tree.unreadable == ()

    def test_outside_are_not_read(self, root):
        write(root.parent, {"secret": "x"})
        (root / "absolute").symlink_to(root.parent / "secret")
        (root / "relative").symlink_to("../secret")
        (root / "folder").symlink_to("..")
        (root / "nowhere").symlink_to("../missing")

        tree = Tree.read(root)

        assert dict(tree.files) == {}
        assert kinds(tree) == dict.fromkeys(
            ["absolute", "relative", "folder", "nowhere"], "symlink-outside"
        )

    def test_through_another_link_to_the_outside(self, root):
        write(root.parent, {"elsewhere/secret": "x"})
        (root / "a").symlink_to("b/secret")
        (root / "b").symlink_to("../elsewhere")

        tree = Tree.read(root)

        assert dict(tree.files) == {}
        assert kinds(tree) == {"a": "symlink-outside", "b": "symlink-outside"}

    def test_loops(self, root):
        write(root, {"a/b": "x"})
        (root / "one").symlink_to("two")
        (root / "two").symlink_to("one")
        (root / "a/up").symlink_to("..")
        (root / "a/self").symlink_to(".")

        tree = Tree.read(root)

        assert dict(tree.files) == {"a/b": b"x"}
        assert kinds(tree) == dict.fromkeys(["one", "two", "a/up", "a/self"], "symlink-loop")

    def test_two_folders_that_link_to_each_other(self, root):
        write(root, {"a/x": "", "b/y": ""})
        (root / "a/b").symlink_to("../b")
        (root / "b/a").symlink_to("../a")

        tree = Tree.read(root)

        assert set(tree.files) == {"a/x", "b/y", "a/b/y", "b/a/x"}
        assert kinds(tree) == {"a/b/a": "symlink-loop", "b/a/b": "symlink-loop"}

    def test_git_data_is_not_reached_through_a_link(self, root):
        write(root, {".git/x": "secret"})
        (root / "link").symlink_to(".git")

        tree = Tree.read(root)

        assert not any(path.startswith("link") for path in tree.files)
        assert kinds(tree) == {"link": "symlink-outside"}

    def test_many_folders_that_link_to_each_other_end(self, tmp_path):
        root = tmp_path
        names = [f"f{number}" for number in range(9)]
        write(root, {f"{name}/x": "" for name in names})
        for name in names:
            for other in names:
                if other != name:
                    (root / name / f"to-{other}").symlink_to(f"../{other}")

        tree = Tree.read(root)

        assert {f"{name}/x" for name in names} <= set(tree.files)
        assert set(kinds(tree).values()) == {"symlink-loop"}

    def test_to_nothing(self, root):
        (root / "a").symlink_to("missing")

        assert Tree.read(root).unreadable == (Unreadable("a", "unreadable", "a link to nothing"),)


class TestUnreadable:
    def test_large_files(self, root):
        with (root / "large").open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)
        with (root / "fits").open("wb") as file:
            file.truncate(MAX_FILE_BYTES)

        tree = Tree.read(root)

        assert set(tree.files) == {"fits"}
        assert kinds(tree) == {"large": "too-large"}

    def test_large_file_behind_a_link(self, root):
        with (root / "large").open("wb") as file:
            file.truncate(MAX_FILE_BYTES + 1)
        (root / "link").symlink_to("large")

        assert kinds(Tree.read(root)) == {"large": "too-large", "link": "too-large"}

    def test_pipes(self, tmp_path):
        os.mkfifo(tmp_path / "pipe")

        assert kinds(Tree.read(tmp_path)) == {"pipe": "special-file"}

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
    def test_no_permission(self, tmp_path):
        write(tmp_path, {"a": "", "b/c": ""})
        (tmp_path / "a").chmod(0)
        (tmp_path / "b").chmod(0)

        assert kinds(Tree.read(tmp_path)) == {"a": "unreadable", "b": "unreadable"}

    def test_names_that_are_not_utf8(self, root):
        try:
            (root / os.fsdecode(b"a\xff.yaml")).write_bytes(b"")
        except OSError:
            pytest.skip("this file system takes UTF-8 names only")

        tree = Tree.read(root)

        assert dict(tree.files) == {}
        assert kinds(tree) == {"a\\xff.yaml": "unreadable"}


def test_in_memory():
    tree = Tree.of({"b": "ü", "a": b"\xff"})

    assert list(tree.files.items()) == [("a", b"\xff"), ("b", "ü".encode())]
    assert tree.unreadable == ()
