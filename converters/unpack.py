"""Unpacks an archive of any kind into an empty directory: inspected first, counted and hashed while it is written.

Besides the usual fields the request has `archives` (`path`, `name`, `size`, `kind`), `tree` (the directory, or null to
look only), `list` (where the list of files is written), `nested`, and in `limits` also `bytes`, `ratio`, `entries`,
`depth`, `window`. Progress counts packed bytes. With `tree` there is exactly one archive.
"""

import json
import os

from sluice_convert.report import disk_full, run_program
from sluice_unpack import formats, kinds
from sluice_unpack.limits import Meter
from sluice_unpack.nested import unpack_nested
from sluice_unpack.sink import Sink


def main(request, reporter):
    archives, limits, tree = request["archives"], request["limits"], request["tree"]
    announced = 0
    opened = []
    for archive in archives:
        meter = Meter(archive["name"], archive["size"], limits)
        opened.append((archive, meter, *formats.inspect(archive, meter, limits)))
        announced += meter.announced
    if announced > limits["bytes"]:
        raise Meter("", 0, limits).bomb(f"together expand beyond {limits['bytes']} bytes", "The archives")
    _check_room(request["room"], announced)
    if tree is None:
        return {"bytes": announced}
    [(archive, meter, gate, plan)] = opened
    sink = Sink(tree, meter, reporter, archive)
    stem = kinds.stem_of(os.path.basename(archive["name"])) or "file"
    single = formats.unpack(archive, plan, sink, gate, limits, stem)
    if request["nested"]:
        unpack_nested(sink, limits)
        single = single and sink.untouched
    sink.at(archive["size"], archive["name"])
    files = sink.files()
    with open(request["list"], "w", encoding="utf-8") as file:
        json.dump({"files": files}, file, ensure_ascii=False)
    return {"files": len(files), "bytes": sum(one["size"] for one in files), "single": single}


def _check_room(directory, wanted):
    free = os.statvfs(directory)
    if wanted > free.f_bavail * free.f_frsize:
        raise disk_full(f"The archives expand to {wanted} bytes, and the disk has less room. Free some space.")


if __name__ == "__main__":
    run_program(main)
