// Source `rclone`: any remote that rclone knows. rclone lists and serves it, the transfer engine fetches by ranges.
import { posix } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { quoteName } from '../../../bytes/safe-names.js';
import type { FailureCode } from '../../../domain/failure.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { RcloneSource } from '../../../domain/source.js';
import { createFixedHttp } from '../../../net/fixed-http.js';
import { endProgramsIn } from '../../../process/run-tool.js';
import { expectVersion, LONGEST_SILENCE_MS, runRclone, type Serving, whileServing } from '../rclone/child.js';
import { ListReader, type RcloneFile } from '../rclone/list.js';
import { expectRemote } from '../rclone/remotes.js';
import { knownFault } from '../rclone/verdict.js';
import type {
  FetchContext,
  FetchedFile,
  Paused,
  RcloneSettings,
  SourceDeps,
  SourceFetcher,
  TransferSettings,
} from '../source.js';
import { type TransferItem, transferFiles } from '../transfer/files.js';
import type { GivenUp, RangeOpener } from '../transfer/port.js';
import type { Delivery } from '../url/answer.js';
import { openUrl } from '../url/open.js';

type Context = FetchContext<RcloneSource>;

const LONGEST_PAUSE_MS = 10_000;

export function rcloneSource({ rclone, transfer }: SourceDeps): SourceFetcher<RcloneSource> {
  return {
    kind: 'rclone',
    async fetch(context) {
      if (rclone === undefined) throw new Fault('rclone_not_configured');
      await endProgramsIn(context.staging.root);
      try {
        return await context.waiting(bring(rclone, transfer, context), LONGEST_SILENCE_MS);
      } catch (error) {
        if (!context.signal.aborted) throw error;
        return { paused: true, confirmed: context.confirmed() };
      }
    },
  };
}

/** A file that is written while it is read breaks the transfer in many ways; the next list shows whether it was that. */
function mayBeChange(error: unknown): boolean {
  const code = faultOf(error)?.code;
  return code === 'file_changed' || code === 'remote_broken';
}

interface Listed {
  /** `remote:path` of the directory that the names start at. */
  readonly place: string;
  readonly files: readonly RcloneFile[];
}

/** What changed while it was fetched is fetched once more; what changes again is a failure. */
async function bring(
  rclone: RcloneSettings,
  transfer: TransferSettings,
  context: Context,
): Promise<readonly FetchedFile[] | Paused> {
  await expectVersion(rclone, context);
  await expectRemote(rclone, context, context.source.remote);
  let listed = await patiently(transfer, context, () => list(rclone, context));
  for (let round = 0; round < 2; round++) {
    const { place, files } = listed;
    const asked: Asked = { name: '' };
    const fetched = await whileServing(rclone, context, place, (serving) =>
      fetchAll(transfer, context, { files, serving, asked }).catch(async (error: unknown) => {
        throw await reasonOf(error, rclone, context, { place, serving, asked });
      }),
    ).catch((error: unknown) => {
      if (round === 0 && mayBeChange(error) && !context.signal.aborted) return { failure: error };
      throw error;
    });
    if ('paused' in fetched) return fetched;
    const after = await patiently(transfer, context, () => list(rclone, context));
    const isUnchanged = isSame(listed.files, after.files);
    if ('failure' in fetched && isUnchanged) throw fetched.failure;
    if (!('failure' in fetched) && isUnchanged) return fetched;
    listed = after;
  }
  throw new Fault('file_changed', 'Files of the remote changed while they were fetched.');
}

async function list(rclone: RcloneSettings, context: Context): Promise<Listed> {
  const { remote, path } = context.source;
  const place = `${remote}:${path}`;
  let stat = '';
  const reader = new ListReader();
  const args = ['-R', '--files-only', '--hash', '--no-mimetype', '--', place];
  // Both to their end: none may be at work when what failed is cleaned up.
  const runs = await Promise.allSettled([
    runRclone(rclone, context, ['lsjson', '--stat', '--', place], (bytes) => {
      stat += bytes.toString();
    }),
    runRclone(rclone, context, ['lsjson', ...args], (bytes) => reader.push(bytes)),
  ]);
  for (const run of runs) if (run.status === 'rejected') throw run.reason;
  const isDirectory = (JSON.parse(stat) as { IsDir?: unknown } | null)?.IsDir === true;
  const { files } = reader;
  if (files.length === 0) throw new Fault('no_files', `There is no file in ${quoteName(place)}.`);
  const above = posix.dirname(path);
  return { place: isDirectory ? place : `${remote}:${above === '.' ? '' : above}`, files };
}

async function fetchAll(
  transfer: TransferSettings,
  context: Context,
  { files, serving, asked }: Served & { readonly files: readonly RcloneFile[] },
): Promise<readonly FetchedFile[] | Paused> {
  const http = createFixedHttp(serving.port, transfer.stallMs);
  const items = files.map((file): TransferItem<Delivery> => {
    const { path, size, modified, announced } = file;
    const url = new URL(`http://rclone/${file.name.split('/').map(encodeURIComponent).join('/')}`);
    const opener = openUrl(http, { url, authorization: serving.authorization });
    return {
      path,
      size,
      version: { size, lastModified: modified },
      opener: worded(opener, file, context, asked),
      announced,
    };
  });
  try {
    return await transferFiles(context, transfer, items);
  } finally {
    await http.close();
  }
}

/**
 * rclone's server answers every trouble of a remote alike, and a file that it could not open by none of its bytes. What
 * it was stands in its log at best; else it says so when it is asked for a byte of that file by itself.
 */
async function reasonOf(
  error: unknown,
  rclone: RcloneSettings,
  context: Context,
  { place, serving, asked }: Served & { readonly place: string },
): Promise<unknown> {
  if (faultOf(error)?.code !== 'remote_broken' || context.signal.aborted) return error;
  const known = knownFault(serving.errors());
  if (known !== undefined) return known;
  const file = `${place}${place.endsWith(':') ? '' : '/'}${asked.name}`;
  const args = ['cat', '--count=1', '--low-level-retries=1', '--', file];
  return await runRclone(rclone, context, args, () => undefined).then(
    () => error,
    (reason: unknown) => (faultOf(reason)?.code === 'remote_broken' ? error : reason),
  );
}

/** The file that was asked for last, as the remote names it: the one that ended the transfer, if one did. */
interface Asked {
  name: string;
}

interface Served {
  readonly serving: Serving;
  readonly asked: Asked;
}

const CODES: Readonly<Record<GivenUp, FailureCode>> = {
  short: 'remote_broken',
  broken: 'remote_broken',
  'unknown host': 'remote_broken',
  changed: 'file_changed',
};

/** rclone's server is no URL of a person: its refusals are said in the words of remotes. */
function worded(
  opener: RangeOpener<Delivery>,
  file: RcloneFile,
  { source }: Context,
  newest: Asked,
): RangeOpener<Delivery> {
  return {
    host: source.remote,
    codes: CODES,
    ...(opener.aside === undefined ? {} : { aside: opener.aside }),
    async open(asked, validator, signal) {
      newest.name = file.name;
      try {
        return await opener.open(asked, validator, signal);
      } catch (error) {
        const code = faultOf(error)?.code;
        if (code === 'url_not_found') {
          throw new Fault('file_changed', `The file ${quoteName(file.path)} is no longer there.`);
        }
        if (code?.startsWith('url_') === true) throw new Fault('remote_broken', undefined, { cause: error });
        throw error;
      }
    },
  };
}

/** Tries again what a broken connection may have ended. */
async function patiently<T>(
  { tries, backOffMs }: TransferSettings,
  { signal }: Context,
  work: () => Promise<T>,
): Promise<T> {
  for (let failed = 1; ; failed++) {
    try {
      return await work();
    } catch (error) {
      signal.throwIfAborted();
      if (faultOf(error)?.code !== 'remote_broken' || failed >= tries) throw error;
    }
    await sleep(Math.min(backOffMs * 2 ** failed, LONGEST_PAUSE_MS), undefined, { signal });
  }
}

function isSame(before: readonly RcloneFile[], after: readonly RcloneFile[]): boolean {
  const line = ({ name, size, modified }: RcloneFile): string => JSON.stringify([name, size, modified]);
  const known = new Set(before.map(line));
  return before.length === after.length && after.every((file) => known.has(line(file)));
}
