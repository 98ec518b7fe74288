"""Recomputes the vectors of the sealed file's format (docs/sealed-format.md) without any code of helm-keyring.

    python3 tests/vectors/sealed.py

Opens every file of testdata/sealed with every master key, compares with vectors.json, then seals everything again
with the salts and nonces found and compares byte for byte. Ends with 1 at the first difference.
"""
import base64, hashlib, hmac, json, pathlib, sys

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE.parent.parent / "tools"))
import packages  # noqa: E402

packages.use(HERE / "requirements.txt")
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

FOLDER = pathlib.Path(__file__).resolve().parents[2] / "testdata" / "sealed"


def H(salt: bytes, key: bytes, what: str, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, f"helm-keyring/sealed/v1/{what}".encode()).derive(key)


def same(found, expected, what: str) -> None:
    if found != expected:
        sys.exit(f"{what}: found {found!r}, expected {expected!r}")


def master_key(text: str) -> bytes:
    same(text[:5], "hkm1_", "prefix")
    raw = base64.urlsafe_b64decode(text[5:])
    same(len(raw), 36, "length of a master key")
    same(raw[32:], hashlib.sha256(b"helm-keyring/master-key/v1" + raw[:32]).digest()[:4], "checksum")
    return raw[:32]


def unwrap(lines: list[str], masters: dict[str, bytes]) -> dict[str, bytes]:
    """Label to data key, for every `to` line."""
    found = {}
    for line in (line for line in lines if line.startswith("to ")):
        before, blob = line.rsplit(" ", 1)
        _, label, key_id = before.split(" ")
        same(key_id, H(b"", masters[label], "id", 8).hex(), f"key id of {label}")
        wrapping = H(file_id(lines), masters[label], "wrap", 32)
        blob = base64.b64decode(blob, validate=True)
        found[label] = AESGCM(wrapping).decrypt(blob[:12], blob[12:], head(lines) + before.encode() + b" ")
    return found


def unseal(lines: list[str], data_key: bytes) -> list[dict]:
    """Every `key` line, as vectors.json has it."""
    found = []
    for line in (line for line in lines if line.startswith("key ")):
        before, blob = line.rsplit(" ", 1)
        _, number, field, spelling = before.split(" ")
        blob = base64.b64decode(blob, validate=True)
        salt, commit, nonce, sealed = blob[:32], blob[32:64], blob[64:76], blob[76:]
        both = H(salt, data_key, "entry", 64)
        same(commit, both[32:], f"commitment of {before}")
        text = AESGCM(both[:32]).decrypt(nonce, sealed, head(lines) + before.encode() + b" ")
        found.append({"field": field, "number": int(number), "spelling": spelling, "text": text.hex()})
    return found


def seal(lines: list[str], vector: dict, masters: dict[str, bytes]) -> str:
    """The whole file again, from the vector and the file's random values."""
    data_key = bytes.fromhex(vector["dataKey"])
    blobs = [base64.b64decode(line.rsplit(" ", 1)[1]) for line in lines[2:-1]]
    id, text = file_id(lines), f"helm-keyring-sealed v1\nfile {vector['fileId']} env {vector['environment']}\n"
    top = text.encode()
    for label in vector["recipients"]:
        before = f"to {label} {H(b'', masters[label], 'id', 8).hex()} "
        nonce = blobs.pop(0)[:12]
        sealed = AESGCM(H(id, masters[label], "wrap", 32)).encrypt(nonce, data_key, top + before.encode())
        text += before + base64.b64encode(nonce + sealed).decode() + "\n"
    for key in vector["keys"]:
        before = f"key {key['number']} {key['field']} {key['spelling']} "
        blob = blobs.pop(0)
        salt, nonce = blob[:32], blob[64:76]
        both = H(salt, data_key, "entry", 64)
        sealed = AESGCM(both[:32]).encrypt(nonce, bytes.fromhex(key["text"]), top + before.encode())
        text += before + base64.b64encode(salt + both[32:] + nonce + sealed).decode() + "\n"
    text += f"end {len(vector['keys'])} "
    return text + base64.b64encode(hmac.digest(H(id, data_key, "end", 32), text.encode(), "sha256")).decode() + "\n"


def head(lines: list[str]) -> bytes:
    return "".join(line + "\n" for line in lines[:2]).encode()


def file_id(lines: list[str]) -> bytes:
    return bytes.fromhex(lines[1].split(" ")[1])


def check(vector: dict, masters: dict[str, bytes]) -> int:
    name = vector["file"]
    text = (FOLDER / name).read_bytes().decode("ascii")
    lines = text.removesuffix("\n").split("\n")
    same(lines[1], f"file {vector['fileId']} env {vector['environment']}", name)
    data_keys = unwrap(lines, masters)
    same(list(data_keys), vector["recipients"], f"recipients of {name}")
    for label, data_key in data_keys.items():
        same(data_key.hex(), vector["dataKey"], f"data key of {name} for {label}")
    same(unseal(lines, bytes.fromhex(vector["dataKey"])), vector["keys"], f"keys of {name}")
    same(seal(lines, vector, masters), text, f"{name} sealed again")
    return len(vector["keys"])


def main() -> None:
    vectors = json.loads((FOLDER / "vectors.json").read_text())
    masters = {label: master_key(key["text"]) for label, key in vectors["masterKeys"].items()}
    for label, key in vectors["masterKeys"].items():
        same(masters[label].hex(), key["bytes"], f"master key {label}")
        same(H(b"", masters[label], "id", 8).hex(), key["id"], f"key id of {label}")
    same(sorted(path.name for path in FOLDER.glob("*.sealed")), sorted(v["file"] for v in vectors["files"]), "files")
    try:
        keys = sum(check(vector, masters) for vector in vectors["files"])
    except (InvalidTag, ValueError, KeyError, IndexError) as error:
        sys.exit(f"a file does not open: {error!r}")
    print(f"sealed: {len(masters)} master keys, {len(vectors['files'])} files, {keys} keys: all as the format says")


if __name__ == "__main__":
    main()
