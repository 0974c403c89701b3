// Buffers that were held for a while and are dead do not stay.
import { setTimeout as sleep } from 'node:timers/promises';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { expect, test } from '@jest/globals';
import { collectDeadBuffers } from '../../src/api/dead-buffers.js';

const MIB = 2 ** 20;
const outside = (): number => getHeapStatistics().external_memory;
setFlagsFromString('--expose-gc');
const collect = runInNewContext('gc') as (options?: { type: 'minor' }) => void;

/** Buffers that V8 counts as old, and nobody holds any more. */
function leaveDeadBuffers(mib: number): void {
  const held = Array.from({ length: mib * 16 }, () => new ArrayBuffer(MIB / 16));
  for (let times = 0; times < 3; times++) collect({ type: 'minor' });
  expect(held.length).toBe(mib * 16);
}

test('dead buffers are collected before there are many, living ones are left alone', async () => {
  collect();
  const before = outside();
  leaveDeadBuffers(32);
  await sleep(1_500);
  collect({ type: 'minor' });
  expect(outside()).toBeGreaterThan(before + 30 * MIB);
  collect();
  const timer = collectDeadBuffers();
  leaveDeadBuffers(32);
  const living = Array.from({ length: 20 }, () => new ArrayBuffer(MIB));
  for (const end = Date.now() + 10_000; outside() > before + 30 * MIB; await sleep(50))
    expect(Date.now()).toBeLessThan(end);
  clearInterval(timer);
  expect(living.every(({ byteLength }) => byteLength === MIB)).toBe(true);
});
