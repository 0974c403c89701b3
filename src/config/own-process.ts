// How the processes of Sluice are started by Node.
import { join } from 'node:path';
import { PROJECT_ROOT } from './env.js';

/**
 * The API's memory is that of its buffers and of its young objects; these are few, and in 4 MiB they are collected as
 * cheaply as in 16, for 20 MB less (bench upload). Compose tells it by NODE_OPTIONS.
 */
const FLAGS: Readonly<Record<OwnProcess, readonly string[]>> = {
  api: ['--max-semi-space-size=4'],
  worker: [],
};

export type OwnProcess = 'api' | 'worker';

/** Node's arguments for one of them. */
export const ownArguments = (name: OwnProcess): string[] => [
  ...FLAGS[name],
  join(PROJECT_ROOT, 'dist', 'src', 'cli', 'main.js'),
  name,
];
