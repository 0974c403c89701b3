// What was sent already, kept on disk: the same command given again goes on where the one before was cut off.
import { createHash, randomUUID } from 'node:crypto';
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { z } from 'zod';
import { startTimeOf } from '../process/proc.js';
import type { NamedFile } from './source.js';

const partState = z.object({ job: z.string(), done: z.boolean() });
const stateSchema = z.object({
  /** Makes repeated requests the same. */
  id: z.uuid(),
  dataset: z.uuid().nullable(),
  parts: z.record(z.string(), partState),
  /** The process that sends. */
  holder: z.object({ pid: z.int(), startTime: z.number().nullable() }),
});
type Content = z.output<typeof stateSchema>;

/** The server forgets an unfinished upload long before. */
const KEPT_MS = 14 * 86_400_000;

/** What makes a command the same as one before. */
export interface SendIdentity {
  readonly server: string;
  readonly fields: Readonly<Record<string, string>>;
  readonly files: readonly NamedFile[];
}

export class SendState {
  readonly #path: string | undefined;
  #content: Content;

  private constructor(path: string | undefined, content: Content) {
    this.#path = path;
    this.#content = content;
  }

  /** Of this command; when another process is sending the very same, one that nothing is kept of. */
  static open(home: string, identity: SendIdentity): SendState {
    const directory = join(home, 'sending');
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    removeOld(directory);
    const path = join(directory, `${nameOf(identity)}.json`);
    const found = read(path);
    const fresh = { id: randomUUID(), dataset: null, parts: {}, holder: self() };
    if (found !== undefined && isAlive(found.holder)) return new SendState(undefined, fresh);
    const state = new SendState(path, found === undefined ? fresh : { ...found, holder: self() });
    state.#write();
    return state;
  }

  get id(): string {
    return this.#content.id;
  }

  get dataset(): string | undefined {
    return this.#content.dataset ?? undefined;
  }

  set dataset(uuid: string) {
    this.#content = { ...this.#content, dataset: uuid };
    this.#write();
  }

  part(id: string): z.output<typeof partState> | undefined {
    return this.#content.parts[id];
  }

  note(id: string, job: string, done: boolean): void {
    this.#content = { ...this.#content, parts: { ...this.#content.parts, [id]: { job, done } } };
    this.#write();
  }

  /** Forgets everything: what was begun is no more. */
  restart(): void {
    this.#content = { id: randomUUID(), dataset: null, parts: {}, holder: self() };
    this.#write();
  }

  remove(): void {
    if (this.#path !== undefined) rmSync(this.#path, { force: true });
  }

  #write(): void {
    if (this.#path === undefined) return;
    const draft = `${this.#path}.${process.pid}`;
    writeFileSync(draft, JSON.stringify(this.#content), { mode: 0o600 });
    renameSync(draft, this.#path);
  }
}

function nameOf({ server, fields, files }: SendIdentity): string {
  const list = files.map(({ name, path, size, mtimeMs }) => [name, path, size, mtimeMs]);
  const options = Object.entries(fields).sort(([a], [b]) => (a < b ? -1 : 1));
  return createHash('sha256')
    .update(JSON.stringify([server, options, list]))
    .digest('hex')
    .slice(0, 32);
}

function read(path: string): Content | undefined {
  try {
    return stateSchema.parse(JSON.parse(readFileSync(path, 'utf8')));
  } catch {
    return undefined;
  }
}

const self = (): Content['holder'] => ({
  pid: process.pid,
  startTime: startTimeOf(process.pid) ?? null,
});

const isAlive = ({ pid, startTime }: Content['holder']): boolean =>
  pid !== process.pid && startTime !== null && startTimeOf(pid) === startTime;

function removeOld(directory: string): void {
  for (const name of readdirSync(directory)) {
    const path = join(directory, name);
    const found = statSync(path, { throwIfNoEntry: false });
    if (found !== undefined && Date.now() - found.mtimeMs > KEPT_MS) rmSync(path, { force: true });
  }
}
