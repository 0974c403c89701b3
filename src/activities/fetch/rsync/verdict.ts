// From how rsync ended to a coded failure: its exit code, what it and ssh wrote, and the connection underneath.
import type { FailureCode } from '../../../domain/failure.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import { connectionWord, firstSign, lastWords, mayPass, saying } from '../../rsync/end-words.js';
import type { RsyncEnd } from '../../rsync/run.js';

/** What rsync was asked for: in a transfer everything was there a moment ago. */
export type Asked = 'list' | 'transfer';

interface Sign {
  readonly text: RegExp;
  readonly code: FailureCode | Readonly<Record<Asked, FailureCode>>;
}

/** Said of a file that was listed a moment ago, too. */
const VANISHED = /failed: No such file or directory|failed: Not a directory|file has vanished/;

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

/** The fault of a run that ended badly. */
export function rsyncFault(asked: Asked, host: string, end: RsyncEnd): Fault {
  const { connection } = end;
  if (connection !== undefined) {
    const words = `The host ${host} cannot be reached (${connectionWord(connection)}).`;
    return faultOf(connection) ?? new Fault('remote_broken', words);
  }
  const found = firstSign(SIGNS, end);
  if (found === undefined)
    return new Fault(mayPass(end) ? 'remote_broken' : 'program_failed', saying(host, lastWords(end)));
  const { text, code } = found.sign;
  const facts = text === VANISHED ? { vanished: true } : {};
  return new Fault(typeof code === 'string' ? code : code[asked], saying(host, found.line), { facts });
}
