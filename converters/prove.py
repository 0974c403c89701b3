"""Proves that a product is what was read from its source, and draws its preview.

Reads the product with stock OpenVisus and compares digests with sluice/proof.json. Used before publishing and,
later, whenever somebody asks whether a published product is still whole.
"""

import os

from sluice_convert import checking
from sluice_convert.preview import draw
from sluice_convert.report import run_program


def main(request, reporter):
    product, entry = request["product"], request["entry"]
    proof = checking.read_proof(os.path.join(product, request["proof"]))
    checking.check_files(product, proof)
    dataset = checking.open_product(product, entry)
    if not proof.get("joined"):
        checking.check_layout(dataset, product)
    checking.check_description(dataset, proof)
    blocks, voxel = proof["blocks"], checking.voxel_bytes_of(dataset, proof["field"])
    chosen = checking.choose(blocks, voxel, request["sample"])
    total = sum(checking.volume(blocks[index]["box"]) for index in chosen) * voxel
    limits, checker = request["limits"], checking.Checker(product, entry, proof)
    reporter.progress(0, total, "checking")
    groups = checking.grouped(blocks, chosen, voxel, limits["slab_bytes"])
    checker.check_all(groups, limits["threads"], lambda done: reporter.progress(done, total, "checking"))
    picture = draw(dataset, proof["field"], proof["ignored"], proof["y_up"], request["preview"])
    return {
        "checked": checker.checked, "blocks": len(blocks), "bytes_checked": checker.bytes_checked,
        "complete": len(chosen) == len(blocks), "seed": request["sample"]["seed"],
        "min": checker.low_high[0], "max": checker.low_high[1], "preview": picture,
    }  # fmt: skip


if __name__ == "__main__":
    run_program(main)
