// Source `rsync`: a daemon's module or a directory over ssh, by rsync itself; what it keeps is where the next run goes on.
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { freeBytes } from '../../../bytes/files.js';
import { quoteName } from '../../../bytes/safe-names.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { RsyncSource } from '../../../domain/source.js';
import { endProgramsIn } from '../../../process/run-tool.js';
import { LONGEST_SILENCE_MS, newestBytes } from '../../rsync/run.js';
import { fetchByRsync } from '../rsync/child.js';
import { ListReader, PARTIAL_DIR, type RemoteList } from '../rsync/list.js';
import { rsyncPlace, type Staged, type Survey, survey, takeOver } from '../rsync/staged.js';
import type { FetchContext, FetchedFile, SourceDeps, SourceFetcher } from '../source.js';

const LONGEST_PAUSE_MS = 10_000;

export function rsyncSource(deps: SourceDeps): SourceFetcher<RsyncSource> {
  return {
    kind: 'rsync',
    async fetch(context) {
      // rsync outlives a killed worker for the moment in which it puts its partial file aside.
      await endProgramsIn(context.staging.root);
      const seen: Seen = {};
      try {
        return await context.waiting(patiently(deps, context, seen), LONGEST_SILENCE_MS);
      } catch (error) {
        if (!context.signal.aborted) throw error;
        const { whole, kept } = await surveySeen(context, seen);
        return { paused: true, confirmed: whole + kept };
      }
    },
  };
}

/** The newest list, for what is told about a pause. */
interface Seen {
  list?: RemoteList;
}

/** Tries again while something new comes. */
async function patiently(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  seen: Seen,
): Promise<readonly FetchedFile[]> {
  const { tries, backOffMs } = deps.transfer;
  for (let inVain = 0, before = -1; ; ) {
    try {
      return await bring(deps, context, seen);
    } catch (error) {
      context.signal.throwIfAborted();
      if (faultOf(error)?.code !== 'remote_broken') throw error;
      const { whole, kept } = await surveySeen(context, seen);
      inVain = whole + kept > before ? 1 : inVain + 1;
      before = whole + kept;
      if (inVain >= tries) throw error;
    }
    await sleep(Math.min(backOffMs * 2 ** inVain, LONGEST_PAUSE_MS), undefined, { signal: context.signal });
  }
}

/** What changed between list and transfer is listed once more; what changes again is a failure. */
async function bring(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  seen: Seen,
): Promise<readonly FetchedFile[]> {
  let left: Survey | undefined;
  for (let round = 0; round < 2; round++) {
    const list = await listFiles(deps, context);
    seen.list = list;
    context.leaveOut(list.leftOut);
    const staged = stagedOf(context, list);
    const before = await survey(staged, list.files);
    if (before.missing.length > 0) await transferOnce(deps, context, list, before, round === 0);
    left = before.missing.length > 0 ? await survey(staged, list.files) : before;
    if (left.missing.length > 0) continue;
    context.advance(left.whole, left.whole, noteOf(list));
    return await takeOver(staged, list.files);
  }
  const name = left?.missing[0]?.name ?? '';
  throw new Fault('file_changed', `The file ${quoteName(name)} changed while it was read.`);
}

/** A file that changes while it is read is no failure yet when it can be listed anew; one that vanishes is. */
async function transferOnce(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  list: RemoteList,
  before: Survey,
  mayChange: boolean,
): Promise<void> {
  try {
    await transfer(deps, context, list, before);
  } catch (error) {
    const fault = faultOf(error);
    if (!mayChange || fault?.code !== 'file_changed' || fault.facts.vanished === true) throw error;
  }
}

async function listFiles(deps: SourceDeps, context: FetchContext<RsyncSource>): Promise<RemoteList> {
  const reader = new ListReader();
  await fetchByRsync(deps, context, {
    asked: 'list',
    args: ['-r', '--list-only'],
    path: context.source.path,
    onOutput: (bytes) => reader.push(bytes),
  });
  return reader.end(context.source.leavesOut === true);
}

async function transfer(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  list: RemoteList,
  { missing, whole, kept }: Survey,
): Promise<void> {
  const { staging } = context;
  const { top, way } = placesOf(context.source, list);
  const total = list.files.reduce((sum, { size }) => sum + size, 0);
  await context.admit(total);
  const target = join(rsyncPlace(staging), 'tree');
  await mkdir(target, { recursive: true });
  if ((await freeBytes(target)) < total - whole - kept) throw new Fault('disk_full');
  let told = Math.max(context.confirmed(), whole + kept);
  const tell = (bytes: number): void => {
    told = Math.min(total, Math.max(told, bytes));
    context.advance(told, total, noteOf(list));
  };
  tell(0);
  const wanted = join(rsyncPlace(staging), 'wanted');
  await writeFile(wanted, missing.map(({ name }) => `${way}${name}\0`).join(''));
  await fetchByRsync(deps, context, {
    asked: 'transfer',
    args: [...TRANSFER, ...(list.single ? [] : ['--from0', `--files-from=${wanted}`])],
    path: top,
    target: `${target}/`,
    onOutput: (bytes) => tell(whole + (newestBytes(bytes) ?? 0)),
  });
}

/**
 * Where rsync is to start, and the way from there to the names of the list. At a daemon it starts at the module:
 * some versions (3.5.0) lose a way below it on the way from the list of names to the file, and send another one.
 */
function placesOf({ via, path }: RsyncSource, { single }: RemoteList): { top: string; way: string } {
  if (single) return { top: path, way: '' };
  const [module = '', ...parts] = path.split('/');
  if (via === 'daemon') return { top: `${module}/`, way: parts.map((part) => `${part}/`).join('') };
  return { top: path.endsWith('/') ? path : `${path}/`, way: '' };
}

const stagedOf = ({ staging, source }: FetchContext<RsyncSource>, list: RemoteList): Staged => ({
  staging,
  tree: join(rsyncPlace(staging), 'tree', placesOf(source, list).way),
});

async function surveySeen(context: FetchContext<RsyncSource>, { list }: Seen): Promise<Survey> {
  if (list === undefined) return { missing: [], whole: 0, kept: 0 };
  return await survey(stagedOf(context, list), list.files);
}

/** Files and directories only, with their times (which say what is whole) and with modes that we can read. */
const TRANSFER = [
  '-t',
  '--chmod=D755,F644',
  '--no-links',
  '--no-devices',
  '--no-specials',
  '--no-inc-recursive',
  `--partial-dir=${PARTIAL_DIR}`,
  '--info=progress2,flist0,stats0',
];

const noteOf = ({ files, leftOut, single }: RemoteList): string => {
  const out = leftOut.length === 0 ? '' : `, ${leftOut.length} left out`;
  return single ? (files[0]?.path ?? '') : `${files.length} files${out}`;
};
