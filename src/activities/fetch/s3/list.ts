// Which objects a source stands for, and the safe path that each gets in the dataset.
import { quoteName, safeRelativePath } from '../../../bytes/safe-names.js';
import { Fault } from '../../../domain/fault.js';
import type { S3Source } from '../../../domain/source.js';
import type { Listed, S3Store } from './store.js';

/** More would need more memory than a worker may take. */
const MOST_OBJECTS = 100_000;

export interface FoundObject extends Listed {
  /** Path inside the dataset. */
  readonly path: string;
}

/** Tries a request of the store again where that can help. */
export type Patiently = <T>(work: () => Promise<T>) => Promise<T>;

/**
 * The objects below the prefix. Empty ones that only stand for a directory are left out.
 * @throws Fault `no_files`, `unsafe_name`, `too_many_files`, `empty_file`, those of the store
 */
export async function findBelow(
  store: S3Store,
  source: S3Source,
  patiently: Patiently,
  signal: AbortSignal,
  found: (count: number) => void,
): Promise<FoundObject[]> {
  const objects: FoundObject[] = [];
  const top = source.key.slice(0, source.key.lastIndexOf('/') + 1);
  for (let after: string | undefined; ; ) {
    const page = await patiently(() => store.page(source.key, after, signal));
    for (const one of page.objects) {
      if (one.key.endsWith('/') && one.size === 0) continue;
      objects.push(asFound(one, one.key.slice(top.length)));
    }
    if (objects.length > MOST_OBJECTS) throw tooMany(source);
    found(objects.length);
    after = page.next;
    if (after === undefined) break;
  }
  if (objects.length === 0) throw nothing(source);
  refuseClashes(objects);
  return objects;
}

/** One object, named by the last part of its key. @throws Fault */
export function asFound(listed: Listed, name: string): FoundObject {
  const path = safeRelativePath(name);
  if (listed.size === 0) throw new Fault('empty_file', `The object ${quoteName(listed.key)} is empty.`);
  return { ...listed, path };
}

/** Keys that a store tells apart but a directory cannot hold side by side. */
function refuseClashes(objects: readonly FoundObject[]): void {
  const files = new Set<string>();
  for (const { path, key } of objects) {
    if (files.has(path)) throw clash(key, 'another object has the same name');
    files.add(path);
  }
  for (const { path, key } of objects) {
    for (let at = path.lastIndexOf('/'); at > 0; at = path.lastIndexOf('/', at - 1)) {
      if (files.has(path.slice(0, at))) throw clash(key, 'another object has the name of its directory');
    }
  }
}

const clash = (key: string, why: string): Fault =>
  new Fault('unsafe_name', `The object ${quoteName(key)} cannot be a file: ${why}.`);

const tooMany = ({ bucket }: S3Source): Fault =>
  new Fault('too_many_files', `There are more than ${MOST_OBJECTS} objects there in the bucket ${bucket}.`);

const nothing = ({ bucket, key }: S3Source): Fault =>
  new Fault(
    'no_files',
    key === ''
      ? `The bucket ${bucket} holds no object.`
      : `The bucket ${bucket} holds no object below ${quoteName(key)}.`,
  );
