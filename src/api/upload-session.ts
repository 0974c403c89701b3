// One multipart request: fields and files in any order become a recorded upload whose bytes lie in staging.

import { openReceiver, type Receiver, type ReceivingFile } from '../bytes/receive.js';
import { quoteName, trimSlashes } from '../bytes/safe-names.js';
import { Fault, faultOf } from '../domain/fault.js';
import { NORMAL_PRIORITY } from '../domain/priority.js';
import { amendDataset } from '../store/datasets.js';
import type { KeyIds } from '../store/idempotency.js';
import { findJob } from '../store/jobs.js';
import { RECEIVER_RENEW_MS, type Received, renewReceiver } from '../store/receivers.js';
import type { ApiDeps } from './deps.js';
import { UNKNOWN_FIELD } from './field-errors.js';
import type { KeyHold } from './idempotency-key.js';
import { handOver, type Recorded, record, type UploadWish } from './intake.js';
import { newIds } from './new-ids.js';
import { type Pacing, startPacing } from './pacing.js';
import { InvalidRequest } from './problem.js';
import type { FormFields } from './receive-form.js';
import { describeDataset } from './records.js';
import { requireSpace } from './space.js';

/** Reads a form's fields. @throws InvalidRequest */
export type ParseWish = (fields: FormFields) => UploadWish;

export interface SessionResult {
  readonly recorded: Recorded;
  readonly received: Received;
  readonly notice: string | undefined;
}

export class UploadSession {
  /** Ends the receiving: with Fault cancelled, or when the lease is lost. */
  readonly stop = new AbortController();
  /** Ends it, with the process or alone. */
  readonly signal: AbortSignal;
  recorded: Recorded | undefined;

  readonly #deps: ApiDeps;
  readonly #hold: KeyHold;
  readonly #parse: ParseWish;
  readonly #announced: number;
  readonly #hashes: boolean;
  #ids: KeyIds = newIds();
  #replaces: string | undefined;
  #receiver: Receiver | undefined;
  #folder: string | undefined;
  #bytes = 0;
  #files = 0;
  #lastName = '';
  #pacing: Pacing | undefined;
  #lease: NodeJS.Timeout | undefined;

  /**
   * @param announced the body's length, 0 = unknown
   * @param hashes every file while it comes, not only those whose digest was announced
   */
  constructor(deps: ApiDeps, hold: KeyHold, parse: ParseWish, announced: number, hashes = false) {
    this.#deps = deps;
    this.signal = AbortSignal.any([deps.closing, this.stop.signal]);
    this.#hold = hold;
    this.#parse = parse;
    this.#announced = announced;
    this.#hashes = hashes;
  }

  onBytes(bytes: number): void {
    this.#bytes += bytes;
  }

  /** See Pacing. */
  heldUp(): boolean {
    return this.#pacing?.heldUp() ?? false;
  }

  /** A file came under another name than `file`. @throws InvalidRequest where the dialect has no such field */
  stray(part: string): void {
    try {
      this.#parse({ [part]: '' });
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      const unknown = error.errors.filter(({ type }) => type === UNKNOWN_FIELD);
      if (unknown.length > 0) throw new InvalidRequest(unknown);
    }
  }

  /** The place of the next file. Before the first one the upload is recorded, if its fields have come by then. */
  async open(name: string, before: FormFields): Promise<ReceivingFile> {
    this.#receiver ??= await this.#begin(name, before);
    this.#folder = before.relative_path === undefined ? undefined : folderOf(before.relative_path);
    const sha256 = before.sha256?.toLowerCase();
    const path = name !== '' && this.#folder ? `${this.#folder}/${name}` : name;
    const file = await this.#receiver.file(path, {
      sha256,
      pace: this.#pacing?.pace,
      ...(this.#hashes ? { hash: true } : {}),
    });
    this.#files += 1;
    this.#lastName = name;
    return file;
  }

  /** The form has ended: everything is known now. */
  async finish(fields: FormFields): Promise<SessionResult> {
    const wish = this.#checked(fields);
    const recorded = await this.#recordWhole(wish);
    const received = (await this.#receiver?.finish()) ?? { files: 0, bytes: 0 };
    if (received.bytes === 0)
      throw new Fault('empty_file', `The file ${quoteName(this.#lastName)} is empty.`);
    const source = { kind: 'received', ...received } as const;
    const notice = await handOver(this.#deps, recorded, { ...recorded.order, source }, received);
    this.#end();
    return { recorded, received, notice };
  }

  /** Removes what came, and tells the workflow why the upload ended. */
  async fail(error: unknown): Promise<void> {
    this.#deps.receiving.delete(this.#ids.jobId);
    this.#pacing?.leave();
    await this.#receiver?.abort();
    const { recorded } = this;
    if (recorded === undefined) return;
    const { code, message: say } = faultOf(error) ?? new Fault('internal');
    const source = { kind: 'received', files: 0, bytes: 0, fault: { code, say } } as const;
    try {
      await handOver(this.#deps, recorded, { ...recorded.order, source });
    } finally {
      this.#end();
    }
  }

  async #begin(name: string, before: FormFields): Promise<Receiver> {
    const claim = await this.#hold.claim({ fields: before, name }, this.#ids, this.#announced);
    await requireSpace(this.#deps, this.#announced);
    this.#ids = claim.takenOver ? await this.#takeOver(claim.ids) : claim.ids;
    this.#deps.receiving.set(this.#ids.jobId, this.stop);
    const wish = this.#early(before);
    if (wish !== undefined) await this.#record(wish);
    this.#pacing = startPacing(this.#deps, {
      jobId: this.#ids.jobId,
      owner: this.recorded?.row.user_email ?? this.recorded?.row.user,
      signal: this.signal,
    });
    return openReceiver(this.#deps.roots, this.#ids.jobId);
  }

  /** The first request under the key died, and its bytes with it: they are sent again, into the same dataset. */
  async #takeOver({ uuid, jobId }: KeyIds): Promise<KeyIds> {
    const ids = { uuid, jobId: newIds().jobId };
    if ((await findJob(this.#deps.store, jobId)) !== null) this.#replaces = jobId;
    await this.#hold.rename(ids);
    return ids;
  }

  /** The wish, if the fields so far tell it; fields may also come after the files. */
  #early(before: FormFields): UploadWish | undefined {
    try {
      return this.#parse(before);
    } catch (error) {
      if (error instanceof InvalidRequest && error.errors.every(({ type }) => type === 'missing'))
        return undefined;
      throw error;
    }
  }

  async #record(parsed: UploadWish): Promise<Recorded> {
    const wish = { ...parsed, replaces: parsed.replaces ?? this.#replaces };
    const source = { kind: 'received', files: 0, bytes: 0 } as const;
    const upload = { ...this.#ids, source, words: 'files sent by the client', bytes: this.#announced };
    const recorded = await record(this.#deps, wish, upload);
    this.recorded = recorded;
    this.#keepLease();
    return recorded;
  }

  #checked(fields: FormFields): UploadWish {
    const errors: InvalidRequest['errors'][number][] = [];
    if (this.#files === 0) {
      errors.push({ type: 'missing', loc: ['body', 'file'], msg: 'Field required', input: null });
    } else if (fields.relative_path && this.#folder === undefined) {
      const msg = 'relative_path must come before the file that it is for';
      errors.push({ type: 'order', loc: ['body', 'relative_path'], msg, input: fields.relative_path });
    }
    let wish: UploadWish | undefined;
    try {
      wish = this.#parse(fields);
    } catch (error) {
      if (!(error instanceof InvalidRequest)) throw error;
      errors.unshift(...error.errors);
    }
    if (errors.length > 0 || wish === undefined) throw new InvalidRequest(errors);
    return wish;
  }

  /** Records now, or brings the record up to what the fields after the files said. */
  async #recordWhole(wish: UploadWish): Promise<Recorded> {
    const early = this.recorded;
    if (early === undefined) return await this.#record(wish);
    const { seal, priority = NORMAL_PRIORITY, replaces = this.#replaces } = wish;
    const order = { ...early.order, seal, priority, ...(replaces === undefined ? {} : { replaces }) };
    if (!('fields' in wish.target) || !early.fresh) return { ...early, order };
    const description = describeDataset(wish.target.fields);
    const row = { ...early.row, ...description };
    if (JSON.stringify(row) !== JSON.stringify(early.row)) {
      await amendDataset(this.#deps.store, row.uuid, description);
    }
    return { ...early, row, order };
  }

  /** Renews the lease and shows the bytes, at most once a second. */
  #keepLease(): void {
    let shown = 0;
    let renewedAt = Date.now();
    let busy = false;
    const renew = async (): Promise<void> => {
      if (busy || (shown === this.#bytes && Date.now() - renewedAt < RECEIVER_RENEW_MS)) return;
      busy = true;
      try {
        const received = { bytes: this.#bytes, files: this.#files };
        const { store, instance } = this.#deps;
        if (!(await renewReceiver(store, this.#ids.jobId, instance, received))) {
          this.stop.abort(new Fault('upload_interrupted', 'The server gave this upload up meanwhile.'));
        }
        shown = received.bytes;
        renewedAt = Date.now();
      } catch (error) {
        // The database is away: bytes go on, and the next tick tries again.
        this.#deps.log.debug({ err: error }, 'the lease of an upload could not be renewed');
      } finally {
        busy = false;
      }
    };
    this.#lease = setInterval(() => void renew(), 1_000);
    this.#lease.unref();
  }

  #end(): void {
    clearInterval(this.#lease);
    this.#pacing?.leave();
    this.#deps.receiving.delete(this.#ids.jobId);
  }
}

/** It goes with every file, so its length is looked at before its form. */
function folderOf(path: string): string {
  if (path.length > 500) throw new Fault('invalid_field', 'relative_path has more than 500 characters.');
  return trimSlashes(path.replace(/^\.?\/+/, ''));
}
