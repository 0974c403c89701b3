// The few questions that are put to the Drive API.
import type { drive_v3 } from 'googleapis/build/src/apis/drive/index.js';
import { Fault } from '../../../domain/fault.js';
import type { HttpAnswer, HttpClient } from '../../../net/http.js';
import type { DriveAccess } from './access.js';
import { AskAgain, patiently, refusedBy, refusedWith } from './asking.js';
import { Gate, type GateSettings } from './gate.js';
import { loadLibrary } from './library.js';

/** What is asked of every file; nothing else is sent. */
const FIELDS =
  'id,name,mimeType,size,md5Checksum,sha256Checksum,headRevisionId,modifiedTime,createdTime,trashed,driveId,' +
  'resourceKey,exportLinks,capabilities(canDownload),shortcutDetails(targetId,targetMimeType,targetResourceKey)';
const PAGE = 1000;

/** A file, folder or shortcut as Drive describes it. */
export type DriveItem = Omit<drive_v3.Schema$File, 'id' | 'name'> & {
  readonly id: string;
  readonly name: string;
};

export class DriveApi {
  readonly access: DriveAccess;
  private readonly http: HttpClient;
  private readonly root: string;
  private readonly files: drive_v3.Resource$Files;
  private readonly gate: Gate;
  private readonly signal: AbortSignal;
  private readonly linkKeys: Map<string, string>;

  private constructor(
    access: DriveAccess,
    http: HttpClient,
    root: string,
    files: drive_v3.Resource$Files,
    settings: GateSettings,
  ) {
    this.access = access;
    this.http = http;
    this.root = root;
    this.files = files;
    this.gate = new Gate(settings);
    this.signal = settings.signal;
    this.linkKeys = new Map(Object.entries(access.linkKeys));
  }

  /** @param root address of the API, with a slash at its end */
  static async open(
    access: DriveAccess,
    http: HttpClient,
    root: string,
    settings: GateSettings,
  ): Promise<DriveApi> {
    const { drive } = await loadLibrary();
    const { files } = drive({ version: 'v3', auth: access.client, rootUrl: root });
    return new DriveApi(access, http, root, files, settings);
  }

  /** @throws Fault */
  async get(fileId: string): Promise<DriveItem> {
    const params = { fileId, fields: FIELDS, supportsAllDrives: true };
    return await this.ask(`file or folder ${fileId}`, async () => {
      const { data } = await this.files.get(params, this.once());
      return whole(data);
    });
  }

  /** What lies in a folder and not in the trash, page by page. @throws Fault */
  async *children(folder: string, drive: string | undefined): AsyncGenerator<readonly DriveItem[]> {
    const params = {
      q: `'${folder}' in parents and trashed = false`,
      fields: `nextPageToken,incompleteSearch,files(${FIELDS})`,
      pageSize: PAGE,
      supportsAllDrives: true,
      includeItemsFromAllDrives: true,
      ...(drive === undefined ? {} : { corpora: 'drive', driveId: drive }),
    };
    let pageToken: string | undefined;
    do {
      const page: drive_v3.Schema$FileList = await this.page(folder, {
        ...params,
        ...(pageToken === undefined ? {} : { pageToken }),
      });
      yield (page.files ?? []).map(whole);
      pageToken = page.nextPageToken ?? undefined;
    } while (pageToken !== undefined);
  }

  /**
   * One GET for bytes, answered with success or 416; the caller reads or destroys its body.
   * @param thing what is fetched, for messages
   * @throws Fault; the errors of a broken connection
   */
  async bytes(
    url: URL,
    headers: Readonly<Record<string, string>>,
    thing: string,
    signal: AbortSignal,
  ): Promise<HttpAnswer> {
    const { access, gate } = this;
    return await patiently(gate, access, thing, async (token) => {
      const target = { url, authorization: `Bearer ${token}` };
      const answer = await this.http.get(target, { ...headers, ...this.linkKeyHeader() }, signal);
      if ([200, 206, 416].includes(answer.status)) return answer;
      throw await refusedWith(answer, { thing, who: access.who });
    });
  }

  /** The address of a file's content. */
  contentOf(id: string): URL {
    return new URL(`drive/v3/files/${id}?alt=media&supportsAllDrives=true`, this.root);
  }

  /** The address of a document in another format. */
  exportOf(id: string, mimeType: string): URL {
    return new URL(`drive/v3/files/${id}/export?mimeType=${encodeURIComponent(mimeType)}`, this.root);
  }

  /** The address of a large export, as Google told it. @throws Fault when it does not lead to Google */
  linkOf(link: string): URL {
    const url = URL.canParse(link) ? new URL(link) : undefined;
    const isGoogles = url?.protocol === 'https:' && url.hostname.endsWith('.google.com');
    // Our token goes along.
    if (url !== undefined && (isGoogles || url.origin === new URL(this.root).origin)) return url;
    throw new Fault('drive_refused', 'Google Drive told a link for an export that does not lead to Google.');
  }

  /** A key that goes along with every request from now on. */
  addLinkKey(id: string, key: string | null | undefined): void {
    if (key) this.linkKeys.set(id, key);
  }

  private async page(
    folder: string,
    params: drive_v3.Params$Resource$Files$List,
  ): Promise<drive_v3.Schema$FileList> {
    return await this.ask(`folder ${folder}`, async () => {
      const { data } = await this.files.list(params, this.once());
      // A part of Google's index did not answer: what is missing must not pass for nothing.
      if (data.incompleteSearch === true) throw new AskAgain({ again: 'broken' });
      return data;
    });
  }

  private async ask<T>(thing: string, work: () => Promise<T>): Promise<T> {
    const { access, gate } = this;
    return await patiently(gate, access, thing, async () => {
      try {
        return await work();
      } catch (error) {
        throw refusedBy(error, { thing, who: access.who });
      }
    });
  }

  /** One try: how often and how long to wait is the gate's business. */
  private once(): { retry: false; signal: AbortSignal; headers: Record<string, string> } {
    return { retry: false, signal: this.signal, headers: this.linkKeyHeader() };
  }

  private linkKeyHeader(): Record<string, string> {
    const pairs = [...this.linkKeys].map(([id, key]) => `${id}/${key}`);
    return pairs.length === 0 ? {} : { 'x-goog-drive-resource-keys': pairs.join(',') };
  }
}

function whole({ id, name, ...rest }: drive_v3.Schema$File): DriveItem {
  if (!id) throw new Error('Google Drive described a file without an id');
  return { ...rest, id, name: name ?? '' };
}
