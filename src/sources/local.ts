// Offer of the source `local`: a file or a directory on the server, below a configured root.
import { realpath, stat } from 'node:fs/promises';
import { isAbsolute, resolve, sep } from 'node:path';
import { z } from 'zod';
import { isErrno } from '../bytes/disk-fault.js';
import { safeRelativePath } from '../bytes/safe-names.js';
import { Fault } from '../domain/fault.js';
import { offer } from './offer.js';

export const localOffer = offer({
  schema: z.strictObject({
    type: z.literal('local'),
    path: z.string().min(1).max(4096),
    name: z
      .string()
      .min(1)
      .max(255)
      .optional()
      .meta({ description: 'Name of a single file in the dataset; default: the last part of its path' }),
  }),
  parameters: { required: ['file'], optional: ['folder', 'team_uuid'] },
  async check({ path, name }, { localRoots }) {
    const real = await pathUnderRoots(localRoots, path);
    if (name === undefined) return { source: { kind: 'local', path: real } };
    if ((await stat(real)).isDirectory()) throw new Fault('invalid_field', 'source.name is for a file only.');
    return { source: { kind: 'local', path: real, name: safeRelativePath(name) } };
  },
});

/** The real path, if it lies below one of the roots. */
async function pathUnderRoots(roots: readonly string[], path: string): Promise<string> {
  const outside = new Fault(
    'outside_roots',
    `The path ${quoted(path)} is not below a directory that this server may read.`,
  );
  if (!isAbsolute(path) || path.includes('\0')) throw outside;
  const { real, isDenied } = await look(path);
  const realRoots = await Promise.all(roots.map(async (root) => (await look(root)).real ?? root));
  if (real !== undefined) {
    if (isBelow(realRoots, real)) return real;
    throw outside;
  }
  // What is not there is told only to those who may look there.
  if (!isBelow([...roots, ...realRoots], resolve(path))) throw outside;
  if (isDenied) throw new Fault('path_denied', `The server has no right to read the path ${quoted(path)}.`);
  throw new Fault('path_not_found', `The path ${quoted(path)} does not exist on the server.`);
}

/** As the client sent it, whole: a path is often told from others by its end. */
const quoted = (path: string): string => JSON.stringify(path.replace(/[\p{Cc}\p{Cs}]/gu, '\uFFFD'));

/** Where a path really leads; or nothing, and whether that is for want of rights. */
async function look(path: string): Promise<{ readonly real?: string; readonly isDenied?: boolean }> {
  try {
    return { real: await realpath(path) };
  } catch (error) {
    if (isErrno(error, 'EACCES', 'EPERM')) return { isDenied: true };
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP', 'ENAMETOOLONG')) return {};
    throw error;
  }
}

const isBelow = (roots: readonly string[], path: string): boolean =>
  roots.some((root) => path === root || path.startsWith(root.endsWith(sep) ? root : root + sep));
