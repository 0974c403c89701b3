"""Runs one program to its end and prints its time and its peak memory as one JSON line.

Usage: measure.py <program> [argument...]
"""

import json
import os
import subprocess
import sys
import time


def main():
    start = time.monotonic()
    child = subprocess.Popen(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    noise = child.stderr.read()
    _, status, usage = os.wait4(child.pid, 0)
    seconds = time.monotonic() - start
    code = os.waitstatus_to_exitcode(status)
    if code != 0:
        sys.stderr.write(noise.decode(errors="replace")[-2000:])
    facts = {"seconds": seconds, "peak_mb": usage.ru_maxrss * 1024 / 1e6, "exit": code}
    print(json.dumps(facts | {"cpu_seconds": usage.ru_utime + usage.ru_stime}), flush=True)


if __name__ == "__main__":
    main()
