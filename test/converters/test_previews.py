"""Pictures show what the source holds: middle slices along each axis, colours, a strip, a histogram."""

import json
import os
import unittest

import numpy as np
import tifffile
from support import ConverterCase


def smooth(depth, height, width):
    """Values that differ along every axis, with a gradient and a ball."""
    z, y, x = np.mgrid[0:depth, 0:height, 0:width].astype(float)
    ball = (z - depth * 0.4) ** 2 + (y - height * 0.6) ** 2 + (x - width * 0.3) ** 2 < (height / 4) ** 2
    return (1000 + 20 * z + 3 * y + 7 * x + 1500 * ball).astype("u2")


def averaged(plane, height, width):
    """The plane at a picture's resolution, by plain means, with no code of the converters."""
    rows, columns = (np.linspace(0, size, count + 1).astype(int) for size, count in zip(plane.shape, (height, width)))
    wide = np.stack([plane[a : max(b, a + 1)].mean(axis=0) for a, b in zip(rows, rows[1:])])
    return np.stack([wide[:, a : max(b, a + 1)].mean(axis=1) for a, b in zip(columns, columns[1:])], axis=1)


class Pictures(ConverterCase):
    def pixels(self, name="preview.png"):
        from imagecodecs import png_decode

        with open(self.place(name), "rb") as file:
            return png_decode(file.read())

    def made(self, values, **options):
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), values, **options)
        self.assert_done(self.convert("tiff"))
        run = self.prove()
        self.assert_done(run)
        return run.result

    def assert_shows(self, name, plane):
        pixels = self.pixels(name).astype(float)
        wanted = averaged(plane, *pixels.shape)
        self.assertGreaterEqual(np.corrcoef(pixels.ravel(), wanted.ravel())[0, 1], 0.95, name)

    def test_middle_slices_along_each_axis_correlate_with_the_source(self):
        values = smooth(50, 300, 700)
        result = self.made(values)
        self.assert_shows("preview.png", values[25])
        self.assert_shows("preview-y.png", values[:, 150])
        self.assert_shows("preview-x.png", values[:, :, 350])
        self.assertEqual(result["preview"], {"width": 512, "height": 219})
        self.assertEqual(set(result["pictures"]), {"preview-x.png", "preview-y.png", "strip.png", "histogram.png"})

    def test_the_strip_holds_slices_from_front_to_back(self):
        values = smooth(80, 60, 70)
        self.made(values)
        strip = self.pixels("strip.png").astype(float)
        self.assertEqual(strip.shape, (60, 8 * 70 + 7 * 2))
        for k in range(8):
            tile, wanted = strip[:, k * 72 : k * 72 + 70], values[(2 * k + 1) * 5]
            self.assertGreaterEqual(np.corrcoef(tile.ravel(), wanted.ravel())[0, 1], 0.95)
        means = [strip[:, k * 72 : k * 72 + 70].mean() for k in (0, 7)]
        self.assertLess(means[0], means[1])  # one contrast for all of them

    def test_the_histogram_counts_every_voxel_of_small_data(self):
        values = smooth(20, 50, 60)
        self.made(values)
        with open(self.place("histogram.json")) as file:
            histogram = json.load(file)
        self.assertTrue(histogram["complete"])
        (sample,) = histogram["samples"]
        self.assertEqual((sample["min"], sample["max"]), (values.min(), values.max()))
        wanted, _ = np.histogram(values, 256)
        self.assertEqual(sample["counts"], wanted.tolist())

    def test_colour_stays_colour(self):
        y, x = np.mgrid[0:90, 0:120]
        colour = np.stack([x * 2, y * 2, 255 - x - y], axis=2).astype("u1")
        result = self.made(colour, photometric="rgb")
        pixels = self.pixels()
        self.assertEqual(pixels.shape, (90, 120, 3))
        for k in range(3):
            self.assertGreaterEqual(np.corrcoef(pixels[..., k].ravel(), colour[..., k].ravel())[0, 1], 0.95)
        self.assertNotIn("strip.png", result["pictures"])
        with open(self.place("histogram.json")) as file:
            self.assertEqual(len(json.load(file)["samples"]), 3)

    def test_a_vegetation_index_has_a_colour_map_from_minus_one_to_one(self):
        """Red and near infrared that give -1, -0.5, 0, 0.5, 1 and no number."""
        red, nir = np.array([200, 150, 100, 50, 0, 0], "u1"), np.array([0, 50, 100, 150, 200, 0], "u1")
        photo = np.repeat(np.stack([red, red, nir], axis=1)[None], 4, axis=0)
        for step in range(2):
            tifffile.imwrite(os.path.join(self.inputs, f"{step}.tif"), photo, photometric="rgb")
        self.assert_done(self.convert("mapir"))
        run = self.prove()
        self.assert_done(run)
        wanted = [(140, 81, 10), (198, 168, 132), (255, 255, 255), (128, 180, 155), (0, 104, 55), (0, 0, 0)]
        self.assertEqual(self.pixels().tolist(), [list(map(list, wanted))] * 4)
        self.assertEqual(self.pixels("strip.png")[:, :6].tolist(), self.pixels().tolist())
        self.assertEqual(self.pixels("histogram.png").ndim, 2)

    def test_the_widest_ranges_have_a_histogram(self):
        for dtype, ends in (("u8", (0, 2**64 - 1)), ("i8", (-(2**63), 2**63 - 1)), ("f8", (-1.7e308, 1.7e308))):
            values = np.zeros((30, 40), dtype)
            values[3:, 7:], values[0, 0] = ends[1], ends[0]
            with self.subTest(dtype):
                self.made(values, photometric="minisblack")
                with open(self.place("histogram.json")) as file:
                    (sample,) = json.load(file)["samples"]
                self.assertEqual((sample["min"], sample["max"], sum(sample["counts"])), (*ends, values.size))

    def test_the_narrowest_ranges_have_a_histogram(self):
        nanoseconds = 1_700_000_000_123_456_789
        for name, values in (
            ("neighbours", np.array([0.3, 0.1 + 0.2])), ("large", np.array([1e20])), ("denormal", np.array([0, 5e-324])),
            ("time", np.array([nanoseconds])), ("times", np.array([nanoseconds, nanoseconds + 1])),
            ("unsigned", np.array([2**64 - 2, 2**64 - 1], "u8")),
        ):  # fmt: skip
            with self.subTest(name):
                self.made(np.resize(values, (30, 40)), photometric="minisblack")
                with open(self.place("histogram.json")) as file:
                    (sample,) = json.load(file)["samples"]
                self.assertEqual((sample["min"], sample["max"]), (values.min(), values.max()))
                counts = {(0, 255): 600} if len(values) == 2 else {(128,): 1200}
                self.assertEqual({tuple(np.flatnonzero(sample["counts"])): max(sample["counts"])}, counts)

    def test_a_picture_that_cannot_be_drawn_does_not_fail_the_proof(self):
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), smooth(20, 50, 60))
        self.assert_done(self.convert("tiff"))
        os.mkdir(self.place("preview-y.png"))  # so that no file can be written there
        os.mkdir(self.place("histogram.json"))
        run = self.prove()
        self.assert_done(run)
        self.assertEqual(set(run.result["pictures"]), {"preview-x.png", "strip.png"})
        self.assertEqual(set(run.result["undrawn"]), {"preview-y.png", "histogram.png"})
        self.assertIn("preview-y.png", run.log)
        os.remove(self.preview)
        os.mkdir(self.preview)
        run = self.prove()
        self.assert_done(run)
        self.assertIsNone(run.result["preview"])

    def test_values_that_are_no_numbers_are_left_out(self):
        values = np.full((4, 30, 40), np.nan, "f4")
        self.made(values, photometric="minisblack")
        with open(self.place("histogram.json")) as file:
            (sample,) = json.load(file)["samples"]
        self.assertEqual((sample["min"], sample["invalid"]), (None, values.size))
        self.assertEqual(self.pixels().max(), 0)


if __name__ == "__main__":
    unittest.main()
