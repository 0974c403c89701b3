"""Header of a classic NetCDF file (versions 1, 2, 5): where the file must end.

The NetCDF library opens a classic file that was cut off and gives zeros for what is missing, so the size that the
header promises is compared with the size of the file before anything is read.
"""

import struct

WIDTHS = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
STREAMING = (0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF)


class HeaderCut(Exception):
    """The file ends inside its header, or the header is not one."""


def promised_size(path):
    """Bytes that the header promises, without trailing padding. Raises HeaderCut."""
    with open(path, "rb") as file:
        try:
            return _Header(file).end()
        except (struct.error, KeyError, IndexError, OverflowError, MemoryError) as error:
            raise HeaderCut(str(error)) from error


class _Header:
    def __init__(self, file):
        self._file = file
        version = file.read(4)[3]
        self._count = ">Q" if version == 5 else ">I"
        self._begin = ">I" if version == 1 else ">Q"
        self.records = self._number(self._count)
        self.dims = self._list(self._dimension)
        self._list(self._attribute)
        self.variables = self._list(self._variable)

    def end(self):
        """The last byte of data of any variable, by its shape (vsize in the header is not trusted)."""
        ends = [self._file.tell()]
        records = 0 if self.records in STREAMING else self.records
        record_bytes = self._record_bytes()
        for dims, width, begin in self.variables:
            is_record = bool(dims) and self.dims[dims[0]] == 0
            size = width
            for dim in dims[1:] if is_record else dims:
                size *= self.dims[dim]
            if not is_record:
                ends.append(begin + size)
            elif records:
                ends.append(begin + (records - 1) * record_bytes + size)
        return max(ends)

    def _record_bytes(self):
        sizes = []
        for dims, width, _ in self.variables:
            if dims and self.dims[dims[0]] == 0:
                size = width
                for dim in dims[1:]:
                    size *= self.dims[dim]
                sizes.append(size)
        # Records of a single variable are not padded; several are padded to four bytes each.
        return sizes[0] if len(sizes) == 1 else sum(-(-size // 4) * 4 for size in sizes)

    def _number(self, form):
        return struct.unpack(form, self._file.read(struct.calcsize(form)))[0]

    def _list(self, item):
        self._number(">I")  # tag
        return [item() for _ in range(self._number(self._count))]

    def _skip(self, size):
        padded = -(-size // 4) * 4
        if len(self._file.read(padded)) != padded:
            raise HeaderCut("the header is cut off")

    def _dimension(self):
        self._skip(self._number(self._count))
        return self._number(self._count)

    def _attribute(self):
        self._skip(self._number(self._count))
        width = WIDTHS[self._number(">I")]
        self._skip(width * self._number(self._count))

    def _variable(self):
        self._skip(self._number(self._count))
        dims = [self._number(self._count) for _ in range(self._number(self._count))]
        self._list(self._attribute)
        width = WIDTHS[self._number(">I")]
        self._number(self._count)
        return dims, width, self._number(self._begin)
