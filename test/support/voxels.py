"""Prints SHA-256 and shape of a product, read by stock OpenVisus: voxels.py <visus.idx> [timestep]"""

import hashlib
import json
import os
import sys

saved = os.dup(1)
os.dup2(2, 1)
import OpenVisus as ov  # noqa: E402

dataset = ov.LoadDataset(sys.argv[1])
steps = [int(sys.argv[2])] if len(sys.argv) > 2 else [dataset.getTimesteps()[0] if dataset.getTimesteps() else 0]
array = dataset.read(time=steps[0])
answer = {
    "sha256": hashlib.sha256(array.tobytes()).hexdigest(),
    "shape": list(array.shape),
    "dtype": str(array.dtype),
}
os.write(saved, (json.dumps(answer) + "\n").encode())
