// Our side of bench extract, in a process of its own: the activity as a worker runs it, once, on a dataset of its own.
import { link, mkdir, readdir, readFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { basename, join } from 'node:path';
import { createExtractActivities } from '../../src/activities/extract/index.js';
import { hashFile } from '../../src/bytes/hash.js';
import { putManifest } from '../../src/bytes/store.js';
import { PROJECT_ROOT } from '../../src/config/env.js';
import { peakMemory } from '../harness.js';

const UUID = '00000000-0000-4000-8000-000000000000';
const LIMITS = { extractBytes: 2 ** 40, extractRatio: 200, extractEntries: 1e6, extractDepth: 64 };

/** Unpacks `archive` below `home` and prints its time, memory and number of files as one line. */
export async function runUnpack([home = '', archive = '', python = '']: readonly string[]): Promise<number> {
  const { MockActivityEnvironment } = await import('@temporalio/testing');
  const { archiveKind } = await import('../../src/activities/fetch/archive-kind.js');
  const roots = { in: join(home, 'in'), out: join(home, 'out') };
  const path = basename(archive);
  await mkdir(join(roots.in, UUID), { recursive: true });
  // It is there when a run before was killed.
  await link(archive, join(roots.in, UUID, path)).catch(() => undefined);
  const [{ sha256, size }, kind] = await Promise.all([hashFile(archive), archiveKind(archive)]);
  const entry = { path, size, sha256, ...(kind === undefined ? {} : { archive: kind }) };
  const manifests = [await putManifest(roots, UUID, 'upload', { version: 1, files: [entry] })];
  const { extractArchives } = createExtractActivities({
    roots,
    limits: LIMITS,
    progress: { report: () => undefined },
    python,
    converters: join(PROJECT_ROOT, 'converters'),
    logs: join(home, 'logs'),
    converterBytes: 2 ** 32,
    threads: availableParallelism(),
  });
  let program = 0;
  const watch = setInterval(() => {
    void peakOfChildren().then((peak) => {
      program = Math.max(program, peak);
    });
  }, 50);
  const began = performance.now();
  const output = await new MockActivityEnvironment().run(extractArchives, { uuid: UUID, manifests });
  const seconds = (performance.now() - began) / 1000;
  clearInterval(watch);
  const { files } = output as { files: number };
  const worker = await peakMemory(process.pid);
  process.stdout.write(`${JSON.stringify({ seconds, files, worker_mb: worker, program_mb: program })}\n`);
  return 0;
}

/** Largest resident memory of the programs that this process has started, MB. */
async function peakOfChildren(): Promise<number> {
  const peaks: number[] = [];
  for (const thread of await readdir('/proc/self/task')) {
    const children = await readFile(`/proc/self/task/${thread}/children`, 'utf8').catch(() => '');
    for (const pid of children.trim().split(' ').filter(Boolean)) {
      peaks.push(await peakMemory(Number(pid)).catch(() => 0));
    }
  }
  // One that is just ending has no figure any more.
  return Math.max(0, ...peaks.filter((peak) => !Number.isNaN(peak)));
}
