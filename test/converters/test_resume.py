"""A conversion that is killed, at seeded moments, goes on from its last whole slab; what is doubtful is done anew."""

import gzip
import json
import os
import random
import shutil
import time
import unittest

import h5py
import netCDF4
import numpy as np
import OpenVisus as ov
import tifffile
import zarr
from support import ConverterCase, Run
from test_nifti import CODES, header1

RANDOM = np.random.default_rng(90)
MOMENTS = random.Random(int(os.environ.get("SLUICE_TEST_SEED", "5")))
KILLS = 12 if "SLUICE_TEST_SOAK" in os.environ else 3


class KilledCase(ConverterCase):
    def setUp(self):
        super().setUp()
        self.journal = self.place("journal.jsonl")

    def save(self, values, name="a.tif", **options):
        tifffile.imwrite(os.path.join(self.inputs, name), values, **({"photometric": "minisblack"} | options))

    def wish(self, names, parameters=None):
        """A request for a conversion from the beginning."""
        if os.path.exists(self.journal):
            os.remove(self.journal)
        return self.request(names, parameters) | {"journal": self.journal}

    def attempt(self, program, request, lines=None, later=0.0):
        """One attempt, killed when the journal has so many lines and a moment after; without `lines` to its end."""
        for name in ("work", "cwd"):
            shutil.rmtree(self.place(name))
            os.makedirs(self.place(name))
        process = self.start(program, request)
        while lines is not None and process.poll() is None and len(self.noted()) < lines:
            time.sleep(0.001)
        if lines is not None:
            time.sleep(later)
            process.kill()
        stdout, log = process.communicate()
        return Run(process.returncode, stdout, log, 0)

    def noted(self, *kinds):
        """Whole lines of the journal."""
        if not os.path.exists(self.journal):
            return []
        with open(self.journal) as file:
            lines = [json.loads(line) for line in file.read().split("\n")[:-1]]
        return [line for line in lines[1:] if line[0] in kinds] if kinds else lines

    def proof_blocks(self):
        with open(os.path.join(self.output, "sluice", "proof.json")) as file:
            return json.load(file)["blocks"]

    def killed_again_and_again(self, program, names, parameters=None):
        """(the last run, how many attempts were killed, proof blocks of a run that nobody killed)."""
        self.assert_done(self.attempt(program, self.wish(names, parameters)))
        alone, lines = self.proof_blocks(), len(self.noted())
        request, kills, moments = self.wish(names, parameters), 0, sorted(MOMENTS.sample(range(2, lines), KILLS))
        for moment in moments:
            before = self.noted("slab")
            run = self.attempt(program, request, moment, MOMENTS.uniform(0, 0.02))
            kills += run.code == -9
            self.assert_goes_on(run, before)
        run, before = None, self.noted("slab")
        run = self.attempt(program, request)
        self.assert_done(run)
        self.assert_goes_on(run, before)
        self.assertGreater(kills, 0, moments)
        keys = [(kind, key) for kind, key, _ in self.noted("slab", "file", "level", "copy", "checked")]
        self.assertEqual(len(keys), len(set(keys)), "a piece that was noted was done again")
        self.assertEqual(self.proof_blocks(), alone)
        return run, kills

    def assert_goes_on(self, run, before):
        """What was noted stands at the beginning of progress and in the log, and is never asked of the source again."""
        if run.code == 0 and before:
            self.assertEqual(run.result["resumed"].get("slabs", len(before)), len(before))
        if run.progress and before and "of" in (run.result or {}).get("resumed", {}):
            self.assertEqual(run.progress[0]["done"], run.result["resumed"]["bytes"])
            self.assertIn(f"goes on: {len(before)} of", run.log)


class Kills(KilledCase):
    def test_one_that_was_killed_while_it_wrote_the_index(self):
        values = RANDOM.integers(0, 4000, (20, 300, 300)).astype("u2")
        self.save(values)
        for begun in (True, False):
            request = self.wish(["a.tif"])
            if begun:
                self.attempt("tiff", request, 3)
            # OpenVisus makes it beside the index for as long as it writes there, and waits for one that is there.
            lock = os.path.join(self.output, "visus.idx.lock")
            open(lock, "w").close()
            process = self.start("tiff", request)
            self.addCleanup(process.kill)
            process.communicate(timeout=60)
            self.assertEqual(process.returncode, 0)
            self.assertFalse(os.path.exists(lock))
            self.assert_product_of_idx(values)

    def test_a_volume_as_idx_as_zarr_and_as_both(self):
        values = RANDOM.integers(0, 4000, (36, 400, 410)).astype("u2")
        self.save(values)
        for output, more in (("idx", {}), ("zarr", {}), ("both", {"compression": "lz4"})):
            with self.subTest(output):
                run, _ = self.killed_again_and_again("tiff", ["a.tif"], {"output": output} | more)
                if output != "zarr":
                    self.assert_product_of_idx(values)
                if output != "idx":
                    self.assert_levels(values)
                self.assert_whole(run.result["entry"])

    def assert_product_of_idx(self, values):
        read = ov.LoadDataset(os.path.join(self.output, "visus.idx")).read()
        self.assertEqual(read.tobytes(), values.tobytes())

    def assert_levels(self, values):
        group, above = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r"), values
        for name in sorted(group.array_keys()):
            self.assertEqual(group[name][...].tobytes(), np.ascontiguousarray(above).tobytes(), name)
            above = above[tuple(slice(None, None, 2 if size > 128 else 1) for size in above.shape)]

    def assert_whole(self, entry):
        proof = self.run_program("prove", {
            "product": self.output, "entry": entry, "proof": "sluice/proof.json", "preview": self.preview,
            "limits": {"slab_bytes": 1 << 20, "threads": 2},
            "sample": {"all_below_bytes": 268435456, "count": 64, "seed": 123},
        })  # fmt: skip
        self.assert_done(proof)
        self.assertTrue(proof.result["complete"])

    def test_timesteps_of_volumes(self):
        values = RANDOM.normal(size=(4, 10, 200, 210)).astype("f4")
        with h5py.File(os.path.join(self.inputs, "a.h5"), "w") as file:
            file.create_dataset("v", data=values, chunks=(1, 5, 100, 210), compression="gzip", compression_opts=1)
        run, _ = self.killed_again_and_again("hdf5", ["a.h5"])
        self.assert_product(run, values, timesteps=4)

    def test_fields_and_pictures(self):
        photos = RANDOM.integers(1, 255, (3, 500, 600, 3)).astype("u1")
        names = [f"p{number}.tif" for number in range(3)]
        for name, photo in zip(names, photos):
            self.save(photo, name, photometric="rgb")
        run, _ = self.killed_again_and_again("mapir", names, {"compression": "lz4"})
        self.assertEqual(run.result["compression"], {"idx": "lz4"})
        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        for step, photo in enumerate(photos):
            self.assertEqual(dataset.read(time=step, field="photo").tobytes(), photo.tobytes())
        self.assert_whole("visus.idx")

    def test_netcdf_with_coordinates_that_stand_beside_it(self):
        values = RANDOM.integers(0, 4000, (3, 4, 100, 4100)).astype("i2")
        with netCDF4.Dataset(os.path.join(self.inputs, "a.nc"), "w") as file:
            for name, size in zip(("time", "z", "y", "x"), values.shape):
                file.createDimension(name, size)
            file.createVariable("x", "f8", ("x",))[:] = np.arange(4100) ** 1.5
            packed = {"compression": "zlib", "complevel": 1, "chunksizes": (1, 2, 100, 4100)}
            file.createVariable("v", "i2", ("time", "z", "y", "x"), **packed)[:] = values
        run, _ = self.killed_again_and_again("netcdf", ["a.nc"])
        self.assert_product(run, values, timesteps=3)
        with open(os.path.join(self.output, "coordinates.json")) as file:
            self.assertEqual(len(json.load(file)["x"]), 4100)

    def test_a_scan_of_two_volumes(self):
        volumes = RANDOM.normal(size=(2, 3, 70, 90, 80)).astype("f4")
        with h5py.File(os.path.join(self.inputs, "a.nxs"), "w") as file:
            for name, volume in zip("ab", volumes):
                file.create_dataset(f"scan/{name}", data=volume)
            file["scan/x"] = [0.0, 0.5, 2.0]
        wish = {"volume": ["/scan/a", "/scan/b"], "Xs": ["/scan/x"]}
        self.killed_again_and_again("nexus4d", ["a.nxs"], wish)
        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        for name, volume in zip("ab", volumes):
            for step, values in enumerate(volume):
                self.assertEqual(dataset.read(time=step, field=f"scan_{name}").tobytes(), values.tobytes())
        self.assert_whole("visus.idx")
        with open(os.path.join(self.output, "scan.json")) as file:
            scans = json.load(file)["scans"]
        self.assertEqual([(scan["volume"], scan["Xs"]["values"]) for scan in scans],
                         [("/scan/a", [0, 0.5, 2]), ("/scan/b", [0, 0.5, 2])])  # fmt: skip

    def test_a_mosaic_of_pictures(self):
        tiles, names = RANDOM.integers(0, 255, (2, 3, 400, 500, 3)).astype("u1"), []
        for row, column in np.ndindex(2, 3):
            names.append(f"t_{column}_{row}.tif")
            packed = {"compression": "zlib", "rowsperstrip": 400} if column else {}
            self.save(tiles[row, column], names[-1], photometric="rgb", **packed)
        run, _ = self.killed_again_and_again("rgb", names, {"order": "names"})
        self.assert_product(run, np.concatenate([np.concatenate(line, axis=1) for line in tiles]))

    def test_nifti_that_is_unpacked_while_it_is_read(self):
        values = RANDOM.integers(0, 4000, (6, 24, 200, 210)).astype("i2")
        content = header1(values.shape[::-1], CODES["i2"]) + values.tobytes()
        with open(os.path.join(self.inputs, "a.nii.gz"), "wb") as file:
            file.write(gzip.compress(content, 1))
        run, _ = self.killed_again_and_again("nifti", ["a.nii.gz"])
        self.assert_product(run, values, timesteps=6)

    def test_a_dataset_handed_over_ready_made(self):
        values = RANDOM.integers(0, 4000, (40, 200, 210)).astype("u2")
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, "visus.idx"), dims=[210, 200, 40], fields=[ov.Field("v", "uint16")],
            blocksperfile=4, filename_template="./blocks/%02x.bin",
        )  # fmt: skip
        dataset.write(values)
        self.killed_again_and_again("idx", self.all_names(), {"output": "both"})
        self.assertEqual(self.by_files().values("v")[0].tobytes(), values.tobytes())
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r")
        self.assertEqual(group["0"][...].tobytes(), values.tobytes())
        self.assert_whole("visus.idx")


class Doubts(KilledCase):
    """An attempt is killed in the middle; then something is not as it was."""

    def setUp(self):
        super().setUp()
        self.values = RANDOM.integers(0, 4000, (24, 400, 410)).astype("u2")
        self.save(self.values)

    def killed(self, output):
        request = self.wish(["a.tif"], {"output": output})
        self.attempt("tiff", request, 6)
        self.assertGreater(len(self.noted("slab")), 0)
        return request

    def block_files(self):
        found = [os.path.join(parent, name) for parent, _, names in os.walk(self.output) for name in names]
        return sorted(path for path in found if path.endswith(".bin"))

    def assert_anew(self, request, *words):
        run = self.attempt("tiff", request)
        self.assert_done(run)
        self.assertNotIn("resumed", run.result)
        self.assertEqual(run.progress[0]["done"], 0)
        for word in words:
            self.assertIn(word, run.log)
        if os.path.exists(os.path.join(self.output, "visus.idx")):
            self.assert_product(run, self.values)
        else:
            group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r")
            self.assertEqual(group["0"][...].tobytes(), self.values.tobytes())

    def test_blocks_that_are_not_what_was_noted(self):
        request = self.killed("idx")
        for path in self.block_files():
            os.truncate(path, os.path.getsize(path) // 3)
        self.assert_anew(request, "cannot be read back")

    def test_chunks_that_are_not_what_was_noted(self):
        for harm in (lambda path: os.truncate(path, 20), os.remove):
            request = self.killed("zarr")
            folder = os.path.join(self.output, "data.zarr", "0", "c")
            for parent, _, names in os.walk(folder):
                for name in names:
                    harm(os.path.join(parent, name))
            self.assert_anew(request, "cannot be read back")

    def test_other_parameters_inputs_or_another_boot(self):
        request = self.killed("idx")
        self.assert_anew(request | {"parameters": {"output": "zarr"}}, "another parameters")
        request = self.killed("idx")
        os.utime(os.path.join(self.inputs, "a.tif"), (1, 1))
        self.assert_anew(request, "another inputs")
        request = self.killed("idx")
        with open(self.journal) as file:
            first, rest = file.read().split("\n", 1)
        with open(self.journal, "w") as file:
            file.write(json.dumps(json.loads(first) | {"boot": "an earlier one"}) + "\n" + rest)
        self.assert_anew(request, "another boot")

    def test_a_journal_that_is_cut_counts_up_to_its_last_whole_line(self):
        request = self.killed("idx")
        before = len(self.noted("slab"))
        with open(self.journal, "rb+") as file:
            content = file.read()
            file.truncate(len(content.rstrip(b"\n")) - 5)
        run = self.attempt("tiff", request)
        self.assertEqual(run.result["resumed"]["slabs"], before - 1)
        self.assert_product(run, self.values)
        with open(self.journal, "wb") as file:
            file.write(b"\0\0nonsense\n" + content)
        self.assert_anew(request)

    def test_files_that_a_kill_left_without_a_table_are_removed(self):
        from sluice_convert.blockfiles import remove_unbegun

        paths = [self.place(f"{length}.bin") for length in (0, 40, 40 * 9 - 1, 40 * 9)]
        for path in paths:
            with open(path, "wb") as file:
                file.write(bytes(int(os.path.basename(path)[:-4])))
        remove_unbegun(paths, 8)
        self.assertEqual([path for path in paths if os.path.exists(path)], paths[-1:])


if __name__ == "__main__":
    unittest.main()
