// The same bytes in other datasets, on a real database: who may know of them, and which dataset is named.
import { randomBytes } from 'node:crypto';
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import type { FileEntry } from '../../src/contracts/claim.js';
import type { DatasetDocument } from '../../src/contracts/documents.js';
import { findDataset } from '../../src/store/datasets.js';
import { duplicateMark, findSame, noteFiles } from '../../src/store/digests.js';
import { ensureIndexes } from '../../src/store/indexes.js';
import { openStore, type Store } from '../../src/store/mongo.js';
import { required } from '../api/support/harness.js';
import { putRows } from '../api/support/rows.js';

let store: Store;
beforeAll(async () => {
  store = openStore(required('SLUICE_TEST_MONGO'), `digests_${randomBytes(3).toString('hex')}`);
  await ensureIndexes(store);
});
afterAll(async () => {
  await store.db.dropDatabase();
  await store.client.close();
});

const file = (path: string, sha256 = randomBytes(32).toString('hex')): FileEntry => ({
  path,
  size: 4,
  sha256,
});

async function dataset(
  more: Partial<DatasetDocument>,
  files: readonly FileEntry[] = [],
): Promise<DatasetDocument> {
  const owner = more.user_email ?? 'ada@example.org';
  const { uuid } = await putRows(store, { status: 'done', user: owner, ...more });
  const row = await findDataset(store, uuid);
  if (row === null) throw new Error('no row');
  await noteFiles(store, row, files);
  return row;
}

async function markFor(row: DatasetDocument, files: readonly FileEntry[]) {
  return duplicateMark(files, await findSame(store, row, files));
}

test('own and public datasets are named; those of others, cancelled ones and itself are not', async () => {
  const [own, open, hidden, gone] = [file('own'), file('public'), file('hidden'), file('gone')];
  const mine = await dataset({ name: 'mine' }, [own]);
  const shared = await dataset({ user_email: 'eve@example.org', is_public: true, name: 'shared' }, [open]);
  await dataset({ user_email: 'eve@example.org' }, [hidden]);
  await dataset({ status: 'cancelled' }, [gone]);
  const row = await dataset({}, [own, open, hidden, gone]);
  expect(await markFor(row, [own])).toEqual({
    dataset: mine.uuid,
    name: 'mine',
    path: 'own',
    files: 1,
    of: 1,
  });
  expect(await markFor(row, [open])).toMatchObject({ dataset: shared.uuid, name: 'shared' });
  expect(await markFor(row, [hidden])).toBeNull();
  expect(await markFor(row, [gone])).toBeNull();
  // What was public when its files came, and is not any more.
  await store.datasets.updateOne({ uuid: shared.uuid }, { $set: { is_public: false } });
  expect(await markFor(row, [open])).toBeNull();
});

test('of several datasets the one that holds most is named; equal files of one delivery count each', async () => {
  const files = Array.from({ length: 2_500 }, (_, n) => file(`f${n}`));
  const twin = { ...file('twin'), sha256: files[0]?.sha256 ?? '' };
  await dataset({ name: 'few' }, files.slice(0, 3));
  const most = await dataset({ name: 'most' }, files.slice(0, 2_400));
  const row = await dataset({});
  expect(await markFor(row, [...files, twin])).toEqual({
    dataset: most.uuid,
    name: 'most',
    path: null,
    files: 2_401,
    of: 2_501,
  });
});

test('noted again, nothing is there twice', async () => {
  const one = file('one');
  const row = await dataset({}, [one]);
  await noteFiles(store, row, [one]);
  expect(await store.db.collection('file_digests').countDocuments({ uuid: row.uuid })).toBe(1);
});
