// Turns of transfers: an owner has so many at once, over all workers. Who gets none gives its slot back and is called.
import type { Client } from '@temporalio/client';
import { WorkflowNotFoundError } from '@temporalio/client';
import { effectiveLimits, type LimitValues, ownerScope } from '../../domain/limits.js';
import { TURN, type TurnKind } from '../../domain/turn.js';
import { readLimits } from '../../store/limits.js';
import type { Store } from '../../store/mongo.js';
import {
  endTurn,
  leaveLine,
  nextBytes,
  nextInLine,
  ownersInLine,
  renewTurn,
  runningTurns,
  TURN_RENEW_MS,
  takeTurn,
  type Waiting,
  waitForTurn,
} from '../../store/turns.js';
import { usageNow } from '../../store/usage.js';

export interface TurnDeps {
  readonly store: Store;
  readonly client: Client;
  /** What every owner may have who has no limits of its own. */
  readonly settings: LimitValues;
  readonly log: (words: string, facts?: Record<string, unknown>) => void;
}

export interface Turns {
  /**
   * Asks for a turn. Nothing: the job waits in line, and its workflow hears the signal `turn`.
   * While the database is away everybody has one.
   * @param kind default: transfers
   */
  take(job: Waiting, kind?: TurnKind): Promise<{ end(): Promise<void> } | undefined>;
  /** Puts a job in line whose bytes have no room yet; its workflow hears the signal `turn` when they have. */
  wait(job: Waiting): Promise<void>;
  /** Calls those for whom there is a turn although nobody's end called them: the limit was raised, a worker died. */
  sweep(): Promise<void>;
}

const FREE = { end: async (): Promise<void> => undefined };
const PATIENCE_MS = 5_000;

export function createTurns(deps: TurnDeps): Turns {
  const { store, log } = deps;
  const mostOf = async (line: string): Promise<number> => {
    const { kind, owner } = ofLine(line);
    const found = await readLimits(store, [ownerScope(owner), 'owners']);
    return effectiveLimits(found.get(ownerScope(owner)) ?? {}, found.get('owners') ?? {}, deps.settings)[
      kind
    ];
  };

  async function ask(job: Waiting): Promise<{ end(): Promise<void> } | undefined> {
    const { owner, jobId } = job;
    const most = await mostOf(owner);
    if (most === 0) return FREE;
    if (!(await takeTurn(store, owner, jobId, most))) {
      // In line first, then asked once more: whose turn ended in between has seen the line, or left room.
      await waitForTurn(store, job);
      if (!(await takeTurn(store, owner, jobId, most))) return undefined;
      await leaveLine(store, jobId);
    }
    const quietly = (work: Promise<unknown>): Promise<unknown> =>
      work.catch((error: unknown) => log('a turn could not be kept', { job: jobId, error: String(error) }));
    const timer = setInterval(() => void quietly(renewTurn(store, owner, jobId)), TURN_RENEW_MS);
    return {
      async end() {
        clearInterval(timer);
        await quietly(endTurn(store, owner, jobId).then(() => callNext(deps, owner, 1)));
      },
    };
  }

  return {
    async take({ owner, ...rest }, kind = 'transfers') {
      const job = { ...rest, owner: lineOf(kind, owner) };
      const late = new Promise<typeof FREE>((resolve) =>
        setTimeout(() => resolve(FREE), PATIENCE_MS).unref(),
      );
      const asked = ask(job).catch((error: unknown) => {
        log('turns could not be asked for', { error: String(error) });
        return FREE;
      });
      const turn = await Promise.race([asked, late]);
      // An answer that comes too late is given back.
      if (turn === FREE)
        void asked
          .then((one) => (one ?? { end: () => leaveLine(store, job.jobId) }).end())
          .catch(() => undefined);
      return turn;
    },

    async wait({ owner, ...rest }) {
      await waitForTurn(store, { ...rest, owner: lineOf('open_bytes', owner) });
    },

    async sweep() {
      for (const line of await ownersInLine(store)) {
        const most = await mostOf(line);
        await callNext(deps, line, most === 0 ? Number.MAX_SAFE_INTEGER : await roomIn(store, line, most));
      }
    },
  };
}

/** One document and one line for each kind; that of transfers has the owner's own name. */
const PREFIXES = { conversions: 'conversions of ', open_bytes: 'bytes of ' } as const;
const lineOf = (kind: TurnKind, owner: string): string =>
  kind === 'transfers' ? owner : `${PREFIXES[kind]}${owner}`;
function ofLine(line: string): { kind: TurnKind; owner: string } {
  for (const kind of ['conversions', 'open_bytes'] as const) {
    if (line.startsWith(PREFIXES[kind])) return { kind, owner: line.slice(PREFIXES[kind].length) };
  }
  return { kind: 'transfers', owner: line };
}

/** How many of the line may be called. Of those that wait for room for their bytes, one at a time: it takes its room itself. */
async function roomIn(store: Store, line: string, most: number): Promise<number> {
  const { kind, owner } = ofLine(line);
  if (kind !== 'open_bytes') return most - (await runningTurns(store, line));
  const bytes = (await nextBytes(store, line)) ?? 0;
  // One for which there will never be room (the limit was lowered) is to hear it, and stands in nobody's way.
  if (bytes > most) return 1;
  const { open_bytes: used } = await usageNow(store, owner);
  return used + bytes <= most ? 1 : 0;
}

/** Tells so many of the owner's line that it is their turn. */
async function callNext({ store, client }: TurnDeps, owner: string, count: number): Promise<void> {
  for (let called = 0; called < count; ) {
    const next = await nextInLine(store, owner);
    if (next === undefined) return;
    try {
      await client.workflow.getHandle(next.workflowId).signal(TURN);
      called += 1;
    } catch (error) {
      // It ended while it waited: the next one.
      if (error instanceof WorkflowNotFoundError) continue;
      await waitForTurn(store, next);
      throw error;
    }
  }
}
