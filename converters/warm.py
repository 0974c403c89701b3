"""Keeps an interpreter that has loaded the converters' libraries, and runs each program in a copy of it (fork).

Starting Python and importing costs a third of a second of processor time, a copy some milliseconds. Every run is still
a process of its own, in its own group and directory, with its own environment and limits; it dies with this one, and
this one with whoever started it. It never looks at content itself, and has one thread, since only then a copy is sound.

Orders come as JSON lines on stdin: {"run", "args", "cwd", "env"}. What happens is told as JSON lines on stdout:
{"ready"} once, then for each run {"run", "pid"}; {"run", "out": text or null at its end}, the same for "err"; and
{"run", "exit": code, negative for a signal, "peak": bytes}.
"""

import codecs
import ctypes
import gc
import importlib
import json
import os
import runpy
import selectors
import signal
import sys
import tempfile
import traceback

# What most runs need; a format's own libraries are loaded by the run that needs them.
LOADED = ("numpy", "OpenVisus", "prove", "sluice_convert.product", "sluice_convert.tiff_source", "sluice_convert.plan")
PR_SET_PDEATHSIG = 1
PIECE = 64 * 1024


class Warm:
    """One loop over the orders, the output of all runs and their ends."""

    def __init__(self):
        self._said = os.fdopen(os.dup(1), "w", encoding="utf-8")
        os.dup2(2, 1)  # whatever a library prints while it is loaded
        self._libc = ctypes.CDLL(None)
        self._pid = os.getpid()
        self._runs = {}
        self._orders = b""
        self._selector = selectors.DefaultSelector()

    def serve(self):
        """Until the orders end. The runs that are left are killed by the system then."""
        ended, told = os.pipe()
        os.set_blocking(told, False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        signal.set_wakeup_fd(told, warn_on_full_buffer=False)
        self._selector.register(ended, selectors.EVENT_READ, self._reap)
        self._selector.register(0, selectors.EVENT_READ, self._take)
        for name in LOADED:
            importlib.import_module(name)
        importlib.import_module("sluice_convert.itself").digest()
        gc.collect()
        gc.freeze()  # or each copy's first collection would write into all pages
        self._say({"ready": True})
        while True:
            for key, _ in self._selector.select():
                key.data(key.fd)

    def _say(self, value):
        self._said.write(json.dumps(value) + "\n")
        self._said.flush()

    def _take(self, source):
        piece = os.read(source, PIECE)
        if piece == b"":
            os._exit(0)
        *lines, self._orders = (self._orders + piece).split(b"\n")
        for line in lines:
            self._start(json.loads(line))

    def _start(self, order):
        (out, out_end), (err, err_end) = os.pipe(), os.pipe()
        sys.stderr.flush()
        pid = os.fork()
        if pid == 0:
            self._become(order, out_end, err_end)
        os.close(out_end)
        os.close(err_end)
        try:
            os.setpgid(pid, pid)  # on both sides, so that the group exists before anybody signals it
        except OSError:
            pass  # it has ended, or did it itself
        self._runs[pid] = order["run"]
        self._say({"run": order["run"], "pid": pid})
        for name, source in (("out", out), ("err", err)):
            self._selector.register(source, selectors.EVENT_READ, self._relay(order["run"], name))

    def _relay(self, run, name):
        decoder = codecs.getincrementaldecoder("utf-8")(errors="replace")

        def relay(source):
            piece = os.read(source, PIECE)
            text = decoder.decode(piece, final=piece == b"")
            if text != "":
                self._say({"run": run, name: text})
            if piece == b"":
                self._selector.unregister(source)
                os.close(source)
                self._say({"run": run, name: None})

        return relay

    def _reap(self, source):
        os.read(source, PIECE)
        while self._runs:
            pid, status, usage = os.wait4(-1, os.WNOHANG)
            if pid == 0:
                return
            code = os.waitstatus_to_exitcode(status)
            self._say({"run": self._runs.pop(pid), "exit": code, "peak": usage.ru_maxrss * 1024})

    def _become(self, order, out, err):
        """Turn this copy into the program of the order; it never returns."""
        try:
            self._libc.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
            if os.getppid() != self._pid:  # it died before it could be told so
                os._exit(1)
            os.setpgid(0, 0)
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            self._let_go(out, err)
            os.chdir(order["cwd"])
            os.environ.clear()
            os.environ.update(order["env"])
            tempfile.tempdir = None  # the one of its own environment
            sys.argv[:] = order["args"]
            runpy.run_path(order["args"][0], run_name="__main__")
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else int(end.code is not None)
        except BaseException:
            traceback.print_exc()
            code = 1
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)

    def _let_go(self, out, err):
        """Only its own output is left of what was open here: it may neither read orders nor speak for others."""
        nothing = os.open(os.devnull, os.O_RDONLY)
        for end, place in ((nothing, 0), (out, 1), (err, 2)):
            os.dup2(end, place)
        # No library that is loaded here keeps a file open.
        os.closerange(3, 1 + max(int(name) for name in os.listdir("/proc/self/fd")))


if __name__ == "__main__":
    Warm().serve()
