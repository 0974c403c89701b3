// Claims, manifests, receipts, hashes, moves.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, truncate, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { cloneFile, freeBytes, move, removeTree } from '../../src/bytes/files.js';
import { hashFile } from '../../src/bytes/hash.js';
import { readJson, writeJson } from '../../src/bytes/json-file.js';
import type { Roots } from '../../src/bytes/layout.js';
import { digestOf, findReceipt, leaveReceipt, listReceipts } from '../../src/bytes/receipts.js';
import { materialise, putManifest, readManifest } from '../../src/bytes/store.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-111111111111';
let dir: string;
let roots: Roots;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-store-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
  await mkdir(roots.in);
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const hex = (algorithm: string, bytes: Buffer): string => createHash(algorithm).update(bytes).digest('hex');
const withCode = (code: string): unknown => expect.objectContaining({ code });

describe('hashFile', () => {
  test('equals node:crypto, with other digests in the same pass, many files at once', async () => {
    const bytes = randomBytes(5_000_001);
    const paths = Array.from({ length: 5 }, (_, i) => join(dir, `f${i}`));
    await Promise.all(paths.map((path) => writeFile(path, bytes)));
    const seen: number[] = [];
    const all = await Promise.all(
      paths.map((path) => hashFile(path, { also: ['md5', 'sha512'], onProgress: (n) => seen.push(n) })),
    );
    for (const one of all) {
      expect(one).toEqual({
        sha256: hex('sha256', bytes),
        size: bytes.length,
        also: { md5: hex('md5', bytes), sha512: hex('sha512', bytes) },
      });
    }
    expect(seen.filter((n) => n > 0)).toEqual(paths.map(() => bytes.length));
  });

  test('a missing file says so, and the threads go on', async () => {
    await expect(hashFile(join(dir, 'none'))).rejects.toEqual(withCode('ENOENT'));
    await writeFile(join(dir, 'f'), '');
    expect((await hashFile(join(dir, 'f'))).sha256).toBe(hex('sha256', Buffer.alloc(0)));
  });

  test('stops when it is aborted', async () => {
    await writeFile(join(dir, 'f'), Buffer.alloc(200_000_000));
    const stop = new AbortController();
    const running = hashFile(join(dir, 'f'), { signal: stop.signal, onProgress: () => stop.abort('enough') });
    await expect(running).rejects.toBe('enough');
  });
});

describe('hashFile with both threads at work', () => {
  const big = async (): Promise<Promise<unknown>[]> => {
    const paths = Array.from({ length: 6 }, (_, i) => join(dir, `b${i}`));
    for (const path of paths) await writeFile(path, '').then(() => truncate(path, 200_000_000));
    await writeFile(join(dir, 'small'), 'x');
    let running: Promise<unknown>[] = [];
    // From the first sign of progress on, all of them are in line.
    await new Promise<void>((resolve) => {
      running = paths.map((path) =>
        hashFile(path, { onProgress: () => resolve() }).then(() => ended.push(path)),
      );
    });
    return running;
  };
  let ended: unknown[];
  beforeEach(() => {
    ended = [];
  });

  test('one that waits for its turn hears that those before it advance', async () => {
    const running = await big();
    const heard: number[] = [];
    await hashFile(join(dir, 'small'), { onProgress: (bytes) => heard.push(bytes) });
    expect(heard).toContain(0);
    expect(heard.at(-1)).toBe(1);
    // It had its turn between two slices of theirs.
    expect(ended).toEqual([]);
    await Promise.all(running);
  });

  test('one that is aborted while it waits ends at once', async () => {
    const running = await big();
    const stop = new AbortController();
    const waiting = hashFile(join(dir, 'small'), { signal: stop.signal });
    stop.abort('enough');
    await expect(waiting).rejects.toBe('enough');
    expect(ended).toEqual([]);
    await Promise.all(running);
  });
});

test('a task that a thread cannot do fails alone', async () => {
  await writeFile(join(dir, 'f'), 'x');
  const also = ['md17' as never];
  for (let at = 0; at < 3; at++)
    await expect(hashFile(join(dir, 'f'), { also })).rejects.toThrow(/[Dd]igest/);
  expect((await hashFile(join(dir, 'f'))).size).toBe(1);
}, 5_000);

describe('claims', () => {
  test('a manifest comes back by its claim, and the same list gives the same claim', async () => {
    const manifest = { version: 1 as const, files: [{ path: 'a', size: 1, sha256: 'x' }] };
    const claim = await putManifest(roots, UUID, 'upload_1_aa', manifest);
    expect(await readManifest(roots, claim)).toEqual(manifest);
    expect(await putManifest(roots, UUID, 'upload_1_aa', manifest)).toEqual(claim);
    await writeFile(join(roots.in, claim.key), (await readFile(join(roots.in, claim.key))).fill(32, 0, 1));
    await expect(readManifest(roots, claim)).rejects.toEqual(withCode('checksum_mismatch'));
  });

  test('a claim must exist, be of its size and digest, and stay in its store', async () => {
    await mkdir(join(roots.in, UUID));
    await writeFile(join(roots.in, UUID, 'a'), 'hello');
    await writeFile(join(dir, 'outside'), 'hello');
    await symlink(join(dir, 'outside'), join(roots.in, UUID, 'link'));
    const good = {
      store: 'in' as const,
      key: `${UUID}/a`,
      size: 5,
      digest: hex('sha256', Buffer.from('hello')),
    };
    expect(await materialise(roots, good, { digest: true })).toBe(join(roots.in, UUID, 'a'));
    expect(await materialise(roots, { ...good, key: UUID })).toBe(join(roots.in, UUID));
    await expect(materialise(roots, { ...good, size: 4 })).rejects.toEqual(withCode('checksum_mismatch'));
    await expect(materialise(roots, { ...good, digest: 'x' }, { digest: true })).rejects.toEqual(
      withCode('checksum_mismatch'),
    );
    for (const key of [
      `${UUID}/none`,
      `${UUID}/link`,
      '../outside',
      `${UUID}/../../outside`,
      '/etc/passwd',
      '',
    ]) {
      await expect(materialise(roots, { ...good, key })).rejects.toEqual(withCode('internal'));
    }
  });
});

describe('receipts', () => {
  test('are found by stage and key, and listed', async () => {
    expect(await findReceipt(roots, UUID, 'fetch', 'j1')).toBeUndefined();
    const done = { input: digestOf({ b: 1, a: 2 }), output: { n: 1 }, startedAt: new Date(0) };
    await leaveReceipt(roots, UUID, 'fetch', 'j2', done);
    const left = await leaveReceipt(roots, UUID, 'fetch', 'j1', done);
    await leaveReceipt(roots, UUID, 'extract', 'j1', done);
    expect(await findReceipt(roots, UUID, 'fetch', 'j1')).toEqual(left);
    expect(left).toMatchObject({
      stage: 'fetch',
      key: 'j1',
      input: digestOf({ a: 2, b: 1 }),
      output: { n: 1 },
    });
    expect((await listReceipts(roots, UUID, 'fetch')).map(({ key }) => key)).toEqual(['j1', 'j2']);
    await expect(findReceipt(roots, UUID, 'fetch', '../x')).rejects.toThrow('not a key');
  });
});

describe('files', () => {
  test('JSON is replaced whole and leaves no temporary files', async () => {
    const path = join(dir, 'deep/er/x.json');
    await Promise.all(Array.from({ length: 20 }, (_, i) => writeJson(path, { i, pad: 'x'.repeat(10_000) })));
    expect(await readJson(path)).toMatchObject({ pad: 'x'.repeat(10_000) });
    expect(await readdir(join(dir, 'deep/er'))).toEqual(['x.json']);
  });

  test('a copy is a file of its own; a hard link only when asked for; neither replaces', async () => {
    const from = join(dir, 'from');
    await writeFile(from, 'bytes');
    const way = await cloneFile(from, join(dir, 'd/copy'));
    expect(['reflink', 'copy']).toContain(way);
    expect((await stat(join(dir, 'd/copy'))).ino).not.toBe((await stat(from)).ino);
    if ((await cloneFile(from, join(dir, 'd/linked'), { hardLink: true })) === 'link') {
      expect((await stat(join(dir, 'd/linked'))).ino).toBe((await stat(from)).ino);
    }
    await expect(cloneFile(from, join(dir, 'd/copy'))).rejects.toEqual(withCode('EEXIST'));
    await move(from, join(dir, 'e/moved'));
    expect(await readdir(join(dir, 'e'))).toEqual(['moved']);
    await removeTree(join(dir, 'e'));
    await removeTree(join(dir, 'e'));
    expect(await freeBytes(dir)).toBeGreaterThan(0);
  });

  test('moves to another device', async () => {
    const other = await mkdtemp('/dev/shm/sluice-').catch(() => undefined);
    if (other === undefined) return;
    try {
      await writeFile(join(dir, 'from'), 'bytes');
      await move(join(dir, 'from'), join(other, 'x/to'));
      expect(await readFile(join(other, 'x/to'), 'utf8')).toBe('bytes');
      expect(await readdir(join(other, 'x'))).toEqual(['to']);
      expect(await readdir(dir)).toEqual(['in']);
    } finally {
      await rm(other, { recursive: true });
    }
  });
});
