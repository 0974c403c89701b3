// One run of rsync: its arguments, its environment, the files of ssh, the door to the host, and how it ended.
import { mkdir } from 'node:fs/promises';
import type { Socket } from 'node:net';
import type { RsyncAddress } from '../../contracts/rsync-address.js';
import { openRelay, type RelayOptions } from '../../net/relay.js';
import { runTool, type ToolEnd } from '../../process/run-tool.js';
import { removeSshFiles, type SshAccess, writeSshFiles } from './ssh-files.js';

/** Time that rsync has to put its partial file aside. */
const GRACE_MS = 10_000;
/** Comparing what is there already with the far side's blocks is silent work; nothing takes longer than this, ms. */
export const LONGEST_SILENCE_MS = 900_000;

/** The far side, and what lets in there. */
export interface RsyncHost extends Pick<RsyncAddress, 'via' | 'host' | 'port' | 'user'> {
  /** Of the daemon's user. */
  readonly password?: string | undefined;
  /** For `ssh`. */
  readonly ssh: SshAccess;
}

export interface RsyncRun {
  readonly host: RsyncHost;
  /** Absolute; the program's working directory, and of no other program. The files of ssh lie there while it runs. */
  readonly place: string;
  /** Makes the connection to the host. */
  connect(): Promise<Socket>;
  readonly pace: Pick<RelayOptions, 'paceReceived' | 'paceSent'>;
  /** Neither side may say nothing for longer, ms; signs of life come after half of it. */
  readonly silenceMs: number;
  /** Longest time without a word of rsync itself; default `LONGEST_SILENCE_MS`. */
  readonly stallLimitMs?: number;
  readonly args: readonly string[];
  /** As rsync is to name it on the far side (see RsyncSource.path). */
  readonly path: string;
  /** What stands behind the options, in its order. */
  operands(far: string): readonly string[];
  readonly onOutput: (bytes: Buffer) => void;
  readonly signal: AbortSignal;
}

export interface RsyncEnd extends ToolEnd {
  /** Why there was no connection to the host, if so. */
  readonly connection: unknown;
}

/**
 * Runs rsync to its end, good or bad.
 * @throws Fault `program_missing`, `program_stalled`, `ssh_key_unknown`; the signal's reason
 */
export async function runRsync(run: RsyncRun): Promise<RsyncEnd> {
  const { host, place, silenceMs, signal, onOutput } = run;
  await mkdir(place, { recursive: true, mode: 0o700 });
  // Twice what rsync is told: its signs of life keep a connection open on which the host is busy.
  const relay = await openRelay({ connect: run.connect, ...run.pace, silenceMs: 2 * silenceMs });
  try {
    if (host.via === 'ssh') await writeSshFiles(host, { place, port: relay.port });
    const end = await runTool(
      {
        command: 'rsync',
        args: [
          ...ALWAYS,
          `--timeout=${Math.ceil(silenceMs / 1000)}`,
          ...(host.via === 'ssh' ? ['-e', 'ssh -F ssh_config'] : []),
          ...run.args,
          '--',
          ...run.operands(addressOf(host, relay.port, run.path)),
        ],
        // Without the variable rsync would ask for a password.
        env: host.via === 'daemon' ? { RSYNC_PASSWORD: host.password ?? '' } : {},
        cwd: place,
        graceMs: GRACE_MS,
        stallLimitMs: run.stallLimitMs ?? LONGEST_SILENCE_MS,
      },
      { onOutput, signal },
    );
    return { ...end, connection: relay.failure() };
  } finally {
    relay.close();
    await removeSshFiles(place);
  }
}

/** Names go to the far side over the connection (-s), never through a shell; what we read is not abbreviated. */
const ALWAYS = ['-s', '-8', '--no-h', '--no-motd'];

function addressOf({ via, user }: RsyncHost, port: number, path: string): string {
  if (via === 'daemon') return `rsync://${user === undefined ? '' : `${user}@`}127.0.0.1:${port}/${path}`;
  // A colon in front would make it the name of a module.
  return `source:${/^[:-]/.test(path) ? './' : ''}${path}`;
}

/** The bytes that the newest line of progress names: files of this run, the present one as far as it is. */
export function newestBytes(output: Buffer): number | undefined {
  const lines = [...output.toString('latin1').matchAll(/(?:^|[\r\n])\s*(\d+)\s+\d+%/g)];
  const bytes = lines.at(-1)?.[1];
  return bytes === undefined ? undefined : Number(bytes);
}
