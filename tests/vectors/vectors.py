#!/usr/bin/env python3
"""Recomputes the fingerprints in docs/lock-format.md with libraries that helm-keyring does not use.

    python3 tests/vectors/vectors.py [path to lock-format.md]

Prints a line for every vector that differs and ends with 1; ends with 0 if all are right, with 2 if the table is not
found.
"""

import base64
import binascii
import hashlib
import hmac
import json
import re
import sys
import unicodedata
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import packages  # noqa: E402

packages.use(HERE / "requirements.txt")
from argon2.low_level import Type, hash_secret_raw  # noqa: E402

DOCS = Path(__file__).parents[2] / "docs" / "lock-format.md"


def printable(data):
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return False
    return all(unicodedata.category(c) != "Cc" or c in "\t\r\n" for c in text)


def take_apart(text):
    """The spelling of a key text, and the bytes behind it."""
    newline = printable(text) and text.endswith(b"\n")
    line = text[:-1] if newline else text
    form, data = ("text" if printable(line) else "raw"), line
    if re.fullmatch(rb"([0-9a-f]{2}){32,}", line):
        form, data = "hex-lower", bytes.fromhex(line.decode())
    elif re.fullmatch(rb"([0-9A-F]{2}){32,}", line):
        form, data = "hex-upper", bytes.fromhex(line.decode())
    else:
        try:
            decoded = base64.b64decode(line, validate=True)
        except binascii.Error:
            decoded = b""
        if len(decoded) >= 32 and base64.b64encode(decoded) == line:
            form, data = "base64", decoded
    return form + ("+newline" if newline else ""), data


def sha256_mac(key, data):
    return hmac.new(key, data, hashlib.sha256).digest()


def fingerprint(data, salt):
    if printable(data):
        prk = hash_secret_raw(data, salt, 2, 19 * 1024, 1, 32, Type.ID, 0x13)
    else:
        prk = sha256_mac(b"helm-keyring/fingerprint/v1", data)
    expanded = sha256_mac(prk, b"lock\x01")[:20]
    return base64.b32encode(expanded).decode().rstrip("=").lower()


def main(path):
    docs = path.read_text(encoding="utf-8")
    salt = re.search(r"^The salt is `([0-9a-f]{32})`", docs, re.M)
    rows = re.findall(r"^\| `(\".*\"|hex [0-9a-f]+)` \| `(.*)` \| `(.*)` \|$", docs, re.M)
    if not salt or len(rows) < 10:
        print(f"{path}: no salt or no table of test vectors")
        return 2
    wrong = 0
    for written, spelling, expected in rows:
        text = bytes.fromhex(written[4:]) if written.startswith("hex ") else json.loads(written).encode()
        found_spelling, data = take_apart(text)
        found = fingerprint(data, bytes.fromhex(salt[1]))
        if (found_spelling, found) != (spelling, expected):
            print(f"{written}: documented {spelling} {expected}, computed {found_spelling} {found}")
            wrong += 1
    print(f"{len(rows) - wrong} of {len(rows)} vectors are right")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]) if len(sys.argv) > 1 else DOCS))
