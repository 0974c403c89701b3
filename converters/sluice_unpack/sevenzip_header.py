"""The header of a 7z archive: folders of packed streams, and the files that are cut out of them.

Every count is held against the length of the header that tells it, so none can make it take more memory than that.
"""

import struct
from zlib import crc32

SIGNATURE = b"7z\xbc\xaf\x27\x1c"
LONGEST_HEADER = 256 * 1024 * 1024


class Coder:
    """A method with its properties."""

    __slots__ = ("method", "props")

    def __init__(self, method, props):
        self.method, self.props = method, props


class Folder:
    """A chain of coders, from the one that gives the bytes to the one that takes the packed stream."""

    def __init__(self, coders, simple):
        self.coders, self.simple = coders, simple
        self.sizes, self.order, self.crc = [], list(range(len(coders))), None
        self.start = self.packed = 0
        self.inputs = self.outputs = 1
        self.streams = None  # (size, crc) of each file; None = it holds one

    @property
    def size(self):
        return self.sizes[self.order[0]] if self.sizes else 0


class Reader:
    """Reads the header's own encodings. Raises EOFError when it ends too early."""

    def __init__(self, data):
        self._data, self._at, self.length = data, 0, len(data)

    def take(self, count):
        if count > self.length - self._at:
            raise EOFError("its header is damaged")
        part = self._data[self._at : self._at + count]
        self._at += count
        return part

    def byte(self):
        return self.take(1)[0]

    def number(self):
        first, value, mask = self.byte(), 0, 0x80
        for i in range(8):
            if not first & mask:
                return value | (first & mask - 1) << 8 * i
            value |= self.byte() << 8 * i
            mask >>= 1
        return value

    def count(self):
        """A number of things that the header describes; each takes some of its bytes."""
        value = self.number()
        if value > self.length:
            raise EOFError("its header is damaged")
        return value

    def bits(self, count):
        data = self.take((count + 7) // 8)
        return [bool(data[i >> 3] & 0x80 >> (i & 7)) for i in range(count)]

    def some(self, count):
        """Which of so many things are told."""
        return [True] * count if self.byte() else self.bits(count)

    def crcs(self, count):
        return [struct.unpack("<I", self.take(4))[0] if told else None for told in self.some(count)]

    def expect(self, kind):
        if self.byte() != kind:
            raise EOFError("its header is damaged")


def read_end(file, size):
    """The bytes of the end header, which its start header points at. Raises EOFError."""
    head = file.read(32)
    if len(head) < 32 or struct.unpack_from("<I", head, 8)[0] != crc32(head[12:32]):
        raise EOFError("its header is damaged")
    offset, length, crc = struct.unpack_from("<QQI", head, 12)
    if 32 + offset + length > size:
        raise EOFError("it is cut off")
    if length > LONGEST_HEADER:
        raise EOFError("its header is longer than any honest one")
    file.seek(32 + offset)
    data = file.read(length)
    if crc32(data) != crc:
        raise EOFError("its header is damaged")
    return data


def read_streams(reader):
    """The folders with their places in the file."""
    folders, pack_start, packed = [], 0, []
    while (kind := reader.byte()) != 0:
        if kind == 6:
            pack_start, packed = _pack_info(reader)
        elif kind == 7:
            folders = _folders(reader)
        elif kind == 8:
            _substreams(reader, folders)
        else:
            raise EOFError("its header is damaged")
    at = 32 + pack_start
    for folder in folders:
        if folder.streams is None:
            folder.streams = [(folder.size, folder.crc)]
        sizes = packed[: folder.inputs]
        packed = packed[folder.inputs :]
        if len(sizes) < folder.inputs:
            raise EOFError("its header is damaged")
        folder.start, folder.packed = at, sizes[0] if sizes else 0
        at += sum(sizes)
    return folders


def _pack_info(reader):
    start, count, sizes = reader.number(), reader.count(), []
    while (kind := reader.byte()) != 0:
        if kind == 9:
            sizes = [reader.number() for _ in range(count)]
        elif kind == 10:
            reader.crcs(count)
        else:
            raise EOFError("its header is damaged")
    return start, sizes


def _folders(reader):
    reader.expect(11)
    count = reader.count()
    reader.expect(0)
    folders = [_folder(reader) for _ in range(count)]
    reader.expect(12)
    for folder in folders:
        folder.sizes = [reader.number() for _ in range(folder.outputs)]
    while (kind := reader.byte()) != 0:
        if kind != 10:
            raise EOFError("its header is damaged")
        for folder, crc in zip(folders, reader.crcs(count)):
            folder.crc = crc
    return folders


def _folder(reader):
    count = reader.count()
    if not 0 < count <= 32:
        raise EOFError("its header is damaged")
    coders, inputs, outputs = [], 0, 0
    for _ in range(count):
        flags = reader.byte()
        method = reader.take(flags & 15)
        ins, outs = (reader.count(), reader.count()) if flags & 16 else (1, 1)
        props = reader.take(reader.count()) if flags & 32 else b""
        coders.append(Coder(method, props))
        inputs, outputs = inputs + ins, outputs + outs
    pairs = [(reader.number(), reader.number()) for _ in range(max(0, outputs - 1))]
    packed = inputs - len(pairs)
    if packed > 1:
        for _ in range(packed):
            reader.number()
    folder = Folder(coders, inputs == outputs == count)
    folder.inputs, folder.outputs = max(1, packed), outputs
    if folder.simple:
        folder.order = _chain(count, pairs)
    return folder


def _chain(count, pairs):
    """The coders from the last output back to the packed stream."""
    from_output = dict(pairs)
    bound = set(from_output.values())
    [at] = [i for i in range(count) if i not in bound][:1] or [0]
    order = [at]
    while at in from_output and len(order) < count:
        at = from_output[at]
        order.append(at)
    if len(order) != count or not all(0 <= i < count for i in order):
        raise EOFError("its header is damaged")
    return order


def _substreams(reader, folders):
    counts = [1] * len(folders)
    kind = reader.byte()
    if kind == 13:
        counts = [reader.count() for _ in folders]
        kind = reader.byte()
    if sum(counts) > reader.length:
        raise EOFError("its header is damaged")
    sizes = [[] for _ in folders]
    for folder, count, own in zip(folders, counts, sizes):
        if count == 0:
            continue
        if kind == 9:
            own.extend(reader.number() for _ in range(count - 1))
        own.append(folder.size - sum(own))
        if own[-1] < 0 or len(own) != count:
            raise EOFError("its header is damaged")
    if kind == 9:
        kind = reader.byte()
    unknown = [not (count == 1 and folder.crc is not None) for folder, count in zip(folders, counts)]
    told = []
    while kind != 0:
        if kind != 10:
            raise EOFError("its header is damaged")
        told = reader.crcs(sum(count for count, new in zip(counts, unknown) if new))
        kind = reader.byte()
    for folder, own, new in zip(folders, sizes, unknown):
        crcs, told = (told[: len(own)], told[len(own) :]) if new else ([folder.crc], told)
        folder.streams = list(zip(own, crcs + [None] * (len(own) - len(crcs))))


def read_files(reader):
    """Dictionaries with `name`, `empty` (no stream), `directory`, `attributes`, `anti`."""
    count = reader.count()
    files = [{"name": None, "empty": False, "directory": False, "anti": False, "attributes": 0} for _ in range(count)]
    empty = []
    while (kind := reader.number()) != 0:
        part = Reader(reader.take(reader.count()))
        if kind == 14:
            for file, value in zip(files, part.bits(count)):
                file["empty"] = file["directory"] = value
            empty = [file for file in files if file["empty"]]
        elif kind in (15, 16):
            for file, value in zip(empty, part.bits(len(empty))):
                if kind == 15:
                    file["directory"] = not value
                else:
                    file["anti"] = value
        elif kind == 17:
            _names(part, files)
        elif kind == 21:
            told = part.some(count)
            part.expect(0)
            for file, value in zip(files, told):
                file["attributes"] = struct.unpack("<I", part.take(4))[0] if value else 0
    return files


def _names(part, files):
    part.expect(0)
    text = part.take(part.length - 1).decode("utf-16-le", "surrogatepass")
    names = text.split("\0")
    if len(names) < len(files) + 1:
        raise EOFError("its header is damaged")
    for file, name in zip(files, names):
        file["name"] = name
