// Beside every embedded database lies the version of the server that writes it; another one may not open it.
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Fault } from '../domain/fault.js';

const STAMP = 'version.json';

export interface StampedDatabase {
  /** Directory of the database and its stamp. */
  readonly directory: string;
  /** What shows that a database is there, below the directory. */
  readonly data: string;
  readonly server: string;
  readonly version: string;
  /** The setting that names the server's program. */
  readonly variable: string;
}

/**
 * Makes the directory with its stamp, or checks the stamp that is there.
 * @throws Fault `other_database` naming the stamp and the remedy
 */
export function checkStamp(database: StampedDatabase): void {
  const { directory, data, server, version, variable } = database;
  mkdirSync(directory, { recursive: true });
  const path = join(directory, STAMP);
  if (!existsSync(join(directory, data))) {
    writeFileSync(path, `${JSON.stringify({ server, version })}\n`);
    return;
  }
  const found = readStamp(path);
  if (found === version) return;
  throw new Fault(
    'other_database',
    `The database in ${directory} was written by ${server} ${found ?? 'of an unknown version'} (${path}), but this is ${server} ${version}. ` +
      `Name a ${server} of that version in ${variable}, or move ${directory} away to start with an empty one.`,
    { facts: { found, version, stamp: path } },
  );
}

function readStamp(path: string): string | undefined {
  try {
    const stamp: unknown = JSON.parse(readFileSync(path, 'utf8'));
    const hasVersion = typeof stamp === 'object' && stamp !== null && 'version' in stamp;
    return hasVersion ? String(stamp.version) : undefined;
  } catch {
    return undefined;
  }
}
