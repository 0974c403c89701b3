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

type Subject = TurnWish & { readonly uuid: string; readonly jobId?: string };

/** The stage's work, or the word that it waits in line, which frees the slot. */
export async function inTurn<T>(
  { turns, progress }: InTurnDeps,
  { uuid, jobId, owner, priority = NORMAL_PRIORITY }: Subject,
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
  if (turn === undefined)
    return sayItWaits(progress, stage, { uuid, ...(jobId === undefined ? {} : { jobId }) });
  try {
    return await work();
  } finally {
    await turn.end();
  }
}

/** Puts the upload in line until there is room for its bytes. */
export async function waitForRoom(
  { turns, progress }: { readonly progress: ProgressSink; readonly turns: Pick<Turns, 'wait'> },
  {
    uuid,
    jobId,
    owner,
    priority = NORMAL_PRIORITY,
  }: Subject & { readonly jobId: string; readonly owner: string },
  bytes: number,
): Promise<Waits> {
  const workflowId = Context.current().info.workflowExecution?.workflowId ?? '';
  await turns.wait({ jobId, owner, workflowId, priority, bytes });
  return sayItWaits(progress, 'fetch', { uuid, jobId });
}

function sayItWaits(progress: ProgressSink, stage: Stage, subject: { uuid: string; jobId?: string }): Waits {
  const nothing = { stage, done: 0, total: 0, unit: 'bytes', note: WAITS_FOR_TURN } as const;
  startHeart(progress, subject).beat(nothing);
  return { waits: true };
}
