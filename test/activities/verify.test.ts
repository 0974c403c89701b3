// The activity verifyProduct on what is left of a product: whatever was lost is damage that is told, not an error.
import { mkdir, mkdtemp, rename, rm, writeFile } from 'node:fs/promises';
import { constants, tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { getSystemErrorName } from 'node:util';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { MANIFEST, type ProductManifest } from '../../src/activities/publish/manifest.js';
import type { StageDeps } from '../../src/activities/support/deps.js';
import { createVerifyActivities } from '../../src/activities/verify/index.js';
import { damageOf } from '../../src/bytes/disk-fault.js';
import { hashFile } from '../../src/bytes/hash.js';
import type { VerifyOrder, VerifyOutput } from '../../src/contracts/verification.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-666666666666';
const KEY = `.versions/${UUID}/${'a'.repeat(32)}`;
const RECORD = 'sluice/conversion.json';
let dir: string;
let product: string;
let order: VerifyOrder;
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-verify-'));
  product = join(dir, 'out', KEY);
  await put('a.dat', 'measured');
  await put(RECORD, JSON.stringify({ version: 1, kind: 'files', entry: null, proof: null, inputs: [] }));
  const files = await Promise.all(
    ['a.dat', RECORD].map(async (path) => ({ path, ...(await hashFile(join(product, path))) })),
  );
  const list: ProductManifest = { version: 1, files };
  await put('manifest-sha256.txt', files.map(({ path, sha256 }) => `${sha256}  ${path}\n`).join(''));
  await put(MANIFEST, JSON.stringify(list));
  const { sha256, size } = await hashFile(join(product, MANIFEST));
  const manifest = { store: 'out', key: `${KEY}/${MANIFEST}`, size, digest: sha256 } as const;
  const by = 'ada@example.org';
  order = { type: 'verify', jobId: 'verify_1_lost', uuid: UUID, name: 'n', owner: by, by, manifest };
});
afterEach(() => rm(dir, { recursive: true, force: true }));

async function put(path: string, content: string): Promise<void> {
  await mkdir(dirname(join(product, path)), { recursive: true });
  await writeFile(join(product, path), content);
}

async function verify(): Promise<VerifyOutput> {
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const deps: Pick<StageDeps, 'roots' | 'progress' | 'logs'> = {
    roots: { in: join(dir, 'in'), out: join(dir, 'out') },
    progress: { report: () => undefined },
    logs: join(dir, 'logs'),
  };
  const { verifyProduct } = createVerifyActivities(deps as StageDeps);
  return await env.run<[VerifyOrder], VerifyOutput, typeof verifyProduct>(verifyProduct, order);
}

const shown = ({ outcome, damagedFiles }: VerifyOutput): unknown[] => [
  outcome,
  ...damagedFiles.map(({ path, problem }) => `${path} ${problem}`),
];

test('whole as it was published', async () => {
  expect(shown(await verify())).toEqual(['whole']);
});

test('a directory that is gone, or empty', async () => {
  await rename(product, `${product}-kept`);
  const gone = await verify();
  expect(shown(gone)).toEqual(['damaged', 'manifest.json missing']);
  expect(gone.say).toContain('The directory of the published product is gone.');
  await mkdir(product);
  const empty = await verify();
  expect(shown(empty)).toEqual(['damaged', 'manifest.json missing']);
  expect(empty.say).toContain('The record of the conversion is damaged.');
  await rm(product, { recursive: true });
  await writeFile(product, 'a file where the directory was');
  expect(shown(await verify())).toEqual(['damaged', 'manifest.json missing']);
});

test('a disk of products that is not mounted is no damage of one', async () => {
  const out = join(dir, 'out');
  await rename(out, join(dir, 'unmounted'));
  await mkdir(out);
  await expect(verify()).rejects.toMatchObject({ type: 'store_missing', nonRetryable: false });
  await rm(out, { recursive: true });
  await rename(join(dir, 'unmounted'), out);
  expect(shown(await verify())).toEqual(['whole']);
});

test.each(['', '{', 'null', '[]', '{"entry":7,"proof":{}}'])(
  'both records hold other words: %j',
  async (words) => {
    await put(MANIFEST, words);
    await put(RECORD, words);
    const found = await verify();
    expect(shown(found)).toEqual(['damaged', 'manifest.json changed']);
    expect(found.proof).toEqual({ problem: 'The record of the conversion is damaged.' });
  },
);

test('a directory where a file was', async () => {
  for (const path of ['a.dat', MANIFEST]) {
    await rm(join(product, path));
    await mkdir(join(product, path));
    expect(shown(await verify())).toEqual(['damaged', `${path} missing`]);
  }
});

test('what the system says of a file is damage, or a fault of its own', () => {
  // As Node names it: a structure of the file system or a checksum of the disk that is broken has no name there.
  const said = (errno: number) => {
    const code = getSystemErrorName(-errno);
    return damageOf(Object.assign(new Error(code), { code }));
  };
  const { ENOENT, ENOTDIR, EISDIR, EIO, EBADMSG, ELOOP, ENODATA, EACCES, ESTALE, EMFILE } = constants.errno;
  const EUCLEAN = 117;
  expect([ENOENT, ENOTDIR, EISDIR].map(said)).toEqual(['missing', 'missing', 'missing']);
  expect([...new Set([EIO, EUCLEAN, EBADMSG, ELOOP, ENODATA].map(said))]).toEqual(['unreadable']);
  expect([...new Set([EACCES, ESTALE, EMFILE].map(said))]).toEqual([undefined]);
});
