// The S3 adapter of the transfer engine: a range of an object by signed GET, Range and If-Match.
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import type { RangeOpener } from '../transfer/port.js';
import { bytesWanted, type Delivery, readAside, readDelivery } from '../url/answer.js';
import { S3_CODES } from './problem.js';
import type { S3Store } from './store.js';

export function openObject(store: S3Store, key: string): RangeOpener<Delivery> {
  return {
    host: store.host,
    codes: S3_CODES,
    async open(asked, validator, signal) {
      return await readDelivery(await store.get(key, headersFor(asked, validator), signal), asked);
    },
    async aside(asked, { validator }, file, signal) {
      const place = { file, offset: asked.start };
      return readAside(await store.aside(key, headersFor(asked, validator), place, signal), asked);
    },
  };
}

function headersFor(asked: Range | undefined, validator: Validator | undefined): Record<string, string> {
  return {
    ...bytesWanted(asked),
    ...(validator?.etag === undefined ? {} : { 'if-match': validator.etag }),
  };
}
