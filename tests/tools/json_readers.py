"""Reads documents with Python's `json`, one a line in base64, and writes what each says.

The spelling is that of `tests/json_corpus/dump.rs`; a document that is refused is a line `refused`.
"""

import base64
import json
import struct
import sys


def said(value):
    if value is None:
        return "n"
    if value is True:
        return "t"
    if value is False:
        return "f"
    if isinstance(value, (int, float)):
        return "#" + struct.pack(">d", float(value) + 0.0).hex()
    if isinstance(value, str):
        return '"' + text(value) + '"'
    if isinstance(value, list):
        return "[" + ",".join(said(element) for element in value) + "]"
    members = sorted((text(name), said(member)) for name, member in value.items())
    return "{" + ",".join(name + ":" + member for name, member in members) + "}"


def text(value):
    # A half of a pair is no character, and still must not stop the comparison.
    return value.encode("utf-8", "surrogatepass").hex()


for line in sys.stdin:
    document = base64.b64decode(line)
    try:
        # The bytes as they are: finding out how they are encoded is a part of reading.
        print(said(json.loads(document)))
    except (ValueError, OverflowError, RecursionError):
        print("refused")
