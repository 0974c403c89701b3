"""4D_NEXUS: scans come out equal with their coordinates, and every parameter that does not fit is told."""

import json
import os
import unittest

import h5py
import numpy as np
from support import ConverterCase

RANDOM = np.random.default_rng(50)


class ScanCase(ConverterCase):
    def save(self, volumes, name="scan.nxs", **coordinates):
        with h5py.File(os.path.join(self.inputs, name), "w") as file:
            for path, values in (volumes | coordinates).items():
                file.create_dataset(f"entry/{path}", data=values)

    def scan(self, **parameters):
        return self.convert("nexus4d", parameters={key: value.split(",") for key, value in parameters.items()})

    def metadata(self):
        with open(os.path.join(self.output, "metadata.json")) as file:
            return json.load(file)

    def record(self):
        with open(os.path.join(self.output, "scan.json")) as file:
            return json.load(file)["scans"]


class Scans(ScanCase):
    def test_four_axes_are_timesteps_of_volumes_with_their_coordinates(self):
        values = RANDOM.integers(0, 60000, (5, 6, 7, 8)).astype("u2")
        before, behind = np.arange(1, 31, dtype="f8"), np.arange(30, dtype="f8") * 2
        self.save({"larger": np.zeros((60, 60, 60))}, volume=values, x=np.arange(5) * 0.5, y=np.arange(6),
                  before=before.reshape(5, 6), behind=behind)  # fmt: skip
        run = self.scan(Xs="/entry/x", Ys="/entry/y", presample="/entry/before", postsample="/entry/behind")
        self.assert_product(run, values, timesteps=5)
        self.assertEqual(run.result["dims"], [8, 7, 6])
        self.assertEqual(run.result["metadata"]["axes"], ["u", "z", "y", "x"])
        (told,) = self.record()
        self.assertEqual((told["volume"], told["Xs"]["values"]), ("/entry/volume", [0, 0.5, 1, 1.5, 2]))
        self.assertEqual(told["intensity"], (behind / before).tolist())

    def test_coordinates_of_the_samples_are_those_of_the_axes(self):
        values, x, y = RANDOM.normal(size=(5, 6, 7, 8)).astype("f4"), np.arange(5) * 0.5 + 3, np.arange(6) * -2.0
        crooked = np.add.outer(x, np.arange(6) * 0.1)
        self.save({"volume": values}, x=x, grid=np.tile(y, (5, 1)), crooked=crooked)
        with h5py.File(os.path.join(self.inputs, "scan.nxs"), "a") as file:
            file["entry/x"].attrs["units"] = "mm"
            file["entry/grid"].attrs["units"] = "um"
            file["entry/volume"].attrs["units"] = "counts"
        run = self.scan(Xs="/entry/x", Ys="/entry/grid")
        self.assert_done(run)
        facts = run.result["metadata"]
        self.assertEqual((facts["voxel_size"], facts["units"]), ([0.5, -2, None, None], "counts"))
        told = self.metadata()["dimensions"]
        self.assertEqual(told[0], {"name": "x", "size": 5, "units": "mm", "values": x.tolist(), "spacing": 0.5})
        self.assertEqual(told[1], {"name": "y", "size": 6, "units": "um", "values": y.tolist(), "spacing": -2})
        self.assertEqual([scan["units"] for scan in (self.record()[0]["Xs"], self.record()[0]["Ys"])], ["mm", "um"])
        self.assert_done(self.scan(Xs="/entry/crooked"))
        self.assertEqual(self.metadata()["dimensions"][0], {"name": "x", "size": 5})  # scan.json has them

    def test_three_axes_are_a_volume(self):
        values = RANDOM.normal(size=(5, 6, 7)).astype("f4")
        self.save({"v": values}, x=np.arange(30).reshape(5, 6))
        self.assert_product(self.scan(volume="entry/v", Xs="entry/x"), values)
        self.assertEqual(len(self.record()[0]["Xs"]["values"]), 30)

    def test_several_volumes_are_fields(self):
        import OpenVisus as ov

        first, second = (RANDOM.normal(size=(5, 6, 7, 8)).astype("f4") for _ in range(2))
        self.save({"a": first, "b": second}, x=np.arange(5), w=np.arange(5) + 7)
        with h5py.File(os.path.join(self.inputs, "scan.nxs"), "a") as file:
            file["entry/b"].attrs["units"] = "counts"
        run = self.scan(volume="/entry/a,/entry/b", Xs="/entry/x,/entry/w")
        self.assert_done(run)
        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        for name, values in (("entry_a", first), ("entry_b", second)):
            for step in range(5):
                self.assertEqual(dataset.read(time=step, field=name).tobytes(), values[step].tobytes())
        self.assertTrue(self.prove().result["complete"])
        self.assertEqual([scan["Xs"]["values"][0] for scan in self.record()], [0, 7])
        self.assertEqual(self.metadata()["dimensions"][0], {"name": "x", "size": 5})  # they differ: scan.json has them
        self.assertNotIn("units", run.result["metadata"])  # those of the second are its own


class Refusals(ScanCase):
    def setUp(self):
        super().setUp()
        self.save({"v": np.ones((5, 6, 7, 8), "u2"), "w": np.ones((5, 6, 7, 9), "u2")}, x=np.arange(4), y=np.arange(6),
                  names=np.array(["a"] * 5, "S1"))  # fmt: skip

    def test_coordinates_of_another_length(self):
        words = ("Xs (/entry/x", "4 values", "5 (one per x)", "30 (one per x and y)")
        self.assert_refused(self.scan(volume="/entry/v", Xs="/entry/x"), "scan_mismatch", *words)
        run = self.scan(volume="/entry/v", Ys="/entry/x")
        self.assert_refused(run, "scan_mismatch", "6 (one per y)")
        run = self.scan(volume="/entry/v", presample="/entry/y", postsample="/entry/y")
        self.assert_refused(run, "scan_mismatch", "presample")

    def test_one_beam_alone(self):
        for given, path, missing in (("presample", "/entry/y", "postsample"), ("postsample", "/no", "presample")):
            run = self.scan(volume="/entry/v", **{given: path})
            self.assert_refused(run, "scan_mismatch", f"{missing} is not named")

    def test_what_is_not_there_or_no_numbers(self):
        self.assert_refused(self.scan(volume="/entry/z"), "no_such_dataset", "/entry/v (5 x 6 x 7 x 8) uint16")
        self.assert_refused(self.scan(volume="/entry/v", Xs="/no"), "no_such_dataset", "/no")
        self.assert_refused(self.scan(volume="/entry/v", Xs="/entry/names"), "unsupported_type")
        self.assert_refused(self.scan(volume="/entry/x"), "unsupported_shape")

    def test_volumes_that_differ_and_lists_that_do_not_match(self):
        self.assert_refused(self.scan(volume="/entry/v,/entry/w"), "slice_mismatch", "/entry/w")
        self.assert_refused(self.scan(volume="/entry/v", Ys="/entry/y,/entry/y,/entry/y"), "scan_mismatch")

    def test_other_files(self):
        self.save({"v": np.ones((5, 6, 7, 8))}, "two.nxs")
        self.assert_refused(self.scan(), "several_files", "two.nxs")
        with open(os.path.join(self.inputs, "a.nxs"), "wb") as file:
            file.write(b"CDF\x01" + bytes(60))
        run = self.convert("nexus4d", ["a.nxs"])
        self.assert_refused(run, "not_hdf5", "NETCDF")
        self.save({"flat": np.ones((5, 6))}, "flat.nxs")
        self.assert_refused(self.convert("nexus4d", ["flat.nxs"]), "no_numeric_dataset", "3 to 4")


if __name__ == "__main__":
    unittest.main()
