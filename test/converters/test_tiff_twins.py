"""Files of a stack that are not looked through, since they differ from another in their pixels alone."""

import os
import struct
import unittest
from unittest import mock

import numpy as np
import tifffile
from support import ConverterCase, random_voxels

RANDOM = np.random.default_rng(21)
PAGE = random_voxels(RANDOM, (64, 80), "u2")


class Twins(ConverterCase):
    def save(self, name, values, **options):
        path = os.path.join(self.inputs, name)
        tifffile.imwrite(path, values, photometric="minisblack", **options)
        return path

    def looked_through(self, *paths):
        """(names of the files that were looked through, their Scans)."""
        from sluice_convert import tiff_twins

        twins = tiff_twins.Twins()
        with mock.patch.object(tiff_twins, "scan", wraps=tiff_twins.scan) as scan:
            scans = [twins.scan(path, os.path.basename(path)) for path in paths]
        return [call.args[1] for call in scan.call_args_list], scans

    def test_a_stack_is_looked_through_once(self):
        paths = [self.save(f"{k}.tif", PAGE + k) for k in range(4)]
        seen, scans = self.looked_through(*paths)
        self.assertEqual(seen, ["0.tif"])
        self.assertEqual([one.pages[0].path for one in scans], paths)
        self.assertEqual([one.steps[0][0][0].path for one in scans], paths)
        self.assert_product(self.convert("tiff"), np.stack([PAGE + k for k in range(4)]))

    def test_what_says_something_else_is_looked_through(self):
        paths = [
            self.save("0.tif", PAGE), self.save("1.tif", PAGE, description="bright"), self.save("2.tif", PAGE),
            self.save("3.tif", PAGE), self.save("4.tif", PAGE, byteorder=">"), self.save("5.tif", PAGE[:, :40]),
            self.save("6.tif", np.stack([PAGE, PAGE])), self.save("7.tif", PAGE, compression="zlib"),
            self.save("8.tif", PAGE, compression="zlib"),
        ]  # fmt: skip
        seen, scans = self.looked_through(*paths)
        self.assertEqual(seen, [f"{k}.tif" for k in (0, 1, 2, 4, 5, 6, 7, 8)])
        self.assertEqual(scans[1].facts["tags"]["ImageDescription"], "bright")
        self.assertEqual([len(one.pages) for one in scans], [1, 1, 1, 1, 1, 1, 2, 1, 1])

    def test_a_twin_that_is_cut_off_is_refused(self):
        self.save("0.tif", PAGE)
        path = self.save("1.tif", PAGE)
        os.truncate(path, os.path.getsize(path) - 100)
        self.assert_refused(self.convert("tiff"), "truncated", "1.tif")

    def test_what_a_file_says_among_its_pixels_is_read_of_each(self):
        for name, rows in (("0.tif", 64), ("1.tif", 32)):
            with open(os.path.join(self.inputs, name), "wb") as file:
                file.write(says_it_among_its_pixels(64, rows))
        self.assert_refused(self.convert("tiff"), "slice_mismatch", "64 x 32")


def says_it_among_its_pixels(columns, rows):
    """A TIFF whose directory lies where 64 rows of its pixels would."""
    tags = {256: columns, 257: rows, 258: 8, 259: 1, 262: 1, 273: 8, 277: 1, 278: rows, 279: columns * rows}
    directory = struct.pack("<H", len(tags))
    directory += b"".join(struct.pack("<HHII", tag, 4, 1, value) for tag, value in tags.items()) + bytes(4)
    return struct.pack("<2sHI", b"II", 42, 1000) + bytes(992) + directory.ljust(64 * 64 - 992, b"\0")


if __name__ == "__main__":
    unittest.main()
