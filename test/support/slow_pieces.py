"""Runs a converter whose pieces take a second more each: slow_pieces.py <converter> <its arguments>."""

import os
import runpy
import sys
import time

sys.argv = sys.argv[1:]
sys.path.insert(0, os.path.dirname(sys.argv[0]))
from sluice_convert import journal  # noqa: E402

note = journal.Journal.note


def note_slowly(self, *piece):
    note(self, *piece)
    time.sleep(1)


journal.Journal.note = note_slowly
runpy.run_path(sys.argv[0], run_name="__main__")
