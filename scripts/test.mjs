// npm test: everything that is missing, then all tests on real servers. The last line counts them.
import { existsSync, mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ensureBuild, ensureDependencies, ensureTools, toolVariables } from './bootstrap.mjs';
import { ROOT, run, say } from './run.mjs';
import { ensureSystemTools } from './system-tools.mjs';

/** Our own flags and the variables by which the tests see them; everything else is handed to jest. */
const FLAGS = { '--soak': 'SLUICE_TEST_SOAK', '--record-histories': 'SLUICE_TEST_RECORD_HISTORIES' };

async function main() {
  const args = process.argv.slice(2);
  const flags = Object.fromEntries(args.filter((arg) => arg in FLAGS).map((arg) => [FLAGS[arg], '1']));
  await ensureDependencies();
  await ensureBuild();
  const [found] = await Promise.all([ensureTools(), ensureSystemTools()]);
  const tools = toolVariables(found);
  return runJest(
    args.filter((arg) => !(arg in FLAGS)),
    { ...flags, ...tools },
  );
}

async function runJest(args, variables) {
  const directory = mkdtempSync(join(tmpdir(), 'sluice-jest-'));
  const report = join(directory, 'report.json');
  const nodeOptions = `${process.env.NODE_OPTIONS ?? ''} --experimental-vm-modules --disable-warning=ExperimentalWarning`;
  const jest = join(ROOT, 'node_modules', 'jest', 'bin', 'jest.js');
  const { code } = await run(process.execPath, [jest, ...args, '--json', `--outputFile=${report}`], {
    env: { ...process.env, ...variables, NODE_OPTIONS: nodeOptions.trim() },
  });
  const counts = existsSync(report) ? countsOf(JSON.parse(readFileSync(report, 'utf8'))) : NOTHING_RAN;
  rmSync(directory, { recursive: true });
  return { ...counts, code };
}

/** A file that could not even be loaded counts as one failed test. */
const NOTHING_RAN = { passed: 0, failed: 1, skipped: 0 };
function countsOf(report) {
  return {
    passed: report.numPassedTests,
    failed: report.numFailedTests + report.numRuntimeErrorTestSuites,
    skipped: report.numPendingTests + report.numTodoTests,
  };
}

let outcome = { ...NOTHING_RAN, code: 1 };
try {
  outcome = await main();
} catch (error) {
  say(error.message);
}
process.exitCode = outcome.code === 0 && outcome.failed === 0 && outcome.passed > 0 ? 0 : 1;
process.stdout.write(`${outcome.passed} passed, ${outcome.failed} failed, ${outcome.skipped} skipped\n`);
