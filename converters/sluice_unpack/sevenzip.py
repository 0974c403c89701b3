"""7z: LZMA, LZMA2, bzip2, deflate, zstd and stored, with the branch filters and delta; streamed, solid or not."""

import bz2
import lzma
from zlib import crc32

from sluice_convert.report import Fault

from . import sevenzip_header as header
from .gate import Entry
from .names import quote
from .streams import PIECE, Bytes, Deflate, ahead, unpacked, zstd
from .zipfiles import Part

_WHOLE = 4 * 1024 * 1024
_LZMA1, _LZMA2 = b"\x03\x01\x01", b"\x21"
_AES = b"\x06\xf1\x07\x01"
_FILTERS = {
    b"\x03": lzma.FILTER_DELTA,
    b"\x03\x03\x01\x03": lzma.FILTER_X86, b"\x04": lzma.FILTER_X86,
    b"\x03\x03\x02\x05": lzma.FILTER_POWERPC, b"\x05": lzma.FILTER_POWERPC,
    b"\x03\x03\x04\x01": lzma.FILTER_IA64, b"\x06": lzma.FILTER_IA64,
    b"\x03\x03\x05\x01": lzma.FILTER_ARM, b"\x07": lzma.FILTER_ARM,
    b"\x03\x03\x07\x01": lzma.FILTER_ARMTHUMB, b"\x08": lzma.FILTER_ARMTHUMB,
    b"\x03\x03\x08\x05": lzma.FILTER_SPARC, b"\x09": lzma.FILTER_SPARC,
}  # fmt: skip
_PLAIN = {b"\x00": "copy", b"\x04\x01\x08": "deflate", b"\x04\x02\x02": "bzip2", b"\x04\xf7\x11\x01": "zstd"}
_NAMES = {b"\x03\x04\x01": "PPMd", b"\x03\x03\x01\x1b": "BCJ2", b"\x04\x01\x09": "Deflate64", b"\x0a": "ARM64"}


class SevenZipPlan:
    """The folders of a 7z with the files that were admitted."""

    def __init__(self, archive, gate, limits):
        self.archive, self._limits = archive, limits
        self.file = open(archive["path"], "rb")
        folders, files = self._read(archive["size"])
        streams = [(folder, size, crc) for folder in folders for size, crc in folder.streams]
        self.empty, self.wanted = [], {id(folder): [] for folder in folders}
        self.folders, at = folders, 0
        for file in files:
            size, folder, crc = 0, None, None
            if not file["empty"]:
                if at == len(streams):
                    raise EOFError("its header is damaged")
                folder, size, crc = streams[at]
                at += 1
            path = gate.admit(_entry(file, size, folder))
            if folder is not None:
                self.wanted[id(folder)].append((path, size, crc))
            elif path is not None:
                self.empty.append(path)
        if at != len(streams):
            raise EOFError("its header is damaged")
        for folder in folders:
            self._check(folder, archive["size"])

    def unpack(self, sink):
        for path in self.empty:
            sink.whole(path, b"")
        for folder in self.folders:
            base = folder.start
            source = Part(self.file.fileno(), folder.start, folder.packed)
            bytes_ = Bytes(ahead(self._pieces(folder, source)))
            for path, size, crc in self.wanted[id(folder)]:
                _write(bytes_, path, size, crc, sink)
                sink.at(max(base, source.tell()), path or "")

    def _read(self, size):
        data = header.read_end(self.file, size)
        if not data:
            return [], []
        reader = header.Reader(data)
        for _ in range(4):  # a header may be packed, and the packed one again
            kind = reader.byte()
            if kind == 1:
                return _main(reader)
            if kind != 23:
                break
            [folder] = header.read_streams(reader)[:1] or [None]
            if folder is None or folder.size > header.LONGEST_HEADER:
                break
            self._check(folder, size)
            source = Part(self.file.fileno(), folder.start, folder.packed)
            data = Bytes(self._pieces(folder, source)).take(folder.size)
            if len(data) < folder.size or (folder.crc is not None and crc32(data) != folder.crc):
                break
            reader = header.Reader(data)
        raise EOFError("its header is damaged")

    def _check(self, folder, size):
        """Whether this folder can be unpacked. Raises `archive_encrypted`, `archive_unsupported`, EOFError."""
        methods = [coder.method for coder in folder.coders]
        if _AES in methods:
            raise Fault("archive_encrypted", f"The archive {quote(self.archive['name'])} is protected by a password.")
        chain = [folder.coders[i] for i in folder.order]
        *filters, last = chain
        known = last.method in (_LZMA1, _LZMA2) or (last.method in _PLAIN and not filters)
        # liblzma keeps the last bytes of a branch filter unless the stream has an end of its own, which LZMA1 lacks.
        apart = last.method == _LZMA1 and any(one.method != b"\x03" for one in filters)
        odd = [one.method for one in filters if one.method not in _FILTERS] + ([] if known else [last.method])
        if odd or apart or not folder.simple:
            names = ", ".join(_NAMES.get(method, method.hex()) for method in odd or methods)
            say = f"The archive {quote(self.archive['name'])} uses a method that is not supported ({names})."
            raise Fault("archive_unsupported", say)
        if folder.start + folder.packed > size:
            raise EOFError("it is cut off")

    def _pieces(self, folder, source):
        """The unpacked bytes of a folder, exactly as many as it tells."""
        chain = [folder.coders[i] for i in folder.order]
        plain = _PLAIN.get(chain[-1].method)
        read = lambda: source.read(PIECE // 4)  # noqa: E731
        if plain == "copy":
            return iter(read, b"")
        if plain == "deflate":
            return unpacked(read, Deflate)
        if plain == "bzip2":
            return unpacked(read, bz2.BZ2Decompressor, many=True)
        if plain == "zstd":
            return zstd(source, self._limits)
        filters = [_filter(coder) for coder in chain]
        if filters[-1]["dict_size"] > self._limits["window"]:
            raise lzma.LZMAError("Memory usage limit exceeded")
        return _lzma(read, filters, folder.size)


def _lzma(read, filters, left):
    unpacker = lzma.LZMADecompressor(lzma.FORMAT_RAW, filters=filters)
    while left > 0 and not unpacker.eof:
        data = read() if unpacker.needs_input else b""
        if unpacker.needs_input and not data:
            raise EOFError("it is cut off")
        piece = unpacker.decompress(data, min(PIECE, left))
        left -= len(piece)
        if piece:
            yield piece


def _filter(coder):
    ids = {_LZMA1: lzma.FILTER_LZMA1, _LZMA2: lzma.FILTER_LZMA2, **_FILTERS}
    kind = ids[coder.method]
    # A branch filter has no properties, and the library falls over its own feet when it is asked for them.
    plain = coder.method in _FILTERS and kind != lzma.FILTER_DELTA
    return {"id": kind} if plain else lzma._decode_filter_properties(kind, coder.props)


def _main(reader):
    folders, files = [], []
    while (kind := reader.byte()) != 0:
        if kind == 4:
            folders = header.read_streams(reader)
        elif kind == 5:
            files = header.read_files(reader)
        elif kind == 3:
            header.read_streams(reader)
        elif kind == 2:
            while reader.byte() != 0:
                reader.take(reader.count())
        else:
            raise EOFError("its header is damaged")
    return folders, files


def _entry(file, size, folder):
    attributes = file["attributes"]
    mode = attributes >> 16 & 0o170000 if attributes & 0x8000 else 0
    if mode == 0o120000 or attributes & 0x400:
        type = "link"
    elif mode not in (0, 0o100000, 0o040000) or file["anti"]:
        type = "device"
    elif file["directory"] or (folder is None and attributes & 0x10):
        type = "directory"
    else:
        type = "file"
    return Entry((file["name"] or "").replace("\\", "/") or "\0", type, size)


def _write(source, path, size, crc, sink):
    parts = _checked(source.some(size), size, crc, path)
    if path is None:
        for _ in parts:
            pass
    elif size <= _WHOLE:
        sink.whole(path, b"".join(parts))
    else:
        sink.chunks(path, parts, size)


def _checked(parts, size, crc, path):
    total = 0
    for part in parts:
        total = crc32(part, total)
        size -= len(part)
        yield part
    if size:
        raise EOFError("it is cut off")
    if crc is not None and total != crc:
        raise EOFError(f"wrong checksum of {quote(path or '')}")
