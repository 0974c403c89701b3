"""Zip and zip64, read through their central directory; small entries on several threads."""

import bz2
import lzma
import os
import struct
from concurrent.futures import ThreadPoolExecutor
from zlib import crc32 as zlib_crc32

from sluice_convert.report import Fault

from .gate import Entry
from .names import decoded, quote
from .streams import PIECE, Deflate, unpacked, xz, zstd

_END, _END64, _LOCATOR = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_CENTRAL, _LOCAL = struct.Struct("<4s6H3I5H2I"), struct.Struct("<4s5H3I2H")
_WHOLE = 4 * 1024 * 1024
_DIRECTORY_MOST = 512 * 1024 * 1024
_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD, _XZ = 0, 8, 12, 14, 93, 95
# Systems that put a Unix mode into the external attributes: Unix, macOS.
_UNIX_HOSTS = (3, 19)
_TYPES = {0: "file", 0o100000: "file", 0o040000: "directory", 0o120000: "link"}
_UTF8, _ENCRYPTED = 0x800, 0x2041


class ZipPlan:
    """The entries of a zip that were admitted, in their order."""

    def __init__(self, archive, gate, limits):
        self.archive, self._limits = archive, limits
        self.file = os.open(archive["path"], os.O_RDONLY | os.O_CLOEXEC)
        size = os.fstat(self.file).st_size
        spans, self.wanted = [], []
        for entry in entries(self.file, size, archive["name"]):
            path = gate.admit(entry)
            method, _crc, packed, offset, name_length = entry.at
            spans.append((offset, offset + _LOCAL.size + name_length + packed))
            if path is not None:
                self.wanted.append((path, entry))
                _check_method(method, entry, archive["name"])
        _check_spans(spans, size)

    def unpack(self, sink):
        import isal.isal_zlib as fast

        def one(item):
            path, entry = item
            if entry.size <= _WHOLE and entry.at[2] <= _WHOLE and entry.at[0] in (_STORED, _DEFLATED):
                sink.whole(path, self._whole(entry, fast))
            else:
                sink.chunks(path, self._pieces(entry, fast), entry.size)
            return entry.at[2], path

        threads = max(1, min(4, self._limits["threads"]))
        for packed, path in in_order(one, self.wanted, threads):
            sink.advance(packed, path)

    def _whole(self, entry, fast):
        method, crc, packed, _offset, _name = entry.at
        data = os.pread(self.file, packed, self._start(entry))
        if method == _DEFLATED:
            unpacker = fast.decompressobj(-15)
            data = unpacker.decompress(data, entry.size + 1)
            if len(data) > entry.size:
                raise EOFError(f"{quote(entry.name)} holds more than {entry.size} bytes")
            if not unpacker.eof:
                raise EOFError(f"{quote(entry.name)} is cut off")
        if len(data) != entry.size:
            raise EOFError(f"{quote(entry.name)} has {len(data)} bytes instead of {entry.size}")
        if fast.crc32(data) != crc:
            raise EOFError(f"wrong checksum of {quote(entry.name)}")
        return data

    def _pieces(self, entry, fast):
        method, crc, packed, _offset, _name = entry.at
        source = Part(self.file, self._start(entry), packed)
        total = 0
        for piece in self._unpacked(method, source, entry):
            total = fast.crc32(piece, total)
            yield piece
        if total != crc:
            raise EOFError(f"wrong checksum of {quote(entry.name)}")

    def _unpacked(self, method, source, entry):
        if method == _STORED:
            return iter(lambda: source.read(PIECE), b"")
        if method == _ZSTD:
            return zstd(source, self._limits)
        makers = {_DEFLATED: Deflate, _BZIP2: bz2.BZ2Decompressor, _XZ: xz(self._limits)}
        if method == _LZMA:
            return _lzma_pieces(source, entry, self._limits)
        return unpacked(lambda: source.read(PIECE // 4), makers[method])

    def _start(self, entry):
        """Where the data of an entry begins: behind its local header, whose name must be that of the directory."""
        offset = entry.at[3]
        head = os.pread(self.file, _LOCAL.size, offset)
        if len(head) < _LOCAL.size or head[:4] != b"PK\x03\x04":
            raise EOFError(f"the header of {quote(entry.name)} is missing")
        name_length, extra_length = _LOCAL.unpack(head)[9:11]
        return offset + _LOCAL.size + name_length + extra_length


class Part:
    """A stretch of a file, to be read once."""

    def __init__(self, file, start, length):
        self._file, self._at, self._left = file, start, length

    def read(self, count=-1):
        data = os.pread(self._file, min(self._left, count if count >= 0 else self._left), self._at)
        self._at, self._left = self._at + len(data), self._left - len(data)
        return data

    def tell(self):
        return self._at


def in_order(work, items, threads):
    """Results of `work` in the order of `items`; few are begun ahead, and the first failure ends it."""
    if threads == 1 or len(items) < 2:
        yield from map(work, items)
        return
    with ThreadPoolExecutor(threads) as pool:
        running = []
        try:
            for item in items:
                running.append(pool.submit(work, item))
                if len(running) >= 16 * threads:
                    yield running.pop(0).result()
            for one in running:
                yield one.result()
        except BaseException:
            pool.shutdown(wait=False, cancel_futures=True)
            raise


def _lzma_pieces(source, entry, limits):
    head = source.read(9)
    if len(head) < 9 or head[2:4] != b"\x05\x00":
        raise EOFError(f"the lzma header of {quote(entry.name)} is damaged")
    props = lzma._decode_filter_properties(lzma.FILTER_LZMA1, head[4:9])
    if props["dict_size"] > limits["window"]:
        raise lzma.LZMAError("Memory usage limit exceeded")
    unpacker, left = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=[props]), entry.size
    while left > 0 and not unpacker.eof:
        data = source.read(PIECE // 4) if unpacker.needs_input else b""
        if unpacker.needs_input and not data:
            raise EOFError("it is cut off")
        piece = unpacker.decompress(data, min(PIECE, left))
        left -= len(piece)
        yield piece


def entries(file, size, archive):
    """Yields the entries of the central directory. Raises EOFError when it is not whole."""
    count, length, start = _end_record(file, size, archive)
    if length > min(size, _DIRECTORY_MOST) or start + length > size:
        raise EOFError("its directory is cut off")
    data, at = os.pread(file, length, start), 0
    for _ in range(count):
        if at + _CENTRAL.size > length:
            raise EOFError("its directory is damaged")
        fields = _CENTRAL.unpack_from(data, at)
        name_length, extra_length, comment_length = fields[10:13]
        at += _CENTRAL.size
        raw, extra = data[at : at + name_length], data[at + name_length : at + name_length + extra_length]
        at += name_length + extra_length + comment_length
        if fields[0] != b"PK\x01\x02" or at > length:
            raise EOFError("its directory is damaged")
        entry = _entry(fields, raw, extra, archive)
        # Resource forks that macOS adds; no other system shows them, and they would pass for data files.
        if not entry.name.startswith("__MACOSX/"):
            yield entry
    if at != length:
        raise EOFError("its directory has more entries than it tells")


def _end_record(file, size, archive):
    """Number of entries, length and start of the central directory."""
    tail_start = max(0, size - 22 - 65_535 - 20)
    tail = os.pread(file, size - tail_start, tail_start)
    at = _find_end(tail)
    disk, first_disk, here, count, length, start = struct.unpack_from("<4H2I", tail, at + 4)
    locator = tail[at - 20 : at] if at >= 20 else b""
    if locator[:4] == _LOCATOR:
        disk64, offset, disks = struct.unpack_from("<IQI", locator, 4)
        if disk64 or disks > 1:
            raise _volumes(archive)
        record = os.pread(file, 56, offset)
        if len(record) < 56 or record[:4] != _END64:
            raise EOFError("its end record is damaged")
        disk, first_disk, here, count, length, start = struct.unpack_from("<2I4Q", record, 16)
    if disk or first_disk or here != count or os.pread(file, 8, 0)[:8] == b"PK\x07\x08PK\x03\x04":
        raise _volumes(archive)
    return count, length, start


def _find_end(tail):
    """The last end record whose comment reaches exactly to the end of the file."""
    at = tail.rfind(_END)
    while at >= 0:
        if len(tail) - at >= 22 and at + 22 + int.from_bytes(tail[at + 20 : at + 22], "little") == len(tail):
            return at
        at = tail.rfind(_END, 0, at)
    raise EOFError("its directory is missing")


def _volumes(archive):
    return Fault("archive_multivolume", f"The archive {quote(archive)} is one of several volumes.")


def _entry(fields, raw, extra, archive):
    _sig, made_by, _need, flags, method, _time, _date, crc, packed, size = fields[:10]
    disk, external, offset = fields[13], fields[15], fields[16]
    unicode_name, wide = _extras(extra, raw)
    if size == 0xFFFFFFFF:
        size = _next(wide)
    if packed == 0xFFFFFFFF:
        packed = _next(wide)
    if offset == 0xFFFFFFFF:
        offset = _next(wide)
    if disk not in (0, 0xFFFF):
        raise _volumes(archive)
    # A backslash is a separator to the Windows programs that write one, so it is read as such before the check.
    name = (unicode_name or decoded(raw, None if flags & _UTF8 else "cp437")).replace("\\", "/")
    mode = external >> 16 & 0o170000 if made_by >> 8 in _UNIX_HOSTS else 0
    type = _TYPES.get(mode, "device")
    if type == "file" and name.endswith("/"):
        type = "directory"
    return Entry(name, type, size, bool(flags & _ENCRYPTED), (method, crc, packed, offset, len(raw)))


def _extras(extra, raw):
    """The name in UTF-8 when a field tells it, and the numbers of the zip64 field."""
    name, wide, at = None, [], 0
    while at + 4 <= len(extra):
        kind, length = struct.unpack_from("<HH", extra, at)
        value = extra[at + 4 : at + 4 + length]
        if kind == 1:
            wide = [int.from_bytes(value[i : i + 8], "little") for i in range(0, len(value) - 7, 8)]
        elif kind == 0x7075 and value[:1] == b"\x01" and value[1:5] == struct.pack("<I", zlib_crc32(raw)):
            name = decoded(value[5:])
        at += 4 + length
    return name, wide


def _next(wide):
    if not wide:
        raise EOFError("its directory is damaged")
    return wide.pop(0)


def _check_method(method, entry, archive):
    if method in (_STORED, _DEFLATED, _BZIP2, _LZMA, _ZSTD, _XZ):
        return
    say = f"The entry {quote(entry.name)} of the archive {quote(archive)} uses compression method {method}, "
    raise Fault("archive_unsupported", say + "which is not supported.")


def _check_spans(spans, size):
    """Entries that share bytes are how a small archive claims to be a large one."""
    end = 0
    for start, stop in sorted(spans):
        if start < end:
            raise EOFError("its entries overlap")
        end = stop
    if end > size:
        raise EOFError("it is cut off")
