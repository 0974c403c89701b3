"""Runs a converter program as the activity does and reads its protocol."""

import atexit
import functools
import json
import os
import shutil
import subprocess
import sys
import tempfile
import unittest

CONVERTERS = os.path.join(os.path.dirname(__file__), "..", "..", "converters")
sys.path.insert(0, CONVERTERS)
sys.path.insert(1, os.path.join(os.path.dirname(__file__), "..", "support"))
os.environ.setdefault("VISUS_HOME", os.path.join(tempfile.gettempdir(), "sluice-test-openvisus"))


class Warm:
    """The warm interpreter of all tests of a module, as a worker has one."""

    def __init__(self):
        self._cwd, self._count = tempfile.mkdtemp(prefix="sluice-warm-"), 0
        self._process = subprocess.Popen(
            [sys.executable, os.path.join(CONVERTERS, "warm.py")], cwd=self._cwd,
            stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        )  # fmt: skip
        self._process.stdout.readline()  # it is ready
        atexit.register(self._end)

    def run(self, args, cwd):
        """What the run of a program said."""
        self._count += 1
        order = {"run": self._count, "args": args, "cwd": cwd, "env": dict(os.environ)}
        self._process.stdin.write(json.dumps(order) + "\n")
        self._process.stdin.flush()
        heard, ended = {"out": "", "err": ""}, {}
        while not {"out", "err", "exit"} <= ended.keys():
            word = json.loads(self._process.stdout.readline())
            for name in heard.keys() & word.keys():
                heard[name] += word[name] or ""
            ended |= {name: word[name] for name in ("out", "err") if word.get(name, "") is None}
            ended |= {name: word[name] for name in ("exit", "peak") if name in word}
        return Run(ended["exit"], heard["out"], heard["err"], ended["peak"] // 1024)

    def _end(self):
        self._process.kill()
        self._process.communicate()
        shutil.rmtree(self._cwd, ignore_errors=True)


@functools.cache
def warm():
    """The one of this process."""
    return Warm()


def random_voxels(random, shape, dtype):
    """Over the whole range of an integer type, or normal ones. `random` is a numpy generator."""
    import numpy as np

    dtype = np.dtype(dtype)
    if dtype.kind == "f":
        return random.normal(size=shape).astype(dtype)
    limits = np.iinfo(dtype)
    return random.integers(limits.min, limits.max, shape, dtype, endpoint=True)


class Run:
    """What one program run said: exit code, protocol lines, log, peak memory in KiB."""

    def __init__(self, code, stdout, log, peak):
        self.code, self.log, self.peak = code, log, peak
        self.lines = [json.loads(line) for line in stdout.splitlines()]
        last = self.lines[-1] if self.lines else {}
        self.result, self.error = last.get("result"), last.get("error")
        self.progress = [line["progress"] for line in self.lines if "progress" in line]


class ConverterCase(unittest.TestCase):
    """A test with its own directories: `inputs` for sources, `output` for the product."""

    def setUp(self):
        self.root = tempfile.mkdtemp(prefix="sluice-converters-")
        self.addCleanup(shutil.rmtree, self.root, ignore_errors=True)
        self.inputs, self.output, self.preview = (self.place(name) for name in ("inputs", "output", "preview.png"))
        os.makedirs(self.inputs)

    def place(self, *parts):
        return os.path.join(self.root, *parts)

    def request(self, names, parameters=None, **limits):
        """A converter's request for files below `inputs`, with fresh directories."""
        work, cwd = self.place("work"), self.place("cwd")
        for directory in (self.output, work, cwd):
            shutil.rmtree(directory, ignore_errors=True)
            os.makedirs(directory)
        return {
            "inputs": [{"path": os.path.join(self.inputs, name), "name": name} for name in names],
            "output": self.output, "work": work, "parameters": parameters or {},
            "limits": {"slab_bytes": 1 << 20, "threads": 2} | limits,
        }  # fmt: skip

    def args(self, program, request):
        path = self.place("request.json")
        with open(path, "w", encoding="utf-8") as file:
            json.dump(request, file)
        return [os.path.join(CONVERTERS, f"{program}.py"), path]

    def start(self, program, request):
        """A process of its own, to be watched and killed."""
        return subprocess.Popen(
            [sys.executable, *self.args(program, request)], cwd=self.place("cwd"),
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        )  # fmt: skip

    def run_program(self, program, request):
        """Run to its end in a copy of the warm interpreter."""
        return warm().run(self.args(program, request), self.place("cwd"))

    def convert(self, program, names=None, parameters=None, **limits):
        names = self.all_names() if names is None else names
        return self.run_program(program, self.request(names, parameters, **limits))

    def prove(self, **sample):
        """Run prove.py on the product."""
        return self.run_program("prove", {
            "product": self.output, "entry": "visus.idx", "proof": "sluice/proof.json", "preview": self.preview,
            "limits": {"slab_bytes": 1 << 20, "threads": 2},
            "sample": {"all_below_bytes": 268435456, "count": 64, "seed": 123} | sample,
        })  # fmt: skip

    def by_files(self):
        """The product by a reader that shares no code with what wrote it."""
        from plain_idx import PlainIdx

        return PlainIdx(os.path.join(self.output, "visus.idx"))

    def broken_rules(self, path=""):
        """What an image of the Zarr form breaks of OME-NGFF."""
        from ngff_rules import broken

        return broken(os.path.join(self.output, "data.zarr", path))

    def all_names(self):
        return sorted(
            os.path.relpath(os.path.join(parent, name), self.inputs)
            for parent, _, files in os.walk(self.inputs) for name in files
        )  # fmt: skip

    def assert_done(self, run):
        self.assertEqual(run.code, 0, run.error or run.log)
        done = [line["done"] for line in run.progress]
        self.assertEqual(done, sorted(done))
        self.assertEqual(run.progress[-1]["done"], run.progress[-1]["total"])

    def assert_refused(self, run, code, *words):
        self.assertEqual((run.code, run.error and run.error["code"]), (65, code), run.error or run.log)
        for word in words:
            self.assertIn(word, run.error["say"])

    def assert_product(self, run, expected, timesteps=1):
        """The product read by stock OpenVisus, and by its files alone, equals `expected` ([t, ...] when timesteps > 1),
        and its proof holds.
        """
        import numpy as np
        import OpenVisus as ov

        self.assert_done(run)
        expected = np.asarray(expected)
        steps = expected if timesteps > 1 else expected[None]
        dataset = ov.LoadDataset(os.path.join(self.output, "visus.idx"))
        self.assertEqual(len(dataset.getTimesteps()), timesteps)
        for timestep, wanted in enumerate(steps):
            read = dataset.read(time=timestep)
            self.assertEqual(read.dtype, wanted.dtype.newbyteorder("="))
            self.assertEqual(read.shape, wanted.shape)
            self.assertEqual(read.tobytes(), np.ascontiguousarray(wanted, read.dtype).tobytes())
        if not run.result["metadata"].get("absent_blocks"):  # OpenVisus reads zeros for those
            plain = self.by_files().values(run.result["field"])
            self.assertEqual(plain.tobytes(), np.ascontiguousarray(steps, plain.dtype).tobytes())
        proof = self.prove()
        self.assert_done(proof)
        self.assertTrue(proof.result["complete"])
        self.assertEqual(proof.result["bytes_checked"], expected.nbytes)
