// The Python environment of the converters, made from the pinned and hashed converters/requirements.txt.
import { createHash } from 'node:crypto';
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { must, onPath, ROOT, run } from './run.mjs';
import { provideDirectory } from './vendor.mjs';

const REQUIREMENTS = join(ROOT, 'converters', 'requirements.txt');
const WANTED = '3.11';

export const python = {
  name: 'python',
  // An interpreter on PATH lacks the packages, so none there will do.
  program: undefined,
  variable: 'SLUICE_PYTHON',
  pinned: WANTED,
  words: 'the Python environment of the converters',
  remedy: `Install Python ${WANTED} with its venv module, or name an interpreter that has the packages of converters/requirements.txt in SLUICE_PYTHON.`,
  accepts: () => true,
  /** src/config/env.ts builds the same name. */
  cachedPath: (cache) => join(cache, `python-${requirementsHash()}`, 'bin', 'python'),
  version: pythonVersion,
  async provide(cache, progress) {
    if (!existsSync(REQUIREMENTS)) throw new Error('converters/requirements.txt is missing');
    const base = await findPython();
    await provideDirectory(join(cache, `python-${requirementsHash()}`), async (work) => {
      progress('installing the packages of the converters (about 250 MB)');
      await must(base, ['-m', 'venv', '--without-pip', work], { capture: true });
      const site = join(work, 'lib', `python${await minor(base)}`, 'site-packages');
      const options = [
        '--require-hashes',
        '--quiet',
        '--no-cache-dir',
        '--disable-pip-version-check',
        '--no-warn-script-location',
      ];
      await must(base, ['-m', 'pip', 'install', ...options, '--target', site, '-r', REQUIREMENTS], {
        capture: true,
      });
    });
  },
};

/**
 * An interpreter that can make environments.
 * @throws Error when there is none
 */
export async function findPython() {
  for (const candidate of [`python${WANTED}`, 'python3'].flatMap(onPath)) {
    if ((await minor(candidate)) !== WANTED) continue;
    if ((await run(candidate, ['-c', 'import venv, pip'], { capture: true })).code === 0) return candidate;
  }
  throw new Error(`no Python ${WANTED} with venv and pip was found on PATH`);
}

async function minor(path) {
  return (await pythonVersion(path))?.split('.').slice(0, 2).join('.');
}

async function pythonVersion(path) {
  const { code, output } = await run(path, ['--version'], { capture: true }).catch(() => ({
    code: 1,
    output: '',
  }));
  return code === 0 ? /Python (\S+)/.exec(output)?.[1] : undefined;
}

function requirementsHash() {
  if (!existsSync(REQUIREMENTS)) return 'none';
  return createHash('sha256').update(readFileSync(REQUIREMENTS)).digest('hex').slice(0, 12);
}
