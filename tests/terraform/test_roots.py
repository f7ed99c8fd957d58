"""Roots that are told by a look at the text are those that are found when all has been parsed."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from iam_preflight.discovery import Workspace
from iam_preflight.terraform.configuration import Configuration
from iam_preflight.terraform.roots import (
    MAX_TEXTS,
    find_roots,
    order_of_use,
    possible_calls,
    sure_roots,
)
from iam_preflight.terraform.syntax import parse_file
from iam_preflight.testing import MemoryTree

FOLDERS = ["a", "a/b", "a/b/c", "d", "modules/one", "modules/two", "modules/th\u00fc"]


def workspace_of(files: dict[str, str]) -> Workspace:
    return Workspace(MemoryTree(files))


def roots_of(files: dict[str, str], called: tuple[str, ...] = ()) -> list[str]:
    workspace = workspace_of(files)
    return find_roots(Configuration(workspace, parse_file), sorted(files), called)


def sure_of(files: dict[str, str], called: tuple[str, ...] = ()) -> list[str]:
    return sure_roots(possible_calls(workspace_of(files), sorted(files)), called)


def call(source: str, name: str = "x") -> str:
    return f'module "{name}" {{\n  source = {source}\n}}\n'


def test_a_folder_that_nothing_names_is_one() -> None:
    files = {
        "live/main.tf": call('"../modules/one"'),
        "modules/one/main.tf": call('"./inner"'),
        "modules/one/inner/main.tf": "locals {}\n",
        "alone/main.tf.json": json.dumps({"module": {"x": {"source": "../modules/one"}}}),
    }
    assert sorted(sure_of(files)) == roots_of(files) == ["alone", "live"]


def test_those_that_reach_most_others_come_first() -> None:
    files = {
        "a/main.tf": "locals {}\n",
        "b/main.tf": call('"../m/one"'),
        "c/main.tf": call('"../m/one"') + call('"../m/two"', "y"),
        "m/one/main.tf": "locals {}\n",
        "m/two/main.tf": "locals {}\n",
    }
    assert sure_of(files) == ["c", "b", "a"]
    calls = possible_calls(workspace_of(files), sorted(files))
    # what the first one needs, whoever evaluates parses as it goes
    assert list(order_of_use(calls)) == ["b", "a", "c", "m/one", "m/two"]


@pytest.mark.parametrize(
    "text",
    [
        'locals { path = "../one" }',
        '# it is called by "../one"',
        'locals { path = "../${var.name}/../one" }',
    ],
)
def test_what_may_be_called_is_not_sure_to_be_a_root(text: str) -> None:
    files = {"live/main.tf": text + "\n", "one/main.tf": "locals {}\n"}
    assert "one" not in sure_of({**files, "live/more.tf": call('"../one"')})
    assert sure_of(files)[0] == "live"
    assert roots_of(files) == ["live", "one"]


@pytest.mark.parametrize(
    "source",
    [
        r'"\u002e./one"',
        r'"..\u002fone"',
        r'"../\u006fne"',
        '"../$${one}"',
        '"../th\u00fc"',
    ],
)
def test_nothing_is_sure_where_a_source_is_disguised(source: str) -> None:
    files = {
        "live/main.tf": call(source),
        "one/main.tf": "locals {}\n",
        "${one}/main.tf": "locals {}\n",
        "th\u00fc/main.tf": "locals {}\n",
    }
    assert sure_of(files) == []


def test_nothing_is_sure_where_there_are_too_many_texts() -> None:
    many = "".join(f'a{i} = "./{i}"\n' for i in range(MAX_TEXTS + 1))
    assert sure_of({"live/main.tf": f"locals {{\n{many}}}\n"}) == []


def test_what_something_else_calls_is_not_sure() -> None:
    files = {"unit/main.tf": "locals {}\n", "live/main.tf": "locals {}\n"}
    assert sure_of(files, ("unit",)) == roots_of(files, ("unit",)) == ["live"]


def test_hidden_files_call_nothing() -> None:
    files = {"live/.old.tf": call('"../one"'), "live/main.tf": "", "one/main.tf": ""}
    assert sorted(sure_of(files)) == roots_of(files) == ["live", "one"]


SOURCES = st.one_of(
    st.sampled_from(FOLDERS).map(lambda folder: f'"../{folder}"'),
    st.sampled_from(FOLDERS).map(lambda folder: f'"./{folder}/./"'),
    st.sampled_from(
        [
            '"."',
            '".."',
            '"./"',
            '"../.."',
            '"../../modules/one"',
            r'"\u002e\u002e/modules/one"',
            r'"../modul\u0065s/one"',
            '"../${"modules"}/one"',
            '("../modules/one")',
            '"hashicorp/one/aws"',
            '"git::https://example.com/one.git"',
            "<<EOT\n../modules/one\nEOT",
        ]
    ),
)
TEXTS = st.one_of(
    SOURCES.map(call),
    st.sampled_from(["locals {}\n", 'locals { a = "./b" }\n', "module {", '"../d"', ""]),
)


@given(
    st.dictionaries(
        st.tuples(
            st.sampled_from(FOLDERS), st.sampled_from(["main.tf", "x_override.tf", "y.tofu"])
        ),
        TEXTS,
        min_size=1,
    )
)
def test_a_sure_root_is_always_found(texts: dict[tuple[str, str], str]) -> None:
    files = {f"{folder}/{name}": text for (folder, name), text in texts.items()}
    assert set(sure_of(files)) <= set(roots_of(files))


@given(st.dictionaries(st.sampled_from(FOLDERS), st.lists(SOURCES, max_size=3), min_size=1))
def test_every_folder_is_used_once_at_most(sources: dict[str, list[str]]) -> None:
    files = {
        f"{folder}/main.tf": "".join(call(one, f"m{i}") for i, one in enumerate(several))
        for folder, several in sources.items()
    }
    used = list(order_of_use(possible_calls(workspace_of(files), sorted(files))))
    assert len(used) == len(set(used))
