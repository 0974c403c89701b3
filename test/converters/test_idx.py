"""IDX: a ready dataset is checked and copied; what is missing, broken or unsafe has its code."""

import json
import os
import shutil
import unittest
from unittest import mock

import numpy as np
import OpenVisus as ov
import zarr
from support import ConverterCase

RANDOM = np.random.default_rng(40)


class IdxCase(ConverterCase):
    def make(self, folder="", name="visus.idx", dims=(77, 130, 65), timesteps=1, compressed=True):
        """A dataset with block files of four blocks; returns the voxels written, [t, z, y, x]."""
        os.makedirs(os.path.join(self.inputs, folder), exist_ok=True)
        options = {"time": (0, timesteps - 1, "t%02d/")} if timesteps > 1 else {}
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, folder, name), dims=list(dims), fields=[ov.Field("v", "uint16")],
            blocksperfile=4, filename_template="./blocks/%02x.bin", **options,
        )  # fmt: skip
        values = RANDOM.integers(0, 4000, (timesteps, *dims[::-1])).astype("u2")
        for timestep in range(timesteps):
            dataset.write(values[timestep], time=timestep)
        if compressed:
            dataset.compressDataset(["zip"])
        return values

    def edit(self, old, new, name="visus.idx"):
        path = os.path.join(self.inputs, name)
        with open(path) as file:
            text = file.read()
        self.assertIn(old, text)
        with open(path, "w") as file:
            file.write(text.replace(old, new))

    def metadata(self):
        with open(os.path.join(self.output, "metadata.json")) as file:
            return json.load(file)

    def assert_plain(self, values, field="v"):
        """A reader of the files alone reads the same as was written."""
        self.assertEqual(self.by_files().values(field).tobytes(), np.ascontiguousarray(values).tobytes())

    def assert_zarr(self, fields, translation):
        """The Zarr form has the values of each field, keeps the rules, and is proven too."""
        group = zarr.open_group(os.path.join(self.output, "data.zarr"), mode="r")
        paths = group.attrs["sluice"].get("fields", {name: "" for name in fields})
        for name, values in fields.items():
            image = group[paths[name]] if paths[name] else group
            self.assertEqual(image["0"][...].tobytes(), np.ascontiguousarray(values).tobytes())
            self.assertEqual(self.broken_rules(paths[name]), [])
        (scales,) = (group[paths["a"]] if paths.get("a") else group).attrs["ome"]["multiscales"]
        moved = scales["datasets"][0]["coordinateTransformations"][1:]
        self.assertEqual([one["translation"] for one in moved], [translation] if any(translation) else [])
        proof = self.prove()
        self.assert_done(proof)
        self.assertEqual([part["kind"] for part in proof.result["outputs"]], ["idx", "zarr"])
        self.assertTrue(proof.result["complete"])
        self.assertEqual(proof.result["outputs"][1]["levels"], len(scales["datasets"]) - 1)

    def blocks(self):
        return sorted(name for name in self.all_names() if name.endswith(".bin"))


class Copies(IdxCase):
    def test_a_dataset_is_copied_and_the_input_left_alone(self):
        values = self.make(timesteps=2)
        before = {name: os.stat(os.path.join(self.inputs, name)).st_mtime_ns for name in self.all_names()}
        run = self.convert("idx")
        self.assert_product(run, values, timesteps=2)
        self.assert_plain(values)
        self.assertEqual((run.result["field"], run.result["metadata"]["absent_blocks"]), ("v", 0))
        self.assertEqual(before, {name: os.stat(os.path.join(self.inputs, name)).st_mtime_ns for name in before})

    def test_another_name_one_directory_down(self):
        values = self.make("scan", "mine.idx", compressed=False)
        run = self.convert("idx")
        self.assert_product(run, values[0])
        self.assert_plain(values)
        self.assertEqual(run.result["metadata"]["entry"], "mine.idx")

    def test_an_index_without_an_ending(self):
        values = self.make("scan", dims=(40, 30))
        os.rename(os.path.join(self.inputs, "scan", "visus.idx"), os.path.join(self.inputs, "scan", "index"))
        run = self.convert("idx")
        self.assert_product(run, values[0])
        self.assertEqual(run.result["metadata"]["entry"], "index")
        self.edit("./blocks/%02x.bin", "/etc/%02x.bin", "scan/index")
        self.assert_refused(self.convert("idx"), "unsafe_idx")

    def test_records_of_the_sender_are_kept_beside_ours(self):
        values = self.make("scan", dims=(40, 30))
        theirs = {"metadata.json": "{}", "manifest.json": "[1]", "manifest-sha256.txt": "0  a",
                  "sluice/proof.json": "{}", "ro-crate-metadata.json": "[2]", "sluice/preview.png": "png", "received/metadata.json": "older",
                  "notes.json": "notes"}  # fmt: skip
        for name, text in theirs.items():
            path = os.path.join(self.inputs, "scan", name)
            os.makedirs(os.path.dirname(path), exist_ok=True)
            with open(path, "w") as file:
                file.write(text)
        with open(os.path.join(self.inputs, "above.txt"), "w") as file:
            file.write("beside the dataset")
        run = self.convert("idx")
        self.assert_product(run, values[0])
        for name, text in theirs.items():
            kept = name if name in ("notes.json", "received/metadata.json") else f"received_/{name}"
            with open(os.path.join(self.output, kept)) as file:
                self.assertEqual(file.read(), text)
        with open(os.path.join(self.output, "metadata.json")) as file:
            told = json.load(file)
        self.assertEqual((told["records_received"], told["left_out"]), ("received_", ["above.txt"]))
        self.assertFalse(os.path.exists(os.path.join(self.output, "manifest.json")))

    def test_what_a_dataset_says_of_itself(self):
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, "visus.idx"), dims=[41, 70, 33], bitsperblock=12, blocksperfile=2,
            fields=[ov.Field("a", "uint16"), ov.Field("b", "float32[3]")], filename_template="./%01x.bin",
            time=(5, 7, "t%02d/"), axis="lon lat depth",
            physic_box=ov.BoxNd(ov.PointNd(10, 0, 0), ov.PointNd(51, 35, 66)),
        )  # fmt: skip
        first = RANDOM.integers(3, 4000, (3, 33, 70, 41)).astype("u2")
        second = RANDOM.normal(size=(3, 33, 70, 41, 3)).astype("f4")
        for step in range(3):
            dataset.write(first[step], time=5 + step, field="a")
            dataset.write(second[step], time=5 + step, field="b")
        dataset.compressDataset(["zip"])
        run = self.convert("idx", parameters={"output": "both"})
        self.assert_done(run)
        self.assert_plain(first, "a")
        self.assert_plain(second, "b")
        facts, told = run.result["metadata"], self.metadata()
        self.assertEqual((facts["axes"], facts["box"]), (["lon", "lat", "depth", "time"], [[0, 0, 0], [41, 70, 33]]))
        self.assertEqual((facts["physical_box"], facts["voxel_size"]), ([[10, 0, 0], [51, 35, 66]], [1, 2, 0.5, 1]))
        self.assertEqual(told["dimensions"], [
            {"name": "time", "size": 3, "values": [5, 6, 7], "spacing": 1},
            {"name": "depth", "size": 33, "first": 0, "spacing": 2},
            {"name": "lat", "size": 70, "first": 0, "spacing": 0.5},
            {"name": "lon", "size": 41, "first": 10, "spacing": 1},
        ])  # fmt: skip
        self.assert_zarr({"a": first, "b": np.moveaxis(second, -1, 1)}, [5, 0, 0, 10])
        self.assertEqual(told["types"]["a"], {"dtype": "uint16", "min": int(first.min()), "max": int(first.max())})
        self.assertEqual(told["types"]["b"]["dtype"], "float32[3]")

    def test_a_box_that_begins_elsewhere(self):
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, "visus.idx"), dims=[300, 200], fields=[ov.Field("v", "uint16")],
            filename_template="./blocks/%02x.bin",
        )  # fmt: skip
        values = RANDOM.integers(0, 4000, (200, 300)).astype("u2")
        dataset.write(values)
        self.edit("0 299 0 199", "20 299 10 199")
        os.makedirs(os.path.join(self.inputs, "data.zarr"))
        with open(os.path.join(self.inputs, "data.zarr", "zarr.json"), "w") as file:
            file.write("theirs")
        run = self.convert("idx", parameters={"output": "both"})
        self.assert_done(run)
        self.assert_plain(values[10:, 20:])
        self.assert_zarr({"v": values[10:, 20:]}, [10, 20])
        with open(os.path.join(self.output, "received", "data.zarr", "zarr.json")) as file:
            self.assertEqual(file.read(), "theirs")

    def test_an_image(self):
        values = self.make(dims=(300, 200))
        self.assert_product(self.convert("idx"), values[0])

    def test_a_mosaic_of_two_datasets(self):
        self.make("A")
        self.make("B")
        with open(os.path.join(self.inputs, "visus.midx"), "w") as file:
            file.write("<dataset typename='IdxMultipleDataset'>")
            file.write(
                "<dataset url='file://./A/visus.idx' name='A'/><dataset url='./B/visus.idx' name='B'/></dataset>"
            )
        run = self.convert("idx")
        self.assert_done(run)
        proof = self.prove()
        self.assert_done(proof)
        self.assertEqual(proof.result["bytes_checked"], 2 * 77 * 130 * 65 * 2)
        self.assert_refused(self.convert("idx", parameters={"output": "both"}), "unsupported_shape", "several")

    def test_blocks_that_the_sender_never_wrote_are_counted_and_no_others(self):
        dataset = ov.CreateIdx(
            url=os.path.join(self.inputs, "visus.idx"), dims=[130, 140, 130], fields=[ov.Field("v", "uint8")],
            blocksperfile=64, filename_template="./blocks/%02x.bin",
        )  # fmt: skip
        values = RANDOM.integers(1, 200, (50, 140, 130)).astype("u1")
        dataset.write(values)
        run = self.convert("idx")
        self.assert_product(run, np.concatenate([values, np.zeros((80, 140, 130), "u1")]))
        absent = run.result["metadata"]["absent_blocks"]
        self.assertGreater(absent, 0)
        path = os.path.join(self.output, self.blocks()[0])
        with open(path, "r+b") as file:
            file.seek(40)
            rows = np.frombuffer(file.read(64 * 40), ">u4").reshape(64, 10).copy()
            rows[np.flatnonzero(rows[:, 4])[-1], 4] = 0
            file.seek(40)
            file.write(rows.tobytes())
        run = self.prove(all_below_bytes=0, count=2)
        self.assert_refused(run, "product_differs", f"{absent + 1} blocks", f"instead of {absent}")


class Places(IdxCase):
    def test_a_block_begins_where_openvisus_says(self):
        from sluice_convert.idx_blocks import BlockTables

        for number, (dims, bits) in enumerate((
            ([77, 130, 65], 8), ([300, 5000, 100], 12), ([5000, 100], 8), ([3, 300], 4), ([17, 2, 3], 16), ([2, 2, 900], 4),
        )):  # fmt: skip
            url = os.path.join(self.inputs, str(number), "visus.idx")
            os.makedirs(os.path.dirname(url))
            dataset = ov.CreateIdx(
                url=url, dims=dims, fields=[ov.Field("v", "uint8")], bitsperblock=bits, blocksperfile=24
            )
            tables, field, total = BlockTables(dataset), dataset.getField("v"), dataset.db.getTotalNumberOfBlocks()
            blocks = sorted({0, min(1, total - 1), total - 1, *RANDOM.integers(0, total, 100).tolist()})
            boxes = [tables.box(field, 0, block) for block in blocks]
            with self.subTest(dims=dims, bits=bits):
                self.assertEqual(tables.first_voxels(np.array(blocks)).tolist(), [first for first, _ in boxes])
                with mock.patch("sluice_convert.idx_blocks.AT_ONCE", 100):
                    needed = dict(tables.blocks())
                self.assertEqual(sorted(needed), list(range(total)))
                inside = [all(place < size for place, size in zip(first, dims)) for first, _ in boxes]
                self.assertEqual([needed[block] for block in blocks], inside)


    def test_an_index_that_promises_nonsense_is_no_dataset_of_zeros(self):
        for in_file in (-4, 0, 1 << 28):
            self.make()
            self.edit("(blocksperfile)\n4\n", f"(blocksperfile)\n{in_file}\n")
            run = self.convert("idx")
            self.assert_refused(run, "missing_blocks")
            self.assertLess(run.peak, 400 << 20)


class Refusals(IdxCase):
    def test_no_idx(self):
        self.assert_refused(self.convert("idx", []), "empty_input")
        with open(os.path.join(self.inputs, "readme.txt"), "w") as file:
            file.write("hello")
        self.assert_refused(self.convert("idx"), "no_idx", "readme.txt")

    def test_an_idx_that_is_none(self):
        for content in (b"hello", b"\0\1\2", b"<dataset"):
            with open(os.path.join(self.inputs, "visus.idx"), "wb") as file:
                file.write(content)
            self.assert_refused(self.convert("idx"), "no_idx", "visus.idx")

    def test_two_datasets_in_two_directories(self):
        self.make("A", dims=(9, 9))
        self.make("B", dims=(9, 9))
        self.assert_refused(self.convert("idx"), "several_idx", "A", "B")

    def test_a_missing_block_file(self):
        self.make()
        os.remove(os.path.join(self.inputs, self.blocks()[3]))
        self.assert_refused(self.convert("idx"), "missing_blocks", ".bin")

    def test_a_cut_block_file(self):
        self.make()
        path = os.path.join(self.inputs, self.blocks()[3])
        for length in (os.path.getsize(path) - 5, 100):
            os.truncate(path, length)
            self.assert_refused(self.convert("idx"), "missing_blocks", "cut off" if length > 100 else "table")

    def test_a_damaged_block(self):
        self.make()
        path = os.path.join(self.inputs, self.blocks()[3])
        with open(path, "r+b") as file:
            file.seek(os.path.getsize(path) - 5000)
            file.write(b"\x55" * 400)
        self.assert_refused(self.convert("idx"), "missing_blocks", "cannot be read")

    def test_paths_out_of_the_dataset(self):
        for place in (
            "/etc/%02x.bin",
            "../other/%02x.bin",
            "./a/../../%02x.bin",
            "http://host/%02x.bin",
            "$(HOME)/%02x.bin",
            "C:\\x\\%02x.bin",
        ):
            with self.subTest(place):
                shutil.rmtree(self.inputs)
                self.make(dims=(9, 9))
                self.edit("./blocks/%02x.bin", place)
                self.assert_refused(self.convert("idx"), "unsafe_idx", "visus.idx")

    def test_a_mosaic_that_reaches_out_or_brings_a_program(self):
        self.make("A", dims=(9, 9))
        for inner in (
            "<dataset url='https://host/visus.idx'/>",
            "<dataset url='file:///etc/visus.idx'/>",
            "<dataset url='../visus.idx'/>",
            "<field name='f'><code>import os</code></field>",
        ):
            with self.subTest(inner), open(os.path.join(self.inputs, "visus.midx"), "w") as file:
                file.write(
                    f"<dataset typename='IdxMultipleDataset'><dataset url='./A/visus.idx' name='A'/>{inner}</dataset>"
                )
                file.flush()
                self.assert_refused(self.convert("idx"), "unsafe_idx", "visus.midx")


if __name__ == "__main__":
    unittest.main()
