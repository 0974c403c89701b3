// What errors of Temporal's client mean to a caller of ours.
import { isGrpcServiceError } from '@temporalio/client';
import { Fault } from '../domain/fault.js';

/** gRPC: deadline, resource exhausted, aborted, unavailable. */
const AWAY = [4, 8, 10, 14];

/** Does the call; a server that is away or overloaded becomes Fault engine_unavailable. */
export async function onEngine<T>(call: () => Promise<T>): Promise<T> {
  try {
    return await call();
  } catch (error) {
    throw isAway(error) ? new Fault('engine_unavailable', undefined, { cause: error }) : error;
  }
}

/** Whether the error, or one that caused it, says that Temporal could not be reached. */
function isAway(error: unknown): boolean {
  // A deadline in an Update means that no worker answered, which is no fault of the server.
  if (error instanceof Error && error.name === 'WorkflowUpdateRPCTimeoutOrCancelledError') return false;
  for (let at: unknown = error; at instanceof Error; at = at.cause) {
    if (isGrpcServiceError(at)) return AWAY.includes(at.code);
    if (/Failed to connect before the deadline/i.test(at.message)) return true;
  }
  return false;
}
