// The activity publishTo into a directory: whole, seen as the old product or the new one, gone on after a cut.
import { chmod, mkdir, readdir, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { DirectoryTarget } from '../../src/contracts/targets.js';
import { tree } from '../support/data.js';
import { SmallDisk } from '../support/small-disk.js';
import { CONTENTS, end, LISTS, MIB, newEnv, TargetBench } from '../support/target-bench.js';

let bench: TargetBench;
let nas: DirectoryTarget;
beforeEach(async () => {
  bench = await TargetBench.open();
  nas = { kind: 'directory', name: 'nas', path: join(bench.dir, 'nas') };
  await mkdir(nas.path);
});
afterEach(async () => await bench.close());

const shown = (...path: string[]): string => join(nas.path, bench.uuid, ...path);
const filesOf = async (directory: string): Promise<string[]> => {
  const all = await Promise.all(
    tree(directory).map(async (path) => [path, (await stat(join(directory, path))).isFile()] as const),
  );
  return all.flatMap(([path, isFile]) => (isFile ? [path] : [])).sort();
};

async function expectWhole(contents: Readonly<Record<string, Buffer>>): Promise<void> {
  expect(await filesOf(shown())).toEqual([...Object.keys(contents), ...LISTS].sort());
  for (const [path, content] of Object.entries(contents))
    expect([path, (await readFile(shown(path))).equals(content)]).toEqual([path, true]);
  expect(await readdir(nas.path)).toEqual([bench.uuid]);
}

test('a product arrives whole; a second time nothing is copied, and what is not of it goes', async () => {
  const answer = await bench.publish(nas);
  expect(answer).toMatchObject({ url: `${shown()}/`, files: 6, readBack: 6, sent: answer.bytes });
  await expectWhole(CONTENTS);
  await writeFile(shown('leftover.bin'), 'of an earlier product');
  expect((await bench.publish(nas)).sent).toBe(0);
  await expectWhole(CONTENTS);
  await bench.forgetReceipts();
  expect((await bench.publish({ ...nas, url: 'https://nas.example.org/' })).url).toBe(
    `https://nas.example.org/${bench.uuid}/`,
  );
});

test('what rots there is found when nothing vouches for it, and copied anew', async () => {
  await bench.publish(nas);
  const rotten = Buffer.from(CONTENTS['visus.idx']);
  rotten.write('9', 10);
  await writeFile(shown('visus.idx'), rotten);
  await bench.forgetReceipts();
  expect((await bench.publish(nas)).sent).toBe(rotten.length);
  await expectWhole(CONTENTS);
});

test('a newer product takes the place of the old one, which stays until then as it was', async () => {
  await bench.publish(nas);
  const newer = { ...CONTENTS, 'visus.idx': Buffer.from('(version)\n7\n'), 'more.txt': Buffer.from('more') };
  await bench.make('b', newer);
  const env = newEnv();
  bench.onProgress = () => end(env, 'cancelled');
  await expect(bench.publish(nas, env)).rejects.toMatchObject({ name: 'CancelledFailure' });
  bench.onProgress = () => undefined;
  await expectWhole(CONTENTS);
  const { sent } = await bench.publish(nas);
  expect(sent).toBeLessThan(MIB);
  await expectWhole(newer);
});

test('a copy that was cut goes on where it stopped; one that is cancelled leaves nothing', async () => {
  const large = 'visus/large.bin';
  const env = newEnv();
  let copied = 0;
  const pace = async (bytes: number): Promise<void> => {
    copied += bytes;
    if (copied > 20 * MIB) end(env, how);
  };
  const joined = { join: () => ({ pace, leave: () => undefined }) };
  let how: 'leaving' | 'cancelled' = 'leaving';
  const cut = bench.publish(nas, env, { bandwidth: joined as never }, 'ada@example.org');
  await expect(cut).rejects.toThrow(/goes on in another attempt/);
  const begun = (await stat(join(nas.path, '.sluice-partial', bench.uuid, large))).size;
  expect(begun).toBeGreaterThan(4 * MIB);
  const { sent, bytes } = await bench.publish(nas);
  expect(sent).toBeLessThanOrEqual(bytes - begun);
  await expectWhole(CONTENTS);

  await rm(shown(), { recursive: true });
  await bench.forgetReceipts();
  how = 'cancelled';
  copied = 0;
  const again = newEnv();
  const stop = { join: () => ({ pace: async () => end(again, how), leave: () => undefined }) };
  await expect(
    bench.publish(nas, again, { bandwidth: stop as never }, 'ada@example.org'),
  ).rejects.toMatchObject({ name: 'CancelledFailure' });
  expect(tree(nas.path).filter((path) => path.includes(bench.uuid))).toEqual([]);
});

test('what an earlier attempt began of another product is begun anew', async () => {
  const begun = join(nas.path, '.sluice-partial', bench.uuid);
  await mkdir(join(begun, 'visus'), { recursive: true });
  await writeFile(join(begun, 'visus/large.bin'), Buffer.alloc(MIB, 7));
  await writeFile(join(begun, 'strange.bin'), 'of another one');
  await bench.publish(nas);
  await expectWhole(CONTENTS);
});

test('a directory that is not there is not made, and a product that rotted here goes nowhere', async () => {
  const gone = { ...nas, path: join(bench.dir, 'gone') };
  await expect(bench.publish(gone)).rejects.toMatchObject({
    type: 'target_refused',
    message: expect.stringContaining('ENOENT'),
  });
  await writeFile(join(bench.dir, 'file'), '');
  await expect(bench.publish({ ...nas, path: join(bench.dir, 'file') })).rejects.toMatchObject({
    type: 'target_refused',
  });
  await chmod(bench.pathOf('visus.idx'), 0o644);
  await writeFile(bench.pathOf('visus.idx'), '(version)\n8\n');
  await expect(bench.publish(nas)).rejects.toMatchObject({ type: 'product_damaged', nonRetryable: true });
  expect(await readdir(nas.path)).toEqual([]);
});

test('a directory without space says so, and gets its space back', async () => {
  const small = new SmallDisk(nas.path);
  small.resize(20);
  try {
    await expect(bench.publish(nas)).rejects.toMatchObject({ type: 'target_full', nonRetryable: true });
    expect(tree(nas.path).filter((path) => path.includes(bench.uuid))).toEqual([]);
    small.resize(100);
    await bench.publish(nas);
    await expectWhole(CONTENTS);
  } finally {
    small.remove();
  }
});
