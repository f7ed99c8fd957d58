"""Rewrites the shipped AWS-managed policies from the ones that moto follows.

    pip install moto && python support/refresh_managed_policies.py

moto (Apache-2.0) keeps the documents as AWS publishes them; they are facts about AWS. Writes
`managed_policies.json` (source, version, date, and where each policy is) and
`managed_policies.bin` (the policies, compressed one by one against a common dictionary, so that
reading one does not cost reading all).
"""

from __future__ import annotations

import importlib.metadata
import json
import zlib
from pathlib import Path

DATA = Path(__file__).parent.parent / "scanner" / "iam_preflight" / "knowledge" / "data"
DICTIONARY_BYTES = 32 * 1024


def common_text(documents: list[bytes]) -> bytes:
    """A dictionary of what policies have in common: text of those of middling size."""
    ordered = sorted(documents, key=len)
    middle = ordered[len(ordered) // 4 : len(ordered) * 3 // 5]
    return b"".join(middle)[-DICTIONARY_BYTES:]


def compress(document: bytes, dictionary: bytes) -> bytes:
    compressor = zlib.compressobj(
        9, zlib.DEFLATED, -15, 9, zlib.Z_DEFAULT_STRATEGY, zdict=dictionary
    )
    return compressor.compress(document) + compressor.flush()


def main() -> None:
    from moto.iam.aws_managed_policies import aws_managed_policies_data

    policies = json.loads(aws_managed_policies_data)
    documents = {
        name: json.dumps(policy["Document"], separators=(",", ":")).encode()
        for name, policy in sorted(policies.items())
    }
    dictionary = common_text(list(documents.values()))
    parts = [dictionary]
    offset = len(dictionary)
    entries: dict[str, list[object]] = {}
    for name, document in documents.items():
        member = compress(document, dictionary)
        path = policies[name]["Path"].strip("/")
        entries[name] = [path, policies[name]["DefaultVersionId"], offset, len(member)]
        parts.append(member)
        offset += len(member)
    index = {
        "source": "https://docs.aws.amazon.com/aws-managed-policy/latest/reference/ by way of "
        "moto/iam/aws_managed_policies.py",
        "version": "moto " + importlib.metadata.version("moto"),
        "date": max(policy["UpdateDate"] for policy in policies.values())[:10],
        "license": "Apache-2.0 (moto); the documents are facts",
        "note": "name: [path, default version, offset, length] in managed_policies.bin; raw "
        "deflate, against the dictionary at its start",
        "dictionary": len(dictionary),
        "policies": entries,
    }
    text = json.dumps(index, indent=1, ensure_ascii=False)
    # one policy a line: the file is read by people in reviews
    text = text.replace(",\n   ", ", ").replace("[\n   ", "[").replace("\n  ]", "]")
    (DATA / "managed_policies.json").write_text(text + "\n", encoding="utf-8")
    (DATA / "managed_policies.bin").write_bytes(b"".join(parts))
    print(f"{len(entries)} policies, {offset} bytes, newest of {index['date']}")


if __name__ == "__main__":
    main()
