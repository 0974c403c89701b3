// Reading what a server announces in headers, which anybody may write.
import { Readable } from 'node:stream';
import { expect, test } from '@jest/globals';
import { announcedDigests, type Delivery } from '../../src/activities/fetch/url/answer.js';

const deliveryOf = (digest: string): Delivery => ({
  answer: { status: 200, headers: { digest } } as unknown as Delivery['answer'],
  body: Readable.from([]),
  range: { start: 0, end: 1 },
  partial: false,
  validator: {},
});

test('names that every object has are no digests', () => {
  for (const name of ['constructor', '__proto__', 'toString', 'hasOwnProperty'])
    expect(announcedDigests(deliveryOf(`${name}=AAAA`))).toEqual([]);
  expect(announcedDigests(deliveryOf('constructor=AAAA, MD5=AAAA'))).toEqual([
    { algorithm: 'md5', hex: '000000' },
  ]);
});
