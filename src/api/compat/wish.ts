// What older clients ask for, as a wish: the fields of their forms, and where their files go.
import { safeRelativePath } from '../../bytes/safe-names.js';
import { placementSchema } from '../../contracts/http-compat.js';
import { type SharedFields, sharedFields } from '../../contracts/http-fields.js';
import { Fault } from '../../domain/fault.js';
import { isUuid } from '../../domain/ids.js';
import type { UploadTarget, UploadWish } from '../intake.js';
import { InvalidRequest } from '../problem.js';
import type { DatasetFields } from '../records.js';
import { check } from '../route.js';

/**
 * A file that names its dataset is one of several, so it does not seal: the dataset is worked on when nothing more
 * came for a while. A file that names none is all there is.
 * @throws InvalidRequest
 */
export function compatWish(fields: Readonly<Record<string, unknown>>): UploadWish {
  const shared = check(sharedFields, fields, 'body');
  const placement = check(placementSchema, fields, 'body');
  const { dataset_identifier: identifier, add_to_existing: adds, duplicates, priority } = placement;
  const same = { duplicates, priority };
  const by = shared.user_email;
  if (!identifier) return { target: { fields: toFields(shared) }, seal: true, by, ...same };
  const target = adds ? { find: identifier, owner: by } : newTarget(identifier, shared);
  return { target, seal: false, by, ...same, alone: true, folder: folderPath(shared.folder) };
}

export function toFields({
  dataset_name: name,
  conversion_parameters: parameters,
  ...rest
}: SharedFields): DatasetFields {
  return { ...rest, name, parameters };
}

/** @throws InvalidRequest */
function newTarget(identifier: string, shared: SharedFields): UploadTarget {
  if (isUuid(identifier)) return { fields: toFields(shared), uuid: identifier.toLowerCase() };
  const msg =
    'Input should be a uuid, which the new dataset gets; with add_to_existing=true it may be a uuid, number, slug or name';
  throw new InvalidRequest([
    { type: 'uuid', loc: ['body', 'dataset_identifier'], msg, input: identifier.slice(0, 100) },
  ]);
}

/** The label as a directory, where it can be one. */
function folderPath(label: string | null): string | undefined {
  try {
    return label === null
      ? undefined
      : safeRelativePath(label.replaceAll('\\', '/').replace(/^\/+|\/+$/g, ''));
  } catch (error) {
    if (error instanceof Fault) return undefined;
    throw error;
  }
}
