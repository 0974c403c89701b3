// The directory of a product at an rsync target: what is sent there, read there, compared with it, and cleared away.
import { mkdir, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { onDisk } from '../../../bytes/disk-fault.js';
import { removeTree } from '../../../bytes/files.js';
import type { FileEntry } from '../../../contracts/claim.js';
import type { RsyncTarget } from '../../../contracts/targets.js';
import { createUrlGuard } from '../../../net/url-guard.js';
import { newestBytes, type RsyncHost, runRsync } from '../../rsync/run.js';
import { MANIFEST } from '../manifest.js';
import type { Outgoing } from './publisher.js';
import { targetFault } from './rsync-verdict.js';

/** rsync's own directory at the far side, beside each file that is not whole or not shown yet. */
const PARTIAL_DIR = '.sluice-partial';
const SILENCE_MS = 60_000;
/** Its last lines, which sum up. */
const TAIL = 4_096;
/** Clearing up after a cancellation must not hold the worker. */
const CLEAR_UP_MS = 20_000;
const CLEAR_UP_TRIES = 4;
/** A disk or a processor that reads and hashes slower than so many bytes a second is given up. */
const SLOWEST = 20 * 2 ** 20;
/** The operator names the host, so none is forbidden. */
const guard = createUrlGuard(['0.0.0.0/0', '::/0']);

/** Only files and directories, with their times, readable for everybody; links of ours stand for files. */
const COPY = ['-r', '-L', '-t', '-O', '--chmod=D755,F644'];
const TOLD = '--info=progress2,flist0,stats2';

interface Run {
  /** How long either side may say nothing, ms. */
  readonly silenceMs: number;
  readonly onOutput: (bytes: Buffer) => void;
  /** What is compared with the far side; default: the product. */
  readonly from?: string;
  readonly signal?: AbortSignal;
}

export class FarDirectory {
  readonly #outgoing: Outgoing<RsyncTarget>;
  /** Nothing but the files of the manifest, as links. */
  readonly #tree: string;

  constructor(outgoing: Outgoing<RsyncTarget>) {
    this.#outgoing = outgoing;
    this.#tree = join(outgoing.place, 'tree');
  }

  /** Lays out what is to be sent. */
  async prepare(): Promise<void> {
    const { directory, files } = this.#outgoing;
    await onDisk(async () => {
      await removeTree(this.#tree);
      for (const parent of new Set(files.map(({ path }) => dirname(join(this.#tree, path)))))
        await mkdir(parent, { recursive: true });
      for (const { path } of files) await symlink(join(directory, path), join(this.#tree, path));
    });
  }

  /**
   * Everything but the manifest. New files wait beside their places and take them together; then what is not of the
   * product goes.
   * @param anew compares contents where names, sizes and times are equal
   * @returns bytes that had to be moved
   */
  async sendFiles(anew: boolean): Promise<number> {
    const { files } = this.#outgoing;
    const delayed = [`--partial-dir=${PARTIAL_DIR}`, '--delay-updates', '--delete-delay'];
    const args = [...COPY, ...delayed, ...(anew ? ['--checksum'] : []), `--exclude=/${MANIFEST}`, TOLD];
    return await this.#send(args, anew ? patience(files) : SILENCE_MS, files.slice(0, -1));
  }

  /** The manifest, when all it names is there; and what earlier attempts left beside the files goes. */
  async sendManifest(anew: boolean): Promise<number> {
    const manifest = this.#outgoing.files.slice(-1);
    const how = anew ? ['--checksum', `--include=/${MANIFEST}`, '--exclude=*'] : ['--delete-delay'];
    return await this.#send([...COPY, ...how, TOLD], SILENCE_MS, manifest);
  }

  /** Reads these files at both sides. @returns the first one whose content is not the same */
  async differing(files: readonly FileEntry[]): Promise<string | undefined> {
    const { place } = this.#outgoing;
    const list = join(place, 'list');
    await onDisk(() => writeFile(list, files.map(({ path }) => `${path}\0`).join('')));
    return await this.#dryRun(['--checksum', '--from0', `--files-from=${list}`], patience(files));
  }

  /** Looks at names and sizes only. @returns the first one that is missing, other, or not of the product */
  async odd(): Promise<string | undefined> {
    return await this.#dryRun(['--size-only', '--delete'], SILENCE_MS);
  }

  /** Removes what is not whole or not shown; what readers see stays. */
  async clearUp(): Promise<void> {
    // From nothing: directories that are empty then go too, those that readers see files in cannot.
    const only = [`R ${PARTIAL_DIR}`, `R ${PARTIAL_DIR}/**`, 'R */', 'P *'].map((rule) => `--filter=${rule}`);
    const args = ['-r', '--existing', '--delete', '-i', ...only];
    const nothing = join(this.#outgoing.place, 'nothing');
    await mkdir(nothing, { recursive: true });
    const signal = AbortSignal.timeout(CLEAR_UP_MS);
    // The far side may still be putting aside what it had: gone is what is not there when it is looked at again.
    for (let tried = 0; tried < CLEAR_UP_TRIES; tried++) {
      let told = '';
      const onOutput = (bytes: Buffer): void => {
        told += String(bytes);
      };
      await this.#run(args, { signal, silenceMs: CLEAR_UP_MS, from: nothing, onOutput });
      if (tried > 0 && !told.includes('*deleting')) return;
    }
  }

  async #send(args: readonly string[], silenceMs: number, files: readonly FileEntry[]): Promise<number> {
    const { advance } = this.#outgoing;
    const total = files.reduce((sum, { size }) => sum + size, 0);
    let told = 0;
    let tail = '';
    const tell = (bytes: number): void => {
      const now = Math.min(total, Math.max(told, bytes));
      advance(now - told, `${files.length} files`);
      told = now;
    };
    await this.#run(args, {
      silenceMs,
      onOutput: (bytes) => {
        tell(newestBytes(bytes) ?? 0);
        tail = (tail + bytes.toString('latin1')).slice(-TAIL);
      },
    });
    tell(total);
    return Number(/Literal data: (\d+) bytes/.exec(tail)?.[1] ?? 0);
  }

  async #dryRun(args: readonly string[], silenceMs: number): Promise<string | undefined> {
    let first: string | undefined;
    let rest = '';
    const onOutput = (bytes: Buffer): void => {
      const lines = (rest + bytes.toString()).split('\n');
      rest = (lines.pop() ?? '').slice(-4096);
      // A dot stands for what is as it should be, a space begins what is no item.
      first ??= lines.find((line) => /^[^.\s]/.test(line));
    };
    await this.#run(['-r', '-L', '--dry-run', '--itemize-changes', ...args], { silenceMs, onOutput });
    return first?.replace(/^\S+\s+/, '');
  }

  /** @throws Fault (see rsync-verdict), `program_missing`, `program_stalled`; the signal's reason */
  async #run(args: readonly string[], how: Run): Promise<void> {
    const { target, place, pace, advance, uuid } = this.#outgoing;
    const { silenceMs, onOutput, from = this.#tree, signal = this.#outgoing.signal } = how;
    // rsync is silent while it compares; it is ended when that takes too long.
    const alive = setInterval(() => advance(0, ''), 5_000);
    try {
      const end = await runRsync({
        host: this.#host(),
        place,
        connect: () => guard.connect(target.host, target.port, signal),
        pace: from === this.#tree ? { paceSent: pace } : {},
        silenceMs,
        stallLimitMs: 15 * silenceMs,
        args,
        path: farPath(target.path, uuid),
        operands: (far) => [`${from}/`, `${far}/`],
        onOutput,
        signal,
      });
      if (end.exitCode !== 0) throw targetFault(target, end);
    } finally {
      clearInterval(alive);
    }
  }

  #host(): RsyncHost {
    const { target, knownHosts } = this.#outgoing;
    const { via, host, port, user, password, privateKey = '', hostKey } = target;
    const ssh = { privateKey: async () => privateKey, hostKey, knownHosts };
    return { via, host, port, password, ssh, ...(user === undefined ? {} : { user }) };
  }
}

/** How long both sides may be silent while they read and hash so much, ms. */
const patience = (files: readonly FileEntry[]): number =>
  SILENCE_MS + (files.reduce((sum, { size }) => sum + size, 0) / SLOWEST) * 1000;

/** `path` is a directory that is there; the product's own is made below it. */
const farPath = (path: string, uuid: string): string => (path === '/' ? `/${uuid}` : `${path}/${uuid}`);
