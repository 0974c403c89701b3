#!/usr/bin/env node
// The command `sluice`: installs and builds what is missing, then hands over in the same process.
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import { ensureBuild, ensureDependencies } from './bootstrap.mjs';
import { ROOT, say } from './run.mjs';

/** A system broke (exit codes: 0 done, 1 content failed, 2 wrong usage, 3 system). */
const SYSTEM = 3;

/** `--run <file>` hands over to another program of the build (npm run bench). */
function program() {
  const [, , flag, file] = process.argv;
  if (flag !== '--run' || file === undefined) return join(ROOT, 'dist', 'src', 'cli', 'main.js');
  process.argv.splice(2, 2);
  return resolve(ROOT, file);
}

try {
  await ensureDependencies();
  await ensureBuild();
} catch (error) {
  say(error.message);
  process.exit(SYSTEM);
}
const main = program();
process.argv[1] = main;
await import(pathToFileURL(main).href);
