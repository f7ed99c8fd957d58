"""What to scan and how to judge it: the options that scan, diff, graph and others share."""

from __future__ import annotations

import datetime as dt
import functools
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeVar

import click
from msgspec import Struct
from msgspec.structs import replace

from iam_preflight.commands.shared.command import GIVEN, SectionOption
from iam_preflight.errors import UsageError
from iam_preflight.timing import TIMEOUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from iam_preflight.discovery import Tree
    from iam_preflight.registry import Registry
    from iam_preflight.scan import ScanOptions
    from iam_preflight.settings import Settings
    from iam_preflight.source import SourceFile
    from iam_preflight.terraform.load import HclReader
    from iam_preflight.terraform.read_ahead import ReadAhead

Function = TypeVar("Function", bound="Callable[..., Any]")

INPUT = "What to scan"
JUDGEMENT = "How to judge it"
BASE = "base"
"""For `diff`: the version that is compared with."""


class Date(click.ParamType):  # type: ignore[type-arg]  # not generic in older click
    """A day such as 2027-01-31."""

    name = "date"

    def convert(
        self, value: Any, param: click.Parameter | None, ctx: click.Context | None
    ) -> dt.date:
        if isinstance(value, dt.date):
            return value
        try:
            return dt.date.fromisoformat(value)
        except ValueError:
            self.fail(f"{value!r} is not a date such as 2027-01-31", param, ctx)


class Inputs(Struct, frozen=True):
    """The values of the shared options."""

    root: Path | None
    config: Path | None
    settings_from: str | None
    suppressions_from: str | None
    variables: tuple[str, ...]
    variable_files: tuple[str, ...]
    plans: tuple[str, ...]
    module_map: tuple[str, ...]
    workspace: str
    timeout: float
    jobs: int
    hcl_reader: HclReader
    parameters: tuple[str, ...]
    account_context: tuple[Path, ...]
    select: tuple[str, ...]
    ignore: tuple[str, ...]
    rules: tuple[Path, ...]
    persona: str | None
    today: dt.date | None

    def without_base(self) -> Inputs:
        """The same without what refers to the base of a comparison, which is not known yet."""
        return replace(
            self,
            settings_from=None if self.settings_from == BASE else self.settings_from,
            suppressions_from=None if self.suppressions_from == BASE else self.suppressions_from,
        )

    def prepare(self, paths: tuple[Path, ...], *, reads_ahead: bool = False) -> Prepared:
        """The root, rules and settings of a run over the paths (default: the current folder).

        `reads_ahead`: all of the paths will be read for certain, so that somebody may begin.
        Raises `UsageError`.
        """
        from iam_preflight.discovery import find_root
        from iam_preflight.registry import load_rules
        from iam_preflight.scan import ScanOptions

        paths = paths or (Path(),)
        for path in paths:
            if not path.exists():
                raise UsageError(f"no such file or folder: {path}")
        top = self.root.resolve() if self.root is not None else find_root(paths)
        for path in paths:
            if top != path.resolve() and top not in path.resolve().parents:
                raise UsageError(f"{path} is outside of the root {top}")
        ahead = self._read_ahead(paths, top) if reads_ahead else None
        registry = load_rules(self.rules)
        finder = SettingsFinder(top, paths, self.config, registry)
        settings, folder = self.found(finder, self._revision(self.settings_from, top))
        changes: dict[str, Any] = {} if self.today is None else {"today": self.today}
        options = ScanOptions(
            settings=settings,
            settings_folder=folder,
            assignments=tuple(_assignments(top)),
            module_map=dict(_module(text, top) for text in self.module_map),
            environment={
                name: value
                for name, value in os.environ.items()
                if name.startswith("TF_VAR_") or name == "TF_WORKSPACE"
            },
            plans=tuple(_inside(plan, top, "--plan") for plan in self.plans),
            parameters=self.parameters,
            account_context=self._snapshots(settings, folder, top),
            terraform_workspace=self.workspace,
            timeout=self.timeout,
            jobs=self.jobs,
            ahead=ahead,
            hcl_reader=self.hcl_reader,
            base=self._revision(self.suppressions_from, top),
            base_name=self.suppressions_from or "",
            **changes,
        )
        return Prepared(paths, top, self.selected(registry, settings), options, finder)

    def _read_ahead(self, paths: tuple[Path, ...], top: Path) -> ReadAhead | None:
        """Another process that parses while rules and settings are loaded, where that pays."""
        if self.jobs == 1 or self.hcl_reader != "tree-sitter":
            return None
        from iam_preflight.discovery import FolderTree
        from iam_preflight.terraform.read_ahead import read_below

        below = [path.resolve().relative_to(top).as_posix() for path in paths]
        return read_below(FolderTree(top), below, self.jobs)

    def _snapshots(self, settings: Settings, folder: str, top: Path) -> tuple[SourceFile, ...]:
        """The exports of accounts: of the command line, wherever they are, else of the settings.

        Settings are part of the repository: theirs do not leave it.
        """
        paths = self.account_context
        if not paths:
            paths = tuple(
                top / _inside(str(top / folder / one), top, "account_context")
                for one in settings.account_context
            )
            if any(not path.is_file() and not path.is_dir() for path in paths):
                raise UsageError("account_context: neither a file nor a folder")  # a pipe
        if not paths:
            return ()
        from iam_preflight.account.files import find_exports

        return tuple(find_exports(paths, top))

    def selected(self, registry: Registry, settings: Settings) -> Registry:
        """The rules that the command line or the settings leave."""
        return registry.select(self.select or settings.select, self.ignore or settings.ignore)

    def found(self, finder: SettingsFinder, tree: Tree | None) -> tuple[Settings, str]:
        """The settings on disk or in a version, as the command line changes them."""
        import msgspec

        settings, folder = finder.find(tree)
        if self.persona is not None:
            settings = msgspec.structs.replace(settings, persona=self.persona)
        return settings, folder

    def _revision(self, name: str | None, top: Path) -> Tree | None:
        if name is None:
            return None
        from iam_preflight.gittree import Repository

        repository = Repository(top)
        return repository.tree(repository.commit(name))


class Prepared(Struct, frozen=True):
    """Everything that a run needs."""

    paths: tuple[Path, ...]
    top: Path
    registry: Registry
    options: ScanOptions
    finder: SettingsFinder


class SettingsFinder(Struct, frozen=True):
    """Finds the settings file, on disk or in a revision."""

    top: Path
    paths: tuple[Path, ...]
    config: Path | None
    registry: Registry

    def find(self, tree: Tree | None) -> tuple[Settings, str]:
        """The settings, and the folder of their file from the root; from a revision, if given."""
        from iam_preflight.settings import Settings, find_settings

        if tree is not None:
            return self._in_tree(tree)
        file = self.config
        if file is None:
            file = find_settings(self._start(), self.top)
        if file is None:
            return Settings(), ""
        from iam_preflight.settings_file import load_settings

        shown = _relative(file, Path.cwd())
        return load_settings(Path(shown), self.registry), self._folder(file)

    def _start(self) -> Path:
        """The folder around all the paths: their order does not matter."""
        around = Path(os.path.commonpath([path.resolve() for path in self.paths]))
        return around if around.is_dir() else around.parent

    def _folder(self, file: Path) -> str:
        parent = file.resolve().parent
        if parent != self.top and self.top not in parent.parents:
            return ""
        folder = parent.relative_to(self.top).as_posix()
        return "" if folder == "." else folder

    def _in_tree(self, tree: Tree) -> tuple[Settings, str]:
        from iam_preflight.settings import Settings
        from iam_preflight.settings_file import read_settings
        from iam_preflight.source import SourceFile

        for path in self._candidates():
            if tree.is_file(path):
                source = SourceFile(path, tree.read(path))
                return read_settings(source, self.registry), path.rpartition("/")[0]
        return Settings(), ""

    def _candidates(self) -> Iterator[str]:
        from iam_preflight.settings import FILE_NAME

        if self.config is not None:
            file = self.config.resolve()
            if self.top not in file.parents:
                raise UsageError(f"{self.config} is outside of the repository: it has no versions")
            yield file.relative_to(self.top).as_posix()
            return
        folder = self._start()
        while folder == self.top or self.top in folder.parents:
            relative = folder.relative_to(self.top).as_posix()
            yield FILE_NAME if relative == "." else f"{relative}/{FILE_NAME}"
            folder = folder.parent


def _assignments(top: Path) -> Iterator[tuple[str, str]]:
    """`--var` and `--var-file` in the order in which they were given, as Terraform takes them."""
    for name, value in click.get_current_context().meta.get(GIVEN, ()):
        if name == "variables":
            if "=" not in value:
                raise UsageError(f"--var {value}: write NAME=VALUE")
            yield "var", value
        elif name == "variable_files":
            yield "file", _inside(value, top, "--var-file")


def _module(text: str, top: Path) -> tuple[str, str]:
    source, _, path = text.rpartition("=")
    if not source:
        raise UsageError(f"--module-map {text}: write SOURCE=FOLDER")
    return source, _inside(path, top, "--module-map")


def _inside(text: str, top: Path, option: str) -> str:
    """A path of the command line, from the root."""
    path = Path(text)
    if not path.exists():
        raise UsageError(f"{option}: no such file or folder: {text}")
    resolved = path.resolve()
    if resolved != top and top not in resolved.parents:
        raise UsageError(f"{option}: {text} is outside of the root {top}")
    return resolved.relative_to(top).as_posix()


def _relative(path: Path, folder: Path) -> str:
    try:
        shown = os.path.relpath(path, folder)
    except ValueError:
        return str(path)
    return str(path) if shown.startswith("..") else shown


def _rules_in_reach(
    _ctx: click.Context, _param: click.Parameter, incomplete: str
) -> list[click.shell_completion.CompletionItem]:
    """Ids of rules, for shell completion."""
    from click.shell_completion import CompletionItem

    from iam_preflight.registry import load_rules

    start = incomplete.upper()
    return [
        CompletionItem(rule.id, help=rule.title())
        for rule in load_rules()
        if rule.id.startswith(start)
    ]


complete_rule = _rules_in_reach


def _option(*names: str, **keywords: Any) -> Callable[[Function], Function]:
    return click.option(*names, cls=SectionOption, **keywords)


_OPTIONS = (
    _option(
        "--root",
        section=INPUT,
        type=click.Path(path_type=Path, exists=True, file_okay=False),
        help="Folder that nothing outside of is read, and that reported paths start from"
        " (default: the repository).",
    ),
    _option(
        "--var",
        "variables",
        section=INPUT,
        multiple=True,
        metavar="NAME=VALUE",
        help="Value of a Terraform variable; may be given several times.",
    ),
    _option(
        "--var-file",
        "variable_files",
        section=INPUT,
        multiple=True,
        metavar="FILE",
        help="File with values of Terraform variables.",
    ),
    _option(
        "--plan",
        "plans",
        section=INPUT,
        multiple=True,
        metavar="FILE",
        help="Plan as `terraform show -json` writes it. It is joined with the sources that it was"
        " made of, if they are in PATHS.",
    ),
    _option(
        "--module-map",
        section=INPUT,
        multiple=True,
        metavar="SOURCE=FOLDER",
        help="Where the code of a module is that Terraform would download.",
    ),
    _option(
        "--workspace",
        section=INPUT,
        default="",
        metavar="NAME",
        help="Terraform workspace (default: default).",
    ),
    _option(
        "--timeout",
        section=INPUT,
        type=click.FloatRange(min=0, min_open=True),
        default=TIMEOUT,
        metavar="SECONDS",
        help="How long the evaluation of one root module or stack, and each rule, may take"
        f" (default: {TIMEOUT:g}). What takes longer is reported, and the rest goes on.",
    ),
    _option(
        "--jobs",
        section=INPUT,
        type=click.IntRange(min=0),
        default=0,
        metavar="N",
        help="In how many processes to parse and judge, where that is faster (default: one for each"
        " processor, at most four). The report is the same.",
    ),
    _option(
        "--hcl-reader",
        section=INPUT,
        type=click.Choice(("tree-sitter", "python-hcl2")),
        default="tree-sitter",
        help="What reads HCL; the other one is far slower (extra python-hcl2).",
    ),
    _option(
        "--parameters",
        section=INPUT,
        multiple=True,
        metavar="FILE|KEY=VALUE",
        help="Values of CloudFormation parameters.",
    ),
    _option(
        "--account-context",
        section=INPUT,
        multiple=True,
        metavar="PATH",
        type=click.Path(path_type=Path, exists=True),
        help="Export of what an account already holds (file or folder; may be given several"
        " times): see docs/account-context.md. Nothing is asked of AWS.",
    ),
    _option(
        "--config",
        section=JUDGEMENT,
        type=click.Path(path_type=Path, exists=True, dir_okay=False),
        help="Settings file (default: .iam-preflight.yaml, found upwards).",
    ),
    _option(
        "--settings-from",
        section=JUDGEMENT,
        metavar="REV",
        help="Take the settings from this git revision, so that a change cannot soften its own"
        " judgement.",
    ),
    _option(
        "--suppressions-from",
        section=JUDGEMENT,
        metavar="REV",
        help="Count only ignores that this git revision has, so that a change cannot exempt"
        " itself.",
    ),
    _option(
        "--select",
        section=JUDGEMENT,
        multiple=True,
        metavar="RULE",
        shell_complete=_rules_in_reach,
        help="Run only these rules (LEAST-001) or families (LEAST).",
    ),
    _option(
        "--ignore",
        section=JUDGEMENT,
        multiple=True,
        metavar="RULE",
        shell_complete=_rules_in_reach,
        help="Do not run these rules or families.",
    ),
    _option(
        "--rules",
        section=JUDGEMENT,
        multiple=True,
        metavar="PATH",
        type=click.Path(path_type=Path, exists=True),
        help="Load rules of your own from a file or folder (YAML or Python; Python is run).",
    ),
    _option(
        "--persona",
        section=JUDGEMENT,
        type=click.Choice(("regular", "pedantic", "auditor")),
        help="Show what everybody wants, hygiene too, or everything (default: regular).",
    ),
    _option(
        "--today",
        section=JUDGEMENT,
        type=Date(),
        metavar="DATE",
        help="Judge expiry dates as of this day (default: the current day, UTC).",
    ),
)


def input_options(function: Function) -> Function:
    """Adds the shared options; the function gets them as one `inputs`."""

    @functools.wraps(function)
    def with_inputs(**given: Any) -> Any:
        names = Inputs.__struct_fields__
        inputs = Inputs(**{name: given.pop(name) for name in names})
        return function(inputs=inputs, **given)

    wrapped: Any = with_inputs
    for option in reversed(_OPTIONS):
        wrapped = option(wrapped)
    result: Function = wrapped
    return result
