// Bundles the workflows into dist/workflows.bundle.js, so that a worker starts without bundling.
import { existsSync, renameSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { ROOT } from './run.mjs';

const entry = join(ROOT, 'dist', 'src', 'workflows', 'index.js');
const target = process.argv[2] ?? join(ROOT, 'dist', 'workflows.bundle.js');

if (existsSync(entry)) {
  const { bundleWorkflowCode } = await import('@temporalio/worker');
  const quiet = { trace() {}, debug() {}, info() {}, log() {}, warn: console.error, error: console.error };
  const { code } = await bundleWorkflowCode({ workflowsPath: entry, logger: quiet });
  writeFileSync(`${target}.${process.pid}`, code);
  renameSync(`${target}.${process.pid}`, target);
}
