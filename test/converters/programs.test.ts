// The converters' own tests are written in Python, beside their reader; each module of them is a case here.
import { spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { expect, test } from '@jest/globals';

const DIRECTORY = 'test/converters';
const modules = readdirSync(DIRECTORY).filter((name) => /^test_.*\.py$/.test(name));

test.each(modules)(
  '%s',
  (name) => {
    const args = ['-m', 'unittest', 'discover', '-s', DIRECTORY, '-p', name];
    const { status, stderr } = spawnSync(process.env['SLUICE_PYTHON'] ?? 'python3', args, {
      encoding: 'utf8',
    });
    expect(stderr).toMatch(/^Ran [1-9]\d* tests? in/m);
    if (status !== 0) throw new Error(stderr.slice(-8_000));
  },
  240_000,
);
