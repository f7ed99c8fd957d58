"""The table of expressions: the same values as `terraform console`."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import terraform_oracle as oracle
from terraform_helpers import data_of, local, root_of

from iam_preflight.terraform import functions

if TYPE_CHECKING:
    from iam_preflight.terraform.instances import ModuleInstance

ANSWERS: list[tuple[str, Any]] = [tuple(row) for row in oracle.recorded("expressions")]

IMPURE = functions.UNPREDICTABLE
NOT_IN_THE_TABLE = IMPURE | {
    "base64gzip",  # its bytes depend on Go's compressor
    "provider::aws::arn_build",  # needs the provider: in the configurations
    "provider::aws::arn_parse",
    "provider::aws::trim_iam_role_path",
    "provider::terraform::decode_tfvars",  # needs required_providers: test_functions
    "provider::terraform::encode_expr",
    "provider::terraform::encode_tfvars",
}


@pytest.fixture(scope="module")
def evaluated(tmp_path_factory: pytest.TempPathFactory) -> ModuleInstance:
    folder: Path = tmp_path_factory.mktemp("expressions")
    oracle.write_expressions(folder)
    return root_of(folder)


def test_the_record_is_of_this_table() -> None:
    assert [expression for expression, _ in ANSWERS] == oracle.expressions()
    assert len(ANSWERS) >= 600


@pytest.mark.parametrize(
    ("number", "expression", "answer"),
    [(i, expression, answer) for i, (expression, answer) in enumerate(ANSWERS)],
    ids=[expression[:60] for expression, _ in ANSWERS],
)
def test_same_value_as_terraform(
    number: int, expression: str, answer: Any, evaluated: ModuleInstance
) -> None:
    found = data_of(local(evaluated, f"e{number}"))
    assert found == answer
    assert type(found) is type(answer), "a bool is not a number, and a number is not text"


def test_nothing_in_the_table_is_a_problem(evaluated: ModuleInstance) -> None:
    for number in range(len(ANSWERS)):
        local(evaluated, f"e{number}")
    assert evaluated.problems == []


def test_every_module_of_functions_is_looked_into() -> None:
    folder = Path(functions.__file__).parent
    themes = {file.stem for file in folder.glob("*.py") if "FUNCTIONS" in file.read_text()}
    assert themes - {"__init__"} == set(functions.THEMES)


def test_every_function_stands_in_the_table_twice() -> None:
    text = "\n".join(oracle.expressions())
    counted = {name: len(re.findall(rf"\b{name}\(", text)) for name in functions.names()}
    wanted = set(functions.names()) - NOT_IN_THE_TABLE
    assert {name: counted[name] for name in wanted if counted[name] < 2} == {}


def test_every_operator_stands_in_the_table_twice() -> None:
    text = "\n".join(oracle.expressions())
    operators = ["+", "-", "*", "/", "%", "==", "!=", "<", ">", "<=", ">=", "&&", "||", "!", "?"]
    marks = ["...", "[*]", ".*.", "%{ if", "%{ for", "~}", "${~", "=>", " if "]
    for operator in [*operators, *marks]:
        assert text.count(operator) >= 2, operator


@pytest.mark.skipif(oracle.terraform() is None, reason="terraform is not on the PATH")
def test_the_record_is_what_terraform_says(tmp_path: Path) -> None:
    oracle.write_expressions(tmp_path)
    names = [f"e{i}" for i in range(len(ANSWERS))]
    values = oracle.console_values(tmp_path, names)
    differing = {
        expression: (answer, values[name])
        for (expression, answer), name in zip(ANSWERS, names, strict=True)
        if values[name] != answer
    }
    assert differing == {}
