// What lies at an id of Drive: every file below it, with its path in the dataset and the version it has now.
import { quoteName, safeRelativePath } from '../../../bytes/safe-names.js';
import { Fault, faultOf } from '../../../domain/fault.js';
import type { Announced } from '../source.js';
import type { DriveApi, DriveItem } from './api.js';
import { FolderNames, safePart } from './names.js';

const MOST_FILES = 100_000;
const DEEPEST = 100;
/** Folders that are listed at once. */
const AT_ONCE = 4;

const NATIVE = 'application/vnd.google-apps.';
const FOLDER = `${NATIVE}folder`;
const SHORTCUT = `${NATIVE}shortcut`;
const OFFICE = 'application/vnd.openxmlformats-officedocument.';

interface Export {
  readonly mimeType: string;
  readonly extension: string;
}
/** Documents that live in Google alone, and what they become. */
const EXPORTS = new Map<string, Export>([
  [`${NATIVE}document`, { mimeType: 'application/pdf', extension: '.pdf' }],
  [`${NATIVE}spreadsheet`, { mimeType: `${OFFICE}spreadsheetml.sheet`, extension: '.xlsx' }],
  [`${NATIVE}presentation`, { mimeType: `${OFFICE}presentationml.presentation`, extension: '.pptx' }],
  [`${NATIVE}drawing`, { mimeType: 'image/png', extension: '.png' }],
]);

/** One file to fetch. */
export interface DriveFile {
  readonly id: string;
  /** Inside the dataset: safe, and unlike all others. */
  readonly path: string;
  /** Bytes; undefined for an export, whose size nobody knows before. */
  readonly size: number | undefined;
  /** Changes with the content. */
  readonly version: string;
  readonly announced: readonly Announced[];
  readonly exportAs?: { readonly mimeType: string; readonly link: string | undefined };
}

export interface DriveTree {
  readonly files: readonly DriveFile[];
  /** Why things are not among them. */
  readonly leftOut: readonly string[];
}

/**
 * Lists it. Folders are walked down; shortcuts are followed, those to folders last and only into folders that were not
 * seen yet, so no circle and no second copy comes of them.
 * @param leavesOut what Google does not give out is told of, instead of ending it
 * @throws Fault
 */
export async function listTree(
  api: DriveApi,
  root: { readonly id: string; readonly drive?: string },
  leavesOut: boolean,
): Promise<DriveTree> {
  const walk = new Walk(api, leavesOut);
  await walk.from(root);
  return walk;
}

/** How a file is now. @throws Fault, also when it is in the trash */
export async function lookAgain(api: DriveApi, file: DriveFile): Promise<DriveFile> {
  const item = await api.get(file.id);
  refuseTrash(item);
  return fileOf(item, file.path);
}

interface Folder {
  readonly id: string;
  readonly path: string;
  readonly depth: number;
  /** The shared drive that it lies in, if any. */
  readonly drive: string | undefined;
}

class Walk implements DriveTree {
  readonly files: DriveFile[] = [];
  readonly leftOut: string[] = [];
  private readonly api: DriveApi;
  private readonly leavesOut: boolean;
  private readonly seen = new Set<string>();
  private folders: Folder[] = [];
  private readonly shortcuts: Omit<Folder, 'drive'>[] = [];

  constructor(api: DriveApi, leavesOut: boolean) {
    this.api = api;
    this.leavesOut = leavesOut;
  }

  async from({ id, drive }: { readonly id: string; readonly drive?: string }): Promise<void> {
    const top = await this.target(await this.api.get(id));
    if (top.mimeType !== FOLDER) {
      const path = withExtension(safePart(top.name), top.mimeType);
      return await this.leaveOutOr(path, () => void this.files.push(fileOf(top, path)));
    }
    this.enter({ id: top.id, path: '', depth: 0, drive: top.driveId ?? drive });
    for (;;) {
      const batch = this.folders.splice(0, AT_ONCE);
      const shortcut = batch.length > 0 ? undefined : this.shortcuts.shift();
      if (shortcut !== undefined) await this.enterShortcut(shortcut);
      else if (batch.length === 0) return;
      const listed = await Promise.all(batch.map(async (folder) => await this.list(folder)));
      for (const [at, folder] of batch.entries()) await this.sort(folder, listed[at] ?? []);
    }
  }

  private enter(folder: Folder): void {
    if (this.seen.has(folder.id)) return;
    if (folder.depth > DEEPEST) {
      throw new Fault(
        'too_many_files',
        `The folder ${quoteName(folder.path)} lies deeper than ${DEEPEST} folders.`,
      );
    }
    this.seen.add(folder.id);
    this.folders.push(folder);
  }

  private async enterShortcut(shortcut: Omit<Folder, 'drive'>): Promise<void> {
    if (this.seen.has(shortcut.id)) return;
    await this.leaveOutOr(shortcut.path, async () => {
      const target = await this.api.get(shortcut.id);
      refuseTrash(target);
      this.enter({ ...shortcut, drive: target.driveId ?? undefined });
    });
  }

  private async list(folder: Folder): Promise<DriveItem[]> {
    const items: DriveItem[] = [];
    for await (const page of this.api.children(folder.id, folder.drive)) {
      items.push(...page);
      if (this.files.length + items.length > MOST_FILES) {
        throw new Fault('too_many_files', `There are more than ${MOST_FILES} files and folders in it.`);
      }
    }
    // The oldest of equal names keeps it, at every listing.
    return items.sort((a, b) => compare(a.createdTime ?? '', b.createdTime ?? '') || compare(a.id, b.id));
  }

  private async sort(folder: Folder, items: readonly DriveItem[]): Promise<void> {
    const names = new FolderNames();
    for (const item of items) {
      const type = item.shortcutDetails?.targetMimeType ?? item.mimeType;
      const name = names.take(withExtension(safePart(item.name), type), item.id);
      const path = safeRelativePath(folder.path === '' ? name : `${folder.path}/${name}`);
      const inside = { path, depth: folder.depth + 1 };
      if (item.mimeType === FOLDER) this.enter({ id: item.id, ...inside, drive: folder.drive });
      else
        await this.leaveOutOr(path, async () => {
          if (type === FOLDER) this.shortcuts.push({ id: this.follow(item), ...inside });
          else this.files.push(fileOf(await this.target(item), path));
        });
    }
  }

  /** What Google does not give out ends the upload, unless it was asked to be left out. */
  private async leaveOutOr(path: string, work: () => Promise<void> | void): Promise<void> {
    try {
      await work();
    } catch (error) {
      const code = faultOf(error)?.code ?? 'internal';
      if (!this.leavesOut || !['drive_refused', 'drive_not_found', 'drive_trashed'].includes(code))
        throw error;
      this.leftOut.push(`${path}: ${error instanceof Error ? error.message : code}`);
    }
  }

  /** The item itself, or what its shortcut leads to. @throws Fault, also when it is in the trash */
  private async target(item: DriveItem): Promise<DriveItem> {
    refuseTrash(item);
    if (item.mimeType !== SHORTCUT) return item;
    const target = await this.api.get(this.follow(item));
    if (target.mimeType === SHORTCUT) throw refused(item.name, 'it is a shortcut to a shortcut');
    refuseTrash(target);
    return target;
  }

  private follow({ name, shortcutDetails }: DriveItem): string {
    const { targetId, targetResourceKey } = shortcutDetails ?? {};
    if (!targetId) throw refused(name, 'it is a shortcut that leads nowhere');
    this.api.addLinkKey(targetId, targetResourceKey);
    return targetId;
  }
}

function fileOf(item: DriveItem, path: string): DriveFile {
  const { id, mimeType, size, md5Checksum: md5, sha256Checksum: sha256, headRevisionId, modifiedTime } = item;
  if (item.capabilities?.canDownload === false) throw refused(path, 'its owner does not allow downloads');
  const asExport = EXPORTS.get(mimeType ?? '');
  if (asExport !== undefined) {
    const exportAs = { mimeType: asExport.mimeType, link: item.exportLinks?.[asExport.mimeType] };
    return { id, path, size: undefined, version: modifiedTime ?? '', announced: [], exportAs };
  }
  if (size === undefined || size === null || mimeType?.startsWith(NATIVE) === true) {
    throw refused(path, `it is of the type ${JSON.stringify(mimeType)}, which cannot be exported`);
  }
  const announced: Announced[] = [
    ...(md5 ? [{ algorithm: 'md5' as const, hex: md5.toLowerCase() }] : []),
    ...(sha256 ? [{ algorithm: 'sha256' as const, hex: sha256.toLowerCase() }] : []),
  ];
  const version = sha256 ?? md5 ?? headRevisionId ?? modifiedTime ?? '';
  return { id, path, size: Number(size), version, announced };
}

/** A document gets the extension of what it becomes, unless it has it. */
function withExtension(name: string, mimeType: string | null | undefined): string {
  const extension = EXPORTS.get(mimeType ?? '')?.extension;
  return extension === undefined || name.toLowerCase().endsWith(extension) ? name : `${name}${extension}`;
}

function refuseTrash({ name, trashed }: DriveItem): void {
  if (trashed === true)
    throw new Fault('drive_trashed', `${quoteName(name)} is in the trash of Google Drive.`);
}

const refused = (name: string, why: string): Fault =>
  new Fault('drive_refused', `Google Drive does not give out ${quoteName(name)}: ${why}.`);

const compare = (a: string, b: string): number => (a < b ? -1 : Number(a > b));
