// The vault: what is sealed comes back for its job alone, and nothing readable lies on the disk.
import { mkdtemp, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Roots } from '../../src/bytes/layout.js';
import { openVault } from '../../src/secrets/vault.js';

const SECRET = { user: 'ada', password: 'correct horse' };
let dir: string;
let roots: Roots;
let home: string;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-vault-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
  home = join(dir, 'home');
});
afterEach(() => rm(dir, { recursive: true, force: true }));
const file = (job: string): string => join(roots.in, '.secrets', job);

test('seals, opens, replaces and forgets', async () => {
  const vault = openVault(home, roots);
  expect(await vault.open('j1')).toBeUndefined();
  await vault.seal('j1', { old: true });
  await vault.seal('j1', SECRET);
  expect(await openVault(home, roots).open('j1')).toEqual(SECRET);
  expect(await readFile(file('j1'), 'utf8')).not.toContain('horse');
  for (const path of [file('j1'), join(home, 'keys.json')])
    expect((await stat(path)).mode & 0o777).toBe(0o600);
  await vault.forget('j1');
  await vault.forget('j1');
  expect(await vault.open('j1')).toBeUndefined();
});

test('processes that start together agree on one key ring', async () => {
  await Promise.all(Array.from({ length: 8 }, (_, i) => openVault(home, roots).seal(`j${i}`, { i })));
  const vault = openVault(home, roots);
  for (let i = 0; i < 8; i++) expect(await vault.open(`j${i}`)).toEqual({ i });
  expect(await readdir(home)).toEqual(['keys.json']);
});

test('does not open for another job, when changed, or with other keys; errors hold no secret', async () => {
  const vault = openVault(home, roots);
  await vault.seal('j1', SECRET);
  await writeFile(file('j2'), await readFile(file('j1')));
  await expect(vault.open('j2')).rejects.toMatchObject({ code: 'internal' });
  const sealed = JSON.parse(await readFile(file('j1'), 'utf8')) as { tag: string };
  await writeFile(file('j1'), JSON.stringify({ ...sealed, tag: sealed.tag.slice(0, 8) }));
  await expect(vault.open('j1')).rejects.toMatchObject({ code: 'internal' });
  await writeFile(file('j1'), JSON.stringify(sealed));
  await expect(openVault(join(dir, 'other'), roots).open('j1')).rejects.toMatchObject({ code: 'internal' });
  await writeFile(join(home, 'keys.json'), '{"current":"x","keys":{"x":"c2hvcnQ="}}');
  await expect(openVault(home, roots).open('j1')).rejects.toThrow(/key ring/);
});
