"""Names of entries: from bytes to text without loss, and to a path that stays inside the dataset, or a refusal.

The rules are those of src/bytes/safe-names.ts, which looks at every path once more before the tree is moved.
"""

import codecs
import json
import re
import unicodedata

PART_BYTES = 255
PATH_BYTES = 1000
OURS = (".staging", ".receipts", ".manifests", ".secrets", ".versions")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f]")
_SURROGATE = re.compile(r"[\ud800-\udfff]")


def decoded(raw, legacy=None):
    """Bytes of a name as text: UTF-8 where they are, else `legacy`, else every odd byte as `%` and two hex digits."""
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        return raw.decode(legacy) if legacy else raw.decode("utf-8", "sluice-percent")


def quote(name):
    """A name as it may stand in a message: quoted, cut, without control characters."""
    cut = name if len(name) <= 120 else name[:120] + "…"
    return json.dumps(_SURROGATE.sub("\ufffd", _CONTROL.sub("\ufffd", cut)), ensure_ascii=False)


def safe_path(name, fault, depth):
    """The path of an entry inside the dataset; None when there is nothing to write (the root itself).

    Raises `fault(code, why)`: `archive_unsafe` or, for a path that is nested too deeply, `archive_bomb`.
    """
    if len(name) > 4096:
        raise fault("archive_unsafe", "has a name that is not safe: it is too long")
    # Many programs write `./a` for `a` and `d/` for a directory; both are harmless.
    path = unicodedata.normalize("NFC", re.sub(r"^(\./+)+", "", name).rstrip("/"))
    if path in ("", ".") and "/" not in name[:1] and name != "":
        return None
    why = _objection(path)
    if why:
        raise fault("archive_unsafe", f"has a name that is not safe: it {why}")
    if path.count("/") >= depth:
        raise fault("archive_bomb", f"lies deeper than {depth} directories")
    return path


def _objection(path):
    if path.strip() == "":
        return "is empty"
    if _SURROGATE.search(path):
        return "is not valid text"
    if _CONTROL.search(path):
        return "holds control characters"
    if "\\" in path:
        return "holds a backslash"
    if path.startswith("/") or re.match(r"[A-Za-z]:", path):
        return "is absolute"
    if len(path.encode()) > PATH_BYTES:
        return f"is longer than {PATH_BYTES} bytes"
    parts = path.split("/")
    if any(part.strip() == "" for part in parts):
        return "has an empty part"
    if any(part in (".", "..") for part in parts):
        return 'has a part "." or ".."'
    if any(len(part.encode()) > PART_BYTES for part in parts):
        return f"has a part longer than {PART_BYTES} bytes"
    if parts[0].lower() in OURS:
        return "begins with one of Sluice's own directories"
    return None


def _percent(error):
    odd = error.object[error.start : error.end]
    return "".join(f"%{byte:02X}" for byte in odd), error.end


codecs.register_error("sluice-percent", _percent)
