// From how rsync to a target ended to a coded failure: what the host said, and what an operator can do about it.
import type { RsyncTarget } from '../../../contracts/targets.js';
import type { FailureCode } from '../../../domain/failure.js';
import { Fault } from '../../../domain/fault.js';
import { connectionWord, firstSign, lastWords, mayPass, saying } from '../../rsync/end-words.js';
import type { RsyncEnd } from '../../rsync/run.js';

/** What is said about the host comes before what follows from it. */
const SIGNS: readonly { readonly text: RegExp; readonly code: FailureCode }[] = [
  { text: /REMOTE HOST IDENTIFICATION HAS CHANGED/, code: 'target_untrusted' },
  { text: /No .* host key is known|Host key verification failed/, code: 'target_untrusted' },
  { text: /Permission denied \([a-z,-]+\)|Too many authentication failures/, code: 'target_denied' },
  { text: /Load key .*:|no mutual signature/i, code: 'target_denied' },
  { text: /@ERROR: auth failed/i, code: 'target_denied' },
  { text: /@ERROR: max connections/, code: 'target_unreachable' },
  { text: /@ERROR: /, code: 'target_refused' },
  { text: /No space left on device|Disk quota exceeded/, code: 'target_full' },
  { text: /module is read only|Read-only file system/, code: 'target_refused' },
  { text: /failed: (Permission denied|Operation not permitted)/, code: 'target_refused' },
  { text: /failed: (No such file or directory|Not a directory|File name too long)/, code: 'target_refused' },
  { text: /command not found|rsync: not found|is your shell clean/, code: 'target_refused' },
];

/** The fault of a run that ended badly. */
export function targetFault({ name, host }: RsyncTarget, end: RsyncEnd): Fault {
  if (end.connection !== undefined) {
    const why = connectionWord(end.connection);
    return new Fault('target_unreachable', `The target ${name} cannot be reached (${why}).`);
  }
  const found = firstSign(SIGNS, end);
  if (found !== undefined) return new Fault(found.sign.code, saying(`${name} at ${host}`, found.line));
  const code = mayPass(end) ? 'target_unreachable' : 'program_failed';
  return new Fault(code, saying(`${name} at ${host}`, lastWords(end)));
}
