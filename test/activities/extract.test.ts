// Archives: what comes out equals what went in, whatever killed the attempts before.
import { randomBytes } from 'node:crypto';
import { mkdir, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { ActivityCancellationDetails } from '@temporalio/common';
import type { MockActivityEnvironment } from '@temporalio/testing';
import { attemptName } from '../../src/activities/extract/attempt.js';
import { readManifest } from '../../src/bytes/store.js';
import type { ExtractOutput } from '../../src/contracts/activities.js';
import type { FileEntry } from '../../src/contracts/claim.js';
import { makeTar, makeZip } from '../support/archives.js';
import { digest, Extraction, UUID } from '../support/extraction.js';

let at: Extraction;
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

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
    await at.prove(await at.extract({ [`d/data.${ending}`]: bytes }), out('d/data'));
    expect(at.reports.at(-1)).toMatchObject({ stage: 'extract', done: bytes.length, total: bytes.length });
    expect((await readFile(at.inDataset(`d/data.${ending}`))).equals(bytes)).toBe(true);
  });

  test('by content, whatever the name says; a taken name gets the digest', async () => {
    const [zip, tar] = [makeZip(IN), makeTar(TAR_IN)];
    const files = { 'scan.tif': zip, 'x.tar': tar, 'x/own': A, 'not.zip': C };
    const output = await at.extract(files);
    await at.prove(output, { ...out('scan.tif-files'), ...out(`x-${digest(tar).slice(0, 8)}`) });
    expect((await readFile(at.inDataset('x/own'))).equals(A)).toBe(true);
  });

  test('an archive that came twice is unpacked once; a second run unpacks nothing', async () => {
    const zip = makeZip(IN);
    const output = await at.extract({ 'a.zip': zip, 'b.zip': zip });
    await at.prove(output, out('a'));
    await writeFile(at.inDataset('a/b.bin'), 'marked');
    expect(await at.extract({ 'a.zip': zip, 'b.zip': zip })).toEqual(output);
    expect(await readFile(at.inDataset('a/b.bin'), 'utf8')).toBe('marked');
  });

  test('an attempt that was killed after its rename is recognised', async () => {
    const zip = makeZip(IN);
    const output = await at.extract({ 'a.zip': zip });
    await rm(join(at.roots.in, '.receipts'), { recursive: true });
    await leaveAttempt(zip, { files: await filesBelow(output, 'a'), place: 'a' });
    await at.prove(await at.extract({ 'a.zip': zip }), out('a'));
    expect((await readdir(join(at.roots.in, UUID))).sort()).toEqual(['a', 'a.zip']);
  });

  test('... also when another archive has files of the same names and sizes', async () => {
    const [one, two] = [randomBytes(1000), randomBytes(1000)];
    const [zip, tar] = [makeZip([{ name: 'f', content: one }]), makeTar([{ name: 'f', content: two }])];
    await at.prove(await at.extract({ 'a.zip': zip }), { 'a/f': one });
    const place = `a-${digest(tar).slice(0, 8)}`;
    const output = await at.extract({ 'a.tar': tar });
    await at.prove(output, { [`${place}/f`]: two });
    await rm(join(at.roots.in, '.receipts'), { recursive: true });
    await leaveAttempt(tar, { files: await filesBelow(output, place), place });
    await at.prove(await at.extract({ 'a.tar': tar }), { [`${place}/f`]: two });
  });

  test('the rest of an attempt that was killed in the middle is thrown away', async () => {
    const zip = makeZip(IN);
    const tree = join(await leaveAttempt(zip), 'tree');
    await mkdir(tree);
    await writeFile(join(tree, 'b.bin'), 'half');
    await at.prove(await at.extract({ 'a.zip': zip }), out('a'));
  });

  test('the tree of an attempt that was killed before its rename is used, unless files are missing in it', async () => {
    const zip = makeZip([{ name: 'f', content: A }]);
    const files = [{ path: 'f', size: A.length, sha256: digest(A) }];
    for (const whole of [false, true]) {
      const tree = join(await leaveAttempt(zip, { files }), 'tree');
      await mkdir(tree);
      if (whole) await writeFile(join(tree, 'f'), A);
      await at.prove(await at.extract({ 'a.zip': zip }), { 'a/f': A });
      // Nothing but unpacking tells bytes.
      expect(at.reports.length > 0).toBe(!whole);
      at.reports = [];
      await rm(join(at.roots.in, '.receipts'), { recursive: true });
      await rm(at.inDataset('a'), { recursive: true });
    }
  });

  test('two attempts at the same time do not touch each other', async () => {
    const files = { 'a.zip': makeZip(IN), 'b.tar': makeTar([...TAR_IN, { name: 'x', content: B }]) };
    await at.deliver(files);
    const outputs = await Promise.all([at.extract(files), at.extract(files), at.extract(files)]);
    for (const output of outputs) {
      const { files: found } = await readManifest(at.roots, output.manifest);
      expect(found).toHaveLength(9);
      for (const { path, sha256 } of found) expect(digest(await readFile(at.inDataset(path)))).toBe(sha256);
    }
    await at.proveEmptyStaging();
  });
});

/** The directory of an attempt whose process is gone. */
async function leaveAttempt(archive: Buffer, plan?: object): Promise<string> {
  const dead = attemptName().replace(/-\d+-\d+-/, `-${2 ** 22 - 1}-1-`);
  const path = join(at.roots.in, `.staging/${UUID}-extract/${digest(archive).slice(0, 32)}/${dead}`);
  await mkdir(path, { recursive: true });
  if (plan !== undefined) await writeFile(join(path, 'plan.json'), JSON.stringify(plan));
  return path;
}

/** The files of a list as a plan names them. */
async function filesBelow({ manifest }: ExtractOutput, place: string): Promise<FileEntry[]> {
  const { files } = await readManifest(at.roots, manifest);
  return files.map((file) => ({ ...file, path: file.path.slice(place.length + 1) }));
}

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
      await expect(at.extract(files, { onProgress })).rejects.toMatchObject(expected);
      await at.proveEmptyStaging();
      expect(await readdir(join(at.roots.in, UUID))).toEqual(['a.tar']);
      expect((await at.extract(files)).files).toBe(5);
    },
  );
});
