"""Reads an OpenVisus dataset (idx version 6) from its files alone: with numpy, zlib and the block decoder of LZ4.

It imports neither OpenVisus nor the converters, so that what they write is not judged by their own code. The bitmask
("V0101…") names the axis that each division of the padded box halves, the coarsest first; the bits of a voxel's place
in that order are its Z address, and its HZ address is that with a 1 before it, shifted until a 1 falls out behind. A
block is 2^bitsperblock HZ addresses that follow one another, so its voxels are a regular grid.
"""

import os
import re
import zlib

import numpy as np
from imagecodecs import lz4_decode

HEADER, WORDS = 40, 10  # bytes before the table of a file; numbers for each block in it
OFFSET_LOW, OFFSET_HIGH, SIZE, FLAGS = 2, 3, 4, 5
ROW_MAJOR, CODEC = 0x10, 0x0F
KINDS = {"uint": "u", "int": "i", "float": "f"}


def sections(text):
    """{name: lines} of an index: each section begins with its name in brackets."""
    found, lines = {}, []
    for line in map(str.strip, text.splitlines()):
        name = re.fullmatch(r"\(([^()]*)\)", line)
        if name:
            lines = found.setdefault(name[1], [])
        elif line:
            lines.append(line)
    return found


def voxel_type(word):
    """(numpy type, samples) of `uint8[3]`."""
    kind, bits, samples = re.fullmatch(r"(uint|int|float)(\d+)(?:\[(\d+)\])?", word).groups()
    return np.dtype(f"<{KINDS[kind]}{int(bits) // 8}"), int(samples or 1)


class PlainIdx:
    """A dataset: `fields`, `times`, `low` and `high` (x first), and the voxels of a field at a time."""

    def __init__(self, path):
        self._folder = os.path.dirname(path)
        with open(path, encoding="utf-8") as file:
            found = sections(file.read())
        if found["version"] != ["6"] or int(found.get("interleave block", ["0"])[0]) > 1:
            raise ValueError("only version 6 without interleaved blocks is read")
        self._axes = [int(letter) for letter in found["bits"][0][1:]]
        rank, box = max(self._axes) + 1, [int(word) for word in found["box"][0].split()]
        self.low, self.high = box[: 2 * rank : 2], [last + 1 for last in box[1 : 2 * rank : 2]]
        self._bits, self._in_file = int(found["bitsperblock"][0]), int(found["blocksperfile"][0])
        words = [line.removeprefix("+").split() for line in found["fields"]]
        self.fields = {word[0]: voxel_type(word[1]) for word in words}
        self._template = found["filename_template"][0]
        first, last, self._time_template = found["time"][0].split() if "time" in found else ("0", "0", "")
        self.times, self._tables = range(int(first), int(last) + 1), {}

    def values(self, field):
        """All voxels of a field as (time, [z,] y, x[, sample]). Raises ValueError where a block of them is missing."""
        return np.stack([self._at(field, time) for time in self.times])

    def _at(self, field, time):
        dtype, samples = self.fields[field]
        sizes = [high - low for low, high in zip(self.low, self.high)]
        values = np.empty((*sizes[::-1], samples), dtype)
        for number in range(max(1, 1 << len(self._axes) >> self._bits)):
            places = self._grid(number)
            inside = [(low <= one) & (one < high) for low, one, high in zip(self.low, places, self.high)]
            if all(one.any() for one in inside):
                block = self._block(field, time, number, places)
                to = [one[kept] - low for one, kept, low in zip(places, inside, self.low)]
                values[np.ix_(*to[::-1])] = block[np.ix_(*inside[::-1])]
        return values if samples > 1 else values[..., 0]

    def _grid(self, number):
        """The places of a block's voxels along each axis, x first."""
        begin, end, address = 0, self._bits, 0  # the divisions that tell its voxels apart; its first Z address
        if number > 0:
            first, last = number << self._bits, len(self._axes)
            level = first.bit_length()
            begin, end = level - 1 - self._bits, level - 1
            address = ((first << 1 | 1) << (last - level)) & ((1 << last) - 1)
        places = []
        for axis in range(max(self._axes) + 1):
            own = [place for place, one in enumerate(self._axes) if one == axis]
            start = 0
            for place in own:
                start = start << 1 | (address >> (len(self._axes) - 1 - place) & 1)
            count, step = sum(begin <= place < end for place in own), sum(place >= end for place in own)
            places.append(start + (np.arange(1 << count) << step))
        return places

    def _addresses(self, places):
        """The HZ address of each voxel of a grid, as (z, y, x)."""
        where, rest = np.meshgrid(*places[::-1], indexing="ij")[::-1], np.zeros(len(places), int)
        z = np.full(where[0].shape, 1 << len(self._axes), np.int64)
        for shift, axis in enumerate(self._axes[::-1]):
            z |= (where[axis] >> rest[axis] & 1) << shift
            rest[axis] += 1
        return z // (2 * (z & -z))

    def _block(self, field, time, number, places):
        """The voxels of a block as ([z,] y, x, sample)."""
        dtype, samples = self.fields[field]
        path = self._path(time, number)
        row = list(self.fields).index(field) * self._in_file + number % self._in_file
        word = [int(one) for one in self._table(path)[row]]
        if word[SIZE] == 0:
            raise ValueError(f"block {number} of {field} at {time} is missing in {path}")
        with open(path, "rb") as file:
            file.seek(word[OFFSET_LOW] + (word[OFFSET_HIGH] << 32))
            packed = file.read(word[SIZE])
        whole = dtype.itemsize * samples << self._bits
        decode = {0: bytes, 3: zlib.decompress, 7: lambda raw: lz4_decode(raw, out=whole)}[word[FLAGS] & CODEC]
        voxels = np.frombuffer(decode(packed), dtype).reshape(-1, samples)
        if word[FLAGS] & ROW_MAJOR:
            return voxels.reshape(*(len(one) for one in places[::-1]), samples)
        return voxels[self._addresses(places) - (number << self._bits)]

    def _table(self, path):
        if path not in self._tables:
            with open(path, "rb") as file:
                file.seek(HEADER)
                raw = file.read(4 * WORDS * self._in_file * len(self.fields))
            self._tables[path] = np.frombuffer(raw, ">u4").reshape(-1, WORDS)
        return self._tables[path]

    def _path(self, time, number):
        """The file of a block: the number of its first block in hexadecimal digits, the last of them in the last place."""
        first, head, tail = number - number % self._in_file, self._template, ""
        while match := re.fullmatch(r"(.*)%0(\d)x(.*?)", head):
            head, digits, behind = match[1], int(match[2]), match[3]
            tail = f"{first & ((1 << 4 * digits) - 1):0{digits}x}{behind}{tail}"
            first >>= 4 * digits
        while first > 0:
            tail, first = f"{first & ((1 << 4 * digits) - 1):0{digits}x}/{tail}", first >> 4 * digits
        return os.path.join(self._folder, head + (self._time_template and self._time_template % time) + tail)
