// Brings a clone into a state in which it can run: dependencies, build, tools. Works before node_modules exists.
import { createHash } from 'node:crypto';
import { existsSync, mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import { pathToFileURL } from 'node:url';
import { withLock } from './lock.mjs';
import { lockFile, must, ROOT, run, say } from './run.mjs';

export { ensureTools, toolVariables } from './tools.mjs';

const DIST = join(ROOT, 'dist');
const BUILD_STAMP = join(DIST, '.stamp');
const DEPENDENCIES_STAMP = join(ROOT, 'node_modules', '.sluice-stamp');

/** Installs the packages of package-lock.json when they are not there or not those. */
export async function ensureDependencies() {
  if (dependenciesFit()) return;
  await withLock(
    lockFile('dependencies'),
    async () => {
      if (dependenciesFit()) return;
      say('installing the packages of package-lock.json (once; about a minute)');
      await must('npm', ['ci', '--include=dev', '--no-audit', '--no-fund', '--loglevel=error']);
      writeFileSync(DEPENDENCIES_STAMP, dependenciesStamp());
    },
    () => say('another process is installing the packages; waiting for it'),
  );
}

/** Compiles the sources into dist/ and bundles the workflows, when a source changed. */
export async function ensureBuild() {
  if (readOr(BUILD_STAMP) === buildStamp()) return;
  await withLock(
    lockFile('build'),
    async () => {
      const stamp = buildStamp();
      if (readOr(BUILD_STAMP) !== stamp) await build(stamp);
    },
    () => say('another process is building; waiting for it'),
  );
}

async function build(stamp) {
  say('building');
  rmSync(BUILD_STAMP, { force: true });
  mkdirSync(DIST, { recursive: true });
  await compile();
  removeOrphans();
  await must(process.execPath, [join(ROOT, 'scripts', 'bundle-workflows.mjs')]);
  writeFileSync(BUILD_STAMP, stamp);
}

async function compile() {
  const tsc = join(ROOT, 'node_modules', 'typescript', 'bin', 'tsc');
  const { code, output } = await run(process.execPath, [tsc, '-p', 'tsconfig.build.json'], { capture: true });
  if (code === 0) return;
  process.stderr.write(output);
  throw new Error('the sources do not compile');
}

/** Removes what deleted or renamed sources left in dist/. */
function removeOrphans() {
  for (const file of filesBelow(DIST, /\.js$/)) {
    const name = relative(DIST, file);
    const source = join(ROOT, name.replace(/\.js$/, '.ts'));
    if (!/^(src|bench)\//.test(name) || existsSync(source)) continue;
    rmSync(file);
    rmSync(`${file}.map`, { force: true });
  }
}

function buildStamp() {
  const hash = createHash('sha256').update(process.versions.node);
  const sources = ['src', 'bench'].flatMap((directory) =>
    filesBelow(join(ROOT, directory), /\.(ts|html|css|js|json)$/),
  );
  const settings = ['tsconfig.json', 'tsconfig.build.json', 'package-lock.json'].map((name) =>
    join(ROOT, name),
  );
  for (const file of [...settings, ...sources].sort()) {
    hash.update(`\0${relative(ROOT, file)}\0`).update(readOr(file) ?? '');
  }
  return hash.digest('hex');
}

function dependenciesFit() {
  if (!existsSync(join(ROOT, 'node_modules'))) return false;
  const stamp = dependenciesStamp();
  if (readOr(DEPENDENCIES_STAMP) === stamp) return true;
  if (!installedIsLocked()) return false;
  writeFileSync(DEPENDENCIES_STAMP, stamp);
  return true;
}

function dependenciesStamp() {
  return createHash('sha256')
    .update(readOr(join(ROOT, 'package-lock.json')) ?? '')
    .digest('hex');
}

/** Whether npm's own record of node_modules says what the lock file says (after `npm install`, for example). */
function installedIsLocked() {
  const installed = parse(readOr(join(ROOT, 'node_modules', '.package-lock.json')))?.packages;
  const locked = parse(readOr(join(ROOT, 'package-lock.json')))?.packages;
  if (installed === undefined || locked === undefined) return false;
  const missing = Object.entries(locked).some(
    ([path, entry]) => path !== '' && !entry.optional && !entry.devOptional && installed[path] === undefined,
  );
  const differs = Object.entries(installed).some(([path, entry]) => locked[path]?.version !== entry.version);
  return !missing && !differs;
}

function filesBelow(directory, pattern) {
  if (!existsSync(directory)) return [];
  return readdirSync(directory, { withFileTypes: true }).flatMap((entry) => {
    const path = join(directory, entry.name);
    if (entry.isDirectory()) return filesBelow(path, pattern);
    return pattern.test(entry.name) ? [path] : [];
  });
}

function readOr(path) {
  try {
    return readFileSync(path, 'utf8');
  } catch {
    return undefined;
  }
}

function parse(text) {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}

/** Run on its own it does all of it. */
if (import.meta.url === pathToFileURL(process.argv[1] ?? '').href) {
  await ensureDependencies();
  await ensureBuild();
}
