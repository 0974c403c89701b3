// The HTTP adapter of the transfer engine: a range of a file on the web by GET, Range and If-Range.
import type { HttpClient } from '../../../net/http.js';
import type { RangeOpener } from '../transfer/port.js';
import { type Delivery, ifRange, readDelivery } from './answer.js';

/** @param target the URL, and the Authorization header for its own origin */
export function openUrl(
  http: Pick<HttpClient, 'get'>,
  target: { readonly url: URL; readonly authorization?: string },
): RangeOpener<Delivery> {
  return {
    host: target.url.host,
    async open(asked, validator, signal) {
      const condition = validator === undefined ? undefined : ifRange(validator);
      const headers = {
        accept: '*/*',
        'accept-encoding': 'identity',
        'user-agent': 'sluice',
        ...(asked === undefined ? {} : { range: `bytes=${asked.start}-${asked.end - 1}` }),
        ...(asked === undefined || condition === undefined ? {} : { 'if-range': condition }),
      };
      return await readDelivery(await http.get(target, headers, signal), asked);
    },
  };
}
