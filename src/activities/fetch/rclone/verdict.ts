// From what rclone complained about, and its exit code, to a coded failure.
import type { FailureCode } from '../../../domain/failure.js';
import { Fault } from '../../../domain/fault.js';
import type { ToolEnd } from '../../../process/run-tool.js';

const SIGNS: readonly { readonly text: RegExp; readonly code: FailureCode }[] = [
  { text: /didn't find section in config file/, code: 'rclone_remote_unknown' },
  {
    text: /decrypt configuration|config(uration)? file .*(password|decrypt)|Failed to load config file/i,
    code: 'rclone_config_broken',
  },
  {
    text: /\b(401|403)\b|AccessDenied|access denied|permission denied|unauthori[sz]ed|forbidden|invalid_grant|InvalidAccessKeyId|SignatureDoesNotMatch|unable to authenticate|insufficientPermissions/i,
    code: 'remote_denied',
  },
  { text: /(directory|object|file) not found|NoSuchBucket|bucket .*not exist/i, code: 'remote_not_found' },
  { text: /no space left on device/i, code: 'disk_full' },
];

/** rclone's docs, "Exit code". */
const BY_EXIT: Readonly<Record<number, FailureCode>> = {
  3: 'remote_not_found',
  4: 'remote_not_found',
  6: 'remote_refused',
  7: 'remote_refused',
};

/** @param errors what it wrote; @param end how it ended */
export function rcloneFault(errors: string, end: ToolEnd): Fault {
  const code = BY_EXIT[end.exitCode ?? -1] ?? 'remote_broken';
  return knownFault(errors) ?? new Fault(code, saying(linesOf(errors).at(-1) ?? ''));
}

/** What its words mean, where it has said something that we know. */
export function knownFault(errors: string): Fault | undefined {
  const lines = linesOf(errors);
  for (const { text, code } of SIGNS) {
    const line = lines.find((one) => text.test(one));
    if (line !== undefined) return new Fault(code, saying(line));
  }
  return undefined;
}

const linesOf = (errors: string): string[] => errors.trim().split('\n');

/** A line that comes from elsewhere: without time, control characters and queries (which may be signed), cut. */
const saying = (line: string): string =>
  `rclone: ${line
    .replace(/^\d{4}\/\d\d\/\d\d \d\d:\d\d:\d\d /, '')
    .replace(/\?[^\s"']*/g, '?…')
    .replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD')
    .slice(0, 400)}`;
