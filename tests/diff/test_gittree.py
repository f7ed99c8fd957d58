"""A revision as a tree: the same files as on disk, and nothing from outside."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from iam_preflight.discovery import FolderTree
from iam_preflight.errors import UsageError
from iam_preflight.gittree import GitTree, Repository

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from conftest import Repo

FILES: dict[str, str | None] = {
    "main.tf": "a",
    "z/b.tf": "b",
    "z/a/c.tf": "c",
    "z.tf": "d",
    "ünï cödé.tf": "e",
    "node_modules/x.tf": "f",
    "empty.tf": "",
}


@pytest.fixture
def tree(repo: Repo) -> Iterator[GitTree]:
    commit = repo.commit(FILES)
    with Repository(repo.path).tree(commit) as opened:
        yield opened


def test_has_the_files_of_the_folder_in_the_same_order(repo: Repo, tree: GitTree) -> None:
    folder = FolderTree(repo.path)
    for below in (".", "z", "z/a"):
        expected = [path for path in folder.files(below) if not path.startswith(".git/")]
        assert list(tree.files(below)) == expected
    for path in folder.files("."):
        assert tree.read(path) == folder.read(path)


def test_answers_about_paths_as_the_folder_does(repo: Repo, tree: GitTree) -> None:
    folder = FolderTree(repo.path)
    for path in (".", "", "z", "z/a", "main.tf", "no", "z/b.tf", "../main.tf", "z/../main.tf"):
        assert tree.is_file(path) == folder.is_file(path), path
        assert tree.is_directory(path) == folder.is_directory(path), path
        if path:
            names = [name for name in folder.names(path) if name != ".git"]
            assert tree.names(path) == names, path


def test_reads_the_revision_whatever_is_on_disk(repo: Repo, tree: GitTree) -> None:
    repo.write({"main.tf": "changed", "z/b.tf": None})
    assert tree.read("main.tf") == b"a"
    assert tree.is_file("z/b.tf")
    with pytest.raises(OSError, match="no such file"):
        tree.read("absent.tf")


def test_links_are_followed_inside_and_nowhere_else(repo: Repo, tmp_path: Path) -> None:
    (tmp_path / "secret.tf").write_text("secret")
    repo.write({"real/a.tf": "a"})
    links = {
        "file.tf": "real/a.tf",
        "folder": "real",
        "chain": "folder",
        "out.tf": "../secret.tf",
        "absolute.tf": str(tmp_path / "secret.tf"),
        "loop": "loop",
    }
    for name, target in links.items():
        (repo.path / name).symlink_to(target)
    with Repository(repo.path).tree(repo.commit({})) as tree:
        assert tree.read("file.tf") == b"a"
        assert tree.read("folder/a.tf") == b"a"
        assert tree.read("chain/a.tf") == b"a"
        assert tree.is_directory("chain")
        for name in ("out.tf", "absolute.tf", "loop"):
            assert not tree.is_file(name), name
            with pytest.raises(OSError):
                tree.read(name)


def test_below_a_folder_of_the_repository_paths_start_there(repo: Repo) -> None:
    commit = repo.commit(FILES)
    with Repository(repo.path / "z").tree(commit) as tree:
        assert list(tree.files(".")) == ["b.tf", "a/c.tf"]
        assert tree.read("b.tf") == b"b"
        assert not tree.is_file("../main.tf")


def test_installed_modules_are_those_of_the_working_tree(repo: Repo) -> None:
    commit = repo.commit({"main.tf": "a", ".gitignore": ".terraform/\n"})
    repo.write({".terraform/modules/modules.json": "{}", "infra/.terraform/x": "y"})
    with Repository(repo.path).tree(commit) as tree:
        assert tree.read(".terraform/modules/modules.json") == b"{}"
        assert tree.is_file("infra/.terraform/x")
        assert list(tree.files(".")) == [".gitignore", "main.tf"]


@pytest.mark.parametrize("name", ["nothing", "--help", "-x", "a\0b", "", "main:main.tf", "@{99}"])
def test_revision_that_is_none_is_a_usage_error(repo: Repo, name: str) -> None:
    repo.commit(FILES)
    with pytest.raises(UsageError):
        Repository(repo.path).commit(name)


def test_folder_without_repository_is_a_usage_error(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match="not a git repository"):
        Repository(tmp_path)


def test_object_that_is_not_in_the_clone_is_an_error_and_not_fetched(
    repo: Repo, tmp_path: Path
) -> None:
    repo.git("config", "uploadpack.allowFilter", "true")
    commit = repo.commit(FILES)
    clone = tmp_path / "clone"
    repo.git(
        *("clone", "--quiet", "--filter=blob:none", "--no-checkout"),
        *(repo.path.as_uri(), str(clone)),
    )
    with Repository(clone).tree(commit) as tree, pytest.raises(OSError):
        tree.read("main.tf")


def test_environment_of_a_hook_does_not_lead_elsewhere(
    repo: Repo, monkeypatch: pytest.MonkeyPatch
) -> None:
    commit = repo.commit(FILES)
    monkeypatch.setenv("GIT_DIR", "/nowhere")
    monkeypatch.setenv("GIT_INDEX_FILE", "/nowhere/index")
    assert Repository(repo.path).commit("HEAD") == commit
