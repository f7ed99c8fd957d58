"""Hashes and identifiers that depend on nothing but their arguments.

https://developer.hashicorp.com/terraform/language/functions (hash and crypto functions)
"""

from __future__ import annotations

import base64
import hashlib
import uuid
from typing import TYPE_CHECKING

from iam_preflight.terraform.functions.arguments import Function, Invocation, WrongArguments

if TYPE_CHECKING:
    from collections.abc import Callable

    from iam_preflight.values import Value

NAMESPACES = {
    "dns": uuid.NAMESPACE_DNS,
    "url": uuid.NAMESPACE_URL,
    "oid": uuid.NAMESPACE_OID,
    "x500": uuid.NAMESPACE_X500,
}


def digest(name: str, data: bytes, *, in_base64: bool = False) -> str:
    found = hashlib.new(name, data, usedforsecurity=False)
    return base64.b64encode(found.digest()).decode() if in_base64 else found.hexdigest()


def _of_text(name: str, *, in_base64: bool = False) -> Function:
    def apply(call: Invocation, arguments: tuple[Value, ...]) -> Value:
        data = call.text(arguments[0]).encode("utf-8", "surrogateescape")
        return call.known(digest(name, data, in_base64=in_base64))

    return apply


def _of_file(name: str, *, in_base64: bool = False) -> Function:
    def apply(call: Invocation, arguments: tuple[Value, ...]) -> Value:
        from iam_preflight.terraform.functions.files import read

        return call.known(digest(name, read(call, arguments[0]).data, in_base64=in_base64))

    return apply


def _uuidv5(call: Invocation, arguments: tuple[Value, ...]) -> Value:
    namespace = call.text(arguments[0])
    try:
        space = NAMESPACES.get(namespace) or uuid.UUID(namespace)
    except ValueError:
        raise WrongArguments from None
    return call.known(str(uuid.uuid5(space, call.text(arguments[1]))))


_HASHES: dict[str, Callable[..., Function]] = {"": _of_text, "file": _of_file}

FUNCTIONS: dict[str, Function] = {
    "base64sha256": _of_text("sha256", in_base64=True),
    "base64sha512": _of_text("sha512", in_base64=True),
    "filebase64sha256": _of_file("sha256", in_base64=True),
    "filebase64sha512": _of_file("sha512", in_base64=True),
    "uuidv5": _uuidv5,
    **{
        prefix + name: make(name)
        for prefix, make in _HASHES.items()
        for name in ("md5", "sha1", "sha256", "sha512")
    },
}
