"""JSON documents that show any change of a byte in them: the last member is the SHA-256 of all bytes before it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from typing import Any

_MARK = b',\n  "checksum": "sha256:'


def checksum(data: bytes) -> str:
    """How the checksum of a file is written down."""
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def seal(document: Mapping[str, Any]) -> bytes:
    """The document as JSON bytes with its checksum as last member."""
    if not document or "checksum" in document:
        raise ValueError("a sealed document needs members, and none of them may be called checksum")
    text = json.dumps(document, indent=2, ensure_ascii=False, allow_nan=False)
    body = text.removesuffix("\n}").encode()
    return body + _MARK + hashlib.sha256(body).hexdigest().encode() + b'"\n}\n'


def unseal(data: bytes) -> dict[str, Any]:
    """The document without its checksum. Raises ValueError where a byte is not as it was sealed."""
    body, mark, tail = data.rpartition(_MARK)
    if not mark or tail != hashlib.sha256(body).hexdigest().encode() + b'"\n}\n':
        raise ValueError("its checksum does not match: it is damaged, cut off or was edited")
    document = json.loads(data)
    del document["checksum"]
    return document
