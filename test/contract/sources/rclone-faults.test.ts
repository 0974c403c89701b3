// Source `rclone` on a store that breaks: a real S3 server behind a proxy with faults, and rclone in between.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { describe, expect, test } from '@jest/globals';
import { ListReader } from '../../../src/activities/fetch/rclone/list.js';
import type { ProgressReport } from '../../../src/activities/support/heartbeat.js';
import { RCLONE, s3Remote } from '../../support/rclone-server.js';
import type { Refusal } from '../../support/s3-proxy.js';
import { BUCKET } from '../../support/s3-server.js';
import { failure, MIB, type RunOptions, someBytes } from './bench.js';
import { storeHere } from './store-here.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 20, tries: 8, stallMs: 1_000 };
const content = someBytes(10 * MIB);
const files = { 'f.bin': content };
const here = storeHere(SETTINGS, 'set/f.bin', content, async ({ bench, proxy }) => {
  const config = join(bench.dir, 'rclone.conf');
  writeFileSync(config, s3Remote('store', proxy.origin));
  bench.extend({ rclone: { command: RCLONE, config } });
});

const run = (options: RunOptions = {}, tries = SETTINGS.tries) => {
  const deps = { ...here.bench.deps, transfer: { ...SETTINGS, tries } };
  return here.bench.run({ kind: 'rclone', remote: 'store', path: `${BUCKET}/set` }, options, deps);
};
const gets = () => here.proxy.heard.filter(({ method, url }) => method === 'GET' && url.includes('f.bin'));
/** Does it once, when so many bytes have come. */
function at(bytes: number, work: () => void) {
  let isDone = false;
  return {
    done: () => isDone,
    onProgress: ({ done }: ProgressReport): void => {
      if (isDone || done < bytes) return;
      isDone = true;
      work();
    },
  };
}

describe('survived', () => {
  test('the store’s connections are cut after every tenth of the file', async () => {
    here.proxy.faults.cutAfter = MIB;
    await here.bench.prove(await run(), files);
    expect(gets().length).toBeGreaterThanOrEqual(10);
    here.bench.proveProgress(content.length);
  });

  test('the store is stopped in mid-transfer and started again', async () => {
    here.proxy.faults.pace = 10 * MIB;
    let restart: Promise<void> | undefined;
    const { onProgress } = at(2 * MIB, () => {
      restart = here.server.restart(300);
    });
    await here.bench.prove(await run({ onProgress }), files);
    await restart;
    expect(restart).toBeDefined();
    here.bench.proveProgress(content.length);
  });

  test('the store falls silent: the range is asked for anew', async () => {
    here.proxy.faults.stallOnceAfter = MIB;
    // Else rclone waits for the silent connection before it ends.
    const { onProgress } = at(content.length, () => here.proxy.cutAll());
    await here.bench.prove(await run({ onProgress }), files);
    expect(here.proxy.faults.stallOnceAfter).toBeUndefined();
  });

  test.each<[string, Refusal[]]>([
    [
      'a burst of 5xx',
      [
        { status: 500, code: 'InternalError' },
        { status: 503, code: 'SlowDown' },
      ],
    ],
    ['429 with Retry-After', [{ status: 429, code: 'TooManyRequests', headers: { 'retry-after': '1' } }]],
  ])('%s, while it lists and in mid-transfer', async (_what, refusals) => {
    here.proxy.faults = { pace: 10 * MIB, instead: [...refusals] };
    const { done, onProgress } = at(2 * MIB, () => {
      here.proxy.faults.instead = [...refusals];
    });
    await here.bench.prove(await run({ onProgress }), files);
    expect([done(), here.proxy.faults.instead]).toEqual([true, []]);
    here.bench.proveProgress(content.length);
  });
});

describe('ended, each with its code', () => {
  test.each<[string, string, boolean, Refusal]>([
    ['a store that only fails', 'remote_broken', false, { status: 503, code: 'SlowDown' }],
    ['keys that lose their rights', 'remote_denied', true, { status: 403, code: 'AccessDenied' }],
  ])('%s in mid-transfer: %s, and what came is kept', async (_what, code, final, refusal) => {
    here.proxy.faults.pace = 10 * MIB;
    const { onProgress } = at(4 * MIB, () => {
      here.proxy.faults.onRequest = ({ url = '' }) => (url.includes('f.bin') ? refusal : undefined);
    });
    const ended = run({ onProgress }, 3);
    await expect(ended).rejects.toEqual(failure(code, final));
    await expect(ended).rejects.not.toMatchObject({ message: expect.stringContaining('NOTICE') });
    here.proxy.faults = {};
    here.bench.reports = [];
    await here.bench.prove(await run(), files);
    expect(here.bench.reports[0]?.done).toBeGreaterThanOrEqual(4 * MIB);
  });
});

test('of the digests in a list those are held against the bytes that we compute, too', () => {
  const reader = new ListReader();
  const hashes = { md5: 'D'.repeat(32), sha1: 'a'.repeat(40), crc32: 'abcdef01', sha256: '', sha512: 7 };
  const entry = { Path: 'a.bin', Size: 1, ModTime: 'now', IsDir: false, Hashes: hashes };
  reader.push(Buffer.from(`[\n${JSON.stringify(entry)},\n`));
  reader.push(Buffer.from(`${JSON.stringify({ ...entry, Path: 'b.bin', Hashes: undefined })}\n]\n`));
  expect(reader.files.map(({ announced }) => announced)).toEqual([
    [
      { algorithm: 'md5', hex: 'd'.repeat(32) },
      { algorithm: 'sha1', hex: 'a'.repeat(40) },
    ],
    [],
  ]);
});
