"""The proof: a changed voxel, a damaged, cut or missing block file, or another shape never passes."""

import json
import os
import struct
import unittest
import zlib

import numpy as np
import OpenVisus as ov
import tifffile
from support import ConverterCase

RANDOM = np.random.default_rng(50)


class ProveCase(ConverterCase):
    def setUp(self):
        super().setUp()
        self.values = RANDOM.integers(0, 4000, (40, 130, 140)).astype("u2")
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), self.values)
        self.assert_done(self.convert("tiff"))
        self.bins = sorted(
            os.path.join(parent, name)
            for parent, _, files in os.walk(self.output)
            for name in files
            if name.endswith(".bin")
        )

    def edit_proof(self, change):
        path = os.path.join(self.output, "sluice", "proof.json")
        with open(path) as file:
            proof = json.load(file)
        change(proof)
        with open(path, "w") as file:
            json.dump(proof, file)


class Proves(ProveCase):
    def test_all_blocks_range_and_picture(self):
        run = self.prove()
        self.assert_done(run)
        self.assertEqual((run.result["min"], run.result["max"]), (self.values.min(), self.values.max()))
        self.assertEqual(run.result["preview"], {"width": 140, "height": 130})
        self.assertEqual((run.result["lossless"], run.result["max_error"]), (True, 0))
        with open(self.preview, "rb") as file:
            data = file.read()
        self.assertEqual(struct.unpack(">II", data[16:24]), (140, 130))
        length = struct.unpack(">I", data[33:37])[0]
        pixels = np.frombuffer(zlib.decompress(data[41 : 41 + length]), "u1").reshape(130, 141)[:, 1:]
        middle = self.values[20].astype(float)
        low, high = np.percentile(middle, (1, 99))
        self.assertTrue(np.array_equal(pixels, (np.clip((middle - low) / (high - low), 0, 1) * 255).round()))

    def test_a_sample_has_the_first_and_the_last_block(self):
        self.assert_done(self.convert("tiff", slab_bytes=1 << 16))
        run = self.prove(all_below_bytes=0, count=4)
        self.assert_done(run)
        self.assertEqual((run.result["checked"], run.result["complete"], run.result["seed"]), (4, False, 123))
        self.edit_proof(lambda proof: proof["blocks"][-1].update(sha256="0" * 64))
        self.assert_refused(self.prove(all_below_bytes=0, count=4), "product_differs")

    def test_a_large_image_is_drawn_small(self):
        tifffile.imwrite(os.path.join(self.inputs, "a.tif"), np.tile(np.arange(3000, dtype="u2"), (2500, 1)))
        self.assert_done(self.convert("tiff"))
        run = self.prove()
        self.assert_done(run)
        self.assertEqual(run.result["preview"], {"width": 512, "height": 427})


    def test_the_record_says_how_sure_it_is(self):
        self.assert_done(self.convert("tiff", slab_bytes=1 << 16))
        whole, part = self.prove().result, self.prove(all_below_bytes=0, count=8).result
        self.assertEqual((whole["confidence"]["probability"], whole["confidence"]["bad_blocks_found_from"]), (1.0, 1))
        self.assertEqual((part["confidence"]["probability"], part["confidence"]["checked"]), (0.99, 8))
        blocks, bad = part["blocks"], part["confidence"]["bad_blocks_found_from"]
        self.assertEqual(part["confidence"]["bad_share_found_from"], bad / blocks)
        self.assertGreaterEqual(self.share_found(blocks, 8, bad), 0.98)
        self.assertLess(self.share_found(blocks, 8, bad // 2), 0.98)
        self.assertGreater(whole["levels"], 3)
        (field,) = whole["fields"]
        self.assertEqual((field["min"], field["max"]), (self.values.min(), self.values.max()))

    def share_found(self, blocks, checked, bad):
        """How often a sample of `checked` meets one of `bad` blocks, by trying."""
        draws = (np.random.default_rng(k).permutation(blocks - 2)[: checked - 2] for k in range(2000))
        return sum(draw.min() < bad for draw in draws) / 2000


class Differs(ProveCase):
    def test_one_voxel_rewritten(self):
        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        dataset.write(self.values[7:8, 9:10, 11:12] + 1, x=11, y=9, z=7)
        size = sum(map(os.path.getsize, self.bins))
        self.edit_proof(lambda proof: proof.update(block_bytes=size))  # so that only the digest can tell
        self.assert_refused(
            self.prove(), "product_differs", "field data", "timestep 0", "[0, 0, 0] to [64, 64, 32]", "expected", "found"
        )

    def test_one_byte_flipped(self):
        with open(self.bins[0], "r+b") as file:
            file.seek(os.path.getsize(self.bins[0]) // 2)
            byte = file.read(1)
            file.seek(-1, os.SEEK_CUR)
            file.write(bytes([byte[0] ^ 0x10]))
        self.assert_refused(self.prove(), "product_differs", "box")

    def test_asked_again_it_tells_every_place_and_does_not_fail(self):
        self.assert_done(self.convert("tiff", slab_bytes=1 << 16))
        self.edit_proof(lambda proof: [proof["blocks"][k].update(sha256="0" * 64, min=-1) for k in (1, 3)])
        run = self.prove_again()
        self.assertEqual(run.code, 0)
        self.assertEqual((run.result["different"], run.result["lossless"]), (2, False))
        self.assertNotIn("max_error", run.result)  # digests say that, not by how much
        boxes = [difference["box"] for difference in run.result["differences"]]
        with open(os.path.join(self.output, "sluice", "proof.json")) as file:
            blocks = json.load(file)["blocks"]
        self.assertEqual(boxes, [blocks[k]["box"] for k in (1, 3)])
        self.assertEqual(run.result["differences"][0]["expected"]["min"], -1)

    def prove_again(self):
        return self.run_program("prove", {
            "product": self.output, "entry": "visus.idx", "proof": "sluice/proof.json", "again": True,
            "limits": {"slab_bytes": 1 << 20, "threads": 2},
            "sample": {"all_below_bytes": 268435456, "count": 64, "seed": 1},
        })  # fmt: skip

    def test_a_cut_or_missing_block_file(self):
        os.truncate(self.bins[0], os.path.getsize(self.bins[0]) - 100)
        self.assert_refused(self.prove(), "product_differs", "bytes instead of")
        size = sum(map(os.path.getsize, self.bins))
        self.edit_proof(lambda proof: proof.update(block_bytes=size))
        self.assert_refused(self.prove(), "product_differs", "damaged")
        os.remove(self.bins[0])
        self.assert_refused(self.prove(), "product_differs", "block files")

    def test_a_block_that_was_never_written_in_a_large_product(self):
        """A sample of three blocks meets no voxel of it, and its file is as long as it was."""
        self.assert_done(self.convert("tiff", slab_bytes=1 << 16))
        rows, table = self.table()
        rows[36, 4] = 0
        table(rows)
        run = self.prove(all_below_bytes=0, count=3)
        self.assert_refused(run, "product_differs", "1 block", "block 36", "field data", "timestep 0", "box", ".bin")
        os.truncate(self.bins[0], 1000)
        size = sum(map(os.path.getsize, self.bins))
        self.edit_proof(lambda proof: proof.update(block_bytes=size))
        self.assert_refused(self.prove(all_below_bytes=0, count=3), "product_differs", "ends inside its block table")

    def table(self):
        """The block table of the first file as big-endian words, and how to write it again."""
        count = int(ov.LoadDataset(os.path.join(self.output, "visus.idx")).db.idxfile.blocksperfile)
        with open(self.bins[0], "rb") as file:
            file.seek(40)
            rows = np.frombuffer(file.read(40 * count), ">u4").reshape(count, 10).copy()

        def write(rows):
            with open(self.bins[0], "r+b") as file:
                file.seek(40)
                file.write(rows.tobytes())

        return rows, write

    def test_another_shape_type_or_number_of_timesteps(self):
        for key, value in (("dims", [1, 2, 3]), ("dtype", "int16"), ("timesteps", 2)):
            kept = {}
            self.edit_proof(lambda proof: kept.update(proof) or proof.update({key: value}))
            self.assert_refused(self.prove(), "product_differs", str(value))
            self.edit_proof(lambda proof: proof.update(kept))

    def test_no_proof_or_no_index(self):
        os.rename(os.path.join(self.output, "visus.idx"), os.path.join(self.output, "other"))
        self.assert_refused(self.prove(), "product_differs", "open")
        os.remove(os.path.join(self.output, "sluice", "proof.json"))
        self.assert_refused(self.prove(), "no_proof")


if __name__ == "__main__":
    unittest.main()
