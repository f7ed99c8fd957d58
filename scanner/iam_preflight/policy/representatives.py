"""Callers that stand for all callers, as far as some policies can tell them apart."""

from __future__ import annotations

from typing import TYPE_CHECKING

from iam_preflight.policy.automaton import Automaton
from iam_preflight.policy.callers import Caller, CallerKind
from iam_preflight.policy.context import texts_of
from iam_preflight.policy.globs import Wildcards, has_symbols, text_tokens, tokenize

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from iam_preflight.policy.automaton import Tokens
    from iam_preflight.policy.clauses import Clause

MAX_STATES = 20_000

_SHAPES = (
    ("arn:aws*:iam::????????????:role/?*", CallerKind.ROLE),
    ("arn:aws*:iam::????????????:user/?*", CallerKind.USER),
    ("arn:aws*:iam::????????????:root", CallerKind.ROOT),
    ("arn:aws*:sts::????????????:federated-user/?*", CallerKind.FEDERATED_USER),
)
_ARN_KEYS = ("aws:principalarn",)
_ACCOUNT_KEYS = ("aws:principalaccount", "aws:sourceaccount")
_USER_KEYS = ("aws:username",)
_SERVICE_KEYS = ("aws:principalservicename",)


def callers_of(clauses: Sequence[Clause]) -> Iterator[Caller]:
    """One caller of every kind, account and name that the clauses tell apart."""
    named = _Named()
    for clause in clauses:
        named.add(clause)
    yield from named.aws_callers()
    for service in (*named.service_names(), "other.amazonaws.com"):
        yield Caller.service(service)
    for provider in (*sorted(named.providers), "other.example.com"):
        yield Caller.provider(provider)
    yield Caller.anonymous()


class _Named:
    """Whom the clauses name."""

    def __init__(self) -> None:
        self.patterns: set[Tokens] = set()
        self.sessions: set[str] = set()
        self.services: set[str] = set()
        self.service_patterns: set[Tokens] = set()
        self.providers: set[str] = set()

    def add(self, clause: Clause) -> None:
        for principal in clause.statement.principals:
            parts = texts_of(principal.pattern.parts)
            text = "".join(parts)
            match principal.kind:
                case "Service":
                    self.services.add(text)
                case "Federated":
                    self.providers.add(text)
                case "AWS" if text != "*":
                    self._add_aws(parts, text)
        for atom in clause.atoms:
            if atom.key in _ARN_KEYS:
                self.patterns.update(atom.values)
            elif atom.key in _ACCOUNT_KEYS:
                self.patterns.update(_of_account(value) for value in atom.values)
            elif atom.key in _USER_KEYS:
                self.patterns.update(user for value in atom.values for user in _users(value))
            elif atom.key in _SERVICE_KEYS:
                self.service_patterns.update(atom.values)

    def _add_aws(self, parts: tuple[str, ...], text: str) -> None:
        if ":assumed-role/" in text or ":federated-user/" in text:
            self.sessions.add(text)
        tokens = tokenize(parts, Wildcards.NONE)
        if text.isdigit() or len(tokens) == 1:
            self.patterns.add(_of_account(tokens))
        elif text.endswith(":root"):
            self.patterns.add(_of_account(_account(tokens)))
        self.patterns.add(tokens)

    def service_names(self) -> Iterator[str]:
        """The services that principals name, and one for each way to meet conditions on them."""
        yield from sorted(self.services)
        patterns = sorted(self.service_patterns)
        automaton = Automaton(patterns, loose=[True] * len(patterns))
        for signature, name in automaton.classes(MAX_STATES):
            text = "".join(name)
            if signature and text not in self.services and not has_symbols(name):
                yield text

    def aws_callers(self) -> Iterator[Caller]:
        for session in sorted(self.sessions):
            if "«" not in session:
                yield Caller.of(session)
        patterns = sorted(self.patterns)
        shapes = [text_tokens(shape, Wildcards.ARN) for shape, _ in _SHAPES]
        # a symbol stands for itself, and for text that it may come to be
        open_ = [pattern for pattern in patterns if has_symbols(pattern)]
        automaton = Automaton(
            [*patterns, *open_, *shapes],
            loose=[False] * len(patterns) + [True] * len(open_) + [False] * len(shapes),
            others="0123456789xyz",
        )
        for signature, arn in automaton.classes(MAX_STATES):
            for number, (_, kind) in enumerate(_SHAPES, start=len(patterns) + len(open_)):
                if signature >> number & 1:
                    yield Caller(kind, arn, _account(arn))


def _of_account(account: Tokens) -> Tokens:
    """Everybody in an account."""
    return (
        *text_tokens("arn:*:*::", Wildcards.ARN),
        *account,
        *text_tokens(":*", Wildcards.TEXT),
    )


def _users(name: Tokens) -> Iterator[Tokens]:
    """The users of a name, with and without a path."""
    for path in ("", "*/"):
        yield (*text_tokens(f"arn:*:iam::*:user/{path}", Wildcards.ARN), *name)


def _account(arn: Tokens) -> Tokens:
    colons = [i for i, sign in enumerate(arn) if sign == ":"]
    return arn[colons[3] + 1 : colons[4]] if len(colons) > 4 else ()
