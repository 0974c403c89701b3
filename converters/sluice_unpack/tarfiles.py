"""Tar in all its kinds (v7, ustar, pax, GNU), read strictly in one pass."""

from sluice_convert.report import Fault

from .gate import Entry
from .kinds import has_checksum
from .names import decoded, quote
from .streams import PIECE, Bytes

_BLOCK = 512
# A name in a tar may be of any length; no honest header is longer.
_LONGEST_HEADER = 1024 * 1024
_TYPES = {b"0": "file", b"\0": "file", b"7": "file", b"5": "directory", b"1": "link", b"2": "link"}
_DEVICES = (b"3", b"4", b"6")


class FileBytes:
    """Bytes of a plain file, which can be passed over without reading."""

    def __init__(self, path, size):
        self._file, self._size = open(path, "rb", buffering=0), size

    def take(self, count):
        return self._file.read(count)

    def some(self, count):
        while count > 0:
            part = self._file.read(min(count, PIECE))
            if not part:
                return
            count -= len(part)
            yield part

    def skip(self, count):
        if self._file.seek(count, 1) > self._size:
            raise EOFError("it is cut off")

    def tell(self):
        return self._file.tell()


class StreamBytes(Bytes):
    """Bytes of an unpacked stream, which must be read to be passed over."""

    def skip(self, count):
        for part in self.some(count):
            count -= len(part)
        if count:
            raise EOFError("it is cut off")


def announce(path, size, gate):
    """Admits every entry of a plain tar, without reading the files."""
    source = FileBytes(path, size)
    for entry in entries(source, path):
        gate.admit(entry)
        source.skip(entry.size)


def unpack(source, gate, sink, tell):
    """Writes every file; `tell()` says how many packed bytes were read."""
    for entry in entries(source, sink.archive["name"]):
        path = gate.admit(entry)
        if path is None:
            source.skip(entry.size)
        else:
            sink.chunks(path, _told(source.some(entry.size), sink, tell, path), entry.size)
        sink.at(tell(), path or entry.name)


def _told(parts, sink, tell, path):
    for part in parts:
        yield part
        sink.at(tell(), path)


def entries(source, archive):
    """Yields the entries; the caller reads or skips exactly `size` bytes after each. Raises EOFError for damage."""
    extra = {}
    while True:
        head = source.take(_BLOCK)
        if len(head) < _BLOCK:
            raise EOFError("the end mark is missing")
        if head == bytes(_BLOCK):
            return _check_end(source)
        if not has_checksum(head, _number(head[148:156])):
            raise EOFError("the header of an entry is damaged")
        kind, size = head[156:157], _number(head[124:136])
        if kind in (b"L", b"K", b"x", b"X", b"g"):
            extra.update(_extra(kind, _header_data(source, size)))
            continue
        yield _entry(head, kind, extra.pop("size", size), extra, archive)
        source.skip(-extra.pop("padding") % _BLOCK)
        extra = {}


def _check_end(source):
    """Behind the end mark nothing but zeros may follow: whatever else is there would be lost silently."""
    while data := source.take(1024 * 1024):
        if data.strip(b"\0"):
            raise EOFError("something stands behind the end mark")


def _header_data(source, size):
    if size > _LONGEST_HEADER:
        raise EOFError("a header is longer than any name")
    data = source.take(size)
    if len(data) < size:
        raise EOFError("it is cut off")
    source.skip(-size % _BLOCK)
    return data


def _extra(kind, data):
    """What a header in front of an entry says of it."""
    if kind == b"L":
        return {"path": data.rstrip(b"\0")}
    if kind in (b"K", b"g"):
        return {}
    found = {}
    while data:
        length = data.split(b" ", 1)[0]
        if not length.isdigit() or not 4 < int(length) <= len(data):
            raise EOFError("a pax header is damaged")
        key, _, value = data[len(length) + 1 : int(length) - 1].partition(b"=")
        data = data[int(length) :]
        if key == b"path":
            found["path"] = value
        elif key == b"size":
            found["size"] = _decimal(value)
        elif key.startswith(b"GNU.sparse."):
            found["sparse"] = True
    return found


def _entry(head, kind, size, extra, archive):
    raw = extra.get("path") or _name(head)
    name = decoded(raw)
    if kind == b"M":
        raise Fault("archive_multivolume", f"The archive {quote(archive)} is one of several volumes.")
    if kind == b"S" or extra.get("sparse"):
        say = f"The entry {quote(name)} is stored as a sparse file, which is not supported; pack without --sparse."
        raise Fault("archive_unsupported", say)
    type = "device" if kind in _DEVICES else _TYPES.get(kind)
    if type is None:
        raise Fault("archive_unsupported", f"The entry {quote(name)} is of the type {kind!r}, which is not known.")
    if type == "file" and raw.endswith(b"/"):
        type = "directory"
    length = size if type == "file" else 0
    extra["padding"] = length
    return Entry(name, type, length)


def _name(head):
    name = head[:100].split(b"\0", 1)[0]
    prefix = head[345:500].split(b"\0", 1)[0] if head[257:263] == b"ustar\0" else b""
    return prefix + b"/" + name if prefix else name


def _number(field):
    """Octal digits, or GNU's binary for what they cannot hold."""
    if field[0] & 0x80:
        value = int.from_bytes(field, "big") - (0x80 << 8 * (len(field) - 1))
        if field[0] != 0x80 and not 0 <= value < 1 << 63:
            raise EOFError("a number in a header is damaged")
        return value
    digits = field.replace(b"\0", b" ").strip()
    if digits == b"":
        return 0
    if not all(48 <= digit < 56 for digit in digits):
        raise EOFError("a number in a header is damaged")
    return int(digits, 8)


def _decimal(value):
    if not value.isdigit() or len(value) > 18:
        raise EOFError("a pax header is damaged")
    return int(value)
