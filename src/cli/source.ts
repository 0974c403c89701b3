// What the user named: a file, a directory or a URL; and which files of it are sent.
import type { Stats } from 'node:fs';
import { readdir, realpath, stat } from 'node:fs/promises';
import { basename, join, resolve } from 'node:path';
import type { z } from 'zod';
import { isErrno } from '../bytes/disk-fault.js';
import { quoteName, safeRelativePath } from '../bytes/safe-names.js';
import { faultOf } from '../domain/fault.js';
import type { SourceOptions } from '../sources/offer.js';
import { offerOf, SOURCE_TYPES } from '../sources/registry.js';
import type { StartUpload } from '../sources/start.js';
import { CliError, EXIT, usage } from './exit.js';

export type Named =
  | { readonly kind: 'source'; readonly body: StartUpload['source']; readonly name: string }
  | { readonly kind: 'path'; readonly path: string };

/** How sources that the server fetches are named. */
export const SOURCE_EXAMPLES = SOURCE_TYPES.flatMap((type) => offerOf(type).cli?.example ?? []);

/** What a text names: a source that the server fetches, or else a path. */
export function classify(text: string, options: SourceOptions = {}): Named {
  for (const type of SOURCE_TYPES) {
    const read = offerOf(type).cli?.read(text, options);
    if (read === undefined) continue;
    refuseBody(text, offerOf(type).schema, read.body);
    return { kind: 'source', ...read } as Named;
  }
  return { kind: 'path', path: text };
}

/** What the server would refuse at once. @throws CliError (exit 2) */
function refuseBody(text: string, schema: z.ZodType, body: Readonly<Record<string, unknown>>): void {
  if (typeof body['url'] === 'string' && !URL.canParse(body['url']))
    throw usage(`${quoteName(text)} is no URL.`, `Name one of ${SOURCE_EXAMPLES.join(', ')}, or a path.`);
  const [issue] = schema.safeParse(body).error?.issues ?? [];
  if (issue === undefined) return;
  const words = `${quoteName(text)}: ${issue.path.map(String).join('.')} ${issue.message}.`;
  throw usage(words, 'See docs/sources.md.');
}

export interface NamedFile {
  /** Path inside the dataset. */
  readonly name: string;
  readonly path: string;
  readonly size: number;
  readonly mtimeMs: number;
}

export interface FilesToSend {
  /** Absolute, links resolved. */
  readonly top: string;
  readonly files: readonly NamedFile[];
  readonly bytes: number;
  /** Left out, each with its reason. */
  readonly skipped: readonly string[];
  /** The server could not read the same files by itself: links, or files that are left out. */
  readonly onlyHere: boolean;
}

/** @throws CliError (exit 2) for what is missing, empty or cannot be read */
export async function listFiles(path: string): Promise<FilesToSend> {
  const top = await realTop(path);
  const found = await stat(top);
  const list = found.isDirectory() ? await walkAll(top) : single(path, top, found);
  const { files, skipped } = list;
  if (files.length === 0) {
    throw usage(
      `There is no file to send in ${quoteName(path)}${skipped.length > 0 ? ` (${skipped.join('; ')})` : ''}.`,
      'Name a file, or a directory that holds files.',
    );
  }
  const bytes = files.reduce((sum, { size }) => sum + size, 0);
  // The server refuses them too, but after everything was sent.
  const empty = files.find(({ size }) => size === 0);
  if (empty !== undefined)
    throw new CliError(
      EXIT.content,
      'empty_file',
      bytes === 0 ? emptyWords(path, files) : `${quoteName(empty.name)} is empty.`,
      'Send files with content.',
    );
  refuseBadNames(files);
  return { top, files, bytes, skipped, onlyHere: skipped.length > 0 || list.links };
}

async function realTop(path: string): Promise<string> {
  try {
    return await realpath(resolve(path));
  } catch (error) {
    if (isErrno(error, 'ENOENT', 'ENOTDIR', 'ELOOP')) {
      throw usage(
        `${quoteName(path)} does not exist.`,
        `Name a file, a directory, or one of ${SOURCE_EXAMPLES.join(', ')}.`,
      );
    }
    throw unreadable(path, error);
  }
}

interface Listing {
  readonly files: NamedFile[];
  readonly skipped: string[];
  links: boolean;
}

function single(path: string, top: string, found: Stats): Listing {
  if (!found.isFile()) throw usage(`${quoteName(path)} is neither a file nor a directory.`);
  // The name that the user gave, although a link may lead to another one.
  const name = basename(resolve(path));
  return { files: [asFile(name, top, found)], skipped: [], links: name !== basename(top) };
}

async function walkAll(top: string): Promise<Listing> {
  const listing: Listing = { files: [], skipped: [], links: false };
  await walk(top, '', listing);
  listing.files.sort((a, b) => (a.name < b.name ? -1 : 1));
  return listing;
}

async function walk(top: string, below: string, listing: Listing): Promise<void> {
  const here = join(top, below);
  const entries = await readdir(here, { withFileTypes: true }).catch((error: unknown) => {
    throw unreadable(here, error);
  });
  for (const entry of entries) {
    const name = below === '' ? entry.name : `${below}/${entry.name}`;
    const path = join(top, name);
    if (entry.name.startsWith('.')) listing.skipped.push(`${quoteName(name)} is hidden`);
    else if (entry.isDirectory()) await walk(top, name, listing);
    else await take(name, path, entry.isSymbolicLink(), listing);
  }
}

async function take(name: string, path: string, link: boolean, listing: Listing): Promise<void> {
  const found = await stat(path).catch(() => undefined);
  if (link) listing.links = true;
  if (found === undefined) listing.skipped.push(`${quoteName(name)} is a link that leads nowhere`);
  else if (found.isFile()) listing.files.push(asFile(name, path, found));
  else listing.skipped.push(`${quoteName(name)} is ${link ? 'a link to a directory' : 'no regular file'}`);
}

const asFile = (name: string, path: string, { size, mtimeMs }: Stats): NamedFile => ({
  name,
  path,
  size,
  mtimeMs,
});

/** The server would refuse them after their bytes: better to say it before. */
function refuseBadNames(files: readonly NamedFile[]): void {
  for (const { name } of files) {
    try {
      safeRelativePath(name);
    } catch (error) {
      const fault = faultOf(error);
      if (fault === undefined) throw error;
      throw usage(fault.message, fault.row.remedy);
    }
  }
}

function emptyWords(path: string, files: readonly NamedFile[]): string {
  return files.length === 1
    ? `${quoteName(files[0]?.name ?? path)} is empty.`
    : `All files in ${quoteName(path)} are empty.`;
}

function unreadable(path: string, error: unknown): CliError {
  const why = error instanceof Error ? error.message : String(error);
  return usage(`${quoteName(path)} cannot be read (${why}).`, 'Check its permissions.');
}
