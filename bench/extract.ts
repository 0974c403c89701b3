// Bench extract: our extraction, with the digest of every file, beside bsdtar, which takes none.
import { readFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { childEnvironment, loadConfig, PROJECT_ROOT } from '../src/config/env.js';
import { provideTool } from '../src/embedded/tools.js';
import { startDaemon } from '../src/process/daemon.js';
import type { BenchOptions, Findings } from './harness.js';
import { freshHome } from './home.js';
import { type Comparison, compare, type Figure, figure, interleave } from './stats.js';

const RUNS = 7;
const FILES_MIB = 500;
const ARCHIVES = ['files.zip', 'files.tar.gz'] as const;
/** Of the worker, MB. */
const MEMORY_LIMIT = 400;

export async function extract({ runs = RUNS, size = FILES_MIB, say }: BenchOptions): Promise<Findings> {
  const home = freshHome();
  try {
    const python = await provideTool('python', loadConfig(childEnvironment({ SLUICE_HOME: home })), say);
    const bench = new ExtractBench(home, python.path);
    say(`packing ${size} MiB in files of 128 KiB, twice`);
    await bench.python('make_archives.py', home, String(size));
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [];
    for (const archive of ARCHIVES) {
      const found = await bench.measure(archive, runs, size);
      comparisons.push(...found.comparisons);
      figures.push(...found.figures);
      say(`${archive}: done`);
    }
    return { comparisons, figures, notes: NOTES, versions: { python: python.version } };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

const NOTES = [
  'Ours is the activity as a worker runs it, start of its program included: entries looked at first, every file hashed (SHA-256), the tree moved into the dataset, lists and receipt written.',
  'bsdtar unpacks alone, into an empty directory. Archives lie in the page cache; fsync counts on neither side.',
];

interface Ours {
  readonly seconds: number;
  readonly files: number;
  readonly worker_mb: number;
  readonly program_mb: number;
}

class ExtractBench {
  readonly #home: string;
  readonly #python: string;
  #count = 0;

  constructor(home: string, python: string) {
    this.#home = home;
    this.#python = python;
  }

  async measure(
    archive: string,
    runs: number,
    size: number,
  ): Promise<Pick<Findings, 'comparisons' | 'figures'>> {
    const ours: Ours[] = [];
    const seconds = await interleave(runs, {
      ours: async () => {
        const ran = await this.#unpack(archive);
        if (ran.files !== size * 8 + 1) throw new Error(`${ran.files} files came out`);
        ours.push(ran);
        return ran.seconds;
      },
      peer: async () => await this.#bsdtar(archive),
    });
    const last = ours.slice(-runs);
    const speed = seconds.ours.map((value) => size / value);
    const words = { peer: 'bsdtar', unit: 's', better: 'lower' } as const;
    return {
      comparisons: [compare({ ...words, what: archive }, seconds.ours, seconds.peer)],
      figures: [
        figure(`${archive}: speed`, 'MiB/s', speed),
        figure(
          `${archive}: peak of the worker`,
          'MB',
          last.map((one) => one.worker_mb),
          MEMORY_LIMIT,
        ),
        figure(
          `${archive}: peak of its program`,
          'MB',
          last.map((one) => one.program_mb),
        ),
      ],
    };
  }

  async #unpack(archive: string): Promise<Ours> {
    const work = await this.#fresh();
    const main = join(PROJECT_ROOT, 'dist', 'bench', 'main.js');
    const args = [main, '--peer', 'unpack', work, join(this.#home, archive), this.#python];
    return (await this.#run(process.execPath, args)) as unknown as Ours;
  }

  async #bsdtar(archive: string): Promise<number> {
    const work = await this.#fresh();
    const { seconds } = await this.python(
      'measure.py',
      'bsdtar',
      '-xf',
      join(this.#home, archive),
      '-C',
      work,
    );
    return seconds ?? Number.NaN;
  }

  /** Runs one of the bench's scripts. */
  async python(script: string, ...args: readonly string[]): Promise<Record<string, number>> {
    return await this.#run(this.#python, [join(PROJECT_ROOT, 'bench', 'peer', script), ...args]);
  }

  /** An empty directory; what the turn before left is removed, so that the disk stays small. */
  async #fresh(): Promise<string> {
    const work = join(this.#home, 'work');
    await rm(work, { recursive: true, force: true });
    await mkdir(work);
    return work;
  }

  /** @returns the JSON of its last line @throws Error with its last words when it failed */
  async #run(command: string, args: readonly string[]): Promise<Record<string, number>> {
    this.#count += 1;
    const logFile = join(this.#home, 'logs', `${this.#count}.log`);
    const env = { HOME: this.#home, TMPDIR: this.#home, PYTHONDONTWRITEBYTECODE: '1' };
    const daemon = startDaemon({ name: 'extract', command, args, env, logFile });
    const { code } = await daemon.exited;
    const log = readFileSync(logFile, 'utf8');
    const line = log.trimEnd().split('\n').at(-1) ?? '';
    if (code !== 0) throw new Error(`${args[0]} failed:\n${log.slice(-2_000)}`);
    return line.startsWith('{') ? (JSON.parse(line) as Record<string, number>) : {};
  }
}
