// npm run check: everything that can be known without running servers; stops at the first failure.
import { join } from 'node:path';
import { ensureBuild, ensureDependencies } from './bootstrap.mjs';
import { ROOT, run, say } from './run.mjs';

const tool = (path, ...args) => [process.execPath, [join(ROOT, 'node_modules', path), ...args]];

const STEPS = [
  [
    'format and lint',
    ...tool('@biomejs/biome/bin/biome', 'ci', '--error-on-warnings', '--diagnostic-level=warn', '.'),
  ],
  ['typed lint', ...tool('eslint/bin/eslint.js', '--max-warnings=0', '.')],
  ['types', ...tool('typescript/bin/tsc', '-p', '.', '--noEmit')],
  ['boundaries', ...tool('dependency-cruiser/bin/dependency-cruise.mjs', 'src', '--config')],
  ['dead code', ...tool('knip/bin/knip.js')],
  ['workflow bundle', ensureBuild],
  ['replay', ...tool('jest/bin/jest.js', 'test/replay')],
];

const ENVIRONMENT = {
  ...process.env,
  NODE_OPTIONS:
    `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`.trim(),
  SLUICE_TEST_SERVERS: 'none',
};

/** @returns whether the step passed */
async function step([name, command, args]) {
  const start = performance.now();
  const passed = await attempt(command, args);
  const seconds = ((performance.now() - start) / 1000).toFixed(1);
  say(`${passed ? 'ok    ' : 'FAILED'}  ${name} (${seconds} s)`);
  return passed;
}

async function attempt(command, args) {
  try {
    if (typeof command === 'function') await command();
    else return (await run(command, args, { env: ENVIRONMENT })).code === 0;
    return true;
  } catch (error) {
    say(error.message);
    return false;
  }
}

await ensureDependencies();
for (const one of STEPS) {
  if (await step(one)) continue;
  process.exitCode = 1;
  break;
}
