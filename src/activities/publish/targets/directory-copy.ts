// Copies a file of a product onto another disk, from where an earlier attempt stopped.
import { constants } from 'node:fs';
import { type FileHandle, open } from 'node:fs/promises';
import type { Target } from '../../../contracts/targets.js';
import type { Outgoing } from './publisher.js';

const CHUNK = 4 * 1024 * 1024;

/**
 * Writes what `from` has behind `at` to the end of `to`, which has so many bytes already, and syncs it.
 * @throws the system's error; the signal's reason
 */
export async function appendFile(
  from: string,
  to: string,
  at: number,
  { signal, pace, advance }: Pick<Outgoing<Target>, 'signal' | 'pace' | 'advance'>,
): Promise<void> {
  const source = await open(from);
  try {
    const sink = await open(to, constants.O_WRONLY | constants.O_CREAT | constants.O_NOFOLLOW, 0o644);
    try {
      const buffer = Buffer.allocUnsafe(CHUNK);
      for (let place = at; ; ) {
        signal.throwIfAborted();
        const { bytesRead } = await source.read(buffer, 0, CHUNK, place);
        if (bytesRead === 0) break;
        await pace(bytesRead);
        await writeAll(sink, buffer.subarray(0, bytesRead), place);
        place += bytesRead;
        advance(bytesRead, '');
      }
      await sink.sync();
    } finally {
      await sink.close();
    }
  } finally {
    await source.close();
  }
}

async function writeAll(sink: FileHandle, bytes: Buffer, place: number): Promise<void> {
  for (let done = 0; done < bytes.length; )
    done += (await sink.write(bytes, done, bytes.length - done, place + done)).bytesWritten;
}
