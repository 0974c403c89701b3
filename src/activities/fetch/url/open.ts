// The HTTP adapter of the transfer engine: a range of a file on the web by GET, Range and If-Range.
import type { Validator } from '../../../bytes/journal.js';
import type { Range } from '../../../bytes/ranges.js';
import type { HttpClient } from '../../../net/http.js';
import type { RangeOpener } from '../transfer/port.js';
import { bytesWanted, type Delivery, ifRange, readAside, readDelivery } from './answer.js';

/** @param target the URL, and the Authorization header for its own origin */
export function openUrl(
  http: Pick<HttpClient, 'get' | 'aside'>,
  target: { readonly url: URL; readonly authorization?: string },
): RangeOpener<Delivery> {
  return {
    host: target.url.host,
    async open(asked, validator, signal) {
      return await readDelivery(await http.get(target, headersFor(asked, validator), signal), asked);
    },
    async aside(asked, { answer: { url }, validator }, file, signal) {
      const headers = {
        ...headersFor(asked, validator),
        ...(url.origin === target.url.origin && target.authorization !== undefined
          ? { authorization: target.authorization }
          : {}),
      };
      const place = { file, offset: asked.start };
      const path = url.pathname + url.search;
      return readAside(await http.aside(url, { path, headers, place, signal }), asked);
    },
  };
}

function headersFor(asked: Range | undefined, validator: Validator | undefined): Record<string, string> {
  const condition = validator === undefined ? undefined : ifRange(validator);
  return {
    ...bytesWanted(asked),
    ...(asked === undefined || condition === undefined ? {} : { 'if-range': condition }),
  };
}
