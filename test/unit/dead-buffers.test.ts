// Buffers that were held for a while and are dead do not stay. In a process of its own: others have garbage of theirs.
import { spawnSync } from 'node:child_process';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';

test('dead buffers are collected before there are many, living ones are left alone', () => {
  const program = join(process.cwd(), 'test/fixtures/programs/dead-buffers.mjs');
  const { stdout, stderr } = spawnSync(process.execPath, [program], { encoding: 'utf8' });
  expect(stderr).toBe('');
  const found = JSON.parse(stdout) as { without: number; with: number; living: number };
  expect(found.without).toBeGreaterThan(30);
  expect(found.with).toBeGreaterThanOrEqual(20);
  expect(found.with).toBeLessThan(30);
  expect(found.living).toBe(20);
});
