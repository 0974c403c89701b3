// The small files that benches send to a whole Sluice.
import { join } from 'node:path';
import { childEnvironment, PROJECT_ROOT } from '../src/config/env.js';
import { provideTool } from '../src/embedded/tools.js';
import { startDaemon } from '../src/process/daemon.js';
import type { Stack } from './stack.js';

/** Writes slice.tif, slices.zip and volume.tif (see peer/small_files.py) into the bench's directory. */
export async function writeSmallFiles({ home, config }: Stack, say: (text: string) => void): Promise<void> {
  const python = await provideTool('python', config, say);
  const script = join(PROJECT_ROOT, 'bench', 'peer', 'small_files.py');
  const env = childEnvironment({});
  const daemon = startDaemon({
    name: 'python',
    command: python.path,
    args: [script, home],
    env,
    logFile: join(home, 'small_files.log'),
  });
  const { code } = await daemon.exited;
  if (code !== 0) throw new Error(`the small files could not be written; see ${daemon.logFile}`);
}
