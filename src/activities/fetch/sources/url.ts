// Source `url`: a file on the web, resumed by range and validator.
import { mkdir, rename } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import { sizeOf } from '../../../bytes/files.js';
import { readJson, writeJson } from '../../../bytes/json-file.js';
import { confirmedBytes, removePartial } from '../../../bytes/partial-file.js';
import { Fault } from '../../../domain/fault.js';
import type { UrlSource } from '../../../domain/source.js';
import { joinUrl, type UrlSecret } from '../../../net/http.js';
import type { Announced, FetchContext, FetchedFile, SourceDeps, SourceFetcher } from '../source.js';
import { stableTransfer } from '../transfer/engine.js';
import { followFile } from '../transfer/follow.js';
import { announcedDigests, type Delivery } from '../url/answer.js';
import { fileNameOf } from '../url/file-name.js';
import { openUrl } from '../url/open.js';

/** Longer than any wait inside: a stall, a back-off, what a server asks for. */
const BOUND_MS = 180_000;

export function urlSource(deps: SourceDeps): SourceFetcher<UrlSource> {
  return {
    kind: 'url',
    async fetch(context) {
      const path = join(context.staging.partial, 'url');
      const done = await finished(context, path);
      if (done !== undefined) return [done];
      try {
        const target = await targetOf(deps, context);
        const { first, hash } = await context.waiting(
          stableTransfer({
            opener: openUrl(deps.http, target),
            settings: deps.transfer,
            path,
            owner: context.owner,
            signal: context.signal,
            pace: context.pace,
            admit: context.admit,
            advance: (done, total) => context.advance(done, total, target.url.host),
            follow: (answer) => followFile(path, answer.validator.size, announcedDigests(answer)),
          }),
          BOUND_MS,
        );
        return [{ ...(await finish(context, path, target.url, first)), hash }];
      } catch (error) {
        if (!context.signal.aborted) throw error;
        return { paused: true, confirmed: await confirmedBytes(path) };
      }
    },
  };
}

type Target = ReturnType<typeof joinUrl>;

async function targetOf(
  { secrets }: SourceDeps,
  { source, jobId }: FetchContext<UrlSource>,
): Promise<Target> {
  if (!source.sealed) return joinUrl(source.url);
  const secret = await secrets.open<UrlSecret>(jobId);
  if (secret !== undefined) return joinUrl(source.url, secret);
  throw new Fault('url_denied', 'The credentials of the URL are no longer kept; send it again with them.');
}

/** Names the whole file. What is told about it is written down first, for an attempt that comes after this one. */
async function finish(context: FetchContext, path: string, url: URL, first: Delivery): Promise<FetchedFile> {
  const name = fileNameOf(url, first.answer.headers['content-disposition']);
  const announced = announcedDigests(first);
  await writeJson(resultPath(path), { name, announced } satisfies Result);
  const from = join(context.staging.files, name);
  await onDisk(() => mkdir(dirname(from), { recursive: true }));
  await rename(path, from);
  await removePartial(path);
  return { path: name, from, announced };
}

interface Result {
  readonly name: string;
  readonly announced: readonly Announced[];
}

/** The file, when an earlier attempt brought it whole (it is renamed only then). */
async function finished(context: FetchContext, path: string): Promise<FetchedFile | undefined> {
  const result = (await readJson(resultPath(path))) as Result | undefined;
  if (result === undefined) return undefined;
  const from = join(context.staging.files, result.name);
  const size = await sizeOf(from);
  if (size === undefined) return undefined;
  context.advance(size, size, result.name);
  return { path: result.name, from, announced: result.announced };
}

const resultPath = (path: string): string => `${path}.done.json`;
