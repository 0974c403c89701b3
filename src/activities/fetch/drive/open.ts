// The Drive adapter of the transfer engine: ranges of a file's content, or the whole of an export.
import type { Validator } from '../../../bytes/journal.js';
import { quoteName } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import type { Announced } from '../source.js';
import { type Opened, type RangeOpener, SourceChanged } from '../transfer/port.js';
import { bytesWanted, readDelivery } from '../url/answer.js';
import type { DriveApi } from './api.js';
import { type DriveFile, lookAgain } from './tree.js';

/** What comes, with the digests of the version that it is of. */
export interface DriveOpened extends Opened {
  readonly announced: readonly Announced[];
}

const WHO = {
  host: 'Google Drive',
  codes: {
    short: 'drive_broken',
    broken: 'drive_broken',
    'unknown host': 'drive_broken',
    changed: 'drive_changed',
  },
} as const;
const WHOLE = bytesWanted(undefined);

/**
 * Google tells no version along with bytes: it is the one that the file had when it was looked at last, and is
 * compared with the file's length in every answer here, and with another look by whoever has all bytes.
 */
export function openContent(api: DriveApi, file: DriveFile): RangeOpener<DriveOpened> {
  let now = file;
  const changed = async (): Promise<SourceChanged> => {
    now = await lookAgain(api, now);
    return new SourceChanged('another length than before');
  };
  return {
    ...WHO,
    async open(asked, _validator, signal) {
      if (now.size === 0) throw new Fault('empty_file', `The file ${quoteName(now.path)} is empty.`);
      const answer = await api.bytes(api.contentOf(now.id), bytesWanted(asked), quoteName(now.path), signal);
      if (answer.status === 416) {
        answer.body.destroy();
        throw await changed();
      }
      const { range, partial, validator } = await readDelivery(answer, asked);
      if (validator.size !== undefined && validator.size !== now.size) {
        answer.body.destroy();
        throw await changed();
      }
      return { body: answer.body, range, partial, validator: versionOf(now), announced: now.announced };
    },
  };
}

/** A document in the format that it becomes; a large one has a link of its own. */
export function openExport(api: DriveApi, file: DriveFile): RangeOpener<Opened> {
  const { mimeType = '', link } = file.exportAs ?? {};
  const thing = quoteName(file.path);
  return {
    ...WHO,
    async open(_asked, _validator, signal) {
      const answer = await api
        .bytes(api.exportOf(file.id, mimeType), WHOLE, thing, signal)
        .catch(async (error: unknown) => {
          if (link === undefined || !(error instanceof Fault) || error.code !== 'drive_refused') throw error;
          return await api.bytes(api.linkOf(link), WHOLE, thing, signal);
        });
      const { range } = await readDelivery(answer, undefined);
      return { body: answer.body, range, partial: false, validator: {} };
    },
  };
}

/** The version of a file as journals and the ledger know it. */
export function versionOf({ version, size }: DriveFile): Validator {
  return { etag: version, ...(size === undefined ? {} : { size }) };
}
