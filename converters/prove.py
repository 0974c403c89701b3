"""Proves that a product is what was read from its source, and draws its pictures.

Reads the product with stock OpenVisus and compares digests with sluice/proof.json. Used before publishing and,
with "again", whenever somebody asks whether a published product is still whole: then nothing is drawn, and what
differs is the answer, not a failure.
"""

import os

from sluice_convert import checking
from sluice_convert.confidence import statement
from sluice_convert.digest import wider
from sluice_convert.levels import check_levels
from sluice_convert.preview import draw
from sluice_convert.report import Fault, run_program


def main(request, reporter):
    if not request.get("again"):
        return prove(request, reporter, strict=True)
    try:
        return prove(request, reporter, strict=False)
    except Fault as fault:
        if fault.code not in ("product_differs", "no_proof"):
            raise
        return {"problem": fault.say, "different": 0, "differences": []}


def prove(request, reporter, strict):
    """The record of the proof. Raises `product_differs` for the first difference where it is `strict`."""
    product, entry = request["product"], request["entry"]
    proof = checking.read_proof(os.path.join(product, request["proof"]))
    if strict:
        checking.check_files(product, proof)  # later each file is known by its checksum
    dataset = checking.open_product(product, entry)
    if strict and not proof.get("joined"):
        checking.check_layout(dataset, product)
    checking.check_description(dataset, proof)
    blocks, voxel = proof["blocks"], checking.voxel_bytes_of(dataset, proof["field"])
    chosen = checking.choose(blocks, voxel, request["sample"])
    total = sum(checking.volume(blocks[index]["box"]) for index in chosen) * voxel
    limits, checker = request["limits"], checking.Checker(product, entry, proof)
    reporter.progress(0, total, "checking")
    groups = checking.grouped(blocks, chosen, voxel, limits["slab_bytes"])
    checker.check_all(groups, limits["threads"], lambda done: reporter.progress(done, total, "checking"))
    reporter.progress(total, total, "checked")
    if strict:
        checker.differences.refuse(checker.checked)
    sure = statement(len(blocks), checker.checked, request["sample"]["seed"])
    record = {
        "checked": checker.checked, "blocks": len(blocks), "bytes_checked": checker.bytes_checked,
        "complete": sure["complete"], "seed": sure["seed"], "confidence": sure, "fields": checker.fields(),
        "min": checker.low_high[0], "max": checker.low_high[1], "source": source_range(proof),
        "writer": {key: proof.get(key) for key in ("program", "version", "libraries")},
        "different": checker.differences.count, "differences": checker.differences.shown(),
    }  # fmt: skip
    if checker.differences.count == 0 and chosen:
        record["levels"] = check_levels(dataset, proof, blocks[chosen[len(chosen) // 2]])
    return record | (pictures(dataset, proof, request["preview"]) if "preview" in request else {})


def source_range(proof):
    """Range of all values as the converter read them, over all blocks, compared now or not."""
    low_high = (None, None)
    for block in proof["blocks"]:
        if block.get("field", proof["field"]) == proof["field"]:
            low_high = wider(low_high, (block["min"], block["max"]))
    return {"field": proof["field"], "min": low_high[0], "max": low_high[1]}


def pictures(dataset, proof, path):
    """Draw them; the preview's size stands by itself."""
    drawn = draw(dataset, proof["field"], proof["ignored"], proof["y_up"], path)
    return {"preview": drawn.pop(os.path.basename(path)), "pictures": drawn}


if __name__ == "__main__":
    run_program(main)
