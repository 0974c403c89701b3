// Whether the disk has room for what is announced, before the first byte of it comes.
import { mkdir } from 'node:fs/promises';
import { freeBytes } from '../bytes/files.js';
import { Fault } from '../domain/fault.js';
import { promisedBytes } from '../store/receivers.js';
import type { ApiDeps } from './deps.js';

/** What unfinished uploads were promised counts as taken. @throws Fault disk_full */
export async function requireSpace({ roots, store }: ApiDeps, bytes: number): Promise<void> {
  await mkdir(roots.in, { recursive: true });
  const free = (await freeBytes(roots.in)) - (await promisedBytes(store));
  if (free >= bytes) return;
  throw new Fault('disk_full', `${bytes} bytes are announced; ${Math.max(0, free)} are free on the disk.`);
}
