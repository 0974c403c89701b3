"""Which picture lies where in a mosaic: by the order of the files, or by the numbers in their names."""

import re

from .natural import listing
from .report import Fault

PLACE = re.compile(r"_(\d+)_(\d+)(?:_[A-Za-z]+)?\.[A-Za-z]+$")


def laid_out(pictures, columns, rows, order):
    """[row][column] of pictures. Raises mosaic_mismatch."""
    if order == "names":
        return _by_names(pictures, columns, rows)
    columns = columns or (-(-len(pictures) // rows))
    rows = rows or (-(-len(pictures) // columns))
    if columns * rows != len(pictures):
        raise Fault(
            "mosaic_mismatch",
            f"A mosaic of {columns} columns and {rows} rows needs {columns * rows} pictures, and there are "
            f"{len(pictures)}: {listing(one.name for one in pictures)}.",
        )
    if order == "columns":
        return [[pictures[column * rows + row] for column in range(columns)] for row in range(rows)]
    grid = [pictures[row * columns : (row + 1) * columns] for row in range(rows)]
    return [line[::-1] if order == "snake" and row % 2 else line for row, line in enumerate(grid)]


def _by_names(pictures, columns, rows):
    """`…_<column>_<row>.tif`, counted from 0 or 1."""
    places = {}
    for one in pictures:
        found = PLACE.search(one.name)
        if found is None:
            raise Fault("mosaic_mismatch", f"{one.name} does not end in _<column>_<row>, as the order `names` needs.")
        place = int(found[1]), int(found[2])
        if place in places:
            raise Fault("mosaic_mismatch", f"{places[place].name} and {one.name} have the same place.")
        places[place] = one
    low = [min(place[axis] for place in places) for axis in (0, 1)]
    sizes = [max(place[axis] for place in places) - low[axis] + 1 for axis in (0, 1)]
    for what, wanted, size in (("columns", columns, sizes[0]), ("rows", rows, sizes[1])):
        if wanted and wanted != size:
            raise Fault("mosaic_mismatch", f"The names give {size} {what}, and {wanted} were asked for.")
    if sizes[0] * sizes[1] != len(places):
        missing = [
            f"_{column}_{row}"
            for row in range(low[1], low[1] + min(sizes[1], 1000))
            for column in range(low[0], low[0] + min(sizes[0], 1000))
            if (column, row) not in places
        ]
        raise Fault("mosaic_mismatch", f"The mosaic lacks {sizes[0] * sizes[1] - len(places)}: {listing(missing)}.")
    return [[places[low[0] + column, low[1] + row] for column in range(sizes[0])] for row in range(sizes[1])]
