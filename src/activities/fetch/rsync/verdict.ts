// From how rsync ended to a coded failure: its exit code, what it and ssh wrote, and the connection underneath.
import type { FailureCode } from '../../../domain/failure.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { ToolEnd } from '../../../process/run-tool.js';

/** What rsync was asked for: in a transfer everything was there a moment ago. */
export type Asked = 'list' | 'transfer';

interface Sign {
  readonly text: RegExp;
  readonly code: FailureCode | Readonly<Record<Asked, FailureCode>>;
}

/** Said of a file that was listed a moment ago, too. */
const VANISHED = /failed: No such file or directory|failed: Not a directory|file has vanished/;

/** The first sign found counts: what is said about the host comes before what follows from it. */
const SIGNS: readonly Sign[] = [
  { text: /REMOTE HOST IDENTIFICATION HAS CHANGED/, code: 'host_key_changed' },
  { text: /No .* host key is known|Host key verification failed/, code: 'host_key_unknown' },
  { text: /Permission denied \([a-z,-]+\)|Too many authentication failures/, code: 'remote_denied' },
  { text: /Load key .*:|no mutual signature/i, code: 'remote_denied' },
  { text: /@ERROR: (auth failed|access denied|.*not allowed)/i, code: 'remote_denied' },
  { text: /@ERROR: Unknown module/, code: 'remote_not_found' },
  { text: /@ERROR: (chdir|chroot) failed/, code: 'remote_not_found' },
  { text: /@ERROR: max connections/, code: 'remote_broken' },
  { text: /No space left on device|Disk quota exceeded/, code: 'disk_full' },
  { text: /failed verification -- update discarded|read errors mapping/, code: 'file_changed' },
  {
    text: VANISHED,
    code: { list: 'remote_not_found', transfer: 'file_changed' },
  },
  { text: /failed: Permission denied|failed to open .*Permission denied/, code: 'remote_denied' },
  { text: /command not found|rsync: not found|is your shell clean/, code: 'remote_refused' },
];

/** rsync(1), "EXIT VALUES": what may pass when it is tried again. */
const PASSING = new Set([10, 12, 20, 30, 35, 255]);

/**
 * The fault of a run that ended badly.
 * @param connection why there was no connection to the host, if so
 */
export function rsyncFault(asked: Asked, host: string, end: ToolEnd, connection: unknown): Fault {
  if (connection !== undefined) {
    const known = faultOf(connection);
    return known ?? new Fault('remote_broken', `The host ${host} cannot be reached (${wordOf(connection)}).`);
  }
  for (const { text, code } of SIGNS) {
    const line = end.errors.split('\n').find((one) => text.test(one));
    if (line === undefined) continue;
    const facts = text === VANISHED ? { vanished: true } : {};
    return new Fault(typeof code === 'string' ? code : code[asked], saying(host, line), { facts });
  }
  const last = end.errors.trim().split('\n').at(-1) ?? '';
  const how = end.signal === undefined ? `exit code ${end.exitCode}` : `signal ${end.signal}`;
  const passing = end.signal !== undefined || PASSING.has(end.exitCode ?? 0);
  return new Fault(
    passing ? 'remote_broken' : 'program_failed',
    saying(host, `${last} (rsync ended with ${how})`),
  );
}

/** A line that comes from elsewhere: cut, and without control characters. */
const saying = (host: string, line: string): string =>
  `${host}: ${line
    .trim()
    .replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD')
    .slice(0, 400)}`;

function wordOf(error: unknown): string {
  if (typeof error !== 'object' || error === null) return 'no connection';
  return 'code' in error && typeof error.code === 'string' ? error.code : 'no answer in time';
}
