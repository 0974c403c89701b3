// All remote sources, each behind a line whose speed the test decides, and what lies at the end of each; and a directory.
import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { mkdir, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { type FaultProxy, startFaultProxy } from './fault-proxy.js';
import { type FaultServer, startFaultServer } from './fault-server.js';
import { type GoogleStandIn, startGoogle } from './google-drive.js';
import { type Pattern, patternDigest, patternPart, writePattern } from './pattern.js';
import { RCLONE, startWebDav, type WebDav, webDavRemote } from './rclone-server.js';
import { PASSWORD, type Sshd, startRsyncDaemon, startSshd, type TestServer, USER } from './rsync-servers.js';
import { BUCKET, KEYS, S3Server } from './s3-server.js';

const MIB = 1024 * 1024;
export const REMOTE = ['url', 's3', 'drive', 'dav', 'daemon', 'ssh'] as const;
export type Remote = (typeof REMOTE)[number];
export const EVERY = [...REMOTE, 'local'] as const;
export type Name = (typeof EVERY)[number];

/** A line that went far enough goes on at this speed, bytes a second: it is under way, and ends long after the test. */
export const CRAWL = MIB / 2;
export const ACCOUNT = 'reader@survey.iam.gserviceaccount.com';
const DRIVE_FILES = 4;
const SMALL = Buffer.from('small');
const SMALL_DIGEST = createHash('sha256').update(SMALL).digest('hex');

interface Servers {
  readonly web: FaultServer;
  readonly store: S3Server;
  readonly google: GoogleStandIn;
  readonly dav: WebDav;
  readonly daemon: TestServer;
  readonly sshd: Sshd;
}

export class PacedSources {
  readonly lines: Readonly<Record<Remote, FaultProxy>>;
  readonly google: GoogleStandIn;
  /** Bytes that lie at the end of each, without small change. */
  readonly size: number;
  /** What each source's product must hold: digests by path. */
  readonly given: Readonly<Record<Name, Readonly<Record<string, string>>>>;
  readonly #place: string;
  readonly #servers: Servers;
  readonly #folder: string;

  private constructor(place: string, size: number, servers: Servers, lines: Record<Remote, FaultProxy>) {
    this.#place = place;
    this.#servers = servers;
    this.google = servers.google;
    this.size = size;
    this.lines = lines;
    const files = Array.from({ length: DRIVE_FILES }, (_, at) => driveFile(size, at));
    this.#folder = this.google.content.folder('large', { sharedWith: [ACCOUNT] }).id;
    for (const [at, file] of files.entries()) {
      this.google.content.file(`f${at}.bin`, file, { parent: this.#folder });
    }
    const drive = Object.fromEntries(files.map((file, at) => [`f${at}.bin`, patternDigest(file)]));
    const tree = { 'large.bin': patternDigest({ counted: size }), 'sub/small.bin': SMALL_DIGEST };
    const url = { 'large.bin': tree['large.bin'] };
    this.given = { url, s3: tree, drive, dav: tree, daemon: tree, ssh: tree, local: tree };
  }

  /** @param size of what lies at the end of each, bytes */
  static async start(size: number): Promise<PacedSources> {
    const place = mkdtempSync(join(tmpdir(), 'sluice-sources-'));
    const content = { counted: size };
    writePattern(join(place, 'data/set/large.bin'), content);
    await mkdir(join(place, 'data/set/sub'));
    writeFileSync(join(place, 'data/set/sub/small.bin'), SMALL);
    const [web, store, google, dav, daemon, sshd] = await Promise.all([
      startFaultServer({ content, etag: '"v1"' }),
      S3Server.start(),
      startGoogle(),
      startWebDav(join(place, 'data')),
      startRsyncDaemon(join(place, 'daemon'), join(place, 'data')),
      startSshd(join(place, 'sshd')),
    ]);
    await store.put('set/large.bin', patternPart(content, 0, size));
    await store.put('set/sub/small.bin', SMALL);
    const ports: Record<Remote, number> = {
      ...{ url: web.port, s3: portOf(store.origin), drive: portOf(google.origin) },
      ...{ dav: dav.port, daemon: daemon.port, ssh: sshd.port },
    };
    const lines = await Promise.all(
      REMOTE.map(async (name) => [name, await startFaultProxy(ports[name])] as const),
    );
    const servers = { web, store, google, dav, daemon, sshd };
    const sources = new PacedSources(
      place,
      size,
      servers,
      Object.fromEntries(lines) as Record<Remote, FaultProxy>,
    );
    await mkdir(join(place, 'accounts'));
    writeFileSync(join(place, 'accounts/survey.json'), google.tokens.account(ACCOUNT).file);
    writeFileSync(join(place, 'rclone.conf'), webDavRemote('dav', sources.lines.dav.port));
    return sources;
  }

  /** Settings of a Sluice that may ask all of them, at once. */
  get settings(): Record<string, string> {
    const google = `http://127.0.0.1:${this.lines.drive.port}`;
    return {
      SLUICE_URL_ALLOW: '127.0.0.1/32',
      SLUICE_RCLONE_CONFIG: join(this.#place, 'rclone.conf'),
      SLUICE_RCLONE_BIN: RCLONE,
      SLUICE_LOCAL_ROOTS: this.directory,
      SLUICE_GOOGLE_ACCOUNTS: join(this.#place, 'accounts'),
      SLUICE_GOOGLE_API: google,
      SLUICE_GOOGLE_TOKENS: `${google}/token`,
      SLUICE_TRANSFER_SLOTS: '8',
    };
  }

  /** Where the source `local` lies. */
  get directory(): string {
    return join(this.#place, 'data');
  }

  /** As a request names it. */
  source(name: Name): object {
    const { url, s3, daemon, ssh } = this.lines;
    const { user, key: private_key, hostKey: host_key } = this.#servers.sshd;
    const [access_key_id, secret_access_key] = [KEYS.accessKeyId, KEYS.secretAccessKey];
    const bucket = { bucket: BUCKET, key: 'set/', endpoint: `http://127.0.0.1:${s3.port}`, path_style: true };
    const sources: Record<Name, object> = {
      url: { type: 'url', url: `http://127.0.0.1:${url.port}/large.bin` },
      s3: { type: 's3', ...bucket, access_key_id, secret_access_key },
      drive: { type: 'google_drive', id: this.#folder },
      dav: { type: 'rclone', from: 'dav:set' },
      daemon: {
        type: 'rsync',
        from: `rsync://${USER}@127.0.0.1:${daemon.port}/closed/set`,
        password: PASSWORD,
      },
      ssh: {
        type: 'rsync',
        from: `ssh://${user}@127.0.0.1:${ssh.port}${this.directory}/set`,
        ...{ private_key, host_key },
      },
      local: { type: 'local', path: join(this.directory, 'set') },
    };
    return sources[name];
  }

  /** Bytes that came over a line so far, whatever they were. */
  came(name: Remote): number {
    return this.lines[name].given();
  }

  /** From now on each line goes at `pace` (bytes a second) until so many bytes came over it, and crawls from there on. */
  paceUntil(goals: Readonly<Record<Remote, number>>, pace: number): void {
    for (const name of REMOTE) {
      const line = this.lines[name];
      line.behaviour = {
        get pace() {
          return line.given() < goals[name] ? pace : CRAWL;
        },
      };
    }
  }

  /** From now on every line is as fast as it can be. */
  free(): void {
    for (const line of Object.values(this.lines)) line.behaviour = {};
  }

  async close(): Promise<void> {
    const { web, store, google, dav, daemon, sshd } = this.#servers;
    await Promise.all(Object.values(this.lines).map((line) => line.close()));
    await Promise.all([web.close(), google.close(), store.close()]);
    await Promise.all([dav.stop(), daemon.stop(), sshd.stop()]);
    await rm(this.#place, { recursive: true });
  }
}

const portOf = (origin: string): number => Number(new URL(origin).port);
/** None is as long as another, or has words of it. */
const driveFile = (size: number, at: number): Pattern => ({ counted: size / DRIVE_FILES - at, mark: 1 + at });
