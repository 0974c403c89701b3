// Source `url` beside servers that restart, stand still, lie, refuse in mid-transfer, and disks that become full.
import { setTimeout as sleep } from 'node:timers/promises';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import { type Behaviour, type FaultServer, startFaultServer } from '../../support/fault-server.js';
import { Bench, failure, MIB, someBytes } from './bench.js';

const SETTINGS = { pieceBytes: 2 * MIB, parallelAbove: 8 * MIB, backOffMs: 20, tries: 8, stallMs: 1_000 };
const content = someBytes(20 * MIB);
let bench: Bench;
let server: FaultServer;

beforeEach(async () => {
  bench = await Bench.open(SETTINGS);
});
afterEach(async () => {
  await server.close();
  await bench.close();
});

async function serve(behaviour: Partial<Behaviour>): Promise<void> {
  server = await startFaultServer({ content, etag: '"v1"', ...behaviour });
}
const run = (options: Parameters<Bench['run']>[1] = {}) =>
  bench.run({ kind: 'url', url: `${server.origin}/f.bin`, sealed: false }, options);
const sent = (): number => server.heard.reduce((sum, one) => sum + one.sent, 0);

describe('survived', () => {
  test.each([1, 2, 3, 4, 5, 6, 7, 8, 9])('all connections cut at %s tenths of the file', async (tenths) => {
    let cut = false;
    await serve({ pace: 200 * MIB });
    const onProgress = ({ done }: { done: number }): void => {
      if (cut || done < (tenths * content.length) / 10) return;
      cut = true;
      server.cutAll();
    };
    await bench.prove(await run({ onProgress }), { 'f.bin': content });
    expect(cut).toBe(true);
    bench.proveProgress(content.length);
  });

  test('a server that restarts in mid-transfer', async () => {
    await serve({ pace: 100 * MIB });
    let restart: Promise<void> | undefined;
    const again = async (): Promise<void> => {
      const { port, behaviour } = server;
      await server.close();
      await sleep(300);
      server = await startFaultServer(behaviour, port);
    };
    const onProgress = ({ done }: { done: number }): void => {
      if (done > 8 * MIB) restart ??= again();
    };
    await bench.prove(await run({ onProgress }), { 'f.bin': content });
    await restart;
    // The second one gave the rest only.
    expect(restart).toBeDefined();
    expect(sent()).toBeLessThanOrEqual(content.length - 6 * MIB);
  });

  test('stalls of 500 ms are waited for: no range is asked for twice', async () => {
    await serve({ pauseEvery: { bytes: 2 * MIB, ms: 500 } });
    await bench.prove(await run(), { 'f.bin': content });
    expect(new Set(server.heard.map(({ range }) => range)).size).toBe(server.heard.length);
    expect(sent()).toBe(content.length);
  });

  test('requests that are never answered are given up after the stall limit, the others go on', async () => {
    await serve({ pace: 100 * MIB });
    const onProgress = ({ done }: { done: number }): void => {
      if (done > 4 * MIB && server.behaviour.ignores === undefined) server.behaviour.ignores = 2;
    };
    await bench.prove(await run({ onProgress }), { 'f.bin': content });
    expect(server.behaviour.ignores).toBe(0);
  });

  test('a burst of 5xx in mid-transfer, on several streams: fewer are used afterwards', async () => {
    await serve({ pace: 20 * MIB });
    let begun = false;
    const onProgress = ({ done }: { done: number }): void => {
      if (begun || done < 8 * MIB) return;
      begun = true;
      server.behaviour.instead = [{ status: 500 }, { status: 502 }, { status: 503 }, { status: 429 }];
    };
    await bench.prove(await run({ onProgress }), { 'f.bin': content });
    expect([begun, server.behaviour.instead]).toEqual([true, []]);
  });

  test.each([
    ['a date that is long past', 'Thu, 01 Jan 1970 00:00:00 GMT'],
    ['a date before now by a wrong clock', new Date(Date.now() - 3_600_000).toUTCString()],
    ['nothing that can be read', 'soon'],
    ['less than nothing', '-5'],
  ])('Retry-After that says %s costs no more than our own pause', async (_what, after) => {
    const instead = [429, 503].map((status) => ({ status, headers: { 'retry-after': after } }));
    await serve({ instead });
    const before = performance.now();
    await bench.prove(await run(), { 'f.bin': content });
    expect(performance.now() - before).toBeLessThan(10_000);
  });
});

describe('ended, each with its code', () => {
  test.each([
    ['seconds', '86400'],
    ['a date of a clock that runs far ahead', new Date(Date.now() + 30 * 86_400_000).toUTCString()],
    ['a date without end', 'Fri, 31 Dec 9999 23:59:59 GMT'],
  ])(
    'Retry-After far ahead (%s): no slot is held for it, Temporal tries again later',
    async (_what, after) => {
      await serve({ instead: [{ status: 503, headers: { 'retry-after': after } }] });
      const before = performance.now();
      await expect(run()).rejects.toEqual(failure('url_broken', false));
      expect(performance.now() - before).toBeLessThan(10_000);
    },
  );

  test.each([401, 403])('access that ends half-way (%s): url_denied, what came is kept', async (status) => {
    await serve({ pace: 100 * MIB });
    const onProgress = ({ done }: { done: number }): void => {
      if (done > 8 * MIB) server.behaviour.instead ??= Array.from({ length: 99 }, () => ({ status }));
    };
    await expect(run({ onProgress })).rejects.toEqual(failure('url_denied'));
    // Refused once more: still nothing is lost.
    await expect(run()).rejects.toEqual(failure('url_denied'));
    server.behaviour.instead = [];
    const before = server.heard.length;
    await bench.prove(await run(), { 'f.bin': content });
    const again = server.heard.slice(before).reduce((sum, { sent }) => sum + sent, 0);
    expect(again).toBeLessThanOrEqual(content.length - 8 * MIB + 64 * 1024);
  });

  test('a Content-Range that tells more bytes than there are', async () => {
    await serve({ toldSize: content.length + 5 });
    await expect(run()).rejects.toEqual(failure('url_changed'));
    await bench.proveEmptyStaging();
  });

  test('a size that changes from answer to answer', async () => {
    await serve({});
    const onRequest = (_request: unknown, number: number): void => {
      server.behaviour.toldSize = content.length + number;
    };
    Object.assign(server.behaviour, { onRequest });
    await expect(run()).rejects.toEqual(failure('url_changed'));
  });
});

test('a disk that is full at 90 %, when the size was not told: disk_full, the bytes stay, and it goes on when there is room', async () => {
  bench.disk.resize(18);
  await serve({ ranges: false, tellsLength: false });
  await expect(run()).rejects.toEqual(failure('disk_full', false));
  bench.disk.resize(64);
  await bench.prove(await run(), { 'f.bin': content });
});
