"""A click command whose help reads like a manual page: sections, exit codes, examples."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import click

if TYPE_CHECKING:
    from collections.abc import Sequence

OTHER = "Options"
GIVEN = "iam_preflight.given"
"""Where a context keeps `(option, value)` in the order of the command line."""


class SectionOption(click.Option):
    """An option that knows under which heading of the help it stands."""

    def __init__(self, *arguments: Any, section: str = OTHER, **keywords: Any) -> None:
        self.section = section
        super().__init__(*arguments, **keywords)


class ManualCommand(click.Command):
    """`notes` are headed paragraphs after the options; `examples` are shown as they are typed."""

    def __init__(
        self,
        *arguments: Any,
        notes: Sequence[tuple[str, str]] = (),
        examples: Sequence[tuple[str, str]] = (),
        **keywords: Any,
    ) -> None:
        self.notes = tuple(notes)
        self.examples = tuple(examples)
        super().__init__(*arguments, **keywords)

    def parse_args(self, ctx: click.Context, args: list[str]) -> list[str]:
        """Keeps the order in which options with several values were given."""
        if not ctx.resilient_parsing:
            ctx.meta[GIVEN] = self._in_order(ctx, list(args))
        return super().parse_args(ctx, args)

    def _in_order(self, ctx: click.Context, args: list[str]) -> list[tuple[str, str]]:
        values, _, order = self.make_parser(ctx).parse_args(args)
        several = {
            str(parameter.name): iter(values.get(str(parameter.name)) or ())
            for parameter in self.get_params(ctx)
            if isinstance(parameter, click.Option) and parameter.multiple
        }
        return [
            (str(parameter.name), str(next(several[str(parameter.name)])))
            for parameter in order
            if parameter.name in several
        ]

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        sections: dict[str, list[tuple[str, str]]] = {}
        for parameter in self.get_params(ctx):
            record = parameter.get_help_record(ctx)
            if record is not None and isinstance(parameter, click.Option):
                section = getattr(parameter, "section", OTHER)
                sections.setdefault(section, []).append(record)
        general = sections.pop(OTHER, [])
        for title, records in (*sections.items(), (OTHER, general)):
            if records:
                with formatter.section(title):
                    formatter.write_dl(records)

    def format_epilog(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        for title, text in self.notes:
            with formatter.section(title):
                rows = [line.split("  ", 1) for line in text.splitlines()]
                if all(len(row) == 2 for row in rows):
                    formatter.write_dl([(row[0], row[1].strip()) for row in rows])
                else:
                    formatter.write_text(text)
        if self.examples:
            with formatter.section("Examples"):
                for index, (example, meaning) in enumerate(self.examples):
                    if index:
                        formatter.write_paragraph()
                    formatter.write_text(meaning)
                    formatter.write(f"{'':>{formatter.current_indent + 2}}$ {example}\n")
        super().format_epilog(ctx, formatter)


EXIT_CODES = (
    "Exit codes",
    """\
0  nothing at or above --fail-on was found
1  findings at or above --fail-on
2  the command line or the settings are wrong
3  no infrastructure code was found
4  something could not be analysed: the verdict cannot be trusted (beats 1)""",
)
