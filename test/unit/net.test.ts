// URLs: which addresses may be reached, and that secrets are split off and never travel to another origin.
import { setMaxListeners } from 'node:events';
import { createServer, type IncomingMessage, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import { createGuardedFetch } from '../../src/net/guarded-fetch.js';
import { createHttp, joinUrl, splitUrl } from '../../src/net/http.js';
import { createUrlGuard, isAllowedAddress } from '../../src/net/url-guard.js';

const servers: Server[] = [];
afterEach(async () => {
  for (const server of servers.splice(0)) {
    server.closeAllConnections();
    await new Promise((done) => server.close(done));
  }
});

/** A server that redirects `/to?<url>` and otherwise tells what it heard. */
async function serve(): Promise<{ port: number; heard: IncomingMessage[] }> {
  const heard: IncomingMessage[] = [];
  const server = createServer((request, response) => {
    heard.push(request);
    if (request.url === '/circle') return void response.writeHead(302, { location: '/circle' }).end();
    const to = /^\/to\?(.*)$/.exec(request.url ?? '')?.[1];
    if (to === undefined) response.end('here');
    else response.writeHead(302, { location: decodeURIComponent(to) }).end();
  });
  servers.push(server);
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  return { port: (server.address() as AddressInfo).port, heard };
}

const signal = new AbortController().signal;

describe('guard', () => {
  test.each(['8.8.8.8', '2606:4700::1111', '::ffff:8.8.8.8'])('%s is public', (address) =>
    expect(isAllowedAddress(address)).toBe(true),
  );
  test.each([
    '127.0.0.1',
    '10.1.2.3',
    '172.16.0.1',
    '192.168.1.1',
    '169.254.169.254',
    '100.64.0.1',
    '0.0.0.0',
    '224.0.0.1',
    '255.255.255.255',
    '::1',
    '::',
    'fe80::1',
    'fd00::1',
    '::ffff:127.0.0.1',
    '::ffff:7f00:1',
    '64:ff9b::7f00:1',
    '2002:7f00:1::',
    '2001::1',
    'not an address',
  ])('%s is not', (address) => expect(isAllowedAddress(address)).toBe(false));

  test.each([
    ['http://127.0.0.1/', 'url_forbidden'],
    ['http://2130706433/', 'url_forbidden'],
    ['http://0x7f.1:8080/x', 'url_forbidden'],
    ['http://[::ffff:127.0.0.1]/', 'url_forbidden'],
    ['file:///etc/passwd', 'invalid_field'],
    ['gopher://x/', 'invalid_field'],
    ['what', 'invalid_field'],
  ])('%s is refused before any connection', (url, code) =>
    expect(() => createUrlGuard([]).check(url)).toThrow(expect.objectContaining({ code })),
  );

  test('the refusal names the host and nothing else', () => {
    expect(() => createUrlGuard([]).check('http://ada:pw@10.0.0.1/secret?token=1')).toThrow(
      /^The host 10\.0\.0\.1 is not one/,
    );
  });

  test('a name that resolves to a private address is refused when the connection is made', async () => {
    const { port, heard } = await serve();
    const http = createHttp({ allow: [] });
    const get = http.get({ url: new URL(`http://localhost:${port}/`) }, {}, signal);
    await expect(get).rejects.toMatchObject({ code: 'url_forbidden' });
    expect(heard).toEqual([]);
    await http.close();
  });

  test.each([
    ['127.0.0.0/8', '127.0.0.1', true],
    ['127.0.0.0/8', 'localhost', true],
    ['localhost', 'localhost', true],
    ['localhost:PORT', 'localhost', true],
    ['localhost:1', 'localhost', false],
    ['localhost', '127.0.0.1', false],
    ['127.0.0.1:PORT', '127.0.0.1', true],
    ['10.0.0.0/8', '127.0.0.1', false],
  ])('with %s allowed, %s is reachable: %s', async (allow, host, reachable) => {
    const { port } = await serve();
    const http = createHttp({ allow: [allow.replace('PORT', String(port))] });
    const get = http.get({ url: new URL(`http://${host}:${port}/`) }, {}, signal);
    if (reachable) expect(await (await get).body.text()).toBe('here');
    else await expect(get).rejects.toMatchObject({ code: 'url_forbidden' });
    await http.close();
  });
});

describe('redirects', () => {
  test('credentials stay with their origin', async () => {
    const [first, second] = [await serve(), await serve()];
    const http = createHttp({ allow: ['127.0.0.0/8'] });
    const target = joinUrl(`http://127.0.0.1:${first.port}/to`, {
      user: 'ada',
      password: 'pw',
      query: `?http://x:y@127.0.0.1:${second.port}/there`,
    });
    const answer = await http.get(target, {}, signal);
    expect(await answer.body.text()).toBe('here');
    expect(answer.url.href).toBe(`http://127.0.0.1:${second.port}/there`);
    expect(first.heard[0]?.headers.authorization).toBe(`Basic ${btoa('ada:pw')}`);
    expect(second.heard[0]?.headers.authorization).toBeUndefined();
    await http.close();
  });

  test('a redirect to a private address is refused, a circle ends', async () => {
    const { port, heard } = await serve();
    const http = createHttp({ allow: [`127.0.0.1:${port}`] });
    const get = (to: string) =>
      http.get({ url: new URL(`http://127.0.0.1:${port}/to?${encodeURIComponent(to)}`) }, {}, signal);
    await expect(get('http://10.0.0.1/')).rejects.toMatchObject({ code: 'url_forbidden' });
    await expect(get('file:///etc/passwd')).rejects.toMatchObject({ code: 'invalid_field' });
    heard.length = 0;
    await expect(
      http.get({ url: new URL(`http://127.0.0.1:${port}/circle`) }, {}, signal),
    ).rejects.toMatchObject({
      code: 'url_too_many_redirects',
    });
    expect(heard.length).toBe(6);
    await http.close();
  });
});

describe('split and join', () => {
  test.each([
    ['https://x.org/a%20b.tif', 'https://x.org/a%20b.tif', undefined],
    [
      'https://a%40b:p%3Aw@x.org:8443/d/f?sig=1&x=2#frag',
      'https://x.org:8443/d/f',
      { user: 'a@b', password: 'p:w', query: '?sig=1&x=2' },
    ],
    ['https://x.org/f#only', 'https://x.org/f', undefined],
  ])('%s', (text, url, secret) => {
    const parts = splitUrl(text);
    expect(parts).toEqual(secret === undefined ? { url } : { url, secret });
    const joined = joinUrl(parts.url, parts.secret);
    expect(joined.url.href).toBe(url + (secret?.query ?? ''));
    expect(joined.authorization).toBe(secret && `Basic ${btoa('a@b:p:w')}`);
  });

  test('text that is no URL is not repeated', () => {
    expect(() => splitUrl('secret')).toThrow('The URL cannot be read.');
  });
});

describe('fetch for libraries', () => {
  const guarded = createGuardedFetch({ allow: ['127.0.0.1'] });

  test('takes the signal of an activity, which has no limit of listeners, and hears its end', async () => {
    const { port } = await serve();
    const stop = new AbortController();
    setMaxListeners(0, stop.signal);
    const answer = await guarded(`http://127.0.0.1:${port}/`, { signal: stop.signal });
    expect(await answer.text()).toBe('here');
    stop.abort(new Error('enough'));
    await expect(guarded(`http://127.0.0.1:${port}/`, { signal: stop.signal })).rejects.toThrow('enough');
  });

  test('leads to no private address, and follows no redirect', async () => {
    const { port, heard } = await serve();
    await expect(guarded('http://10.0.0.1/')).rejects.toMatchObject({ code: 'url_forbidden' });
    await expect(guarded(`http://127.0.0.1:${port}/to?%2Fother`)).rejects.toThrow();
    expect(heard.map(({ url }) => url)).toEqual(['/to?%2Fother']);
  });
});
