// Bench convert: our converter programs beside the plain OpenVisus script that one would write first.
import { readdirSync, readFileSync } from 'node:fs';
import { mkdir, rm, stat, writeFile } from 'node:fs/promises';
import { availableParallelism } from 'node:os';
import { join } from 'node:path';
import { text } from 'node:stream/consumers';
import { PYTHON_ENV, warmInterpreter } from '../src/activities/support/programs.js';
import { COMPARE_ALL_BELOW, SAMPLE_BLOCKS } from '../src/activities/validate/sample.js';
import { childEnvironment, loadConfig, PROJECT_ROOT } from '../src/config/env.js';
import { provideTool } from '../src/embedded/tools.js';
import { startDaemon } from '../src/process/daemon.js';
import type { WarmInterpreter } from '../src/process/warm.js';
import { converter, IMAGES, INPUTS, type Input, peerFile } from './convert-inputs.js';
import type { BenchOptions, Findings } from './harness.js';
import { freshHome } from './home.js';
import { type Comparison, compare, type Figure, figure, interleave } from './stats.js';

const RUNS = 7;
const MIB_A_SLICE = 0.5;
const VOLUME_MIB = 256;
/** Of the conversion's time, at most. */
const PROOF_SHARE = 25;

export async function convert({ runs = RUNS, size = VOLUME_MIB, say }: BenchOptions): Promise<Findings> {
  const home = freshHome();
  try {
    const python = await provideTool('python', loadConfig(childEnvironment({ SLUICE_HOME: home })), say);
    const programs = { python: python.path, converters: join(PROJECT_ROOT, 'converters'), converterBytes: 0 };
    const warm = warmInterpreter(programs, join(home, 'warm'));
    await warm.ready();
    const bench = new ConvertBench(home, python.path, warm);
    say(`writing a volume of ${size} MiB`);
    await bench.run([
      peerFile('make_volume.py'),
      home,
      String(Math.round(size / MIB_A_SLICE)),
      String(IMAGES),
    ]);
    const comparisons: Comparison[] = [];
    const figures: Figure[] = [];
    for (const input of INPUTS) {
      const found = await bench.measure(input, runs, input.mib?.(size) ?? size);
      comparisons.push(...found.comparisons);
      figures.push(...found.figures);
      say(`${input.what}: done`);
    }
    await warm.stop();
    return { comparisons, figures, notes: NOTES, versions: { python: python.version, ...pinned() } };
  } finally {
    await rm(home, { recursive: true, force: true });
  }
}

const NOTES = [
  'Each run is a process of its own. Ours is a copy of the warm interpreter, as in a worker; the peer starts Python, and so does ours in the rows "started by itself". The source lies in the page cache; fsync counts on neither side.',
  'Ours takes digests of every block of the source while it converts, in bounded memory; the peer checks nothing and holds the whole volume.',
  '"With proof and pictures" adds the stage validate: the proof, which reads the product back by OpenVisus and compares it with those digests, block by block, and the pictures, which are drawn at the same time. "The proof" is the program without pictures.',
];

interface Ran {
  readonly seconds: number;
  readonly peak_mb: number;
  readonly exit: number;
}

class ConvertBench {
  readonly #home: string;
  readonly #python: string;
  readonly #warm: WarmInterpreter;
  #count = 0;

  constructor(home: string, python: string, warm: WarmInterpreter) {
    this.#home = home;
    this.#python = python;
    this.#warm = warm;
  }

  async measure(
    input: Input,
    runs: number,
    size: number,
  ): Promise<Pick<Findings, 'comparisons' | 'figures'>> {
    const memory = { ours: [] as number[], peer: [] as number[] };
    const proof: number[] = [];
    const pictured: number[] = [];
    const alone = async () => (await this.run((await this.#prepare(input, input.program)).args)).seconds;
    const seconds = await interleave<'ours' | 'alone' | 'peer'>(runs, {
      ours: async () => {
        const { args, product } = await this.#prepare(input, input.program);
        const ran = await this.#copy(args);
        memory.ours.push(ran.peak_mb);
        proof.push((await this.#prove(product, false)).seconds);
        pictured.push((await this.#prove(product, true)).seconds);
        return ran.seconds;
      },
      alone: input.alone === true ? alone : async () => Number.NaN,
      peer: async () => {
        const ran = await this.run((await this.#prepare(input, input.peer)).args);
        memory.peer.push(ran.peak_mb);
        return ran.seconds;
      },
    });
    const [proofs, stage] = [proof.slice(-runs), pictured.slice(-runs)];
    const whole = seconds.ours.map((value, round) => value + (stage[round] ?? 0));
    const share = seconds.ours.map((value, round) => ((proofs[round] ?? 0) / value) * 100);
    const words = { peer: 'a plain script', unit: 's', better: 'lower' } as const;
    return {
      comparisons: [
        compare({ ...words, what: input.what }, seconds.ours, seconds.peer),
        ...(input.alone === true
          ? [compare({ ...words, what: `${input.what}, started by itself` }, seconds.alone, seconds.peer)]
          : []),
        compare({ ...words, what: `${input.what}, with proof and pictures` }, whole, seconds.peer),
        compare(
          { ...words, what: `${input.what}, peak memory`, unit: 'MB' },
          memory.ours.slice(-runs),
          memory.peer.slice(-runs),
        ),
      ],
      figures: [
        figure(
          `${input.what}: speed`,
          'MiB/s',
          seconds.ours.map((value) => size / value),
        ),
        figure(`${input.what}: the proof, of the conversion's time`, '%', share, PROOF_SHARE),
      ],
    };
  }

  /** What converts into a fresh product. The one before is removed, so that the disk stays small. */
  async #prepare({ path, parameters }: Input, program: string): Promise<{ args: string[]; product: string }> {
    const work = join(this.#home, 'work');
    await rm(work, { recursive: true, force: true });
    const product = join(work, 'product');
    await mkdir(join(product, 'sluice'), { recursive: true });
    const source = join(this.#home, path);
    const names = (await stat(source)).isDirectory() ? readdirSync(source) : [''];
    const sorted = names.sort((a, b) => a.localeCompare(b, 'en', { numeric: true }));
    const inputs = sorted.map((name) => ({ path: join(source, name), name: name || path }));
    const given = parameters?.(inputs.length) ?? {};
    const request = { inputs, output: product, work, parameters: given, limits: LIMITS };
    return { args: [program, await this.#write(work, request)], product };
  }

  async #prove(product: string, pictures: boolean): Promise<Ran> {
    const work = join(this.#home, 'work');
    const sample = { all_below_bytes: COMPARE_ALL_BELOW, count: SAMPLE_BLOCKS, seed: 1 };
    const preview = join(product, 'sluice', 'preview.png');
    const request = {
      product,
      entry: 'visus.idx',
      proof: 'sluice/proof.json',
      ...(pictures ? { preview } : {}),
      sample,
      limits: LIMITS,
    };
    return await this.#copy([converter('prove.py'), await this.#write(work, request)]);
  }

  async #write(work: string, request: object): Promise<string> {
    const path = join(work, 'request.json');
    await writeFile(path, JSON.stringify(request));
    return path;
  }

  /** Runs one in a copy of the warm interpreter, as the worker does. @throws Error with its last words when it failed */
  async #copy(args: readonly string[]): Promise<Ran> {
    const start = performance.now();
    const run = await this.#warm.start({ args, cwd: this.#home, env: PYTHON_ENV });
    if (run === undefined) throw new Error('the warm interpreter has ended');
    const [exit, , noise] = await Promise.all([run.exited, text(run.stdout), text(run.stderr)]);
    if (exit.exitCode !== 0) throw new Error(`${args[0]} failed:\n${noise}`);
    return { seconds: (performance.now() - start) / 1000, peak_mb: (exit.peakBytes ?? 0) / 1e6, exit: 0 };
  }

  /** Starts a Python program and learns its time and memory. @throws Error with its last words when it failed */
  async run(args: readonly string[]): Promise<Ran> {
    this.#count += 1;
    const logFile = join(this.#home, 'logs', `${this.#count}.log`);
    const daemon = startDaemon({
      name: 'python',
      command: this.#python,
      args: [peerFile('measure.py'), this.#python, ...args],
      env: { HOME: this.#home, TMPDIR: this.#home, ...PYTHON_ENV },
      logFile,
    });
    await daemon.exited;
    const log = readFileSync(logFile, 'utf8');
    const ran = JSON.parse(log.trimEnd().split('\n').at(-1) ?? '{}') as Ran;
    if (ran.exit !== 0) throw new Error(`${args[0]} failed:\n${log}`);
    return ran;
  }
}

const LIMITS = { slab_bytes: 32 * 2 ** 20, threads: Math.max(1, Math.min(8, availableParallelism())) };

/** Versions of the libraries both sides use. */
function pinned(): Record<string, string> {
  const lines = readFileSync(converter('requirements.txt'), 'utf8').split('\n');
  const pins = lines.flatMap((line) => {
    const [, name, version] = /^(\w+)==(\S+)/.exec(line) ?? [];
    return name === undefined || version === undefined ? [] : [[name, version] as const];
  });
  const wanted = ['OpenVisusNoGui', 'numpy', 'tifffile', 'netCDF4', 'h5py', 'isal'];
  return Object.fromEntries(pins.filter(([name]) => wanted.includes(name)));
}
