"""When a certificate ends, as far as its text says."""

from __future__ import annotations

import binascii
import datetime as dt
import re

from iam_preflight.late_patterns import late

_PEM = late(r"-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----")
_VALIDITY = late(
    rb"\x30.(?:\x17\x0d\d{12}Z|\x18\x0f\d{14}Z)(?:\x17\x0d(\d{12})Z|\x18\x0f(\d{14})Z)", re.DOTALL
)
"""The two times of a certificate in DER (https://www.rfc-editor.org/rfc/rfc5280#section-4.1.2.5)."""


def ends_on(pem: str) -> dt.date | None:
    """The last day of the first certificate in a PEM text; None where it cannot be read."""
    found = _PEM.search(pem)
    if found is None:
        return None
    import base64

    try:
        der = base64.b64decode(found[1])
    except (binascii.Error, ValueError):
        return None
    times = _VALIDITY.search(der)
    if times is None:
        return None
    text = (times[2] or times[1]).decode("ascii")
    if times[2] is None:
        # two digits stand for the years 1950 to 2049
        text = ("19" if text[:2] >= "50" else "20") + text
    try:
        return dt.date(int(text[:4]), int(text[4:6]), int(text[6:8]))
    except ValueError:
        return None
