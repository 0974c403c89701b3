// An HTTP client for one server that we started ourselves on this machine: no guard, no redirects.
import { Agent } from 'undici';
import { flat, type HttpClient } from './http.js';
import { writeGet } from './http-head.js';
import { openLane } from './lane.js';

const LOOPBACK = { address: '127.0.0.1', family: 4 };

/**
 * @param port on 127.0.0.1; whatever the URL's host is, nothing else is asked
 * @param stallMs longest time without a byte
 */
export function createFixedHttp(port: number, stallMs: number): Pick<HttpClient, 'get' | 'aside' | 'close'> {
  const agent = new Agent({ headersTimeout: stallMs, bodyTimeout: stallMs });
  return {
    async get({ url, authorization }, headers, signal) {
      const answer = await agent.request({
        origin: `http://127.0.0.1:${port}`,
        path: url.pathname + url.search,
        method: 'GET',
        headers: { ...headers, ...(authorization === undefined ? {} : { authorization }) },
        signal,
      });
      answer.body.on('error', () => undefined);
      return { status: answer.statusCode, headers: flat(answer.headers), body: answer.body, url };
    },
    async aside(_origin, { path, headers, place, signal }) {
      const target = { secure: false, host: LOOPBACK.address, port, addresses: [LOOPBACK] };
      return await openLane(target, writeGet(`127.0.0.1:${port}`, path, headers), place, signal);
    },
    close: () => agent.destroy(),
  };
}
