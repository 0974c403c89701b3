// The offers of rsync and rclone: what people may write, what is sealed, what is refused before anything is recorded;
// and what a host may make of a list.
import { expect, test } from '@jest/globals';
import { ListReader } from '../../src/activities/fetch/rsync/list.js';
import { Fault } from '../../src/domain/fault.js';
import { createUrlGuard } from '../../src/net/url-guard.js';
import type { OfferDeps } from '../../src/sources/offer.js';
import { rcloneOffer } from '../../src/sources/rclone.js';
import { rsyncOffer } from '../../src/sources/rsync.js';

const deps = {
  urlGuard: createUrlGuard(['10.0.0.7/32']),
  rclone: true,
  ssh: {
    async key(name: string) {
      if (name === 'survey') return 'a key';
      throw new Fault('ssh_key_unknown');
    },
  },
} as unknown as OfferDeps;
const check = (body: Record<string, unknown>) =>
  rsyncOffer.check(rsyncOffer.schema.parse({ type: 'rsync', ...body }), deps);
const KEY = { key: 'survey' };

test.each<[string, object, object]>([
  [
    'rsync://data.example.org/mod/a b/c',
    {},
    { via: 'daemon', host: 'data.example.org', port: 873, path: 'mod/a b/c' },
  ],
  ['rsync://ada@h:8873/mod//x/', {}, { via: 'daemon', host: 'h', port: 8873, user: 'ada', path: 'mod/x' }],
  ['h::mod/x', {}, { via: 'daemon', host: 'h', port: 873, path: 'mod/x' }],
  ['rsync://[2606:4700::1111]/m', {}, { via: 'daemon', host: '2606:4700::1111', path: 'm' }],
  [
    'ada@H.Example.org:scans',
    KEY,
    { via: 'ssh', host: 'h.example.org', port: 22, user: 'ada', path: 'scans' },
  ],
  ['ada@h:~/scans', KEY, { path: 'scans' }],
  ['ssh://ada@h:2222/data/x', KEY, { via: 'ssh', port: 2222, path: '/data/x' }],
  ['ssh://h/~/x', KEY, { path: 'x' }],
])('%s is understood', async (from, more, expected) => {
  const { source, secret } = await check({ from, ...more });
  expect(source).toMatchObject({ kind: 'rsync', sealed: false, ...expected });
  expect(secret).toBeUndefined();
});

test('secrets are taken out of the source', async () => {
  const word = 'p%40ss';
  const inAddress = await check({ from: `rsync://ada:${word}@h/m` });
  expect(inAddress.secret).toEqual({ password: 'p@ss' });
  const key = await check({
    from: 'ada@h:x',
    private_key: 'PRIVATE',
    host_key: `ssh-ed25519 ${'A'.repeat(68)}`,
  });
  expect(key.secret).toEqual({ privateKey: 'PRIVATE' });
  expect(JSON.stringify([inAddress.source, key.source])).not.toMatch(/p@ss|p%40ss|PRIVATE/);
});

test.each<[string, string, object]>([
  ['invalid_field', '/etc/passwd', KEY],
  ['invalid_field', '-e sh:x', KEY],
  ['invalid_field', '-oProxyCommand=sh@h:x', KEY],
  ['invalid_field', 'ada@-oProxyCommand=sh:x', KEY],
  ['invalid_field', 'ada@h:', KEY],
  ['invalid_field', 'ada@h:a\nb', KEY],
  ['invalid_field', 'rsync://h/', {}],
  ['invalid_field', 'rsync://h/../etc', {}],
  ['invalid_field', 'rsync://h:99999/m', {}],
  ['invalid_field', 'rsync://h/m', KEY],
  ['invalid_field', 'ada@h:x', {}],
  ['invalid_field', 'ada@h:x', { ...KEY, private_key: 'both' }],
  ['invalid_field', 'ada@h:x', { ...KEY, password: 'x' }],
  ['ssh_key_unknown', 'ada@h:x', { key: 'other' }],
  ['url_forbidden', 'rsync://127.0.0.1/m', {}],
  ['url_forbidden', 'ada@10.0.0.8:x', KEY],
  ['url_forbidden', 'rsync://[::1]/m', {}],
])('%s: %s', async (code, from, more) => {
  await expect(check({ from, ...more })).rejects.toMatchObject({ code });
});

test('a host that is allowed may be private', async () => {
  expect((await check({ from: 'ada@10.0.0.7:x', ...KEY })).source).toMatchObject({ host: '10.0.0.7' });
});

test.each<[string, string | undefined]>([
  ['lab:scans/2024/', undefined],
  ['lab:', undefined],
  [':local:/etc', 'invalid_field'],
  ['lab,type=local:/etc', 'invalid_field'],
  ['lab:a/../../b', 'invalid_field'],
  ['--config=x:y', 'invalid_field'],
  ['/etc/passwd', 'invalid_field'],
])('rclone takes %s: %s', async (from, code) => {
  const checked = rcloneOffer.check(rcloneOffer.schema.parse({ type: 'rclone', from }), deps);
  if (code !== undefined) return await expect(checked).rejects.toMatchObject({ code });
  expect((await checked).source).toMatchObject({ kind: 'rclone', remote: 'lab' });
});

const LINE = (mode: string, name: string): string => `${mode}            100 2024/01/02 03:04:05 ${name}\n`;

test.each<[string, string]>([
  ['../up.bin', 'unsafe_name'],
  ['set/../../up.bin', 'unsafe_name'],
  ['/etc/cron.d/x', 'unsafe_name'],
  ['a\\#000b', 'unsafe_name'],
  ['.sluice-partial/x', 'unsafe_name'],
])('a host that lists %s is not believed', (name, code) => {
  const reader = new ListReader();
  reader.push(Buffer.from(LINE('drwxr-xr-x', '.') + LINE('-rw-r--r--', name)));
  expect(() => reader.end(false)).toThrow(expect.objectContaining({ code }));
});

test('names come back as they were, however the lines are cut', () => {
  const reader = new ListReader();
  const text = Buffer.from(
    LINE('drwxr-xr-x', 'set') + LINE('-rw-r--r--', 'set/été \\#134#012.bin'.replace('\\#134', '')),
  );
  for (const byte of text) reader.push(Buffer.from([byte]));
  expect(reader.end(false)).toEqual({
    single: false,
    leftOut: [],
    files: [{ name: 'été #012.bin', path: 'été #012.bin', size: 100, mtime: 1704164645 }],
  });
});
