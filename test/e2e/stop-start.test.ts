// Everything stops in the middle of an ingestion, politely or not: the next start goes on and publishes.
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { Client, Connection } from '@temporalio/client';
import { readProduct, sha256sumCheck, tree, volume, writeStack } from '../support/data.js';
import { sendDirectory } from '../support/send.js';
import { endAfterEach, exitOf, scratch, until, upAndReady } from '../support/up.js';

endAfterEach();

async function fetches(address: string, job: string): Promise<number> {
  const connection = await Connection.connect({ address });
  const { events } = await new Client({ connection }).workflow.getHandle(`upload:${job}`).fetchHistory();
  await connection.close();
  return (events ?? []).filter((event) => event.activityTaskCompletedEventAttributes).length;
}

test.each(['SIGTERM', 'SIGKILL'] as const)(
  '%s of sluice up in the middle of a conversion: the next start publishes, and fetches nothing again',
  async (signal) => {
    const home = scratch();
    const data = volume(1024, 1024, 32, 31);
    const out = join(home, 'data', 'converted');
    const first = await upAndReady(home);
    const sent = await sendDirectory(first.url, writeStack(join(home, 'slices'), data));
    const staging = join(out, '.staging', sent.uuid);
    await until(() => tree(staging).some((name) => name.endsWith('.bin')), 'the conversion');
    first.up.child.kill(signal);
    expect(await exitOf(first.up)).toBe(signal === 'SIGTERM' ? 0 : null);
    expect(tree(join(out, sent.uuid))).toEqual([]);

    const again = await upAndReady(home);
    const product = join(out, sent.uuid);
    await until(() => tree(product).includes('manifest.json'), 'the product');
    await until(() => tree(join(out, '.staging')).length === 0, 'an empty work directory');
    sha256sumCheck(product);
    expect(readProduct(join(product, 'visus.idx')).sha256).toBe(data.sha256);
    expect(await fetches(again.temporalAddress ?? '', sent.job)).toBe(1);
    again.up.child.kill('SIGTERM');
    expect(await exitOf(again.up)).toBe(0);
  },
  180_000,
);
