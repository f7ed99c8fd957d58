"""The real server over standard input and output, driven as an editor drives it."""

from __future__ import annotations

import asyncio
import random
from collections.abc import AsyncIterator  # noqa: TC003  pytest-lsp looks at the annotations
from typing import TYPE_CHECKING, Any

import pytest
from editor_helpers import CONFIG, Editor, position_in, pytest_lsp, text_at
from lsprotocol import types

from iam_preflight.registry import load_rules
from iam_preflight.testing import scan_files

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

TRUST = """\
resource "aws_iam_role" "ci" {
  name = "ci"
  assume_role_policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect    = "Allow"
      Action    = "sts:AssumeRole"
      Principal = { Service = "codebuild.amazonaws.com" }
    }]
  })
  tags = {
    Environment = "prod"
    Owner       = "platform"
    CreatedBy   = "terraform"
  }
}
"""
POLICY = """\
resource "aws_iam_role_policy" "ci" {
  name = "ci"
  role = aws_iam_role.ci.id
  policy = jsonencode({
    Version = "2012-10-17"
    Statement = [{
      Effect   = "Allow"
      Action   = "ACTION"
      Resource = "arn:aws:s3:::builds/*"
    }]
  })
}
"""
BAD = TRUST + POLICY.replace('"ACTION"', '"*"').replace('"arn:aws:s3:::builds/*"', '"*"')
GOOD = TRUST + POLICY.replace("ACTION", "s3:GetObject")


@pytest_lsp.fixture(config=CONFIG, scope="module")
async def client(
    lsp_client: pytest_lsp.LanguageClient, tmp_path_factory: pytest.TempPathFactory
) -> AsyncIterator[None]:
    @lsp_client.feature(types.CLIENT_REGISTER_CAPABILITY)
    def register(_params: Any) -> None:
        return None

    await Editor.start(lsp_client, tmp_path_factory.mktemp("workspace"))
    yield
    await lsp_client.shutdown_session()


@pytest.fixture
def editor(client: pytest_lsp.LanguageClient) -> Editor:
    return Editor(client)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    (tmp_path / ".git").mkdir()
    return tmp_path


def expected(files: dict[str, str], path: str) -> list[str]:
    """What a scan of the same texts says about one file."""
    report = scan_files(files, load_rules())
    findings = [one.rule for one in report.shown if one.primary.span.path == path]
    problems = [one.code for one in report.problems if one.path == path]
    return sorted([*findings, *problems])


# ---------------------------------------------------------------- diagnostics


async def test_diagnostics_are_those_of_a_scan_and_carry_everything(
    editor: Editor, repository: Path
) -> None:
    file = repository / "main.tf"
    file.write_text(BAD)
    uri = editor.open(file)
    found = await editor.settled(uri)
    assert sorted(str(one.code) for one in found) == expected({"main.tf": BAD}, "main.tf")
    admin = next(one for one in found if one.code == "LEAST-001")
    assert admin.severity is types.DiagnosticSeverity.Error
    assert admin.source == "iam-preflight"
    assert text_at(BAD, admin.range) == '"*"'
    assert admin.code_description is not None
    assert admin.code_description.href.endswith("/LEAST-001.md")
    assert admin.related_information
    assert all(one.location.uri == uri and one.message for one in admin.related_information)


async def test_every_character_of_a_new_statement_and_back_to_clean(
    editor: Editor, repository: Path
) -> None:
    file = repository / "main.tf"
    file.write_text(GOOD)
    uri = editor.open(file)
    assert await editor.codes(uri) == []

    at = editor.texts[uri].rindex("}\n") + 2
    statement = (
        '\ndata "aws_iam_policy_document" "x" {\n  statement {\n    actions   = ["*"]\n'
        '    resources = ["*"]\n  }\n}\nresource "aws_iam_role_policy" "x" {\n'
        "  role   = aws_iam_role.ci.id\n  policy = data.aws_iam_policy_document.x.json\n}\n"
    )
    seen: set[str] = set()
    for number, character in enumerate(statement):
        editor.splice(uri, at + number, at + number, character)
        if number % 24 == 0:
            seen.update(await editor.codes(uri))
    assert "SCAN-901" in seen, "half-typed syntax is said"
    assert "LEAST-001" in await editor.codes(uri)

    start = editor.texts[uri].index('actions   = ["*"]')
    editor.splice(uri, start, start + len('actions   = ["*"]'), 'actions   = ["s3:GetObject"]')
    start = editor.texts[uri].index('resources = ["*"]')
    narrow = 'resources = ["arn:aws:s3:::builds/*"]'
    editor.splice(uri, start, start + len('resources = ["*"]'), narrow)
    assert await editor.codes(uri) == []
    editor.save(uri, file)
    assert await editor.codes(uri) == []


async def test_emoji_and_crlf_do_not_move_places(editor: Editor, repository: Path) -> None:
    file = repository / "main.tf"
    text = BAD.replace('name = "ci"\n  role', 'name = "😀😀 ci" /* 🚀 */\n  role')
    text = text.replace('Resource = "*"', 'Resource = /* 😀 */ "*"')
    text = text.replace('Action   = "*"', '/* 🦊🦊 */ Action = "*"').replace("\n", "\r\n")
    file.write_bytes(text.encode())
    uri = editor.open(file)
    admin = next(one for one in await editor.settled(uri) if one.code == "LEAST-001")
    assert text_at(text, admin.range) == '"*"'

    at = text.index("Effect    =")
    editor.splice(uri, at, at, "/* 🎉 */ ")
    at = editor.texts[uri].index('/* 🦊🦊 */ Action = "*"') + len('/* 🦊🦊 */ Action = "')
    editor.splice(uri, at, at + 1, "s3:Get😀")
    editor.splice(uri, at + len("s3:Get"), at + len("s3:Get😀"), "Object")
    assert "LEAST-001" not in await editor.codes(uri)
    assert 'Action = "s3:GetObject"' in editor.texts[uri]
    assert await editor.codes(uri) == expected({"main.tf": editor.texts[uri]}, "main.tf")


async def test_template_in_a_buffer_that_was_never_saved(editor: Editor, repository: Path) -> None:
    text = (
        "AWSTemplateFormatVersion: '2010-09-09'\nResources:\n  Everything:\n"
        "    Type: AWS::IAM::ManagedPolicy\n    Properties:\n      PolicyDocument:\n"
        "        Version: '2012-10-17'\n        Statement:\n          - Effect: Allow\n"
        "            Action: '*'\n            Resource: '*'\n"
    )
    uri = editor.open(repository / "stack.yaml", text)
    assert "LEAST-001" in await editor.codes(uri)
    editor.replace(uri, text.replace("Action: '*'", "Action: ["))
    assert "SCAN-901" in await editor.codes(uri)
    narrow = text.replace(
        "'*'\n            Resource: '*'", "s3:GetObject\n            Resource: 'arn:aws:s3:::b/*'"
    )
    editor.replace(uri, narrow)
    assert await editor.codes(uri) == expected({"stack.yaml": narrow}, "stack.yaml")


async def test_closing_withdraws_everything(editor: Editor, repository: Path) -> None:
    (repository / "main.tf").write_text(TRUST)
    (repository / "policy.tf").write_text(BAD.removeprefix(TRUST))
    uri = editor.open(repository / "main.tf")
    other = (repository / "policy.tf").as_uri()
    await editor.settled(uri)
    assert "LEAST-001" in await editor.codes(other)
    editor.close(uri)
    for _ in range(200):
        if not editor.client.diagnostics.get(other):
            break
        await asyncio.sleep(0.02)
    assert not editor.client.diagnostics[other]


# ---------------------------------------------------------------- roots and modules


async def test_two_roots_share_a_module_and_nothing_else(editor: Editor, repository: Path) -> None:
    module = repository / "modules" / "role"
    module.mkdir(parents=True)
    (module / "main.tf").write_text(
        'variable "actions" {}\n'
        + TRUST
        + POLICY.replace('"ACTION"', "var.actions").replace('"arn:aws:s3:::builds/*"', '"*"')
    )
    call = 'module "ci" {\n  source  = "../../modules/role"\n  actions = ACTIONS\n}\n'
    for name in ("one", "two"):
        root = repository / "roots" / name
        root.mkdir(parents=True)
        (root / "main.tf").write_text(call.replace("ACTIONS", '"s3:ListAllMyBuckets"'))
    inner = editor.open(module / "main.tf")
    one = editor.open(repository / "roots" / "one" / "main.tf")
    two = editor.open(repository / "roots" / "two" / "main.tf")
    for uri in (inner, one, two):
        assert await editor.codes(uri) == []
    editor.replace(one, call.replace("ACTIONS", '"*"'))
    assert await editor.codes(one) == ["LEAST-001"]
    assert await editor.codes(two) == []
    editor.replace(one, call.replace("ACTIONS", '"s3:ListAllMyBuckets"'))
    assert await editor.codes(one) == []
    editor.replace(inner, editor.texts[inner].replace("var.actions", '"*"'))
    assert await editor.codes(inner) == ["LEAST-001"], "said once for both roots"
    assert await editor.codes(one) == []
    editor.replace(inner, (module / "main.tf").read_text())
    editor.replace(two, call.replace("ACTIONS", '"*"'))
    assert await editor.codes(two) == ["LEAST-001"]
    assert await editor.codes(one) == []


async def test_renaming_a_file_of_a_module_leaves_nothing_behind(
    editor: Editor, repository: Path
) -> None:
    (repository / "main.tf").write_text(TRUST)
    old, new = repository / "policies.tf", repository / "grants.tf"
    old.write_text(BAD.removeprefix(TRUST))
    main = editor.open(repository / "main.tf")
    uri = editor.open(old)
    await editor.settled(main)
    assert "LEAST-001" in await editor.codes(uri)

    old.rename(new)
    editor.close(uri)
    editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams(
            [
                types.FileEvent(old.as_uri(), types.FileChangeType.Deleted),
                types.FileEvent(new.as_uri(), types.FileChangeType.Created),
            ]
        )
    )
    renamed = editor.open(new)
    assert "LEAST-001" in await editor.codes(renamed)
    assert not editor.client.diagnostics.get(uri)


async def test_renaming_a_module_folder(editor: Editor, repository: Path) -> None:
    module = repository / "modules" / "old"
    module.mkdir(parents=True)
    (module / "main.tf").write_text(BAD)
    root = repository / "main.tf"
    root.write_text('module "ci" {\n  source = "./modules/old"\n}\n')
    uri = editor.open(root)
    await editor.settled(uri)
    inner = (module / "main.tf").as_uri()
    assert "LEAST-001" in await editor.codes(inner)

    module.rename(repository / "modules" / "new")
    moved = repository / "modules" / "new" / "main.tf"
    editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams(
            [
                types.FileEvent(inner, types.FileChangeType.Deleted),
                types.FileEvent(moved.as_uri(), types.FileChangeType.Created),
            ]
        )
    )
    assert "SCAN-903" in await editor.codes(uri), "the module is not where it was"
    assert not editor.client.diagnostics.get(inner)
    editor.replace(uri, editor.texts[uri].replace("modules/old", "modules/new"))
    assert await editor.codes(uri) == []
    assert "LEAST-001" in await editor.codes(moved.as_uri())


# ---------------------------------------------------------------- typing


async def test_500_random_edits_end_where_a_fresh_scan_ends(
    editor: Editor, repository: Path
) -> None:
    chance = random.Random(20260827)
    files = {
        "main.tf": TRUST + 'locals {\n  everything = "*"\n  bucket = "builds"\n}\n',
        "policy.tf": BAD.removeprefix(TRUST).replace('Action   = "*"', "Action = local.everything"),
    }
    uris = {}
    for name, text in files.items():
        (repository / name).write_text(text)
        uris[name] = editor.open(repository / name)
    pieces = [
        '"',
        "}",
        "{",
        "\n",
        "*",
        "${",
        "<<EOT\n",
        " = ",
        "local.",
        "😀",
        "x",
        "]",
        "#",
        "\r\n",
    ]
    for number in range(500):
        uri = uris[chance.choice(list(files))]
        text = editor.texts[uri]
        start = chance.randrange(len(text) + 1)
        end = min(len(text), start + chance.choice((0, 0, 0, 1, 5, 40)))
        editor.splice(uri, start, end, chance.choice(pieces))
        if number % 60 == 59:
            await editor.settled(uri)
            now = {name: editor.texts[one] for name, one in uris.items()}
            for name, one in uris.items():
                assert await editor.codes(one) == expected(now, name), f"after {number} edits"
        if number % 100 == 99:
            for name, original in files.items():
                editor.replace(uris[name], original)
    for name, original in files.items():
        editor.replace(uris[name], original)
    for name, uri in uris.items():
        await editor.settled(uri)
        assert await editor.codes(uri) == expected(files, name)


async def test_a_burst_of_edits_is_answered_once_and_with_the_last(
    editor: Editor, repository: Path
) -> None:
    file = repository / "main.tf"
    file.write_text(GOOD)
    uri = editor.open(file)
    await editor.settled(uri)
    for _ in range(40):
        editor.replace(uri, BAD)
        editor.replace(uri, GOOD)
    editor.replace(uri, BAD)
    assert "LEAST-001" in await editor.codes(uri)
    editor.replace(uri, GOOD)
    assert await editor.codes(uri) == []
    await asyncio.sleep(0.2)
    assert not editor.client.diagnostics[uri], "nothing late comes in"


async def test_a_cancelled_question_is_not_answered(editor: Editor, repository: Path) -> None:
    file = repository / "main.tf"
    file.write_text(BAD)
    uri = editor.open(file)
    params = types.HoverParams(types.TextDocumentIdentifier(uri), types.Position(0, 20))
    asked = editor.client.protocol.send_request_async("textDocument/hover", params, msg_id="h-1")
    task = asyncio.ensure_future(asked)
    await asyncio.sleep(0)
    editor.client.cancel_request(types.CancelParams(id="h-1"))
    with pytest.raises(Exception, match=r"(?i)cancel"):
        await asyncio.wait_for(task, 10)
    assert "LEAST-001" in await editor.codes(uri), "the server goes on"


# ---------------------------------------------------------------- questions


def at(uri: str, text: str, what: str, shift: int = 1) -> dict[str, Any]:
    return {
        "text_document": types.TextDocumentIdentifier(uri),
        "position": position_in(text, text.index(what) + shift),
    }


async def hover(editor: Editor, uri: str, what: str, shift: int = 1) -> str:
    params = types.HoverParams(**at(uri, editor.texts[uri], what, shift))
    found = await editor.client.text_document_hover_async(params)
    assert found is not None
    assert isinstance(found.contents, types.MarkupContent)
    return found.contents.value


async def test_hover_tells_what_things_come_to(editor: Editor, repository: Path) -> None:
    text = (
        BAD.replace('Action   = "*"', 'Action   = ["iam:PassRole", "s3:Get*", "lambda:*"]')
        .replace('Resource = "*"', 'Resource = "arn:aws:s3:::${var.bucket}/${local.folder}/*"')
        .replace('name = "ci"\n  role', 'name = "policy"\n  role')
        + 'variable "bucket" {}\nlocals {\n  folder = "builds"\n}\n'
    )
    (repository / "main.tf").write_text(text)
    uri = editor.open(repository / "main.tf")
    role = await hover(editor, uri, '"aws_iam_role" "ci"')
    assert "role ci" in role
    assert "may do 53 actions in 1 service" in role
    assert "- `s3`: 53 Read" in role, "the ARN leaves nothing of PassRole and lambda"
    assert "Can be assumed by: `codebuild.amazonaws.com`" in role
    assert "No permissions boundary" in role
    assert "stands for" in await hover(editor, uri, '"s3:Get*"')
    assert "Permissions management" in await hover(editor, uri, '"iam:PassRole"')
    assert "var.bucket: variable has no value" in await hover(editor, uri, "var.bucket")
    assert "`builds`" in await hover(editor, uri, "local.folder")
    assert "Held by role ci" in await hover(editor, uri, 'Effect   = "Allow"')
    assert "identity policy" in await hover(editor, uri, 'name = "policy"')


async def test_lens_counts_the_steps_to_administrator(editor: Editor, repository: Path) -> None:
    admin = TRUST.replace('"ci"', '"admin"').replace(
        'Service = "codebuild.amazonaws.com"', "AWS = aws_iam_role.ci.arn"
    )
    attach = (
        'resource "aws_iam_role_policy_attachment" "admin" {\n'
        "  role       = aws_iam_role.admin.name\n"
        '  policy_arn = "arn:aws:iam::aws:policy/AdministratorAccess"\n}\n'
    )
    text = GOOD.replace("s3:GetObject", "sts:AssumeRole").replace(
        '"arn:aws:s3:::builds/*"', "aws_iam_role.admin.arn"
    )
    (repository / "main.tf").write_text(text + admin + attach)
    uri = editor.open(repository / "main.tf")
    found = await editor.client.text_document_code_lens_async(
        types.CodeLensParams(types.TextDocumentIdentifier(uri))
    )
    titles = [lens.command.title for lens in found or () if lens.command is not None]
    assert titles == ["can become administrator in 1 step", "administrator"]
    explained = await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams("iam-preflight.explainPrincipal", [uri, "aws_iam_role.ci"])
    )
    assert "Path to administrator" in explained
    page = await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams("iam-preflight.graph", [uri])
    )
    assert page.startswith("<!doctype html>".upper()) or "<html" in page
    assert "aws_iam_role.admin" in page
    links = await editor.client.text_document_document_link_async(
        types.DocumentLinkParams(types.TextDocumentIdentifier(uri))
    )
    assert [one.target for one in links or ()] == [
        "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/AdministratorAccess.html"
    ]


async def labels(editor: Editor, uri: str, what: str) -> list[str]:
    text = editor.texts[uri]
    place = position_in(text, text.index(what) + len(what))
    found = await editor.client.text_document_completion_async(
        types.CompletionParams(types.TextDocumentIdentifier(uri), place)
    )
    return [] if found is None else [item.label for item in found.items]


async def test_completion_in_half_typed_policies(editor: Editor, repository: Path) -> None:
    text = (
        'data "aws_iam_policy_document" "x" {\n  statement {\n'
        '    actions   = ["s3:GetObj\n    resources = ["arn:aws:s3:::b"]\n'
        '    condition {\n      test     = "Bool"\n      variable = "aws:Multi\n'
        '      values   = ["tr\n    }\n  }\n}\n'
        'resource "aws_iam_role_policy_attachment" "x" {\n  policy_arn = "ReadOnlyA\n}\n'
    )
    uri = editor.open(repository / "main.tf", text)
    assert "s3:GetObject" in await labels(editor, uri, '"s3:GetObj')
    keys = await labels(editor, uri, '"aws:Multi')
    assert {"aws:MultiFactorAuthPresent", "aws:MultiFactorAuthAge"} <= set(keys)
    assert "arn:aws:iam::aws:policy/ReadOnlyAccess" in await labels(editor, uri, '"ReadOnlyA')
    assert await labels(editor, uri, '"tr') == []
    assert await labels(editor, uri, '"arn:aws') == []

    editor.replace(uri, text.replace('"s3:GetObj', '"s3:GetObject", "sqs:"]'))
    assert "sqs:SendMessage" in await labels(editor, uri, '"sqs:')
    assert await labels(editor, uri, '"s3:GetObject"') == [], "the string has ended"


async def offers(editor: Editor, uri: str, what: str) -> dict[str, types.CodeAction]:
    place = position_in(editor.texts[uri], editor.texts[uri].index(what) + 1)
    found = await editor.client.text_document_code_action_async(
        types.CodeActionParams(
            types.TextDocumentIdentifier(uri),
            types.Range(place, place),
            types.CodeActionContext([]),
        )
    )
    return {one.title: one for one in found or () if isinstance(one, types.CodeAction)}


def apply(editor: Editor, uri: str, action: types.CodeAction) -> None:
    assert action.edit is not None
    assert action.edit.document_changes is not None
    (change,) = action.edit.document_changes
    assert isinstance(change, types.TextDocumentEdit)
    assert change.text_document.version == editor.versions[uri]
    for edit in change.edits:
        assert isinstance(edit, types.TextEdit)
        text = editor.texts[uri]
        start = len(text_at(text, types.Range(types.Position(0, 0), edit.range.start)))
        end = len(text_at(text, types.Range(types.Position(0, 0), edit.range.end)))
        editor.splice(uri, start, end, edit.new_text)


async def test_code_actions_cure_what_they_are_offered_for(
    editor: Editor, repository: Path
) -> None:
    text = BAD.replace('Action   = "*"', 'Action   = "iam:PassRole"').replace("\n", "\r\n")
    (repository / "main.tf").write_bytes(text.encode())
    uri = editor.open(repository / "main.tf")
    assert "WILD-003" in await editor.codes(uri)
    given = await offers(editor, uri, '"iam:PassRole"')
    apply(editor, uri, given["Scope to aws_iam_role.ci"])
    assert "Resource = aws_iam_role.ci.arn" in editor.texts[uri]
    assert "WILD-003" not in await editor.codes(uri)

    editor.replace(uri, text)
    given = await offers(editor, uri, '"iam:PassRole"')
    apply(editor, uri, given["Ignore WILD-003 here, with a reason"])
    codes = await editor.codes(uri)
    assert "SCAN-904" in codes
    assert "WILD-003" in codes, "an ignore without a reason hides nothing"
    start = editor.texts[uri].index("ignore[WILD-003]") + len("ignore[WILD-003]")
    editor.splice(uri, start, start, " only in the sandbox")
    assert not {"WILD-003", "SCAN-904"} & set(await editor.codes(uri))


async def test_conditions_are_added_in_every_way_a_statement_is_written(
    editor: Editor, repository: Path
) -> None:
    block = (
        'data "aws_iam_policy_document" "x" {\n  statement {\n    actions   = ["s3:DeleteBucket"]\n'
        '    resources = ["*"]\n  }\n}\n'
    )
    heredoc = (
        'resource "aws_iam_policy" "x" {\n  policy = <<EOT\n{"Statement": [{"Effect": "Allow", '
        '"Action": "s3:DeleteBucket", "Resource": "*"}]}\nEOT\n}\n'
    )
    template = (
        "Resources:\n  X:\n    Type: AWS::IAM::ManagedPolicy\n    Properties:\n"
        "      PolicyDocument:\n        Statement:\n          - Effect: Allow\n"
        "            Action: 's3:DeleteBucket'\n            Resource: '*'\n"
    )
    encoded = POLICY.replace("ACTION", "s3:DeleteBucket")
    cases = {"a/x.tf": block, "b/x.tf": heredoc, "c/x.yaml": template, "d/x.tf": TRUST + encoded}
    for name, text in cases.items():
        file = repository / name
        file.parent.mkdir()
        file.write_text(text)
        uri = editor.open(file)
        await editor.settled(uri)
        given = await offers(editor, uri, "s3:DeleteBucket")
        (title,) = (one for one in given if one.startswith("Require MFA"))
        apply(editor, uri, given[title])
        report = scan_files({file.name: editor.texts[uri]}, load_rules())
        assert not report.problems, (name, editor.texts[uri])
        keys = {
            condition.key_name
            for policy in report.graph.policies
            for statement in policy.document.statements
            for condition in statement.conditions
        }
        assert keys == {"aws:multifactorauthpresent"}, name
        assert not any(
            one.startswith("Require MFA") for one in await offers(editor, uri, "s3:DeleteBucket")
        )


async def test_settings_file_and_editor_settings_count(editor: Editor, repository: Path) -> None:
    (repository / "main.tf").write_text(BAD)
    uri = editor.open(repository / "main.tf")
    assert "LEAST-001" in await editor.codes(uri)
    settings = repository / ".iam-preflight.yaml"
    settings.write_text("ignore: [LEAST-001]\n")
    editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams(
            [types.FileEvent(settings.as_uri(), types.FileChangeType.Created)]
        )
    )
    assert "LEAST-001" not in await editor.codes(uri)
    settings.unlink()
    editor.client.workspace_did_change_watched_files(
        types.DidChangeWatchedFilesParams(
            [types.FileEvent(settings.as_uri(), types.FileChangeType.Deleted)]
        )
    )
    assert "LEAST-001" in await editor.codes(uri)


async def test_workspace_is_scanned_together_and_an_ignore_is_written(
    editor: Editor, repository: Path
) -> None:
    for name, text in {"one": GOOD, "two": BAD}.items():
        (repository / name).mkdir()
        (repository / name / "main.tf").write_text(text)
    one, other = repository / "one" / "main.tf", repository / "two" / "main.tf"
    uri = editor.open(one)
    assert await editor.codes(uri) == []
    assert not editor.client.diagnostics.get(other.as_uri())
    counts = await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams("iam-preflight.scanWorkspace", [])
    )
    assert counts["critical"] >= 1
    found = editor.client.diagnostics[other.as_uri()]
    assert "LEAST-001" in {diagnostic.code for diagnostic in found}

    opened = editor.open(other)
    assert "LEAST-001" in await editor.codes(opened)
    applied: list[types.WorkspaceEdit] = []

    @editor.client.feature(types.WORKSPACE_APPLY_EDIT)
    def apply_edit(params: types.ApplyWorkspaceEditParams) -> types.ApplyWorkspaceEditResult:
        applied.append(params.edit)
        return types.ApplyWorkspaceEditResult(applied=True)

    start = len(BAD[: BAD.index('Action   = "*"') + len("Action   = ")].encode())
    given = [opened, "LEAST-001", start, "break glass until=2099-01-01"]
    await editor.client.workspace_execute_command_async(
        types.ExecuteCommandParams("iam-preflight.ignore", given)
    )
    (edit,) = applied
    apply(editor, opened, types.CodeAction(title="", edit=edit))
    assert "# iam-preflight: ignore[LEAST-001] break glass until=2099-01-01" in editor.texts[opened]
    assert "LEAST-001" not in await editor.codes(opened)
