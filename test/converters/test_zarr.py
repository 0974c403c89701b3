"""The Zarr output: what zarr-python reads is what the source holds, at every level, and what is damaged is found."""

import json
import os
import unittest

import h5py
import numpy as np
import tifffile
import zarr
from support import ConverterCase

RANDOM = np.random.default_rng(70)


class ZarrCase(ConverterCase):
    def write_tiff(self, values, **options):
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), values, **options)

    def image(self, path=""):
        return zarr.open_group(os.path.join(self.output, "data.zarr", path), mode="r", zarr_format=3)

    def prove_zarr(self, entry="data.zarr", again=False, **sample):
        return self.run_program("prove", {
            "product": self.output, "entry": entry, "proof": "sluice/proof.json",
            "limits": {"slab_bytes": 1 << 20, "threads": 2},
            "sample": {"all_below_bytes": 268435456, "count": 64, "seed": 123} | sample,
        } | ({"again": True} if again else {"preview": self.preview}))  # fmt: skip

    def assert_zarr(self, run, expected, path=""):
        """Level 0 equals `expected` bit for bit, every other level is every second voxel of the one above."""
        self.assert_done(run)
        image = self.image(path)
        (scales,) = image.attrs["ome"]["multiscales"]
        first = image["0"]
        self.assertEqual(first.dtype, expected.dtype)
        self.assertEqual(first[...].tobytes(), np.ascontiguousarray(expected).tobytes())
        self.assertEqual(first.shape, expected.shape)
        above = expected
        for dataset, finer in zip(scales["datasets"][1:], scales["datasets"]):
            scale, before = (one["coordinateTransformations"][0]["scale"] for one in (dataset, finer))
            steps = tuple(slice(None, None, round(a / b)) for a, b in zip(scale, before))
            above = above[steps]
            self.assertEqual(image[dataset["path"]][...].tobytes(), np.ascontiguousarray(above).tobytes())
            self.assertEqual(image[dataset["path"]].shape, above.shape)
        self.assertEqual(self.broken_rules(path), [])
        proof = self.prove_zarr()
        self.assert_done(proof)
        self.assertTrue(proof.result["complete"])
        self.assertEqual(proof.result["levels"], len(scales["datasets"]) - 1)
        return scales


class Values(ZarrCase):
    def test_types_of_a_volume(self):
        for name in ("u1", "u2", "f4"):
            values = RANDOM.integers(0, 200, (20, 301, 270)).astype(name)
            self.write_tiff(values)
            run = self.convert("tiff", parameters={"output": "zarr"})
            scales = self.assert_zarr(run, values)
            self.assertEqual(len(scales["datasets"]), 3)
            self.assertEqual((run.result["kind"], run.result["entry"]), ("zarr", "data.zarr"))
            self.assertFalse(os.path.exists(os.path.join(self.output, "visus.idx")))

    def test_an_image_and_a_colour_image(self):
        flat = RANDOM.normal(size=(700, 900)).astype("f4")
        flat[3, 5], flat[4, 6], flat[5, 7] = np.nan, np.inf, -0.0
        self.write_tiff(flat)
        self.assert_zarr(self.convert("tiff", parameters={"output": "zarr"}), flat)
        colour = RANDOM.integers(0, 255, (500, 600, 3)).astype("u1")
        self.write_tiff(colour, photometric="rgb")
        run = self.convert("rgb", parameters={"output": "zarr"})
        scales = self.assert_zarr(run, np.moveaxis(colour, -1, 0))
        self.assertEqual([axis["type"] for axis in scales["axes"]], ["channel", "space", "space"])

    def test_timesteps_units_and_sizes_of_the_source(self):
        values = RANDOM.integers(0, 9999, (3, 20, 150, 140)).astype("u2")
        with h5py.File(os.path.join(self.inputs, "a.h5"), "w") as file:
            data = file.create_dataset("data", data=values)
            data.attrs.update({"units": "K", "scale_factor": [0.5], "_FillValue": np.uint16(7), "long_name": "heat"})
            told = (("t", 2.0, "s"), ("z", -5.0, "um"), ("y", 0.5, "um"), ("x", 0.5, "parsnip"))
            for axis, (name, step, unit) in enumerate(told):
                scale = file.create_dataset(name, data=10 + np.arange(values.shape[axis]) * step)
                scale.attrs["units"] = unit
                scale.make_scale(name)
                data.dims[axis].attach_scale(scale)
        scales = self.assert_zarr(self.convert("hdf5", parameters={"output": "zarr", "dataset": "/data"}), values)
        self.assertEqual(scales["axes"], [
            {"name": "t", "type": "time", "unit": "second"}, {"name": "z", "type": "space", "unit": "micrometer"},
            {"name": "y", "type": "space", "unit": "micrometer"}, {"name": "x", "type": "space"},
        ])  # fmt: skip
        steps = [dataset["coordinateTransformations"] for dataset in scales["datasets"]]
        self.assertEqual([scale["scale"] for scale, _ in steps], [[2, 5, 0.5, 0.5], [2, 5, 1, 1]])
        # Viewers take no scale below 0: an axis that falls is told in the words of the source alone.
        self.assertEqual([place["translation"] for _, place in steps], [[10, 0, 10, 10]] * 2)
        ours, meaning = self.image().attrs["sluice"], {"units": "K", "scale_factor": 0.5, "long_name": "heat"}
        self.assertEqual((ours["units"]["x"], ours["dimensions"][1]["spacing"]), ("parsnip", -5))
        self.assertEqual(ours["values"], meaning | {"missing_value": 7})
        self.assertEqual(dict(self.image()["1"].attrs), ours["values"])

    def test_thin_slabs_and_odd_sizes(self):
        values = RANDOM.integers(0, 255, (131, 257, 259)).astype("u1")
        self.write_tiff(values, compression="zlib")
        for slab in (1 << 17, 1 << 20):
            self.assert_zarr(self.convert("tiff", parameters={"output": "zarr"}, slab_bytes=slab), values)

    def test_lz4_in_frames_of_blosc_of_fields_and_timesteps(self):
        photos = [RANDOM.integers(1, 255, (140, 160, 3)).astype("u1") for _ in range(2)]
        for step, photo in enumerate(photos):
            tifffile.imwrite(os.path.join(self.inputs, f"p{step}.tif"), photo, photometric="rgb")
        run = self.convert("mapir", parameters={"output": "zarr", "compression": "lz4"})
        self.assert_done(run)
        self.assertEqual(run.result["compression"], {"zarr": "lz4"})
        expected = {"photo": (np.moveaxis(np.stack(photos), -1, 1), 1), "ndvi": (None, 4)}
        for field, (values, size) in expected.items():
            image = self.image(field)
            for level in image.array_keys():
                _, frame = image[level].metadata.to_dict()["codecs"]
                told = {key: frame["configuration"][key] for key in ("cname", "typesize", "shuffle")}
                shuffle = "shuffle" if size > 1 else "noshuffle"
                self.assertEqual((frame["name"], told), ("blosc", {"cname": "lz4", "typesize": size, "shuffle": shuffle}))
                places = ((0,) * (image[level].ndim - 2)) + (0, 0)
                with open(os.path.join(self.output, "data.zarr", field, level, "c", *map(str, places)), "rb") as file:
                    self.assertEqual(file.read(4)[3], size, "the frame is packed as it is described")
            if values is not None:
                self.assertEqual(image["0"][...].tobytes(), np.ascontiguousarray(values).tobytes())
        proof = self.prove_zarr()
        self.assert_done(proof)
        self.assertTrue(proof.result["complete"])

    def test_lz4_makes_measured_values_smaller(self):
        slope = np.indices((20, 90, 80)).sum(axis=0) * 30.0
        self.write_tiff((slope + RANDOM.normal(500, 20, slope.shape)).astype("u2"))
        self.assert_done(self.convert("tiff", parameters={"output": "zarr", "compression": "lz4"}))
        size = sum(os.path.getsize(os.path.join(parent, name))
                   for parent, _, names in os.walk(os.path.join(self.output, "data.zarr", "0", "c")) for name in names)  # fmt: skip
        self.assertLess(size, 0.8 * slope.size * 2)

    def test_each_form_has_its_own_compression(self):
        self.write_tiff(np.arange(20 * 90 * 80, dtype="u2").reshape(20, 90, 80))
        run = self.convert("tiff", parameters={"output": "both"})
        self.assertEqual(run.result["compression"], {"idx": "zip", "zarr": "zstd"})
        run = self.convert("tiff", parameters={"output": "both", "compression": "lz4"})
        self.assertEqual(run.result["compression"], {"idx": "lz4", "zarr": "lz4"})
        self.assert_done(self.prove_zarr("visus.idx"))
        for output, wrong in (("zarr", "zip"), ("both", "zip"), ("both", "zstd"), ("idx", "zstd")):
            run = self.convert("tiff", parameters={"output": output, "compression": wrong})
            self.assert_refused(run, "bad_content", repr(wrong))

    def test_fields_are_groups(self):
        photo = RANDOM.integers(1, 255, (140, 160, 3)).astype("u1")
        self.write_tiff(photo, photometric="rgb")
        run = self.convert("mapir", parameters={"output": "both"})
        self.assert_done(run)
        self.assertEqual(sorted(self.image().group_keys()), ["ndvi", "photo"])
        self.assertTrue(np.array_equal(self.image("photo")["0"][...], np.moveaxis(photo, -1, 0)))
        proof = self.prove_zarr("visus.idx")
        self.assert_done(proof)
        self.assertEqual([part["kind"] for part in proof.result["outputs"]], ["idx", "zarr"])


class Rules(ZarrCase):
    def test_what_breaks_the_rules_of_ngff_is_named(self):
        self.write_tiff(RANDOM.integers(0, 9, (20, 150, 140)).astype("u2"))
        self.assert_done(self.convert("tiff", parameters={"output": "zarr"}))
        folder = os.path.join(self.output, "data.zarr")
        with open(os.path.join(folder, "zarr.json")) as file:
            kept = file.read()
        self.assertEqual(self.broken_rules(), [])
        level = {"path": "1", "coordinateTransformations": [{"type": "scale", "scale": [1, 2, 2]}]}
        first = {"type": "translation", "translation": [0, 0, 0]}
        for change, words in (
            (lambda ome, image: ome.update(version="0.4"), "version"),
            (lambda ome, image: image["axes"].reverse(), "names of the axes"),
            (lambda ome, image: image["axes"].pop(), "as many dimensions"),
            (lambda ome, image: image["axes"][0].update(type="time"), ""),
            (lambda ome, image: image["axes"][2].update(type="time"), "time comes first"),
            (lambda ome, image: image["axes"][0].update(unit="parsnip"), "parsnip"),
            (lambda ome, image: image["axes"][0].update(name="y"), "a name of its own"),
            (lambda ome, image: image["datasets"].insert(0, level), "largest"),
            (lambda ome, image: image["datasets"][0].update(path="9"), "path"),
            (lambda ome, image: image["datasets"][0]["coordinateTransformations"].insert(0, first), "one scale"),
            (lambda ome, image: image["datasets"][0]["coordinateTransformations"][0]["scale"].pop(), "a number for"),
            (lambda ome, image: image.pop("type"), "type should"),
        ):
            with self.subTest(words):
                group = json.loads(kept)
                ome = group["attributes"]["ome"]
                change(ome, ome["multiscales"][0])
                with open(os.path.join(folder, "zarr.json"), "w") as file:
                    json.dump(group, file)
                self.assertEqual(any(words in one for one in self.broken_rules()), words != "", self.broken_rules())


class Both(ZarrCase):
    def test_one_proof_for_both_and_the_idx_is_that_of_idx_alone(self):
        values = RANDOM.normal(size=(40, 200, 210)).astype("f4")
        values[0, 0, :5] = np.nan
        self.write_tiff(values)
        alone = self.convert("tiff")
        self.assert_done(alone)
        files = {name: self.bytes_of(name) for name in ("visus.idx", "metadata.json")}
        alone_proof = json.loads(self.bytes_of("sluice/proof.json"))
        both = self.convert("tiff", parameters={"output": "both"})
        self.assert_product_of_both(both, values)
        self.assertEqual({name: self.bytes_of(name) for name in files}, files)
        proof = json.loads(self.bytes_of("sluice/proof.json"))
        self.assertEqual(proof["blocks"], alone_proof["blocks"])
        self.assertNotIn("zarr", alone_proof)

    def assert_product_of_both(self, run, values):
        self.assert_done(run)
        told = tuple(run.result[key] for key in ("kind", "entry", "zarr"))
        self.assertEqual(told, ("idx", "visus.idx", "data.zarr"))
        self.assertEqual(self.image()["0"][...].tobytes(), values.tobytes())
        proof = self.prove_zarr("visus.idx")
        self.assert_done(proof)
        index, zarr_part = proof.result["outputs"]
        self.assertEqual((index["checked"], index["different"]), (zarr_part["checked"], zarr_part["different"]))
        self.assertEqual(proof.result["bytes_checked"], 2 * values.nbytes)
        self.assertGreater(zarr_part["levels"], 0)

    def bytes_of(self, name):
        with open(os.path.join(self.output, name), "rb") as file:
            return file.read()

    def test_pictures_are_those_of_the_idx(self):
        smooth = np.add.outer(np.add.outer(np.arange(60) * 20, np.arange(700)), np.arange(800) * 2).astype("u2")
        self.write_tiff(smooth)
        self.assert_done(self.convert("tiff", parameters={"output": "both"}))
        pictures = []
        for entry in ("visus.idx", "data.zarr"):
            self.assert_done(self.prove_zarr(entry))
            with open(self.preview, "rb") as file:
                pictures.append(file.read())
        self.assertEqual(pictures[0], pictures[1])


class Damaged(ZarrCase):
    def setUp(self):
        super().setUp()
        self.values = RANDOM.integers(0, 4000, (40, 300, 290)).astype("u2")
        self.write_tiff(self.values)
        self.assert_done(self.convert("tiff", parameters={"output": "zarr"}))

    def chunk(self, level):
        """The last chunk file of a level, and where it begins (z, y, x)."""
        folder = os.path.join(self.output, "data.zarr", str(level), "c")
        keys = [os.path.relpath(os.path.join(parent, name), folder).split(os.sep)
                for parent, _, names in os.walk(folder) for name in names]  # fmt: skip
        key = max(keys, key=lambda one: [int(part) for part in one])
        sides = self.image()[str(level)].chunks
        return os.path.join(folder, *key), [int(part) * side for part, side in zip(key, sides)]

    def flip(self, path):
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x10]))

    def test_a_flipped_byte_is_found_with_its_place(self):
        path, start = self.chunk(0)
        self.flip(path)
        self.assert_refused(self.prove_zarr(), "product_differs", "data.zarr/0", "timestep 0", "box")
        again = self.prove_zarr(again=True)
        self.assertEqual(again.code, 0, again.log)
        self.assertGreater(again.result["different"], 0)
        for difference in again.result["differences"]:
            self.assertEqual((difference["entry"], difference["field"]), ("data.zarr/0", "data"))
            low, high = difference["box"]
            self.assertGreater(high[1], start[1])
            self.assertGreater(high[2], start[0])

    def test_a_form_that_does_not_open_hides_nothing_of_the_other(self):
        self.assert_done(self.convert("tiff", parameters={"output": "both"}))
        for entry, kinds in (("visus.idx", ["zarr", "idx"]), ("data.zarr/zarr.json", ["idx", "zarr"])):
            with self.subTest(entry):
                path = os.path.join(self.output, entry)
                with open(path, "rb") as file:
                    content = file.read()
                with open(path, "wb") as file:
                    file.write(content[: len(content) // 3])
                again = self.prove_zarr("visus.idx", again=True)
                self.assert_done(again)
                whole, broken = again.result["outputs"]
                self.assertEqual([whole["kind"], broken["kind"]], kinds)
                self.assertTrue(whole["complete"] and whole["different"] == 0 and whole["checked"] > 0)
                self.assertTrue(broken["problem"])
                self.assertEqual(again.result["problem"], broken["problem"])
                self.assertEqual(self.prove_zarr("visus.idx").code, 65)
                with open(path, "wb") as file:
                    file.write(content)

    def test_another_value_written_by_zarr_itself(self):
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r+")
        group["0"][7, 9, 11] = self.values[7, 9, 11] + 1
        again = self.prove_zarr(again=True)
        (difference,) = again.result["differences"]
        low, high = difference["box"]
        self.assertTrue(all(a <= place < b for a, place, b in zip(low, (11, 9, 7), high)))

    def test_a_wrong_level_or_a_missing_chunk(self):
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r+")
        level = group["1"]
        level[...] = level[...] + 1
        self.note_files()
        self.assert_refused(self.prove_zarr(), "product_differs", "data.zarr/1", "steps of [2, 2, 1]", "box")
        os.remove(self.chunk(0)[0])
        self.assert_refused(self.prove_zarr(), "product_differs", "files of")
        self.note_files()
        os.remove(os.path.join(self.output, "data.zarr", "zarr.json"))
        self.assertIn("zarr cannot open", self.prove_zarr(again=True).result["problem"])

    def test_a_chunk_that_was_never_written_in_a_large_product(self):
        self.assert_done(self.convert("tiff", parameters={"output": "zarr"}, slab_bytes=1 << 18))
        for name in ("0/c/2/0/0", "1/c/2/0/0"):
            with self.subTest(name):
                path = os.path.join(self.output, "data.zarr", name)
                os.rename(path, self.place("kept"))
                self.note_files()  # as many files, of as many bytes, as if it had never been
                run = self.prove_zarr(all_below_bytes=0, count=2)
                self.assert_refused(run, "product_differs", "lacks 1 of its", "data.zarr/" + name)
                os.rename(self.place("kept"), path)

    def test_one_wrong_chunk_of_a_level_anywhere(self):
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r+")
        for level, place in (("1", (0, 0, 0)), ("1", (39, 149, 144)), ("2", (39, 0, 72))):
            with self.subTest(level, place=place):
                kept = group[level][place]
                group[level][place] = kept + 1
                self.note_files()
                self.assert_refused(self.prove_zarr(), "product_differs", f"data.zarr/{level}", "steps of", "box")
                self.assertIn("steps of", self.prove_zarr(again=True).result["problem"])
                group[level][place] = kept
        self.note_files()
        self.assert_done(self.prove_zarr())

    def test_a_level_of_a_large_product_is_sampled_at_eight_places(self):
        self.assert_done(self.convert("tiff", parameters={"output": "zarr"}, slab_bytes=1 << 18))
        run = self.prove_zarr(all_below_bytes=0, count=4)
        self.assert_done(run)
        self.assertEqual((run.result["levels"], run.result["complete"]), (2, False))
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r+")
        group["1"][-1, -1] += 1  # the last block is always one of the places
        self.note_files()
        self.assert_refused(self.prove_zarr(all_below_bytes=0, count=4), "product_differs", "data.zarr/1", "steps of")

    def note_files(self):
        """The proof's record of the files agrees with what is there now."""
        proof, folder = os.path.join(self.output, "sluice", "proof.json"), os.path.join(self.output, "data.zarr")
        with open(proof) as file:
            record = json.load(file)
        sizes = [os.path.getsize(os.path.join(parent, name)) for parent, _, names in os.walk(folder) for name in names]
        record["zarr"] |= {"files": len(sizes), "bytes": sum(sizes)}
        with open(proof, "w") as file:
            json.dump(record, file)


class Memory(ZarrCase):
    def test_four_times_the_slices_in_the_same_memory(self):
        peaks = []
        for slices in (96, 384):
            self.write_tiff(RANDOM.integers(0, 4000, (slices, 256, 256)).astype("u2"))
            run = self.convert("tiff", parameters={"output": "both"}, slab_bytes=4 << 20)
            self.assert_done(run)
            peaks.append((run.peak, self.prove_zarr("visus.idx").peak))
        self.assertLess(peaks[1][0], peaks[0][0] * 1.15)
        self.assertLess(peaks[1][1], peaks[0][1] * 1.15)


if __name__ == "__main__":
    unittest.main()
