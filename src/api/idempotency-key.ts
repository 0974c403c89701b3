// Idempotency-Key: the first answer to a create is the answer to every repetition of it.
import { createHash } from 'node:crypto';
import { Fault } from '../domain/fault.js';
import {
  claimKey,
  KEY_LEASE_MS,
  type KeptAnswer,
  type KeyIds,
  keepAnswer,
  lapseKey,
  rekey,
  releaseKey,
  renewKey,
} from '../store/idempotency.js';
import type { ApiDeps } from './deps.js';
import type { ApiContext } from './route.js';

/** Thrown when the key has an answer already; the route sends that one. */
export class Answered extends Error {
  override readonly name = 'Answered';
  readonly answer: KeptAnswer;

  constructor(answer: KeptAnswer) {
    super('answered before');
    this.answer = answer;
  }
}

/** The key of one request; without the header it does nothing. */
export class KeyHold {
  readonly #deps: ApiDeps;
  readonly #key: string | undefined;
  readonly #holder: string;
  #timer: NodeJS.Timeout | undefined;

  constructor(c: ApiContext, deps: ApiDeps) {
    this.#deps = deps;
    this.#key = keyOf(c);
    this.#holder = `${deps.instance}/${crypto.randomUUID()}`;
  }

  /**
   * Claims the key for this request.
   * @param what the parts of the request that make it this request
   * @param length of its body as announced, bytes, where `what` does not tell all of it; 0 = not known
   * @returns the ids that the request creates; those of the first try when that one died
   * @throws Answered, Fault idempotency_mismatch or idempotency_running
   */
  async claim(what: unknown, ids: KeyIds, length = 0): Promise<{ ids: KeyIds; takenOver: boolean }> {
    const key = this.#key;
    if (key === undefined) return { ids, takenOver: false };
    const claim = await claimKey(
      this.#deps.store,
      key,
      { fingerprint: fingerprint(what), length },
      this.#holder,
      ids,
    );
    if (claim.state === 'answered') throw new Answered(claim.answer);
    this.#timer = setInterval(
      () => void this.#quietly(renewKey(this.#deps.store, key, this.#holder)),
      KEY_LEASE_MS / 3,
    );
    this.#timer.unref();
    return claim;
  }

  /** Other ids from now on. */
  async rename(ids: KeyIds): Promise<void> {
    if (this.#key !== undefined) await rekey(this.#deps.store, this.#key, this.#holder, ids);
  }

  /** Ends the claim with the answer that every repetition gets. */
  async answer(answer: KeptAnswer): Promise<void> {
    await this.#end((key) => keepAnswer(this.#deps.store, key, this.#holder, answer));
  }

  /** Ends the claim after a failure. `made`: something was made, which a repetition takes up. */
  async fail(made: boolean): Promise<void> {
    const end = made ? lapseKey : releaseKey;
    await this.#end((key) => end(this.#deps.store, key, this.#holder));
  }

  async #end(write: (key: string) => Promise<void>): Promise<void> {
    const held = this.#timer !== undefined;
    clearInterval(this.#timer);
    if (this.#key !== undefined && held) await this.#quietly(write(this.#key));
  }

  async #quietly(write: Promise<void>): Promise<void> {
    try {
      await write;
    } catch (error) {
      this.#deps.log.warn({ err: error }, 'the idempotency key could not be written');
    }
  }
}

/** Does a create once per key. */
export async function answerOnce(
  c: ApiContext,
  deps: ApiDeps,
  what: unknown,
  ids: KeyIds,
  create: (ids: KeyIds) => Promise<{ status: number; body: unknown }>,
): Promise<Response> {
  const hold = new KeyHold(c, deps);
  try {
    const claim = await hold.claim(what, ids);
    const { status, body } = await create(claim.ids);
    const answer = { status, body: JSON.stringify(body), contentType: 'application/json' };
    await hold.answer(answer);
    return send(answer);
  } catch (error) {
    if (error instanceof Answered) return send(error.answer, true);
    await hold.fail(true);
    throw error;
  }
}

/** An answer as it is kept. */
export function send({ status, body, contentType }: KeptAnswer, replayed = false): Response {
  const headers = { 'content-type': contentType, ...(replayed ? { 'idempotency-replayed': 'true' } : {}) };
  return new Response(body, { status, headers });
}

function keyOf(c: ApiContext): string | undefined {
  const key = c.req.header('idempotency-key');
  if (key === undefined) return undefined;
  if (!/^[\x21-\x7e]{1,255}$/.test(key)) {
    throw new Fault('invalid_field', 'Idempotency-Key must be 1 to 255 visible ASCII characters.');
  }
  return `${c.req.path} ${key}`;
}

function fingerprint(what: unknown): string {
  return createHash('sha256')
    .update(JSON.stringify(sorted(what)))
    .digest('hex');
}

/** The same value with its keys in order, so that the order in which a client writes them does not count. */
function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted);
  if (typeof value !== 'object' || value === null) return value;
  const entries = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(entries.map(([key, inner]) => [key, sorted(inner)]));
}
