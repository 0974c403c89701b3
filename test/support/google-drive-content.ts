// What lies in the stand-in for Drive: files by id, with parents, shared drives, shortcuts, documents, trash and shares.
import { createHash } from 'node:crypto';
import { type Pattern, patternPart } from './pattern.js';

export const FOLDER = 'application/vnd.google-apps.folder';
export const SHORTCUT = 'application/vnd.google-apps.shortcut';
export const DOCUMENT = 'application/vnd.google-apps.document';

/** Content; a pattern is made as it is sent. */
export type Content = Buffer | Pattern;

export const lengthOf = (content: Content): number =>
  Buffer.isBuffer(content) ? content.length : content.counted;

const BLOCK = 1024 * 1024;
/** Bytes of the content from `start` on, at most so many. */
export function partOf(content: Content, start: number, length: number): Buffer {
  if (Buffer.isBuffer(content)) return content.subarray(start, start + length);
  return patternPart(content, start, Math.min(length, BLOCK));
}

export interface Item {
  readonly id: string;
  name: string;
  mimeType: string;
  parent?: string;
  content?: Content;
  trashed?: boolean;
  /** Of a shared drive; its items have it all. */
  driveId?: string;
  target?: string;
  /** Exports by type; only documents of Google have them. */
  exports?: Record<string, Buffer>;
  /** Addresses that may read it and what lies below; those of the parents count too. */
  sharedWith?: string[];
  linkKey?: string;
  abusive?: boolean;
  noDownload?: boolean;
  /** Google keeps digests of uploaded content only, and of some old files none. */
  noDigests?: boolean;
  createdTime: string;
  modifiedTime: string;
  revision: number;
}

let clock = Date.parse('2026-01-01T00:00:00Z');
const tick = (): string => {
  clock += 1000;
  return new Date(clock).toISOString();
};

export class DriveContent {
  readonly items = new Map<string, Item>();
  private readonly origin: string;
  private count = 0;
  private readonly digests = new Map<string, string>();

  constructor(origin: string) {
    this.origin = origin;
  }

  add(item: Partial<Item> & Pick<Item, 'name'>): Item {
    this.count += 1;
    const now = tick();
    const id = item.id ?? `id_${String(this.count).padStart(6, '0')}_abcdefghijklmnop`;
    const mimeType = item.mimeType ?? 'application/octet-stream';
    const whole = { createdTime: now, modifiedTime: now, revision: 1, ...item, id, mimeType };
    this.items.set(id, whole);
    return whole;
  }

  folder(name: string, more: Partial<Item> = {}): Item {
    return this.add({ name, mimeType: FOLDER, ...more });
  }

  file(name: string, content: Content, more: Partial<Item> = {}): Item {
    return this.add({ name, content, ...more });
  }

  shortcut(name: string, target: string, parent: string): Item {
    return this.add({ name, mimeType: SHORTCUT, target, parent });
  }

  /** New content for a file, as an edit makes it. */
  edit(id: string, content: Content): void {
    const item = this.items.get(id);
    if (item === undefined) throw new Error(`no ${id}`);
    Object.assign(item, { content, modifiedTime: tick(), revision: item.revision + 1 });
  }

  /** The item if this account sees it: shared with it, and of a shared drive only to those who say that they know them. */
  seenBy(who: string, id: string, allDrives: boolean, linkKeys = ''): Item | undefined {
    const item = this.items.get(id);
    if (item === undefined || (item.driveId !== undefined && !allDrives)) return undefined;
    if (item.linkKey !== undefined && !linkKeys.split(',').includes(`${id}/${item.linkKey}`))
      return undefined;
    return this.isShared(item, who) ? item : undefined;
  }

  childrenOf(who: string, parent: string, allDrives: boolean, drive: string | undefined): Item[] | undefined {
    if (this.seenBy(who, parent, allDrives, this.keysOf(parent)) === undefined) return undefined;
    return [...this.items.values()].filter(
      (item) =>
        item.parent === parent &&
        item.trashed !== true &&
        (allDrives || item.driveId === undefined) &&
        (drive === undefined || item.driveId === drive),
    );
  }

  /** The fields that a mask names, of those that Drive has; an unknown field is an error of the caller. */
  masked(item: Item, mask: string): Record<string, unknown> {
    const all = this.described(item);
    const wanted = mask.replace(/\([^)]*\)/g, '').split(',');
    const unknown = wanted.filter((field) => !KNOWN.has(field));
    if (unknown.length > 0) throw new Error(`invalid field selection ${unknown.join()}`);
    return Object.fromEntries(
      Object.entries(all).filter(([name, value]) => value !== undefined && wanted.includes(name)),
    );
  }

  private described(item: Item): Record<string, unknown> {
    const { content, target, exports, noDigests } = item;
    const aim = target === undefined ? undefined : this.items.get(target);
    const digest = (algorithm: string): string | undefined =>
      content === undefined || noDigests === true ? undefined : this.digestOf(algorithm, item, content);
    return {
      kind: 'drive#file',
      id: item.id,
      name: item.name,
      mimeType: item.mimeType,
      size: content === undefined ? undefined : String(lengthOf(content)),
      md5Checksum: digest('md5'),
      sha256Checksum: digest('sha256'),
      headRevisionId: content === undefined ? undefined : `revision-${item.revision}`,
      createdTime: item.createdTime,
      modifiedTime: item.modifiedTime,
      trashed: this.isTrashed(item),
      driveId: item.driveId,
      resourceKey: item.linkKey,
      capabilities: { canDownload: item.noDownload !== true },
      exportLinks:
        exports && Object.fromEntries(Object.keys(exports).map((type) => [type, this.linkTo(item.id, type)])),
      shortcutDetails: target && {
        targetId: target,
        targetMimeType: aim?.mimeType ?? 'application/octet-stream',
        targetResourceKey: aim?.linkKey,
      },
    };
  }

  private digestOf(algorithm: string, { id, revision }: Item, content: Content): string {
    const key = `${algorithm} ${id} ${revision}`;
    const known = this.digests.get(key);
    if (known !== undefined) return known;
    const hash = createHash(algorithm);
    for (let at = 0; at < lengthOf(content); at += BLOCK) hash.update(partOf(content, at, BLOCK));
    const digest = hash.digest('hex');
    this.digests.set(key, digest);
    return digest;
  }

  private linkTo(id: string, type: string): string {
    return `${this.origin}/export-link/${id}?mimeType=${encodeURIComponent(type)}`;
  }

  private keysOf(id: string): string {
    return `${id}/${this.items.get(id)?.linkKey ?? ''}`;
  }

  private isShared(item: Item, who: string): boolean {
    for (let at: Item | undefined = item; at !== undefined; at = this.items.get(at.parent ?? '')) {
      if (at.sharedWith?.includes(who) === true) return true;
      if (at.parent === undefined) return at.sharedWith === undefined;
    }
    return false;
  }

  private isTrashed(item: Item): boolean {
    for (let at: Item | undefined = item; at !== undefined; at = this.items.get(at.parent ?? '')) {
      if (at.trashed === true) return true;
    }
    return false;
  }
}

const KNOWN = new Set(
  (
    'kind,id,name,mimeType,size,md5Checksum,sha256Checksum,headRevisionId,createdTime,modifiedTime,trashed,driveId,' +
    'resourceKey,capabilities,exportLinks,shortcutDetails'
  ).split(','),
);
