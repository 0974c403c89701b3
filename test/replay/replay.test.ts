// Recorded histories replay without a server; one that was changed on purpose does not.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { beforeAll, expect, test } from '@jest/globals';
import { DefaultLogger, Runtime, Worker } from '@temporalio/worker';
import { DeterminismViolationError } from '@temporalio/workflow';

const DIRECTORY = join(process.cwd(), 'test/replay/histories');
const BUNDLE = join(process.cwd(), 'dist/workflows.bundle.js');
const files = readdirSync(DIRECTORY).filter((name) => name.endsWith('.json'));

interface History {
  events: {
    eventId: string;
    workflowExecutionStartedEventAttributes?: { originalExecutionRunId: string };
    activityTaskScheduledEventAttributes?: { activityType: { name: string } };
  }[];
}
const load = (name: string): History => JSON.parse(readFileSync(join(DIRECTORY, name), 'utf8')) as History;

/** `<workflow>-<what happened>-<version>.json` has an id of that workflow. */
async function replay(name: string, history: History): Promise<void> {
  const id = `${name.slice(0, name.indexOf('-'))}:replayed`;
  await Worker.runReplayHistory({ workflowBundle: { codePath: BUNDLE } }, history, id);
}

beforeAll(() => {
  Runtime.install({ logger: new DefaultLogger('ERROR') });
});

test.each(['dataset', 'upload', 'job'])('there are histories of workflow %s', (workflow) => {
  expect(files.some((name) => name.startsWith(`${workflow}-`))).toBe(true);
});

test.each(files)('%s replays', async (name) => {
  await replay(name, load(name));
});

test('a history whose conversion became something else is refused', async () => {
  const name = files.find((file) => file.startsWith('dataset-done')) ?? '';
  const history = load(name);
  for (const event of history.events) {
    const activity = event.activityTaskScheduledEventAttributes?.activityType;
    if (activity?.name === 'convertDataset') activity.name = 'validateProduct';
  }
  await expect(replay(name, history)).rejects.toThrow(DeterminismViolationError);
});
