// Where everything lies below the two roots. The only place that knows these names.
//
//   <in>/<uuid>/...                         received files of a dataset
//   <in>/.staging/<jobId>/                  files on their way in, each with its journal; removed when the upload ends
//   <in>/.receipts/<uuid>/<stage>-<key>.json what a finished stage left
//   <in>/.receipts/<uuid>/cancelled-<jobId>.json an upload that somebody cancelled
//   <in>/.manifests/<uuid>/<name>.json      lists of files, by claim
//   <in>/.secrets/<jobId>                   sealed secrets of a source
//   <out>/.staging/<uuid>/                  work directories and unpublished products
//   <out>/.versions/<uuid>/<version>/       published products
//   <out>/<uuid>                            symlink to the version that readers see
import { join } from 'node:path';
import type { StoreName } from '../contracts/claim.js';
import { isJobId, isUuid } from '../domain/ids.js';

/** Absolute roots of the byte store. */
export type Roots = Readonly<Record<StoreName, string>>;

const dataset = (uuid: string): string => {
  if (!isUuid(uuid)) throw new Error(`not a dataset uuid: ${uuid}`);
  return uuid.toLowerCase();
};
const job = (id: string): string => {
  if (!isJobId(id)) throw new Error(`not a job id: ${id}`);
  return id;
};

/** All published products lie below it. */
const VERSIONS = '.versions';

/** Keys are POSIX paths relative to a store's root. */
export const keys = {
  received: (uuid: string): string => dataset(uuid),
  uploadStaging: (jobId: string): string => `.staging/${job(jobId)}`,
  receipts: (uuid: string): string => `.receipts/${dataset(uuid)}`,
  manifests: (uuid: string): string => `.manifests/${dataset(uuid)}`,
  secret: (jobId: string): string => `.secrets/${job(jobId)}`,
  datasetStaging: (uuid: string): string => `.staging/${dataset(uuid)}`,
  versions: (uuid: string): string => `${VERSIONS}/${dataset(uuid)}`,
  allVersions: VERSIONS,
  published: (uuid: string): string => dataset(uuid),
} as const;

/** Absolute path of a key that this module made. */
export const pathOf = (roots: Roots, store: StoreName, key: string): string => join(roots[store], key);
