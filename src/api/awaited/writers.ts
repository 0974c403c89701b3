// The writers that this process has open. One request at a time has one; the others are told to come again.
import { setTimeout as sleep } from 'node:timers/promises';
import { Fault } from '../../domain/fault.js';
import type { ApiDeps } from '../deps.js';
import type { FoundSession, WriterPool } from './port.js';
import { find } from './session.js';
import { Writer } from './writer.js';

/** How long a request waits for a lease that another process is about to give back, ms. */
const PATIENCE_MS = 1_500;
const ASK_MS = 100;
/** A writer that nobody asked for is closed after this time, ms. */
const KEPT_MS = 120_000;

export class Writers implements WriterPool {
  readonly #deps: ApiDeps;
  readonly #open = new Map<string, Writer>();
  #timer: NodeJS.Timeout | undefined;

  constructor(deps: Omit<ApiDeps, 'writers'>) {
    this.#deps = { ...deps, writers: this };
  }

  async hold(jobId: string, known?: FoundSession): Promise<Writer> {
    let writer = this.#open.get(jobId);
    if (writer === undefined) {
      const found = known ?? (await find(this.#deps, jobId));
      if (found.state === 'gone') throw new Fault('upload_gone');
      // Two requests may have looked at the same time.
      writer = this.#open.get(jobId) ?? new Writer(this.#deps, found);
      this.#open.set(jobId, writer);
    }
    if (writer.isBusy) await writer.interruptStalled();
    if (writer.isBusy) throw new Fault('upload_locked');
    writer.isBusy = true;
    writer.usedAt = performance.now();
    this.#timer ??= setInterval(() => void this.#tick(), 1_000).unref();
    try {
      await takePatiently(writer);
      return writer;
    } catch (error) {
      await writer.rest();
      if (error instanceof Fault && error.code === 'upload_gone') await this.forget(jobId);
      throw error;
    }
  }

  peek(jobId: string): Writer | undefined {
    const writer = this.#open.get(jobId);
    return writer?.isHeld ? writer : undefined;
  }

  async forget(jobId: string): Promise<void> {
    const writer = this.#open.get(jobId);
    this.#open.delete(jobId);
    await writer?.close();
  }

  async close(): Promise<void> {
    clearInterval(this.#timer);
    const all = [...this.#open.values()];
    this.#open.clear();
    await Promise.allSettled(all.map((writer) => writer.release()));
    await Promise.allSettled(all.map((writer) => writer.close()));
  }

  async #tick(): Promise<void> {
    for (const [jobId, writer] of [...this.#open]) {
      await writer.tick().catch((error: unknown) => {
        // The database is away: writing goes on until the lease ends, and the next tick tries again.
        this.#deps.log.debug({ err: error, jobId }, 'a writer could not be renewed');
      });
      const isOld = performance.now() - writer.usedAt > KEPT_MS;
      if (isOld && !writer.isBusy) await this.forget(jobId);
    }
    if (this.#open.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

/** @throws Fault upload_locked */
async function takePatiently(writer: Writer): Promise<void> {
  for (const end = performance.now() + PATIENCE_MS; !(await writer.take()); await sleep(ASK_MS)) {
    if (performance.now() > end) throw new Fault('upload_locked');
  }
}
