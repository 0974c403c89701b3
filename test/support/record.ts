// Records histories for the replay tests: `npm run replay:record` sets SLUICE_TEST_RECORD_HISTORIES.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Client } from '@temporalio/client';
import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';

const VERSION = '0.1.0';

/** Writes the history of a closed workflow as `<name>-<version>.json`, when recording was asked for. */
export async function recordHistory(
  client: Client,
  workflowId: string,
  name: string,
  runId?: string,
): Promise<void> {
  if (process.env['SLUICE_TEST_RECORD_HISTORIES'] === undefined) return;
  const handle = client.workflow.getHandle(workflowId, runId);
  const history = await handle.fetchHistory();
  const started = history.events?.[0]?.workflowExecutionStartedEventAttributes;
  // A reset run replays under the id of the run it was reset from; replay wants its own.
  const own = (await handle.describe()).runId;
  if (started) started.originalExecutionRunId = own;
  const path = join(process.cwd(), 'test/replay/histories', `${name}-${VERSION}.json`);
  writeFileSync(path, `${JSON.stringify(JSON.parse(historyToJSON(history), anonymous))}\n`);
}

/** Replay needs neither the names of a machine nor the paths in stack traces. */
function anonymous(key: string, value: unknown): unknown {
  if (key === 'identity') return 'recorder';
  if (key === 'name' && typeof value === 'string') return value.replace(/^\d+@[^-]+-/, 'recorder-');
  return key === 'stackTrace' ? '' : value;
}
