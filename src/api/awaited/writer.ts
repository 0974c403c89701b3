// The one writer of an upload whose bytes come in order: an open file, its lease, and its digest while it grows.
import { type FileHandle, mkdir, open } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { setTimeout as sleep } from 'node:timers/promises';
import { isErrno, onDisk } from '../../bytes/disk-fault.js';
import { DigestFollower } from '../../bytes/hash-follow.js';
import { pump } from '../../bytes/pump.js';
import { uploadStaging } from '../../bytes/staging.js';
import { Fault } from '../../domain/fault.js';
import { showReceived } from '../../store/receivers.js';
import { releaseWriter, renewWriter, takeWriter, WRITER_LEASE_MS } from '../../store/writers.js';
import type { ApiDeps } from '../deps.js';
import { startPacing } from '../pacing.js';
import type { FoundSession, HeldWriter, PartDigest } from './port.js';

/** A holder stops writing so long before its lease ends, ms. */
const MARGIN_MS = 2_000;
const IDLE_MS = 60_000;
const RENEW_MS = 3_000;
/** A request that brings no byte for so long gives way to the next one, ms. */
const STALLED_MS = 3_000;
/** A holder that nobody asks anything gives the lease back after this time, ms: the next request may meet another process. */
const REST_MS = 1_000;

export class Writer implements HeldWriter {
  found: FoundSession;
  readonly path: string;
  isBusy = false;
  /** Looked at last, performance.now(). */
  usedAt = performance.now();
  /** The length of the file; the truth while the lease is held. */
  offset = 0;

  readonly #deps: ApiDeps;
  readonly #jobId: string;
  #file: FileHandle | undefined;
  #follower: DigestFollower | undefined;
  #fence = 0;
  /** Until then no other process writes, by our own clock. */
  #mineUntil = 0;
  #renewedAt = 0;
  #releases = 0;
  #stop = new AbortController();
  #movedAt = 0;
  #shown = 0;
  /** Another process had the lease meanwhile: requests come by turns, so it is given back after each. */
  #isShared = false;

  constructor(deps: ApiDeps, found: FoundSession) {
    this.#deps = deps;
    this.found = found;
    this.#jobId = found.job.job_id;
    this.path = join(uploadStaging(deps.roots, this.#jobId).files, found.session.path);
  }

  get isHeld(): boolean {
    return performance.now() < this.#mineUntil;
  }

  /** @returns false when another process has it. @throws Fault upload_gone */
  async take(): Promise<boolean> {
    if (this.isHeld) {
      await this.#requireFile();
      return true;
    }
    const { store, instance } = this.#deps;
    const asked = performance.now();
    const claim = await takeWriter(store, this.#jobId, instance);
    if (claim.state === 'closed') throw new Fault('upload_gone');
    if (claim.state === 'held') return false;
    this.#isShared = claim.prior !== undefined && claim.prior !== instance;
    const goesOn = this.#file !== undefined && claim.fence === this.#fence + 1 && !this.#isShared;
    this.#fence = claim.fence;
    this.#mineUntil = asked + WRITER_LEASE_MS - MARGIN_MS;
    this.#renewedAt = asked;
    if (goesOn) await this.#requireFile();
    else await this.#open();
    return true;
  }

  async append(body: Readable, most: number, digest?: PartDigest): Promise<void> {
    const file = this.#file;
    if (file === undefined) throw new Fault('upload_gone');
    const from = this.offset;
    this.#stop = new AbortController();
    this.#movedAt = performance.now();
    const part =
      digest === undefined ? undefined : new DigestFollower(this.path, [digest.algorithm], { from });
    const signal = AbortSignal.any([this.#deps.closing, this.#stop.signal]);
    const { job_id: jobId, user_email: owner } = this.found.job;
    const pacing = startPacing(this.#deps, { jobId, owner, signal }, () => {
      this.#movedAt = performance.now();
    });
    const { bytes, failure } = await pump(body, {
      file,
      at: from,
      most,
      idleMs: IDLE_MS,
      signal,
      pace: pacing.pace,
      mayWrite: () => this.#mayWrite(),
      onWritten: (written) => {
        this.offset = from + written;
        this.#movedAt = performance.now();
        (part ?? this.#follower)?.advance(this.offset);
      },
    }).finally(() => pacing.leave());
    this.offset = from + bytes;
    try {
      if (failure !== undefined && part !== undefined) throw failure;
      if (part !== undefined && (await part.finish(this.offset))[0] !== digest?.hex)
        throw new Fault('part_mismatch');
    } catch (error) {
      part?.drop();
      this.offset = from;
      if (this.isHeld) await file.truncate(from);
      throw error;
    }
    this.#follower?.advance(this.offset);
    if (failure !== undefined) throw failure;
  }

  /** Ends the request that is under way when no byte came for a while: its client may have gone without a word. */
  async interruptStalled(): Promise<void> {
    if (performance.now() - this.#movedAt < STALLED_MS) return;
    this.#stop.abort(new Fault('upload_interrupted', 'Another request goes on with this upload.'));
    for (let waited = 0; this.isBusy && waited < 1_000; waited += 20) await sleep(20);
  }

  async digest(): Promise<string | undefined> {
    const follower = this.#follower;
    this.#follower = undefined;
    return (await follower?.finish(this.offset))?.[0];
  }

  async confirm(): Promise<void> {
    if (!(await this.#renew())) throw new Fault('upload_locked');
    await this.#requireFile();
  }

  async rest(): Promise<void> {
    this.isBusy = false;
    this.usedAt = performance.now();
    if (this.#isShared) await this.release();
  }

  /** Once a second: renews while it is used, gives back when it is not, shows how much came. */
  async tick(): Promise<void> {
    const now = performance.now();
    if (this.#shown !== this.offset) {
      this.#shown = this.offset;
      await showReceived(this.#deps.store, this.#jobId, this.offset);
    }
    if (!this.isHeld) return;
    if (!this.isBusy && now - this.usedAt > REST_MS) await this.release();
    else if (now - this.#renewedAt > RENEW_MS && now - this.#movedAt < WRITER_LEASE_MS) await this.#renew();
  }

  async release(): Promise<void> {
    if (!this.isHeld) return;
    this.#mineUntil = 0;
    this.#releases += 1;
    const { store, instance: holder } = this.#deps;
    await releaseWriter(store, this.#jobId, { holder, fence: this.#fence });
  }

  async close(): Promise<void> {
    this.#follower?.drop();
    this.#follower = undefined;
    const file = this.#file;
    this.#file = undefined;
    await file?.close();
  }

  /** A process that stood still for long must not write when it wakes: somebody else may have taken over. */
  #mayWrite(): void {
    if (!this.isHeld) throw new Fault('upload_locked', 'This server lost its hold on the upload meanwhile.');
  }

  async #renew(): Promise<boolean> {
    const asked = performance.now();
    const releases = this.#releases;
    const { store, instance: holder } = this.#deps;
    this.#renewedAt = asked;
    const isMine = await renewWriter(store, this.#jobId, { holder, fence: this.#fence });
    // It was given back while this was under way: what the database says by now is not known.
    if (releases !== this.#releases) return false;
    this.#mineUntil = isMine ? asked + WRITER_LEASE_MS - MARGIN_MS : 0;
    return isMine;
  }

  async #open(): Promise<void> {
    await this.close();
    await onDisk(() => mkdir(dirname(this.path), { recursive: true }));
    const file = await onDisk(() => openOrCreate(this.path));
    this.#file = file;
    this.offset = (await file.stat()).size;
    this.#shown = this.offset;
    if (this.offset === 0) this.#follower = new DigestFollower(this.path, ['sha256']);
  }

  /** The clean-up after a cancellation removes the file under our hands. @throws Fault upload_gone */
  async #requireFile(): Promise<void> {
    const found = await this.#file?.stat();
    if (found === undefined || found.nlink === 0) throw new Fault('upload_gone');
  }
}

async function openOrCreate(path: string): Promise<FileHandle> {
  try {
    return await open(path, 'r+');
  } catch (error) {
    if (!isErrno(error, 'ENOENT')) throw error;
    return await open(path, 'wx+');
  }
}
