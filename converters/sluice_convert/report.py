"""The line protocol between a converter program and the activity that runs it.

One JSON object per line on stdout: `progress` any number of times, then one `result` or one `error`.
Exit 0 = done, 65 = the content is bad (never retried), 75 = try again, anything else = the program broke.
"""

import errno
import json
import os
import signal
import sys
import time
import traceback
from contextlib import contextmanager

EXIT_CONTENT = 65
EXIT_AGAIN = 75
SECONDS_BETWEEN_LINES = 0.2
NO_ROOM = (errno.ENOSPC, errno.EDQUOT)
# What the machine says and not the file: whoever tries again may succeed.
OF_THE_MACHINE = (errno.EACCES, errno.EMFILE, errno.ENFILE, errno.ENOMEM, errno.ESTALE, *NO_ROOM)


class Fault(Exception):
    """An ending with a code from the documented list and a sentence that says what to do."""

    def __init__(self, code, say, exit_code=EXIT_CONTENT):
        super().__init__(say)
        self.code = code
        self.say = say
        self.exit_code = exit_code


def disk_full(say):
    """No room: not the content's fault, so the caller may try again."""
    return Fault("disk_full", say, EXIT_AGAIN)


def truncated(name, why):
    """The fault of a file that is cut off or damaged."""
    return Fault(
        "truncated", f"{name} is cut off or damaged ({why[:200]}). Upload it again, or save it again from its program."
    )


@contextmanager
def reading(name):
    """Around what a library reads of a file: damage leads to errors of many kinds, which are one. Raises truncated."""
    try:
        yield
    except (OSError, RuntimeError, LookupError, TypeError, ValueError) as error:
        if isinstance(error, OSError) and error.errno in OF_THE_MACHINE:
            raise
        raise truncated(name, str(error)) from error


class Reporter:
    """Writes protocol lines to its own copy of stdout, which C++ libraries cannot write into."""

    def __init__(self, stream):
        self._stream = stream
        self._done = 0
        self._last = -1.0
        self._held = None

    def progress(self, done, total, note, unit="bytes"):
        """Tell progress: never backwards, at most five lines a second; a held line goes out with `settle`."""
        self._done = max(self._done, min(int(done), int(total)))
        self._held = {"progress": {"done": self._done, "total": int(total), "unit": unit, "note": note}}
        now = time.monotonic()
        if now - self._last >= SECONDS_BETWEEN_LINES:
            self._last = now
            self.settle()

    def log(self, text):
        """A line for the log."""
        print(text, file=sys.stderr, flush=True)

    def settle(self):
        """Write the newest progress line if the throttle held it back."""
        if self._held is not None:
            self._line(self._held)
            self._held = None

    def result(self, result):
        self.settle()
        self._line({"result": result})

    def error(self, code, say):
        self._line({"error": {"code": code, "say": say}})

    def _line(self, value):
        self._stream.write(json.dumps(value, ensure_ascii=False, allow_nan=False) + "\n")
        self._stream.flush()


def _own_stdout():
    """Keep fd 1 for protocol lines alone: whatever libraries print goes to stderr, the log."""
    stream = os.fdopen(os.dup(1), "w", encoding="utf-8", errors="replace")
    os.dup2(2, 1)
    return stream


def _prepare_environment(request):
    # OpenVisus makes a directory in HOME unless told otherwise, and BLAS threads only cost memory here.
    home = os.path.join(request.get("work") or os.getcwd(), "openvisus-home")
    os.environ.setdefault("VISUS_HOME", home)
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


def run_program(main):
    """Run `main(request, reporter) -> result` under the protocol, then leave the process at once.

    It leaves by `os._exit`: C++ destructors at interpreter exit must not change the exit code.
    """
    signal.signal(signal.SIGTERM, signal.SIG_DFL)  # a cancel ends the process inside any library call
    reporter = Reporter(_own_stdout())
    code = _guarded(main, reporter)
    sys.stderr.flush()
    os._exit(code)


def _guarded(main, reporter):
    try:
        with open(sys.argv[1], encoding="utf-8") as file:
            request = json.load(file)
        _prepare_environment(request)
        reporter.result(main(request, reporter))
        return 0
    except Fault as fault:
        reporter.error(fault.code, fault.say)
        return fault.exit_code
    except OSError as error:
        traceback.print_exc()
        if error.errno in NO_ROOM:
            reporter.error("disk_full", "The disk became full while converting. Free some space and try again.")
            return EXIT_AGAIN
        return 1
    except Exception:  # the log carries the traceback, the exit code says "errored"
        traceback.print_exc()
        return 1
