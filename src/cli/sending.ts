// Many files, or large ones, into one new dataset: several parts at once, each again after every break, and the whole
// again after a break of this very program.
import { setTimeout as sleep } from 'node:timers/promises';
import { ApiError } from '../client/api-error.js';
import type { SluiceClient } from '../client/client.js';
import { sendResumable } from '../client/resumable.js';
import { isWireError } from '../client/wire.js';
import type { UploadAnswer } from '../contracts/http.js';
import { asResumable } from './content.js';
import { type DatasetFields, Delivery, type DeliveryHooks, outcomeOf, waitWords } from './delivery.js';
import type { SendPart } from './send-plan.js';
import type { SendState } from './send-state.js';
import type { Server } from './server.js';

/** Parts on their way at the same time. */
const STREAMS = 3;
/** How long a stopped command waits for the server to throw away what came, ms. */
const GOODBYE_MS = 10_000;

export type Accepted = Pick<UploadAnswer, 'dataset_uuid' | 'job_id' | 'notice'>;

export class Sending {
  /** It was stopped, and what the server has waits for the same command. */
  isKept = false;

  readonly #server: Server;
  readonly #fields: DatasetFields;
  readonly #parts: readonly SendPart[];
  readonly #state: SendState;
  readonly #hooks: DeliveryHooks;
  readonly #sent = new Map<string, number>();
  readonly #total: number;
  readonly #ending = new AbortController();
  readonly #signal: AbortSignal;
  #said = '';
  #lastJob = '';
  #notice: string | undefined;

  /** @param hooks `keepsWhenStopped`: a user who stops it wants to go on later */
  constructor(
    server: Server,
    fields: DatasetFields,
    { parts, state }: { readonly parts: readonly SendPart[]; readonly state: SendState },
    hooks: DeliveryHooks & { readonly keepsWhenStopped: boolean },
  ) {
    this.#server = server;
    this.#fields = fields;
    this.#parts = parts;
    this.#state = state;
    this.#hooks = hooks;
    this.isKept = hooks.keepsWhenStopped;
    this.#total = parts.reduce((sum, { bytes }) => sum + bytes, 0);
    this.#signal = AbortSignal.any([hooks.signal, this.#ending.signal]);
  }

  /** @throws ApiError, CliError, a wire error when it does not come about; the signal's reason */
  async send(): Promise<Accepted> {
    try {
      const dataset = await this.#dataset();
      await this.#lookBack();
      const queue = this.#parts.filter(({ id }) => this.#state.part(id)?.done !== true);
      await this.#sendAll(queue, dataset);
      await this.#seal(dataset);
      this.#state.remove();
      const notice = this.#notice === undefined ? {} : { notice: this.#notice };
      return { dataset_uuid: dataset, job_id: this.#lastJob, ...notice };
    } catch (error) {
      await this.#giveUp(error);
      this.#hooks.signal.throwIfAborted();
      throw error;
    }
  }

  /** What was accepted is whole on the server. */
  mayReplace(): boolean {
    return false;
  }

  /** The dataset that was begun, when it still takes files; else a new one. */
  async #dataset(): Promise<string> {
    const { dataset } = this.#state;
    if (dataset !== undefined && (await this.#takesFiles(dataset))) return dataset;
    if (dataset !== undefined) this.#state.restart();
    const { duplicates: _rule, ...fields } = this.#fields;
    const made = await this.#patient((client) => client.datasets.create(fields, this.#state.id));
    this.#state.dataset = made.uuid;
    return made.uuid;
  }

  async #takesFiles(uuid: string): Promise<boolean> {
    try {
      return (await this.#patient((client) => client.datasets.get(uuid))).status !== 'cancelled';
    } catch (error) {
      if (error instanceof ApiError && error.status === 404) return false;
      throw error;
    }
  }

  /** How far an earlier command came. */
  async #lookBack(): Promise<void> {
    for (const { id, bytes } of this.#parts) {
      const known = this.#state.part(id);
      if (known === undefined) continue;
      this.#lastJob = known.job;
      this.#sent.set(id, known.done ? bytes : await this.#offsetOf(known.job));
    }
    const sent = this.#sumSent();
    if (sent > 0) this.#say(`goes on at ${Math.floor((sent / this.#total) * 100)} %`);
    this.#hooks.onSent(sent, this.#total, true);
  }

  async #offsetOf(job: string): Promise<number> {
    try {
      return await this.#patient((client) => client.tus.offset(job));
    } catch (error) {
      // It is gone: the sender finds the same, and begins anew.
      if (error instanceof ApiError) return 0;
      throw error;
    }
  }

  async #sendAll(queue: SendPart[], dataset: string): Promise<void> {
    const lane = async (): Promise<void> => {
      for (let part = queue.shift(); part !== undefined; part = queue.shift()) {
        const job = await this.#sendPart(part, dataset);
        this.#state.note(part.id, job, true);
        this.#lastJob = job;
        this.#progress(part.id, part.bytes);
      }
    };
    const lanes = Array.from({ length: STREAMS }, async () => {
      try {
        await lane();
      } catch (error) {
        this.#ending.abort(error);
        throw error;
      }
    });
    // All have let go of the server before anything else is asked.
    await Promise.allSettled(lanes);
    this.#hooks.signal.throwIfAborted();
    if (this.#ending.signal.aborted) throw this.#ending.signal.reason;
  }

  async #sendPart(part: SendPart, dataset: string): Promise<string> {
    return part.kind === 'form' ? await this.#sendForm(part, dataset) : await this.#sendLarge(part, dataset);
  }

  async #sendForm({ id, files, bytes }: SendPart, dataset: string): Promise<string> {
    const hooks = {
      onSent: (sent: number) => this.#progress(id, sent),
      say: (words: string) => this.#say(words),
      signal: this.#signal,
    };
    const load = { kind: 'files', files, bytes } as const;
    const fields = this.#into(dataset);
    const answer = await new Delivery(this.#server, fields, load, hooks, `${this.#state.id}-${id}`).send();
    this.#notice ??= answer.notice;
    return answer.job_id;
  }

  async #sendLarge({ id, files }: SendPart, dataset: string): Promise<string> {
    const [file] = files;
    if (file === undefined) throw new Error('a large part without its file');
    const into = { ...this.#into(dataset), filename: file.name.split('/').at(-1) ?? file.name };
    return await sendResumable(asResumable(file), {
      calls: () => this.#server.client.tus,
      begun: this.#state.part(id)?.job,
      metadata: (replaces) => ({
        ...into,
        relativePath: file.name,
        ...(replaces === undefined ? {} : { replaces }),
      }),
      key: `${this.#state.id}-${id}`,
      onBegun: ({ job_id: job, notice }) => {
        this.#state.note(id, job, false);
        this.#notice ??= notice;
      },
      onProgress: (bytes) => this.#progress(id, bytes),
      onWait: (error) => {
        const outcome = outcomeOf(error);
        if (outcome !== undefined) this.#say(waitWords(outcome));
        this.#server.relocate();
      },
      signal: this.#signal,
    });
  }

  /** More is coming until all is there: a delivery of several parts is sealed at its end. */
  #into(dataset: string): Readonly<Record<string, string>> {
    const { duplicates } = this.#fields;
    const seal = String(this.#parts.length === 1);
    return { dataset, seal, ...(duplicates === undefined ? {} : { duplicates }) };
  }

  async #seal(dataset: string): Promise<void> {
    if (this.#parts.length === 1) return;
    try {
      await this.#patient((client) => client.datasets.command(dataset, 'seal'));
    } catch (error) {
      // It was quiet for so long before that its stages have run.
      if (!(error instanceof ApiError && error.status === 409)) throw error;
    }
  }

  /** Leaves what may go on; throws away what cannot, or what the user does not want. */
  async #giveUp(error: unknown): Promise<void> {
    const isStopped = this.#hooks.signal.aborted;
    const isBroken = isWireError(error) || (error instanceof ApiError && mayPass(error.status));
    if (isStopped ? this.isKept : isBroken) {
      this.isKept = true;
      if (!isStopped) this.#hooks.say('what was sent is kept; the same command goes on');
      return;
    }
    this.isKept = false;
    const { dataset } = this.#state;
    this.#state.remove();
    if (dataset === undefined) return;
    const cancel = this.#server.client.datasets.command(dataset, 'cancel', { reason: 'the sender stopped' });
    // What cannot be told now ends by itself: an upload without bytes expires.
    await Promise.race([cancel, sleep(GOODBYE_MS, undefined, { ref: false })]).catch(() => undefined);
  }

  async #patient<T>(work: (client: SluiceClient) => Promise<T>): Promise<T> {
    const onWait = (words: string): void => this.#say(words);
    return await this.#server.patient(work, { onWait, signal: this.#signal });
  }

  #progress(id: string, bytes: number): void {
    this.#sent.set(id, bytes);
    this.#hooks.onSent(this.#sumSent(), this.#total);
  }

  #sumSent(): number {
    let sum = 0;
    for (const bytes of this.#sent.values()) sum += bytes;
    return sum;
  }

  /** The same words once, however often they are true. */
  #say(words: string): void {
    if (words !== this.#said) this.#hooks.say(words);
    this.#said = words;
  }
}

const mayPass = (status: number): boolean =>
  status === 0 || status === 423 || status === 429 || status >= 500;
