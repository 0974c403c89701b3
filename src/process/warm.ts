// A Python interpreter that has loaded its libraries, and is copied for each run of a program (converters/warm.py).
import { spawn } from 'node:child_process';
import { closeSync, mkdirSync, openSync } from 'node:fs';
import { constants } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { closedOptions, guarded } from './guard.js';
import type { ProgramExit, ProgramSpec, Started } from './program.js';
import { createLineSplitter } from './program-lines.js';
import { withResolvers } from './resolvers.js';

export interface WarmSpec {
  /** The interpreter, and the script that keeps it warm. Absolute. */
  readonly command: string;
  readonly script: string;
  /** Its working directory, where its log lies too; made when absent. */
  readonly directory: string;
  readonly env: Readonly<Record<string, string>>;
  /** Largest data segment of each run, bytes; 0 = no limit. */
  readonly memoryBytes: number;
}

type Order = Pick<ProgramSpec, 'args' | 'cwd' | 'env'>;

/**
 * Begun by the first run that asks for a copy. Nobody waits for it: until it is ready, and after its death, programs are
 * started in the plain way. One that ends before it is ready is not begun again.
 */
export class WarmInterpreter {
  readonly #spec: WarmSpec;
  #live: Live | undefined;
  #broken = false;

  constructor(spec: WarmSpec) {
    this.#spec = spec;
  }

  /** A copy that runs the script `args[0]`; undefined when there is none to be had now. */
  async start(order: Order): Promise<Started | undefined> {
    if (this.#live?.isReady === true) return await this.#live.start(order);
    this.#begin();
    return undefined;
  }

  /** Waits until copies can be had. @throws Error when it does not come to that */
  async ready(): Promise<void> {
    this.#begin();
    await this.#live?.untilReady();
    if (this.#live?.isReady !== true)
      throw new Error(`the warm interpreter ended; see ${this.#spec.directory}`);
  }

  /** Ends it and all copies. */
  async stop(): Promise<void> {
    await this.#live?.stop();
  }

  #begin(): void {
    if (this.#live !== undefined || this.#broken) return;
    const live = new Live(this.#spec);
    this.#live = live;
    void live.ended.then(() => {
      this.#broken = !live.isReady;
      this.#live = undefined;
    });
  }
}

/** What it tells. */
interface Word {
  readonly ready?: true;
  readonly run?: number;
  readonly pid?: number;
  readonly out?: string | null;
  readonly err?: string | null;
  readonly exit?: number;
  readonly peak?: number;
}

class Live {
  readonly #ready: Promise<void>;
  readonly ended: Promise<void>;
  isReady = false;
  readonly #child: ReturnType<typeof spawnPiped>;
  readonly #runs = new Map<number, Run>();
  #count = 0;
  #waiting = 0;

  constructor({ command, script, directory, env, memoryBytes }: WarmSpec) {
    const argv = guarded(command, [script], { deathSignal: 'KILL', dataBytes: memoryBytes });
    this.#child = spawnPiped(argv, directory, env);
    const { promise, resolve } = withResolvers<void>();
    const lines = createLineSplitter((line) => {
      const word = JSON.parse(line) as Word;
      this.#runs.get(word.run ?? 0)?.hear(word);
      if (word.ready !== true) return;
      this.isReady = true;
      resolve();
    });
    this.#child.stdout.setEncoding('utf8').on('data', (text: string) => lines.push(text));
    this.ended = endOf(this.#child).then(() => {
      for (const run of this.#runs.values()) run.lost();
    });
    this.#ready = Promise.race([promise, this.ended]);
  }

  /** Also resolves when it ends before. */
  async untilReady(): Promise<void> {
    await this.#waitedFor(this.#ready);
  }

  async start({ args, cwd, env }: Order): Promise<Started | undefined> {
    this.#count += 1;
    const number = this.#count;
    const run = new Run();
    this.#runs.set(number, run);
    void this.#waitedFor(run.over).then(() => this.#runs.delete(number));
    const order = { run: number, args, cwd, env: closedOptions(cwd, env).env };
    this.#child.stdin.write(`${JSON.stringify(order)}\n`);
    return await run.started.promise;
  }

  async stop(): Promise<void> {
    this.#child.kill('SIGKILL');
    await this.#waitedFor(this.ended);
  }

  /** While somebody waits for it, it keeps the process alive. */
  async #waitedFor(what: Promise<unknown>): Promise<void> {
    this.#waiting += 1;
    this.#child.hold(true);
    await what;
    this.#waiting -= 1;
    if (this.#waiting === 0) this.#child.hold(false);
  }
}

/** Its words and orders go through pipes, the rest into its log. Alone it keeps no process alive. */
function spawnPiped([file, ...args]: readonly [string, ...string[]], directory: string, env: Order['env']) {
  mkdirSync(directory, { recursive: true });
  const log = openSync(join(directory, 'warm.log'), 'a');
  const { cwd, env: closed } = closedOptions(directory, env);
  const child = spawn(file, args, { cwd, env: closed, stdio: ['pipe', 'pipe', log], detached: true });
  closeSync(log);
  const { stdin, stdout } = child;
  if (stdin === null || stdout === null) throw new Error('a child without pipes');
  // What is written into one that has gone is answered by its end.
  stdin.on('error', () => undefined);
  const hold = (on: boolean): void => {
    for (const one of [child, stdin, stdout] as { ref?(): void; unref?(): void }[])
      on ? one.ref?.() : one.unref?.();
  };
  hold(false);
  return { stdin, stdout, hold, kill: child.kill.bind(child), once: child.once.bind(child) };
}

const endOf = (child: Pick<ReturnType<typeof spawnPiped>, 'once'>): Promise<void> =>
  new Promise((resolve) => {
    child.once('error', () => resolve());
    child.once('close', () => resolve());
  });

/** One copy, as it is told of. */
class Run {
  /** Undefined when the interpreter died before it said so. */
  readonly started = withResolvers<Started | undefined>();
  /** Nothing more will be told. */
  readonly over: Promise<unknown>;
  readonly #stdout = new Output();
  readonly #stderr = new Output();
  readonly #exited = withResolvers<ProgramExit>();

  constructor() {
    this.over = Promise.all([this.#exited.promise, this.#stdout.told.promise, this.#stderr.told.promise]);
  }

  hear({ pid, out, err, exit, peak }: Word): void {
    const exited = this.#exited;
    if (pid !== undefined)
      this.started.resolve({ pid, stdout: this.#stdout, stderr: this.#stderr, exited: exited.promise });
    if (out !== undefined) this.#stdout.tell(out);
    if (err !== undefined) this.#stderr.tell(err);
    if (exit !== undefined)
      exited.resolve({ ...exitOf(exit), ...(peak === undefined ? {} : { peakBytes: peak }) });
  }

  /** The system killed it together with the interpreter. */
  lost(): void {
    this.started.resolve(undefined);
    this.#exited.resolve({ exitCode: undefined, signal: 'SIGKILL' });
    for (const output of [this.#stdout, this.#stderr]) output.tell(null);
  }
}

class Output extends Readable {
  /** Its end was told. */
  readonly told = withResolvers<void>();
  #over = false;

  constructor() {
    super({ read: () => undefined });
  }

  /** @param text null = its end */
  tell(text: string | null): void {
    // Whoever read it may have gone.
    if (!this.#over && !this.destroyed) this.push(text);
    if (text !== null) return;
    this.#over = true;
    this.told.resolve();
  }
}

/** @param code as Python gives it: negative for a signal */
function exitOf(code: number): ProgramExit {
  if (code >= 0) return { exitCode: code, signal: undefined };
  const signal = Object.entries(constants.signals).find(([, number]) => number === -code)?.[0];
  return { exitCode: undefined, signal: signal ?? `signal ${-code}` };
}
