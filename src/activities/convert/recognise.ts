// Which format converts a dataset: its sensor's, or for OTHER, when it is wished, the one of its content.
import { type FileHandle, open } from 'node:fs/promises';
import { join } from 'node:path';
import { keys, pathOf } from '../../bytes/layout.js';
import type { ConvertInput } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';
import type { Format } from '../../contracts/formats/format.js';
import {
  type FileHead,
  formatOf,
  HEAD_BYTES,
  parametersOf,
  recognised,
} from '../../contracts/formats/registry.js';
import type { StageDeps } from '../support/deps.js';

export interface Chosen {
  readonly format: Format;
  readonly parameters: Readonly<Record<string, unknown>>;
}

/** @throws Fault `invalid_field` for parameters that the format does not have */
export async function chooseFormat(
  { roots }: StageDeps,
  { uuid, sensor, convert, parameters }: Pick<ConvertInput, 'uuid' | 'sensor' | 'convert' | 'parameters'>,
  files: readonly FileEntry[],
): Promise<Chosen> {
  const format = formatOf(sensor, convert);
  const own = { format, parameters: parametersOf(format, parameters) };
  if (!convert || sensor !== 'OTHER' || own.parameters['recognise'] !== true) return own;
  const found = recognised(await headsOf(pathOf(roots, 'in', keys.received(uuid)), files));
  if (found === undefined) return own;
  const { recognise: _, ...rest } = own.parameters;
  return { format: found, parameters: parametersOf(found, rest) };
}

/** Of the files that are not hidden. */
async function headsOf(directory: string, files: readonly FileEntry[]): Promise<FileHead[]> {
  const heads: FileHead[] = [];
  for (const { path } of files) {
    if (path.split('/').at(-1)?.startsWith('.') === true) continue;
    heads.push({ name: path, head: await headOf(join(directory, path)) });
  }
  return heads;
}

async function headOf(path: string): Promise<string> {
  let file: FileHandle | undefined;
  try {
    file = await open(path);
    const { buffer, bytesRead } = await file.read(Buffer.alloc(HEAD_BYTES), 0, HEAD_BYTES, 0);
    return buffer.toString('latin1', 0, bytesRead);
  } finally {
    await file?.close();
  }
}
