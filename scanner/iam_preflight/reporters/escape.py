"""Text from a scanned repository, made harmless for each format.

Names, paths, tags and comments are written by whoever opens a pull request. What acts on a
terminal, reorders text, or is markup where it lands, is shown but does nothing.
"""

from __future__ import annotations

import json
import re
from urllib.parse import quote

from iam_preflight.late_patterns import late

_UNSEEN = late(
    "["
    "\x00-\x08\x0b-\x1f\x7f-\x9f"  # controls of terminals
    "\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069"  # direction
    "\u200b-\u200d\u2060-\u2065\ufeff\u00ad\u180e"  # nothing to see
    "\ufff9-\ufffb\U000e0000-\U000e007f"  # annotations and tags
    "\ud800-\udfff"  # halves of characters
    "]"
)
_BREAKS = late(r"[\t\n\r\u2028\u2029\x85]+")
_MARKDOWN = late(r"([\\`*{}\[\]<>~&|$]|(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|:(?=//))")
_REFERENCE = late(r"([@#]|\b[Gg][Hh]-)(?=\w)")
_PRINTED = bytes((*b"\t\n", *range(0x20, 0x7F)))
"""Characters that no pattern here is about, as bytes."""
_JOINER = "\u2060"
"""Shows nothing, and keeps `@name` and `#1` from being taken for a mention or an issue."""
_XML_FORBIDDEN = late("[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]")


def visible(text: str) -> str:
    """One line with nothing in it that a terminal or reader acts on unseen."""
    return _UNSEEN.sub("\ufffd", _BREAKS.sub(" ", text))


def source_line(text: str) -> str:
    """A line of source with its columns kept: a tab is one space."""
    return _UNSEEN.sub("\ufffd", re.sub(r"[\t\n\r\u2028\u2029\x85]", " ", text))


def patch_line(text: str) -> str:
    """A line of a patch for a terminal."""
    return _UNSEEN.sub("\ufffd", text)


def lines(text: str) -> str:
    """Several lines, each as `visible` has it."""
    return "\n".join(visible(line) for line in text.split("\n"))


def markdown(text: str) -> str:
    """Text in Markdown as text: no markup, links, HTML, mentions or issue references.

    It is for the middle of a line: what acts only at its start is left alone.
    """
    # forges look for references after entities are resolved, so an entity would not do
    text = _REFERENCE.sub(rf"\1{_JOINER}", visible(text))
    escaped = _MARKDOWN.sub(lambda match: f"&#{ord(match[1])};", text)
    return re.sub(r"(?i)\b(www)\.", r"\1&#46;", escaped)


def code(text: str) -> str:
    """A piece of code in Markdown, whatever backticks it holds."""
    text = visible(text).strip() or " "
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * (longest + 1)
    space = " " if longest else ""
    return f"{fence}{space}{text}{space}{fence}".replace("|", "\\|")


def fence(text: str) -> str:
    """A fence for a block of code that the code cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    return "`" * max(3, longest + 1)


def html(text: str) -> str:
    """Text for HTML, in elements and quoted attributes."""
    from html import escape

    return escape(visible(text), quote=True)


def html_source(text: str) -> str:
    from html import escape

    return escape(source_line(text), quote=True)


def xml(text: str) -> str:
    """Text that `xml.etree` may write: what XML cannot hold is replaced."""
    return _XML_FORBIDDEN.sub("\ufffd", _UNSEEN.sub("\ufffd", text))


def uri(path: str) -> str:
    """A path from the root as a relative URI that cannot be taken for one with a scheme."""
    try:
        data = path.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        data = path.encode("utf-8", "replace")
    return quote(data, safe="/~")


def command(text: str) -> str:
    """The message of a workflow command: it cannot end the line or start another command."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    text = "\n".join(visible(line) for line in text.split("\n"))
    return text.replace("%", "%25").replace("\n", "%0A")


def command_property(text: str) -> str:
    """The value of a property of a workflow command."""
    return command(visible(text)).replace(":", "%3A").replace(",", "%2C")


def json_text(text: str) -> str:
    """A JSON text that also may be looked at in a terminal; what is read from it stays the same.

    JSON itself only escapes the first 32 controls. Halves of characters, which UTF-8 cannot
    write, are replaced.
    """
    return json_bytes(text.encode("utf-8", "replace"))


def json_bytes(data: bytes) -> str:
    """`json_text` of a text that is encoded already."""
    text = data.decode("utf-8")
    # of many megabytes, few characters need a look
    if _UNSEEN.search(data.translate(None, _PRINTED).decode("utf-8")) is None:
        return text
    return _UNSEEN.sub(lambda found: json.dumps(found[0])[1:-1], text)
