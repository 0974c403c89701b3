// What the file system's error codes mean to us.
import { Fault } from '../domain/fault.js';

/** The system's code of an error (`ENOENT`, `ENOSPC` …), if it has one. */
export function errnoOf(error: unknown): string | undefined {
  // Not `instanceof Error`: an error of Node's own may come from another realm (test runners, worker threads).
  if (typeof error !== 'object' || error === null || !('code' in error)) return undefined;
  return typeof error.code === 'string' ? error.code : undefined;
}

/** Whether the error is one of these system codes. */
export function isErrno(error: unknown, ...codes: string[]): boolean {
  const code = errnoOf(error);
  return code !== undefined && codes.includes(code);
}

/** The error itself, or Fault `disk_full` when it says that there is no space (or no quota) left. */
export function diskFault(error: unknown): unknown {
  return isErrno(error, 'ENOSPC', 'EDQUOT') ? new Fault('disk_full', undefined, { cause: error }) : error;
}

/** Does the work and words a full disk. */
export async function onDisk<T>(work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    throw diskFault(error);
  }
}

const GONE = ['ENOENT', 'ENOTDIR', 'EISDIR'];
/** The last two are EUCLEAN and EBADMSG, structures and checksums on the disk that are wrong: Node has no names for them. */
const UNREADABLE = [
  ...['EIO', 'ENODATA', 'EREMOTEIO', 'ELOOP'],
  ...['Unknown system error -117', 'Unknown system error -74'],
];

/** What an error at reading a file says of the file; undefined when it says something of the system. */
export function damageOf(error: unknown): 'missing' | 'unreadable' | undefined {
  if (isErrno(error, ...GONE)) return 'missing';
  return isErrno(error, ...UNREADABLE) ? 'unreadable' : undefined;
}
