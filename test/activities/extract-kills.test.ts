// A worker killed in the middle of an extraction: its program dies with it, and the next attempt makes the right tree.
import { spawn } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { once } from 'node:events';
import { readdirSync, readFileSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { gzipSync } from 'node:zlib';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { putManifest, readManifest } from '../../src/bytes/store.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import type { ArchiveKind } from '../../src/contracts/claim.js';
import { makeTar, makeZip } from '../support/archives.js';
import { digest, Extraction } from '../support/extraction.js';

let at: Extraction;
beforeEach(async () => {
  at = await Extraction.create();
});
afterEach(() => at.close());

/** The dataset of bench/peer/unpack.ts, which runs the activity once in a process of its own. */
const DATASET = '00000000-0000-4000-8000-000000000000';
const FILES = Object.fromEntries(
  Array.from({ length: 900 }, (_, i) => [`d${i % 7}/f${i}`, randomBytes(20_000 + i)]),
);
const ENTRIES = Object.entries(FILES).map(([name, content]) => ({ name, content }));

/** Files below the attempts of this dataset. */
function unpackedSoFar(): number {
  const staging = join(at.roots.in, '.staging');
  try {
    return readdirSync(staging, { recursive: true }).filter((path) => /\/f\d+$/.test(String(path))).length;
  } catch {
    return 0;
  }
}

test.each<[string, ArchiveKind, () => Buffer]>([
  ['a.zip', 'zip', () => makeZip(ENTRIES)],
  ['a.tar.gz', 'gz', () => gzipSync(makeTar(ENTRIES), { level: 1 })],
])(
  '%s: killed at three moments',
  async (name, kind, make) => {
    const bytes = make();
    const archive = join(at.dir, name);
    await writeFile(archive, bytes);
    const entry = { path: name, size: bytes.length, sha256: digest(bytes), archive: kind };
    const manifests = [await putManifest(at.roots, DATASET, 'upload', { version: 1, files: [entry] })];
    for (const moment of [1, 200, 600]) {
      const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
      const args = [main, '--peer', 'unpack', at.dir, archive, process.env['SLUICE_PYTHON'] ?? ''];
      const worker = spawn(process.execPath, args, { stdio: 'ignore' });
      const gone = once(worker, 'exit');
      while (unpackedSoFar() < moment && worker.exitCode === null) await sleep(1);
      worker.kill('SIGKILL');
      // It was in the middle of it; a worker that was done would have ended by itself.
      expect(await gone).toEqual([null, 'SIGKILL']);
      expect(readdirSync(join(at.roots.in, DATASET))).toEqual([name]);
    }
    const output = await at.run({ uuid: DATASET, manifests });
    const { files } = await readManifest(at.roots, output.manifest);
    expect(files.map(({ path }) => path)).toEqual(
      Object.keys(FILES)
        .map((path) => `a/${path}`)
        .sort(),
    );
    for (const { path, sha256 } of files) {
      expect(digest(readFileSync(join(at.roots.in, DATASET, path)))).toBe(sha256);
      expect(sha256).toBe(digest(FILES[path.slice(2)] ?? Buffer.alloc(0)));
    }
    expect(readdirSync(join(at.roots.in, DATASET), { recursive: true }).length).toBe(900 + 7 + 2);
    await at.proveEmptyStaging();
  },
  120_000,
);
