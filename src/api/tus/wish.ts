// How the metadata of a tus upload read: the file's name and place, and the fields of a native upload.

import { trimSlashes } from '../../bytes/safe-names.js';
import { existingDatasetSchema, newDatasetUploadSchema } from '../../contracts/http.js';
import { Fault } from '../../domain/fault.js';
import { nativeWish } from '../dialect.js';
import type { UploadWish } from '../intake.js';

type Metadata = Readonly<Record<string, string>>;

export interface TusWish {
  readonly wish: UploadWish;
  readonly path: string;
  /** Hex. */
  readonly sha256: string | undefined;
}

const FIELDS = new Set([
  ...Object.keys(existingDatasetSchema.shape),
  ...Object.keys(newDatasetUploadSchema.shape),
]);

/**
 * Uppy calls the file `name`; others call it `filename`, and `name` is then the dataset's. Fields that are not ours
 * (filetype and the like) are kept with the upload and mean nothing.
 * @throws InvalidRequest, Fault empty_file_name, invalid_field
 */
export function readMetadata(metadata: Metadata): TusWish {
  const { filename, name, dataset_name: datasetName, sha256 } = metadata;
  const file = filename ?? name ?? '';
  if (file === '') throw new Fault('empty_file_name', 'Upload-Metadata holds no filename.');
  if (sha256 !== undefined && !/^[0-9a-f]{64}$/i.test(sha256)) {
    throw new Fault('invalid_field', 'sha256: it is not a SHA-256 digest in hexadecimal.');
  }
  const known = Object.entries(metadata).filter(([key]) => FIELDS.has(key) && key !== 'name');
  const ownName = datasetName ?? name ?? file;
  const fields = {
    ...Object.fromEntries(known),
    ...(metadata['dataset'] === undefined ? { name: ownName } : {}),
  };
  return { wish: nativeWish(fields), path: pathOf(metadata, file), sha256: sha256?.toLowerCase() };
}

/** `relativePath` is the file's whole path, as browsers tell it; `relative_path` is its directory, as in a form. */
function pathOf({ relativePath, relative_path: directory }: Metadata, file: string): string {
  const whole = isGiven(relativePath) ? relativePath.replace(/^\.?\/+/, '') : file;
  const path = whole === file || whole.endsWith(`/${file}`) ? whole : `${trimSlashes(whole)}/${file}`;
  return isGiven(directory) ? `${trimSlashes(directory.replace(/^\.?\/+/, ''))}/${path}` : path;
}

/** Uppy writes the word null for a file that was not chosen with its directory. */
const isGiven = (text: string | undefined): text is string =>
  text !== undefined && text !== '' && text !== 'null';
