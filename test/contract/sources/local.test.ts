// Source `local` by the contract, and the paths that it must refuse.
import { appendFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { appendFile, chmod, chown, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { localOffer } from '../../../src/sources/local.js';
import type { OfferDeps } from '../../../src/sources/offer.js';
import { writePattern } from '../../support/pattern.js';
import { Bench, failure, MIB, someBytes } from './bench.js';
import { sourceContract } from './contract.js';

const write = async (path: string, bytes: Buffer | string): Promise<void> => {
  await mkdir(dirname(path), { recursive: true });
  await writeFile(path, bytes);
};

sourceContract('local', {
  transfers: true,
  several: true,
  cannot: {
    given: 'a file system does not count what is read from it',
    throttle: 'a file system never says "too many"',
    corrupt: 'a file system announces no digests',
  },
  async put(bench, files) {
    const top = join(bench.dir, 'local/data');
    for (const [name, bytes] of Object.entries(files)) await write(join(top, name), bytes);
    return { kind: 'local', path: top };
  },
  async nothing(bench) {
    await mkdir(join(bench.dir, 'local/none/deeper'), { recursive: true });
    return { source: { kind: 'local', path: join(bench.dir, 'local/none') }, code: 'no_files' };
  },
  async putOdd(bench, files) {
    const top = join(bench.dir, 'local/odd');
    try {
      for (const [name, bytes] of Object.entries(files)) {
        if (name.split('/').some((part) => part === '..' || part === '.')) return undefined;
        await write(`${top}/${name}`, bytes);
      }
    } catch {
      return undefined;
    }
    return { kind: 'local', path: top };
  },
  async putLarge(bench, bytes) {
    writePattern(join(bench.dir, 'local/data/large.bin'), { counted: bytes });
    return { kind: 'local', path: join(bench.dir, 'local/data') };
  },
  async denied(bench) {
    const path = join(bench.dir, 'local/data');
    await write(join(path, 'a.bin'), 'closed');
    await chmod(join(path, 'a.bin'), 0o000);
    await becomeNobody(bench);
    return { source: { kind: 'local', path }, code: 'path_denied' };
  },
  async end() {
    becomeRoot();
  },
  change: {
    code: 'file_changed',
    replace: (bench, files) => writeFileSync(join(bench.dir, 'local/data/a.bin'), files['a.bin'] ?? ''),
  },
});

/** No file refuses root; whoever else runs these tests is refused as he is. */
const isRoot = process.getuid?.() === 0;
const NOBODY = 65_534;

/** From here on this process may do what a user without any rights may, beside what the fetcher writes. */
async function becomeNobody({ dir, roots }: Bench): Promise<void> {
  if (!isRoot) return;
  await chmod(dir, 0o755);
  await chown(roots.in, NOBODY, NOBODY);
  process.seteuid?.(NOBODY);
}
function becomeRoot(): void {
  if (isRoot) process.seteuid?.(0);
}

let bench: Bench;
let local: string;
beforeEach(async () => {
  bench = await Bench.open();
  local = join(bench.dir, 'local');
});
afterEach(async () => {
  becomeRoot();
  await bench.close();
});
const run = (path: string) => bench.run({ kind: 'local', path });

test('a single file has its own name, a directory its ways below it; the originals stay', async () => {
  const [a, b] = [someBytes(10), someBytes(20 * MIB)];
  await write(join(local, 'x/a.tif'), a);
  await write(join(local, 'x/sub/b.tif'), b);
  await bench.prove(await run(join(local, 'x')), { 'a.tif': a, 'sub/b.tif': b });
  const placed = join(bench.roots.in, '6f0d1a52-9d4e-4a53-8f3e-222222222222/sub/b.tif');
  // The dataset's file is not the user's: writing to one must not change the other.
  expect((await stat(placed)).ino).not.toBe((await stat(join(local, 'x/sub/b.tif'))).ino);
  await appendFile(join(local, 'x/sub/b.tif'), 'more');
  expect((await stat(placed)).size).toBe(20 * MIB);
});

test('a single file', async () => {
  const bytes = someBytes(10);
  await write(join(local, 'x/a.tif'), bytes);
  await bench.prove(await run(join(local, 'x/a.tif')), { 'a.tif': bytes });
});

test.each([
  ['outside_roots', '/etc/hostname'],
  ['outside_roots', 'relative/path'],
  ['outside_roots', 'LOCAL/../outside'],
  ['outside_roots', 'LOCAL-beside/file'],
  ['path_not_found', 'LOCAL/none'],
  ['path_not_found', 'LOCAL/file/below'],
  ['path_is_link', 'LOCAL/link-out'],
  ['path_is_link', 'LOCAL/link-in'],
  ['path_is_link', 'LOCAL/link-dir/file'],
  ['path_is_link', 'LOCAL/with-link'],
])('%s: %s', async (code, path) => {
  await write(join(local, 'file'), 'x');
  await write(join(local, 'dir/file'), 'x');
  await write(join(local, 'with-link/file'), 'x');
  await write(join(bench.dir, 'outside'), 'x');
  await write(`${local}-beside/file`, 'x');
  await symlink(join(bench.dir, 'outside'), join(local, 'link-out'));
  await symlink(join(local, 'file'), join(local, 'link-in'));
  await symlink(join(local, 'dir'), join(local, 'link-dir'));
  await symlink(join(bench.dir, 'outside'), join(local, 'with-link/link'));
  await expect(run(path.replace('LOCAL', local))).rejects.toEqual(failure(code));
  await bench.proveEmptyStaging();
});

test.each([
  ['a directory that may not be listed', 'x/deep', 'x'],
  ['a directory that may be listed and not entered', 'x/deep', 'x', 0o444],
  ['a way that may not be gone', 'x', 'x/deep/file'],
  ['one file among others', 'x/deep/file', 'x'],
])('path_denied: %s', async (_what, closed, asked, mode = 0o000) => {
  await write(join(local, 'x/deep/file'), 'bytes');
  await write(join(local, 'x/other'), 'bytes');
  await chmod(join(local, closed), mode);
  await becomeNobody(bench);
  try {
    const refused = run(join(local, asked));
    await expect(refused).rejects.toEqual(failure('path_denied'));
    await expect(refused).rejects.toMatchObject({
      message: expect.stringMatching(/right to read ".*(x|deep)/),
    });
    await bench.proveEmptyStaging();
  } finally {
    becomeRoot();
    await chmod(join(local, closed), 0o755);
  }
});

test('the door tells a way that may not be gone from one that is not there, below the roots alone', async () => {
  await write(join(local, 'x/file'), 'bytes');
  await mkdir(join(bench.dir, 'other'), { mode: 0o700 });
  await chmod(join(local, 'x'), 0o000);
  await becomeNobody(bench);
  const check = (path: string) =>
    localOffer.check({ type: 'local', path }, { localRoots: [local] } as unknown as OfferDeps);
  await expect(check(join(local, 'x/file'))).rejects.toMatchObject({ code: 'path_denied' });
  await expect(check(join(local, 'none'))).rejects.toMatchObject({ code: 'path_not_found' });
  await expect(check(join(bench.dir, 'other/file'))).rejects.toMatchObject({ code: 'outside_roots' });
});

test('a root that is itself reached through a link may be named either way', async () => {
  await write(join(bench.dir, 'real/a'), 'bytes');
  await symlink(join(bench.dir, 'real'), join(bench.dir, 'named'));
  const deps = { ...bench.deps, localRoots: [join(bench.dir, 'named')] };
  for (const [jobId, name] of [
    ['upload_1_a', 'named'],
    ['upload_1_b', 'real'],
  ] as const) {
    const source = { kind: 'local', path: join(bench.dir, name) } as const;
    await bench.prove(await bench.run(source, { jobId }, deps), { a: Buffer.from('bytes') });
  }
});

test('a file that changes while it is paused is copied from its start', async () => {
  await write(join(local, 'big'), someBytes(40 * MIB));
  const source = { kind: 'local', path: join(local, 'big') } as const;
  await bench.run(source, { stop: { kind: 'pause', when: ({ done }) => done >= 20 * MIB } });
  const other = someBytes(40 * MIB);
  await write(join(local, 'big'), other);
  await bench.prove(await bench.run(source), { big: other });
});

test.each([
  ['path_is_link', 'a link to another file', (b: string) => [rmSync(b), symlinkSync('/etc/hostname', b)]],
  ['file_changed', 'nothing', (b: string) => rmSync(b)],
  ['file_changed', 'a longer file', (b: string) => appendFileSync(b, 'more')],
  [
    'path_is_link',
    'a file in a linked directory',
    (b: string) => [
      rmSync(dirname(b), { recursive: true }),
      symlinkSync(join(dirname(b), '../../../twin'), dirname(b)),
    ],
  ],
])('%s: a file that became %s after it was listed', async (code, _what, change) => {
  await write(join(local, 'x/a'), 'bytes');
  await write(join(local, 'x/d/b'), 'bytes');
  await write(join(bench.dir, 'twin/b'), 'bytes');
  let changed = false;
  const onProgress = (): void => {
    if (!changed) change(join(local, 'x/d/b'));
    changed = true;
  };
  const source = { kind: 'local', path: join(local, 'x') } as const;
  await expect(bench.run(source, { onProgress })).rejects.toEqual(failure(code));
  await bench.proveEmptyStaging();
});

test('a file that is written to while it is copied is refused', async () => {
  await write(join(local, 'big'), someBytes(40 * MIB));
  const onProgress = ({ done }: { done: number }): void => {
    if (done > 0 && done < 40 * MIB) appendFileSync(join(local, 'big'), 'more');
  };
  const source = { kind: 'local', path: join(local, 'big') } as const;
  await expect(bench.run(source, { onProgress })).rejects.toEqual(failure('file_changed'));
});

test('archives are known by their content, not their name', async () => {
  await write(join(local, 'x/not.zip'), 'PK is how this text begins, and it goes on for a while');
  const empty = Buffer.concat([Buffer.from('PK\x05\x06'), Buffer.alloc(18)]);
  await write(join(local, 'x/picture.tif'), empty);
  const output = await run(join(local, 'x'));
  expect(output).toMatchObject({ done: true, delivery: { files: 2, archives: 1 } });
});
