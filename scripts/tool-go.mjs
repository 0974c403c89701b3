// Builds a Go program where its vendor cannot be reached; Go's checksum database proves the sources.
import { rename } from 'node:fs/promises';
import { join } from 'node:path';
import { must, onPath, withElapsed } from './run.mjs';

/**
 * Builds a program into a directory.
 * @param {string} work the directory
 * @param {(text: string) => void} progress
 * @param {{module: string, program: string, variables: Record<string, string>, minutes: number}} what the package with
 *   its version, the name of its program, the variables that tell it its version, and how long it takes on two cores
 */
export async function buildWithGo(work, progress, { module, program, variables, minutes }) {
  const [go] = onPath('go');
  if (go === undefined) throw new Error('the vendor cannot be reached and Go is not installed');
  let packages = 0;
  const count = (text) => {
    packages += text.split('\n').length - 1;
  };
  const told = Object.entries(variables).map(([name, value]) => ` -X ${name}=${value}`);
  const flags = ['-v', `-ldflags=-s -w${told.join('')}`];
  const env = { ...process.env, GOBIN: join(work, 'bin'), CGO_ENABLED: '0' };
  progress(`building it with Go (about ${minutes} minutes on two cores; kept for the next time)`);
  await withElapsed(
    (seconds) => progress(`building, ${seconds} s${packages > 0 ? `, ${packages} packages compiled` : ''}`),
    () => must(go, ['install', ...flags, module], { env, cwd: work, onOutput: count }),
  );
  await rename(join(work, 'bin', program), join(work, program));
}
