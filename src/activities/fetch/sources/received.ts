// Source `received`: bytes that the API has put into staging already.
import { join } from 'node:path';
import { sizeOf } from '../../../bytes/files.js';
import { readReceived } from '../../../bytes/receive.js';
import { quoteName, safeRelativePath } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import type { ReceivedSource } from '../../../domain/source.js';
import type { FetchedFile, SourceDeps, SourceFetcher } from '../source.js';

/** Proves that everything that was received is there; no bytes are moved. */
export function receivedSource({ roots }: SourceDeps): SourceFetcher<ReceivedSource> {
  return {
    kind: 'received',
    async fetch({ source, jobId, staging, advance }) {
      if (source.fault !== undefined) throw new Fault(source.fault.code, source.fault.say);
      const received = await readReceived(roots, jobId);
      if (received === undefined) throw new Fault('upload_interrupted');
      if (received.length === 0) throw new Fault('no_files', 'The upload holds no file.');
      const total = received.reduce((sum, { size }) => sum + size, 0);
      const files: FetchedFile[] = [];
      for (const { path, size, sha256 } of received) {
        const safe = safeRelativePath(path);
        const from = join(staging.files, safe);
        if ((await sizeOf(from)) !== size) {
          throw new Fault('upload_interrupted', `Bytes of the file ${quoteName(path)} are missing.`);
        }
        const announced = sha256 === undefined ? [] : [{ algorithm: 'sha256', hex: sha256 } as const];
        files.push({ path: safe, from, announced });
      }
      advance(total, total, `${files.length} files`);
      return files;
    },
  };
}
