// Bench many-files: ten thousand small objects below a prefix, beside rclone copy from the same server.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { type BenchOptions, type Findings, peakMemory } from './harness.js';
import { S3Rig } from './s3-rig.js';
import { compare, figure, interleave, timed } from './stats.js';

const RUNS = 7;
const FILES = 10_000;
const BYTES = 16 * 1024;
const DIRECTORIES = 100;
const WORKER_LIMIT_MB = 400;

export async function manyFiles({ runs = RUNS, say }: BenchOptions): Promise<Findings> {
  return await S3Rig.with(say, async (rig) => {
    const target = join(rig.home, 'copied');
    await prepare(rig, say);
    const clean = () => rm(target, { recursive: true, force: true });
    const speeds = await interleave(
      runs,
      {
        async ours() {
          const { ms, files } = await rig.ours(rig.near, 'many/');
          if (files.length !== FILES) throw new Error(`${files.length} files came`);
          return FILES / (ms / 1000);
        },
        async rclone() {
          const ms = await timed(() => rig.rclone(rig.near, 'copy', 'store:scans/many', target));
          await clean();
          return FILES / (ms / 1000);
        },
      },
      (round) => say(`round ${round}`),
    );
    const what = `${FILES} objects of ${BYTES / 1024} KiB`;
    const words = { what, peer: 'rclone copy', unit: 'files/s', better: 'higher' } as const;
    return {
      comparisons: [compare(words, speeds.ours, speeds.rclone)],
      figures: [figure('worker: peak memory', 'MB', [await peakMemory(rig.fetcher.pid)], WORKER_LIMIT_MB)],
      notes: NOTES,
      versions: await rig.versions(),
    };
  });
}

async function prepare(rig: S3Rig, say: (text: string) => void): Promise<void> {
  say(`putting ${FILES} objects`);
  const source = join(rig.home, 'many');
  for (let d = 0; d < DIRECTORIES; d += 1) {
    await mkdir(join(source, `d${d}`), { recursive: true });
    const names = Array.from({ length: FILES / DIRECTORIES }, (_, i) => join(source, `d${d}`, `${i}.bin`));
    await Promise.all(names.map((name) => writeFile(name, Buffer.alloc(BYTES, name))));
  }
  await rig.rclone(rig.near, 'copy', '--transfers', '16', source, 'store:scans/many');
  await rm(source, { recursive: true });
}

const NOTES = [
  'Ours is the whole stage: list, transfer, MD5 against the ETag and SHA-256 of every file, list of files, receipt and move into the dataset.',
  'rclone copy runs with its defaults: it compares the MD5 of every file; a SHA-256 is not asked of it.',
  'fsync counts on neither side; the server and the clients share the machine.',
];
