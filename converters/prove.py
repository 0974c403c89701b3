"""Proves that a product is what was read from its source, and draws its pictures.

Reads the product with stock OpenVisus, its Zarr form with zarr-python, and compares digests with sluice/proof.json.
Used before publishing and, with "again", whenever somebody asks whether a published product is still whole: then
nothing is drawn, and what differs is the answer, not a failure.
"""

import os
from concurrent.futures import ThreadPoolExecutor

from sluice_convert import checking
from sluice_convert.confidence import statement
from sluice_convert.differences import MOST_SHOWN
from sluice_convert.digest import wider
from sluice_convert.preview import draw
from sluice_convert.proofs import forms_of
from sluice_convert.report import Fault, run_program

# What is wrong with a published product is told; anything else that goes wrong is a failure.
DAMAGE = ("product_differs", "no_proof")


def main(request, reporter):
    if not request.get("again"):
        return prove(request, reporter, strict=True)
    try:
        return prove(request, reporter, strict=False)
    except Fault as fault:
        if fault.code not in DAMAGE:
            raise
        return {"problem": fault.say, "different": 0, "differences": []}


def prove(request, reporter, strict):
    """The record of the proof. Raises `product_differs` for the first difference where it is `strict`."""
    product, limits, sample = request["product"], request["limits"], request["sample"]
    proof = checking.read_proof(os.path.join(product, request["proof"]))
    forms = forms_of(product, request["entry"], proof, limits["threads"])
    forms, broken = opened(forms, strict)
    chosen = [checking.choose(form.blocks, form.voxel_bytes, sample) for form in forms]
    sizes = [
        sum(checking.volume(form.blocks[index]["box"]) for index in drawn) * form.voxel_bytes
        for form, drawn in zip(forms, chosen)
    ]
    total, records, pictured, threads = sum(sizes), [], None, max(1, limits["threads"])
    with ThreadPoolExecutor(threads) as pool:
        if "preview" in request:
            pictured = pool.submit(pictures, forms[0], proof, request["preview"])
        for number, (form, drawn) in enumerate(zip(forms, chosen)):
            told = counting(reporter, sum(sizes[:number]), total)
            groups = checking.grouped(form.blocks, drawn, form.voxel_bytes, limits["slab_bytes"])
            records.append(prove_form(form, drawn, groups, proof, sample["seed"], (pool, threads), told, strict))
        reporter.progress(total, total, "checked")
        alone = [form.kind for form in forms] == ["idx"] and not broken
        record = records[0] if alone else together(forms, records, broken)
        return record | (pictured.result() if pictured is not None else {})


def opened(forms, strict):
    """(forms that can be read, records of those that cannot): one that is damaged does not hide another."""
    whole, broken = [], []
    for form in forms:
        try:
            if strict:
                form.check_files()  # later each file is known by its checksum
            form.open(strict)
            whole.append(form)
        except Fault as fault:
            if strict or fault.code not in DAMAGE or len(broken) + 1 == len(forms):
                raise
            broken.append({"kind": form.kind, "entry": form.entry, "problem": fault.say})
    return whole, broken


def counting(reporter, before, total):
    """Tells progress of a form after others."""
    return lambda done: reporter.progress(before + done, total, "checking")


def prove_form(form, chosen, groups, proof, seed, workers, told, strict):
    """The record of one form of the product. `workers` are a pool and its number of threads."""
    blocks = form.blocks
    levels = form.levels([blocks[index] for index in chosen])
    checker = checking.Checker(form.opened, proof, levels)
    told(0)
    checker.check_all(groups, *workers, told)
    if strict:
        checker.differences.refuse(checker.checked)
    sure = statement(len(blocks), checker.checked, seed)
    record = {
        "checked": checker.checked, "blocks": len(blocks), "bytes_checked": checker.bytes_checked,
        "complete": sure["complete"], "seed": sure["seed"], "confidence": sure, "fields": checker.fields(),
        "min": checker.low_high[0], "max": checker.low_high[1], "source": source_range(proof),
        "writer": {key: proof.get(key) for key in ("program", "version", "libraries")},
        "different": checker.differences.count, "differences": checker.differences.shown(),
    }  # fmt: skip
    if checker.differences.count > 0:
        return record | {"lossless": False}
    if levels.problem is not None:
        raise levels.problem
    # Digests are equal, so every value that was compared is the source's, bit for bit.
    return record | {"lossless": True, "max_error": 0} | ({"levels": levels.count()} if chosen else {})


def together(forms, records, broken):
    """One record of a product with a Zarr form: sums, and under `outputs` what each form showed by itself.

    With `broken` forms it has the `problem` of the first too.
    """
    own = (
        "checked", "blocks", "bytes_checked", "complete", "confidence", "fields", "different", "lossless", "max_error",
        "levels",
    )  # fmt: skip
    outputs = [
        {"kind": form.kind, "entry": form.entry} | {key: record[key] for key in own if key in record}
        for form, record in zip(forms, records)
    ]
    sums = {key: sum(record[key] for record in records) for key in ("checked", "blocks", "bytes_checked", "different")}
    differences = [one for record in records for one in record["differences"]][:MOST_SHOWN]
    complete = all(record["complete"] for record in records)
    problem = {"problem": broken[0]["problem"]} if broken else {}
    lossless = not broken and all(record["lossless"] for record in records)
    first = {key: value for key, value in records[0].items() if lossless or key != "max_error"}
    record = first | sums | problem | {"lossless": lossless, "complete": complete, "differences": differences}
    return record | {"outputs": outputs + broken}


def source_range(proof):
    """Range of all values as the converter read them, over all blocks, compared now or not."""
    low_high = (None, None)
    for block in proof["blocks"]:
        if block.get("field", proof["field"]) == proof["field"]:
            low_high = wider(low_high, (block["min"], block["max"]))
    return {"field": proof["field"], "min": low_high[0], "max": low_high[1]}


def pictures(form, proof, path):
    """Draw them; the preview's size stands by itself, None where it cannot be drawn; `undrawn` says why."""
    drawn, undrawn = draw(form.shown(), proof["field"], proof["ignored"], proof["y_up"], path)
    preview = drawn.pop(os.path.basename(path), None)
    return {"preview": preview, "pictures": drawn} | ({"undrawn": undrawn} if undrawn else {})


if __name__ == "__main__":
    run_program(main)
