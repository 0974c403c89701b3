// Bench memory: what a worker holds while it takes in a small and a large file of every source.
import { mkdir, open, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { RsyncSource } from '../src/domain/source.js';
import { claimPort } from '../src/embedded/ports.js';
import { type BenchOptions, type Findings, peakMemory } from './harness.js';
import type { Ask } from './peer/fetcher.js';
import { S3Rig } from './s3-rig.js';
import { type Figure, figure, growthOver } from './stats.js';

const SMALL_MIB = 1024;
const LARGE_MIB = 20_480;
const WORKER_LIMIT_MB = 400;
const LARGE_FILE = 'large.bin';
const SMALL_FILE = 'small.bin';

/** What gives the file of a name. */
type Give = (name: string, mib: number) => Promise<Ask>;

export async function memory({ size = LARGE_MIB, say }: BenchOptions): Promise<Findings> {
  return await S3Rig.with(say, async (rig) => {
    const data = join(rig.home, 'sluice', 'data');
    await mkdir(data, { recursive: true });
    const files = { [SMALL_FILE]: SMALL_MIB, [LARGE_FILE]: size };
    for (const [name, mib] of Object.entries(files)) await writeSparse(join(data, name), mib);
    const figures: Figure[] = [];
    for (const [kind, give] of Object.entries(await sources(rig, data))) {
      const fetcher = await rig.peer(['fetcher', join(rig.home, 'sluice'), rig.tools.rclone.path]);
      const peaks: number[] = [];
      for (const [name, mib] of Object.entries(files)) {
        const { ms } = await rig.take(fetcher.port, await give(name, mib));
        peaks.push(await peakMemory(fetcher.pid));
        say(`${kind}, ${mib} MiB: ${Math.round(mib / (ms / 1000))} MiB/s, ${peaks.at(-1)?.toFixed(0)} MB`);
      }
      await fetcher.stop();
      const [small = 0, large = 0] = peaks;
      figures.push(
        figure(`${kind}: worker's peak, ${SMALL_MIB} MiB`, 'MB', [small], WORKER_LIMIT_MB),
        figure(`${kind}: worker's peak, ${size} MiB`, 'MB', [large], WORKER_LIMIT_MB),
        figure(`${kind}: growth of memory over size`, '%', [growthOver(small, large, size - SMALL_MIB)], 1),
      );
    }
    return { comparisons: [], figures, notes: NOTES, versions: await rig.versions() };
  });
}

async function sources(rig: S3Rig, data: string): Promise<Readonly<Record<string, Give>>> {
  await writeFile(join(rig.home, 'sluice', 'rclone.conf'), rig.remote);
  const rsync = await serveByRsync(rig, data);
  return {
    local: async (name) => ({ source: { kind: 'local', path: join(data, name) } }),
    rsync: async (name) => ({ source: { ...rsync, path: `data/${name}` } }),
    s3: async (name, mib) => {
      await rig.plant(name, mib * 2 ** 20);
      return rig.object(rig.near, name);
    },
    // What the one before has put there.
    rclone: async (name) => ({ source: { kind: 'rclone', remote: 'store', path: `scans/${name}` } }),
    url: async (_name, mib) => {
      const { port } = await rig.peer(['file', String(mib * 2 ** 20)], '/ready');
      return { source: { kind: 'url', url: `http://127.0.0.1:${port}/large.bin`, sealed: false } };
    },
  };
}

async function serveByRsync(rig: S3Rig, data: string): Promise<Omit<RsyncSource, 'path'>> {
  const port = await claimPort(0, 'PORT');
  const config = join(rig.home, 'rsyncd.conf');
  await writeFile(
    config,
    `port = ${port}\naddress = 127.0.0.1\nuse chroot = no\n[data]\npath = ${data}\n${AS_ROOT}`,
  );
  rig.serve('rsync', ['--daemon', '--no-detach', `--config=${config}`]);
  return { kind: 'rsync', via: 'daemon', host: '127.0.0.1', port, sealed: false };
}

// A daemon that root starts reads as nobody, unless it is told otherwise.
const AS_ROOT = process.getuid?.() === 0 ? 'uid = root\ngid = root\n' : '';

async function writeSparse(path: string, mib: number): Promise<void> {
  const file = await open(path, 'w');
  await file.truncate(mib * 2 ** 20);
  await file.close();
}

const NOTES = [
  'Each source in a worker of its own, which takes in the small file and then the large one; both are sparse. What the S3 server tells of the object proves nothing, so MD5 sums of parts are not among the work. Programs that it calls (rsync, rclone) are processes of their own and do not count.',
];
