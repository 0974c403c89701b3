"""TIFF files that tell what their pages are (ImageJ, OME, tifffile): timesteps, slices and channels in their places."""

import json
import os
import unittest

import numpy as np
import tifffile
from support import ConverterCase, random_voxels

RANDOM = np.random.default_rng(21)


def voxels(*shape, dtype="u2"):
    return random_voxels(RANDOM, shape, dtype)


class AxesCase(ConverterCase):
    def save(self, name, values, axes, **options):
        metadata = {"axes": axes} | options.pop("metadata", {})
        path = os.path.join(self.inputs, name)
        tifffile.imwrite(path, values, metadata=metadata, **({"photometric": "minisblack"} | options))
        return path

    def describe(self, path, old, new):
        """Changes the OME record."""
        with tifffile.TiffFile(path) as file:
            text = file.pages[0].description
        self.assertIn(old, text)
        with tifffile.TiffFile(path, mode="r+b") as file:
            file.pages[0].tags[270].overwrite(text.replace(old, new))

    def metadata(self):
        with open(os.path.join(self.output, "metadata.json"), encoding="utf-8") as file:
            return json.load(file)


class Orders(AxesCase):
    def test_hyperstacks_of_imagej(self):
        values = voxels(2, 6, 3, 17, 23)
        self.save("a.tif", values, "TZCYX", imagej=True)
        run = self.convert("tiff")
        self.assert_product(run, np.moveaxis(values, 2, -1), timesteps=2)
        self.assertEqual((run.result["dims"], run.result["dtype"]), ([23, 17, 6], "uint16[3]"))
        self.assertEqual(run.result["metadata"]["axes"], ["x", "y", "z", "time"])
        self.save("a.tif", values[:, :, 0], "TZYX", imagej=True)
        self.assert_product(self.convert("tiff"), values[:, :, 0], timesteps=2)
        self.save("a.tif", values[:, 0, 0], "TYX", imagej=True)
        self.assert_product(self.convert("tiff"), values[:, 0, 0], timesteps=2)
        self.save("a.tif", values[0, :, 0], "ZYX", imagej=True)
        self.assert_product(self.convert("tiff"), values[0, :, 0])

    def test_ome_in_every_order(self):
        values = {"T": 2, "Z": 5, "C": 3}
        for order in ("TZC", "TCZ", "ZTC", "ZCT", "CTZ", "CZT"):
            for options in ({}, {"compression": "zlib", "rowsperstrip": 8}):
                with self.subTest(order=order, options=options):
                    pages = voxels(*(values[axis] for axis in order), 17, 23)
                    self.save("a.ome.tif", pages, order + "YX", ome=True, **options)
                    wanted = np.moveaxis(pages, [order.index(axis) for axis in "TZC"], [0, 1, 4])
                    self.assert_product(self.convert("tiff", slab_bytes=2048), wanted, timesteps=2)

    def test_axes_of_tifffile(self):
        values = voxels(2, 5, 17, 23)
        self.save("a.tif", values, "TZYX", compression="zlib")
        self.assert_product(self.convert("tiff"), values, timesteps=2)
        self.save("a.tif", values, "TCYX")
        self.assert_product(self.convert("tiff"), np.moveaxis(values, 1, -1), timesteps=2)

    def test_planes_that_stand_elsewhere_in_the_file(self):
        values = voxels(4, 17, 23)
        path = self.save("a.ome.tif", values, "ZYX", ome=True)
        self.describe(path, '<TiffData IFD="0" PlaneCount="4"', "".join(
            f'<TiffData IFD="{3 - z}" FirstZ="{z}" PlaneCount="1"/>' for z in range(3)
        ) + '<TiffData IFD="0" FirstZ="3" PlaneCount="1"')  # fmt: skip
        self.assert_product(self.convert("tiff"), values[::-1])

    def test_files_of_hyperstacks_follow_one_another(self):
        values = voxels(2, 2, 5, 17, 23)
        for number in range(2):
            self.save(f"t{number}.tif", values[number], "TZYX", imagej=True)
        self.assert_product(self.convert("tiff"), values.reshape(4, 5, 17, 23), timesteps=4)

    def test_slices_of_several_channels_are_z(self):
        values = voxels(4, 2, 17, 23)
        for number in range(4):
            self.save(f"z{number}.tif", values[number], "CYX", imagej=True)
        self.assert_product(self.convert("tiff"), np.moveaxis(values, 1, -1))

    def test_pages_that_nobody_calls_anything_but_channels_are_z(self):
        values = voxels(20, 17, 23)
        for options in ({"imagej": True}, {"ome": True}):
            with self.subTest(options):
                tifffile.imwrite(os.path.join(self.inputs, "a.tif"), values, photometric="minisblack", **options)
                self.assert_product(self.convert("tiff"), values)
                self.assertIn("20 channels", self.metadata()["page_order"])

    def test_more_axes_than_are_told_apart_are_z_and_said(self):
        values = voxels(2, 3, 4, 17, 23)
        for axes, words in ((None, "2 x 3 x 4 pages and not what they are"), ("QTZYX", "axes QTZYX")):
            path = os.path.join(self.inputs, "a.tif")
            told = {"metadata": {"axes": axes}} if axes else {}
            tifffile.imwrite(path, values, photometric="minisblack", compression="zlib", **told)
            run = self.convert("tiff")
            self.assert_product(run, values.reshape(24, 17, 23))
            self.assertIn(words, run.result["metadata"]["page_order"])
        tifffile.imwrite(path, values[0, 0], photometric="minisblack")
        self.assertNotIn("page_order", self.convert("tiff").result["metadata"])

    def test_a_record_that_does_not_fit_is_told(self):
        path = self.save("a.ome.tif", voxels(2, 5, 17, 23), "TZYX", ome=True)
        self.describe(path, 'SizeT="2"', 'SizeT="3"')
        run = self.convert("tiff")
        self.assert_done(run)
        self.assertEqual(run.result["dims"], [23, 17, 10])
        self.assertIn("3 timesteps x 5 slices", run.result["metadata"]["page_order"])

    def test_what_one_dataset_cannot_hold(self):
        self.save("a.tif", voxels(2, 20, 9, 11), "ZCYX", imagej=True)
        self.assert_refused(self.convert("tiff"), "unsupported_samples", "20 samples")
        with tifffile.TiffWriter(os.path.join(self.inputs, "a.ome.tif"), ome=True) as file:
            for _ in range(2):
                file.write(voxels(3, 9, 11), photometric="minisblack", metadata={"axes": "ZYX"})
        self.assert_refused(self.convert("tiff", ["a.ome.tif"]), "unsupported_shape", "2 images")
        self.save("b.tif", voxels(2, 4, 9, 11), "TZYX", imagej=True)
        self.save("c.tif", voxels(4, 2, 9, 11), "TZYX", imagej=True)
        self.assert_refused(self.convert("tiff", ["b.tif", "c.tif"]), "slice_mismatch", "c.tif", "has 2;")


class Sizes(AxesCase):
    def test_sizes_of_ome(self):
        told = {"PhysicalSizeX": 0.5, "PhysicalSizeXUnit": "nm", "PhysicalSizeY": 0.25, "PhysicalSizeZ": 2.0,
                "TimeIncrement": 0.1}  # fmt: skip
        self.save("a.ome.tif", voxels(2, 5, 17, 23), "TZYX", ome=True, metadata=told)
        self.sizes([0.1, 2.0, 0.25, 0.5], ["s", "µm", "µm", "nm"])

    def test_times_of_ome_are_those_of_its_planes(self):
        def told(deltas, units="ms"):
            planes = {"DeltaT": deltas, "DeltaTUnit": [units] * len(deltas)}
            metadata = {"TimeIncrement": 0.1, "Plane": planes}
            self.save("a.ome.tif", voxels(3, 2, 17, 23), "TZYX", ome=True, metadata=metadata)
            return self.converted()["dimensions"][0]

        uneven = told([0.0, 4.0, 100.5, 104.0, 250.0, 254.0])
        self.assertEqual((uneven["values"], uneven["units"]), ([0.0, 100.5, 250.0], "ms"))
        self.assertIsNone(uneven["spacing"])  # the mean step that the record tells as well is in seconds
        even = told([0.5, 0.6, 1.0, 1.1, 1.5, 1.6], "s")
        self.assertEqual((even["values"], even["units"], even["spacing"]), ([0.5, 1.0, 1.5], "s", 0.5))
        unknown = told([0.0, 4.0, float("nan"), 104.0, 250.0, 254.0])
        self.assertEqual((unknown["spacing"], unknown["units"]), (0.1, "s"))
        self.assertNotIn("values", unknown)
        standing = told([0.0] * 6)
        self.assertEqual(standing["spacing"], 0.1)
        self.assertNotIn("values", standing)

    def test_sizes_of_imagej(self):
        told = {"spacing": 3.0, "unit": "um", "finterval": 0.1}
        self.save("a.tif", voxels(2, 5, 17, 23), "TZYX", imagej=True, resolution=(2.0, 4.0), metadata=told)
        self.sizes([0.1, 3.0, 0.25, 0.5], ["s", "um", "um", "um"])

    def test_sizes_of_tags(self):
        self.save("a.tif", voxels(17, 23), "YX", resolution=(2.0, 4.0), resolutionunit="CENTIMETER")
        self.sizes([0.25, 0.5], ["cm", "cm"])
        self.save("a.tif", voxels(17, 23), "YX", resolution=(72, 72), resolutionunit="INCH")
        self.assertNotIn("voxel_size", self.converted())

    def sizes(self, sizes, units):
        told = self.converted()
        np.testing.assert_allclose(told["voxel_size"], sizes)
        self.assertEqual([axis["units"] for axis in told["dimensions"]], units)

    def converted(self):
        run = self.convert("tiff", ["a.ome.tif" if "a.ome.tif" in self.all_names() else "a.tif"])
        self.assert_done(run)
        return self.metadata()

    def test_the_record_of_ome_is_whole_and_its_channels_are_named(self):
        channels = {"Channel": {"Name": [f"channel {number} {'long ' * 2000}" for number in range(3)]}}
        path = self.save("a.ome.tif", voxels(5, 3, 17, 23), "ZCYX", ome=True, metadata=channels)
        told = self.converted()
        with tifffile.TiffFile(path) as file:
            self.assertEqual(told["first_page"]["tags"]["ImageDescription"], file.pages[0].description)
        self.assertEqual([name[:9] for name in told["channels"]], ["channel 0", "channel 1", "channel 2"])

    def test_what_each_file_says_of_the_whole_series_is_no_time(self):
        for number in range(3):
            self.save(f"t{number}.tif", voxels(4, 17, 23), "ZYX", datetime="2024:05:01 12:00:00")
        self.assert_done(self.convert("tiff"))
        self.assertNotIn("values", self.metadata()["dimensions"][0])

    def test_times_of_files_are_those_of_the_timesteps(self):
        for number, moment in enumerate(("2024:05:01 12:00:00", "2024:05:01 12:00:30", "2024:05:01 12:01:00")):
            made = {"datetime": moment, "software": f"version {number // 2}"}
            path = self.save(f"t{number}.tif", voxels(4, 17, 23), "ZYX", **made)
        run = self.convert("tiff", parameters={"output": "both"})
        self.assert_done(run)
        told = self.metadata()
        self.assertEqual(told["dimensions"][0], {
            "name": "time", "size": 3, "units": "seconds since 2024-05-01 12:00:00",
            "values": [0, 30, 60], "spacing": 30,
        })  # fmt: skip
        self.assertEqual(told["voxel_size"], [30, None, None, None])
        others = [one["attributes"]["/"] for one in told["attributes_of_files"]]
        self.assertEqual([sorted(one) for one in others], [["DateTime"], ["DateTime", "Software"]])
        with open(os.path.join(self.output, "data.zarr", "zarr.json")) as file:
            (scales,) = json.load(file)["attributes"]["ome"]["multiscales"]
        self.assertEqual(scales["axes"][0], {"name": "time", "type": "time", "unit": "second"})
        self.assertEqual(scales["datasets"][0]["coordinateTransformations"][0]["scale"], [30, 1, 1, 1])
        for number in range(3):
            name = f"t{number}.tif"
            self.describe(self.save(name, voxels(4, 17, 23), "ZYX", ome=True), "<Pixels",
                          f"<AcquisitionDate>2024-05-01T12:0{number}:00.250</AcquisitionDate><Pixels")  # fmt: skip
        self.assert_done(self.convert("tiff"))
        self.assertEqual(self.metadata()["dimensions"][0]["units"], "seconds since 2024-05-01 12:00:00.250000")
        self.assertEqual(self.metadata()["dimensions"][0]["values"], [0, 60, 120])
        tifffile.imwrite(path, voxels(4, 17, 23), photometric="minisblack")  # of one file no time is known
        self.assert_done(self.convert("tiff"))
        time = self.metadata()["dimensions"][0]
        self.assertEqual((time["units"], time["spacing"], "values" in time), (None, None, False))

    def test_what_is_cut_is_named(self):
        extra = [(65000, "s", 0, "x" * 9000, True), (65001, "I", 100, tuple(range(100)), True)]
        path = os.path.join(self.inputs, "a.tif")
        tifffile.imwrite(path, voxels(17, 23), photometric="minisblack", extratags=extra)
        self.assertEqual(self.converted()["first_page"]["cut"], ["65000", "65001"])


if __name__ == "__main__":
    unittest.main()
