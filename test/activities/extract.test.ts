// Archives: what comes out equals what went in; what is unsafe, broken or too much is refused and leaves nothing.
import { createHash, randomBytes } from 'node:crypto';
import { mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { checkEntry } from '../../src/activities/extract/archive.js';
import { attemptName } from '../../src/activities/extract/attempt.js';
import { createExtractActivities } from '../../src/activities/extract/index.js';
import { archiveKind } from '../../src/activities/fetch/archive-kind.js';
import type { ProgressReport } from '../../src/activities/support/heartbeat.js';
import type { Roots } from '../../src/bytes/layout.js';
import { putManifest, readManifest } from '../../src/bytes/store.js';
import type { ExtractOutput } from '../../src/contracts/activities.js';
import type { FileEntry } from '../../src/contracts/claim.js';
import { makeTar, makeZip } from '../support/archives.js';

const UUID = '6f0d1a52-9d4e-4a53-8f3e-333333333333';
const LIMITS = { extractBytes: 50_000_000, extractRatio: 200, extractEntries: 1000 };
let dir: string;
let roots: Roots;
let reports: ProgressReport[];
beforeEach(async () => {
  dir = await mkdtemp(join(tmpdir(), 'sluice-extract-'));
  roots = { in: join(dir, 'in'), out: join(dir, 'out') };
  reports = [];
});
afterEach(() => rm(dir, { recursive: true, force: true }));

const digest = (bytes: Buffer): string => createHash('sha256').update(bytes).digest('hex');
const inDataset = (path: string): string => join(roots.in, UUID, path);

/** Puts files into the dataset, as fetch does, and tells the claim of their list. */
async function deliver(files: Readonly<Record<string, Buffer>>, name = 'upload_1_a') {
  const entries: FileEntry[] = [];
  for (const [path, content] of Object.entries(files)) {
    await mkdir(dirname(inDataset(path)), { recursive: true });
    await writeFile(inDataset(path), content);
    const archive = await archiveKind(inDataset(path));
    entries.push({ path, size: content.length, sha256: digest(content), ...(archive && { archive }) });
  }
  return await putManifest(roots, UUID, name, { version: 1, files: entries });
}

async function extract(
  files: Readonly<Record<string, Buffer>>,
  options: { limits?: Partial<typeof LIMITS>; onProgress?: (env: MockActivityEnvironment) => void } = {},
): Promise<ExtractOutput> {
  const env = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const { extractArchives } = createExtractActivities({
    roots,
    limits: { ...LIMITS, ...options.limits },
    progress: {
      report: (progress) => {
        reports.push(progress);
        options.onProgress?.(env);
      },
    },
  });
  return (await env.run(extractArchives, { uuid: UUID, manifests: [await deliver(files)] })) as ExtractOutput;
}

/** Proves bytes and list; staging is empty. */
async function prove(output: ExtractOutput, expected: Readonly<Record<string, Buffer>>): Promise<void> {
  const { files } = await readManifest(roots, output.manifest);
  expect(files.map(({ path }) => path)).toEqual(Object.keys(expected).sort());
  for (const { path, size, sha256 } of files) {
    const want = expected[path] ?? Buffer.alloc(0);
    expect([path, size, sha256, digest(await readFile(inDataset(path)))]).toEqual([
      path,
      want.length,
      digest(want),
      digest(want),
    ]);
  }
  expect(output).toMatchObject({
    files: files.length,
    bytes: files.reduce((sum, { size }) => sum + size, 0),
  });
  await proveEmptyStaging();
}
async function proveEmptyStaging(): Promise<void> {
  expect(await readdir(join(roots.in, '.staging')).catch(() => [])).toEqual([]);
}

const [A, B, C] = [randomBytes(100), randomBytes(3_000_000), Buffer.from('text '.repeat(1000))];
const IN = [
  { name: 'top/' },
  { name: 'top/a.bin', content: A },
  { name: './b.bin', content: B },
  { name: 'top/deep/é.txt', content: C },
  { name: 'empty', content: Buffer.alloc(0) },
];
const TAR_IN = IN.map((entry) => ({ ...entry, type: entry.name.endsWith('/') ? '5' : '0' }));
const out = (stem: string) => ({
  [`${stem}/top/a.bin`]: A,
  [`${stem}/b.bin`]: B,
  [`${stem}/top/deep/é.txt`]: C,
  [`${stem}/empty`]: Buffer.alloc(0),
});

describe('unpacks', () => {
  test.each([
    ['zip', makeZip(IN)],
    ['zip', makeZip(IN.map((entry) => ({ ...entry, store: true })))],
    ['tar', makeTar(TAR_IN)],
    ['tar.gz', gzipSync(makeTar(TAR_IN))],
    ['tgz', gzipSync(makeTar(TAR_IN))],
  ])('%s', async (ending, bytes) => {
    await prove(await extract({ [`d/data.${ending}`]: bytes }), out('d/data'));
    expect(reports.at(-1)).toMatchObject({ stage: 'extract', done: 3_005_100, total: 3_005_100 });
    expect((await readFile(inDataset(`d/data.${ending}`))).equals(bytes)).toBe(true);
  });

  test('by content, whatever the name says; a taken name gets the digest', async () => {
    const [zip, tar] = [makeZip(IN), makeTar(TAR_IN)];
    const files = { 'scan.tif': zip, 'x.tar': tar, 'x/own': A, 'not.zip': C };
    const output = await extract(files);
    await prove(output, { ...out('scan.tif-files'), ...out(`x-${digest(tar).slice(0, 8)}`) });
    expect((await readFile(inDataset('x/own'))).equals(A)).toBe(true);
  });

  test('an archive that came twice is unpacked once; a second run unpacks nothing', async () => {
    const zip = makeZip(IN);
    const output = await extract({ 'a.zip': zip, 'b.zip': zip });
    await prove(output, out('a'));
    await writeFile(inDataset('a/b.bin'), 'marked');
    expect(await extract({ 'a.zip': zip, 'b.zip': zip })).toEqual(output);
    expect(await readFile(inDataset('a/b.bin'), 'utf8')).toBe('marked');
  });

  test('an attempt that was killed after its rename is recognised', async () => {
    const zip = makeZip(IN);
    const output = await extract({ 'a.zip': zip });
    await rm(join(roots.in, '.receipts'), { recursive: true });
    await leaveAttempt(zip, { files: await filesBelow(output, 'a'), place: 'a' });
    await prove(await extract({ 'a.zip': zip }), out('a'));
    expect((await readdir(join(roots.in, UUID))).sort()).toEqual(['a', 'a.zip']);
  });

  test('... also when another archive has files of the same names and sizes', async () => {
    const [one, two] = [randomBytes(1000), randomBytes(1000)];
    const [zip, tar] = [makeZip([{ name: 'f', content: one }]), makeTar([{ name: 'f', content: two }])];
    await prove(await extract({ 'a.zip': zip }), { 'a/f': one });
    const place = `a-${digest(tar).slice(0, 8)}`;
    const output = await extract({ 'a.tar': tar });
    await prove(output, { [`${place}/f`]: two });
    await rm(join(roots.in, '.receipts'), { recursive: true });
    await leaveAttempt(tar, { files: await filesBelow(output, place), place });
    await prove(await extract({ 'a.tar': tar }), { [`${place}/f`]: two });
  });

  test('the rest of an attempt that was killed in the middle is thrown away', async () => {
    const zip = makeZip(IN);
    const tree = join(await leaveAttempt(zip), 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'b.bin'), 'half');
    await prove(await extract({ 'a.zip': zip }), out('a'));
  });

  test('the tree of an attempt that was killed before its rename is used, unless files are missing in it', async () => {
    const zip = makeZip([{ name: 'f', content: A }]);
    const files = [{ path: 'f', size: A.length, sha256: digest(A) }];
    for (const whole of [false, true]) {
      const tree = join(await leaveAttempt(zip, { files }), 'tree');
      await mkdir(tree);
      if (whole) await writeFile(join(tree, 'f'), A);
      await prove(await extract({ 'a.zip': zip }), { 'a/f': A });
      // Nothing but unpacking tells bytes.
      expect(reports.some(({ note }) => note === 'f')).toBe(!whole);
      reports = [];
      await rm(join(roots.in, '.receipts'), { recursive: true });
      await rm(inDataset('a'), { recursive: true });
    }
  });

  test('two attempts at the same time do not touch each other', async () => {
    const files = { 'a.zip': makeZip(IN), 'b.tar': makeTar([...TAR_IN, { name: 'x', content: B }]) };
    await deliver(files);
    const outputs = await Promise.all([extract(files), extract(files), extract(files)]);
    for (const output of outputs) {
      const { files: found } = await readManifest(roots, output.manifest);
      expect(found).toHaveLength(9);
      for (const { path, sha256 } of found) expect(digest(await readFile(inDataset(path)))).toBe(sha256);
    }
    await proveEmptyStaging();
  });
});

/** The directory of an attempt whose process is gone. */
async function leaveAttempt(archive: Buffer, plan?: object): Promise<string> {
  const dead = attemptName().replace(/-\d+-\d+-/, `-${2 ** 22 - 1}-1-`);
  const path = join(roots.in, `.staging/${UUID}-extract/${digest(archive).slice(0, 32)}/${dead}`);
  await mkdir(path, { recursive: true });
  if (plan !== undefined) await writeFile(join(path, 'plan.json'), JSON.stringify(plan));
  return path;
}

/** The files of a list as a plan names them. */
async function filesBelow({ manifest }: ExtractOutput, place: string): Promise<FileEntry[]> {
  const { files } = await readManifest(roots, manifest);
  return files.map((file) => ({ ...file, path: file.path.slice(place.length + 1) }));
}

describe('refuses', () => {
  const zeros = Buffer.alloc(40_000_000);
  const good = { name: 'good', content: B };
  const lyingGz = gzipSync(makeTar([good]));
  test.each<[string, string, Buffer, Partial<typeof LIMITS>?]>([
    ['zip with ..', 'archive_unsafe', makeZip([good, { name: '../evil' }])],
    ['zip with .. by backslash', 'archive_unsafe', makeZip([good, { name: '..\\evil' }])],
    ['zip with an absolute path', 'archive_unsafe', makeZip([good, { name: '/etc/evil' }])],
    ['zip with a drive', 'archive_unsafe', makeZip([good, { name: 'C:\\evil' }])],
    ['zip with a link', 'archive_unsafe', makeZip([good, { name: 'evil', mode: 0o120777, content: A }])],
    ['zip with a device', 'archive_unsafe', makeZip([good, { name: 'evil', mode: 0o020666 }])],
    ['zip with a name twice', 'archive_unsafe', makeZip([good, { name: 'evil' }, { name: './evil' }])],
    [
      'zip with a file that is a directory',
      'archive_unsafe',
      makeZip([good, { name: 'evil' }, { name: 'evil/x' }]),
    ],
    [
      'zip with a password',
      'archive_encrypted',
      makeZip([good, { name: 'evil', content: A, encrypted: true }]),
    ],
    ['zip of 1000:1', 'archive_bomb', makeZip([{ name: 'zeros', content: zeros }])],
    ['zip that hides 1000:1', 'archive_broken', makeZip([{ name: 'zeros', content: zeros, size: 1000 }])],
    ['zip of too many bytes', 'archive_bomb', makeZip([good]), { extractBytes: 2_000_000 }],
    ['zip of too many entries', 'archive_bomb', makeZip(IN), { extractEntries: 3 }],
    ['zip with a cut end', 'archive_broken', makeZip(IN).subarray(0, -60)],
    [
      'zip with its middle cut out',
      'archive_broken',
      Buffer.concat([makeZip(IN).subarray(0, 200_000), makeZip(IN).subarray(400_000)]),
    ],
    ['zip with a wrong checksum', 'archive_broken', makeZip([good, { name: 'evil', content: A, crc: 1 }])],
    ['tar with ..', 'archive_unsafe', makeTar([good, { name: 'a/../../evil' }])],
    ['tar with an absolute path', 'archive_unsafe', makeTar([good, { name: '/etc/evil' }])],
    [
      'tar with a symbolic link',
      'archive_unsafe',
      makeTar([good, { name: 'evil', type: '2', link: 'good' }]),
    ],
    ['tar with a hard link', 'archive_unsafe', makeTar([good, { name: 'evil', type: '1', link: 'good' }])],
    ['tar with a device', 'archive_unsafe', makeTar([good, { name: 'evil', type: '3' }])],
    ['tar with a name twice', 'archive_unsafe', makeTar([good, { name: 'evil' }, { name: 'evil' }])],
    ['tar of too many bytes', 'archive_bomb', makeTar([good]), { extractBytes: 2_000_000 }],
    ['tar with a cut end', 'archive_broken', makeTar([good]).subarray(0, 1_000_000)],
    ['tar cut between two entries', 'archive_broken', makeTar([good]).subarray(0, -1024)],
    [
      'tar with a damaged header',
      'archive_broken',
      makeTar([good, { name: 'evil', content: A }]).fill(77, 3_001_000, 3_001_200),
    ],
    ['tar.gz of 1000:1', 'archive_bomb', gzipSync(makeTar([{ name: 'zeros', content: zeros }]))],
    ['tar.gz with a cut end', 'archive_broken', lyingGz.subarray(0, 1_000_000)],
    ['tar.gz cut in its checksum', 'archive_broken', lyingGz.subarray(0, -4)],
    [
      'tar.gz with a link',
      'archive_unsafe',
      gzipSync(makeTar([good, { name: 'evil', type: '2', link: '/' }])),
    ],
  ])('%s: %s', async (_what, code, bytes, limits = {}) => {
    const expected = expect.objectContaining({ type: code, nonRetryable: true });
    await expect(extract({ 'a.zip': bytes }, { limits })).rejects.toEqual(expected);
    await proveEmptyStaging();
    expect(await readdir(join(roots.in, UUID))).toEqual(['a.zip']);
    expect(await readdir(join(roots.in, '.receipts')).catch(() => [])).toEqual([]);
  });

  test('a name that goes on for ever, in no time', async () => {
    const name = `a${'/'.repeat(60_000)}a`;
    const began = performance.now();
    expect(() => checkEntry('a.tar', { name, type: 'file', size: 1 })).toThrow('has a name that is not safe');
    expect(performance.now() - began).toBeLessThan(500);
  });

  test('names the entry', async () => {
    const run = extract({ 'a.zip': makeZip([{ name: '../evil' }]) });
    await expect(run).rejects.toThrow(
      'The entry "../evil" of the archive "a.zip" has a name that is not safe.',
    );
  });
});

describe('interrupted', () => {
  test.each([
    ['pause or cancel', 'CANCELLED', { cancelRequested: true }, { name: 'CancelledFailure' }],
    ['shutdown', 'WORKER_SHUTDOWN', { workerShutdown: true }, { type: 'internal', nonRetryable: false }],
  ] as const)(
    '%s leaves nothing behind, and the next attempt does it',
    async (_what, reason, details, expected) => {
      const files = { 'a.tar': makeTar([...TAR_IN, { name: 'more', content: randomBytes(20_000_000) }]) };
      const onProgress = (env: MockActivityEnvironment): void =>
        env.cancel(reason, new ActivityCancellationDetails(details));
      await expect(extract(files, { onProgress })).rejects.toMatchObject(expected);
      await proveEmptyStaging();
      expect(await readdir(join(roots.in, UUID))).toEqual(['a.tar']);
      expect((await extract(files)).files).toBe(5);
    },
  );
});
