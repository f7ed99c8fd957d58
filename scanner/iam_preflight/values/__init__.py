"""What a value can be before anything is deployed.

Front ends turn expressions into these; everything after them reads nothing else. A hole
never hides what is known around it: text keeps its known parts, a list its known items.

- `Known`    a string, number, boolean or null
- `Text`     a string with holes: `arn:aws:s3:::‹var.bucket›/*`
- `Unknown`  a hole: why it is unknown, where, and which attribute of which resource it will be
- `Listing`  a list or set; `rest` stands for any number of further items
- `Mapping`  an object or map; `rest` stands for any number of further entries; a key with a
             hole in it is written with `«why»`, as `show` writes it
- `Choice`   one of several values, each under assumptions that cannot be decided here
- `Json`     a string that is the JSON of a value, kept as the value

An item or entry that is there only under assumptions is a `Choice` whose other arm is `Absent`.
"""

from __future__ import annotations

from iam_preflight.values.alternatives import (
    MAX_ARMS,
    arms_of,
    blocks_of,
    choice,
    combine,
    conditional,
    either,
    is_conditional,
    items_of,
    under,
)
from iam_preflight.values.kinds import (
    MASK,
    Absent,
    Assumption,
    Assumptions,
    Choice,
    CycleError,
    Fragment,
    Json,
    Known,
    LazyEntries,
    Listing,
    Mapping,
    Reason,
    Reference,
    Scalar,
    Text,
    Unknown,
    Value,
    already,
    is_null,
)
from iam_preflight.values.texts import (
    MAX_EXPONENT,
    bool_of,
    join_parts,
    number_of,
    parts_of,
    plain,
    render_scalar,
    show,
    text_of,
    to_json,
)
from iam_preflight.values.walks import (
    as_name,
    holes_of,
    is_sensitive,
    weight_of,
    with_reference,
)

__all__ = [
    "MASK",
    "MAX_ARMS",
    "MAX_EXPONENT",
    "Absent",
    "Assumption",
    "Assumptions",
    "Choice",
    "CycleError",
    "Fragment",
    "Json",
    "Known",
    "LazyEntries",
    "Listing",
    "Mapping",
    "Reason",
    "Reference",
    "Scalar",
    "Text",
    "Unknown",
    "Value",
    "already",
    "arms_of",
    "as_name",
    "blocks_of",
    "bool_of",
    "choice",
    "combine",
    "conditional",
    "either",
    "holes_of",
    "is_conditional",
    "is_null",
    "is_sensitive",
    "items_of",
    "join_parts",
    "number_of",
    "parts_of",
    "plain",
    "render_scalar",
    "show",
    "text_of",
    "to_json",
    "under",
    "weight_of",
    "with_reference",
]
