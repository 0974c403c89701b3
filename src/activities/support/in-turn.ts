// Work that many ask for, when it is its owner's turn: so many at once over all workers, whoever has the slots.
import { Context } from '@temporalio/activity';
import type { TurnWish, Waits } from '../../contracts/activities.js';
import { NORMAL_PRIORITY } from '../../domain/priority.js';
import type { Stage } from '../../domain/stage.js';
import { WAITS_FOR_TURN } from '../../domain/turn.js';
import { type ProgressSink, startHeart } from './heartbeat.js';
import type { Turns } from './turns.js';

interface InTurnDeps {
  readonly progress: ProgressSink;
  /** Left out: everybody has a turn. */
  readonly turns?: Pick<Turns, 'take'>;
}

/** The stage's work, or the word that it waits in line, which frees the slot. */
export async function inTurn<T>(
  { turns, progress }: InTurnDeps,
  {
    uuid,
    jobId,
    owner,
    priority = NORMAL_PRIORITY,
  }: TurnWish & { readonly uuid: string; readonly jobId?: string },
  stage: Stage,
  work: () => Promise<T>,
): Promise<T | Waits> {
  // A run of an earlier version does not say its owner.
  if (turns === undefined || owner === undefined) return await work();
  const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
  const turn = await turns.take(
    { jobId: jobId ?? uuid, owner, workflowId, priority },
    stage === 'fetch' ? 'transfers' : 'conversions',
  );
  if (turn === undefined) {
    const nothing = { stage, done: 0, total: 0, unit: 'bytes', note: WAITS_FOR_TURN } as const;
    startHeart(progress, { uuid, ...(jobId === undefined ? {} : { jobId }) }).beat(nothing);
    return { waits: true };
  }
  try {
    return await work();
  } finally {
    await turn.end();
  }
}
