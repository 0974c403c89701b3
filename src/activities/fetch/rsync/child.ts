// One run of rsync: its arguments, its environment, the files of ssh, the door to the host, and how it ended.
import { mkdir, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { Fault } from '../../../domain/fault.js';
import type { RsyncSource } from '../../../domain/source.js';
import { openRelay } from '../../../net/relay.js';
import { runTool } from '../../../process/run-tool.js';
import type { RsyncSecret } from '../../../sources/rsync.js';
import type { FetchContext, SourceDeps } from '../source.js';
import { rsyncPlace } from './staged.js';
import { type Asked, rsyncFault } from './verdict.js';

/** Time that rsync has to put its partial file aside. */
const GRACE_MS = 10_000;
/** Comparing what is there already with the far side's blocks is silent work; nothing takes longer than this, ms. */
export const LONGEST_SILENCE_MS = 900_000;

export interface RsyncCall {
  readonly asked: Asked;
  readonly args: readonly string[];
  /** As rsync is to name it on the far side (see RsyncSource.path). */
  readonly path: string;
  /** Put behind the source, on this machine. */
  readonly target?: string;
  readonly onOutput: (bytes: Buffer) => void;
}

/**
 * Runs rsync to a good end.
 * @throws Fault (see verdict), `program_missing`, `program_stalled`; the signal's reason
 */
export async function runRsync(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  call: RsyncCall,
): Promise<void> {
  const { source, signal } = context;
  const place = rsyncPlace(context.staging);
  await mkdir(place, { recursive: true, mode: 0o700 });
  const secret = await secretOf(deps, context);
  const relay = await openRelay({
    connect: () => deps.guard.connect(source.host, source.port, signal),
    pace: context.pace,
    // Twice what rsync is told: its signs of life keep a connection open on which the host is busy.
    silenceMs: 4 * deps.transfer.stallMs,
  });
  try {
    if (source.via === 'ssh') await writeSshFiles(deps, source, secret, { place, port: relay.port });
    const end = await runTool(
      {
        command: 'rsync',
        args: [
          ...ALWAYS,
          // Both sides send signs of life after half of it.
          `--timeout=${Math.ceil((2 * deps.transfer.stallMs) / 1000)}`,
          ...(source.via === 'ssh' ? ['-e', 'ssh -F ssh_config'] : []),
          ...call.args,
          '--',
          addressOf(source, relay.port, call.path),
          ...(call.target === undefined ? [] : [call.target]),
        ],
        // Without the variable rsync would ask for a password.
        env: source.via === 'daemon' ? { RSYNC_PASSWORD: secret.password ?? '' } : {},
        cwd: place,
        graceMs: GRACE_MS,
        stallLimitMs: LONGEST_SILENCE_MS,
      },
      { onOutput: call.onOutput, signal },
    );
    if (end.exitCode !== 0) throw rsyncFault(call.asked, source.host, end, relay.failure());
  } finally {
    relay.close();
    await Promise.all(SSH_FILES.map((name) => rm(join(place, name), { force: true })));
  }
}

/** Names go to the far side over the connection (-s), never through a shell; what we read is not abbreviated. */
const ALWAYS = ['-s', '-8', '--no-h', '--no-motd'];
const SSH_FILES = ['key', 'known_hosts', 'ssh_config'];

async function secretOf(
  deps: SourceDeps,
  { source, jobId }: FetchContext<RsyncSource>,
): Promise<RsyncSecret> {
  if (!source.sealed) return {};
  const secret = await deps.secrets.open<RsyncSecret>(jobId);
  if (secret !== undefined) return secret;
  throw new Fault('remote_denied', 'The credentials are no longer kept; send it again with them.');
}

function addressOf({ via, user }: RsyncSource, port: number, path: string): string {
  if (via === 'daemon') return `rsync://${user === undefined ? '' : `${user}@`}127.0.0.1:${port}/${path}`;
  // A colon in front would make it the name of a module.
  return `source:${/^[:-]/.test(path) ? './' : ''}${path}`;
}

/**
 * ssh gets everything by file, so that no text from outside stands among its arguments. The key lies there for the
 * child's life only.
 */
async function writeSshFiles(
  deps: SourceDeps,
  source: RsyncSource,
  secret: RsyncSecret,
  { place, port }: { place: string; port: number },
): Promise<void> {
  const alias = source.port === 22 ? source.host : `[${source.host}]:${source.port}`;
  const key = source.key === undefined ? (secret.privateKey ?? '') : await deps.ssh.key(source.key);
  const known = source.hostKey === undefined ? await deps.ssh.knownHosts() : `${alias} ${source.hostKey}`;
  const options = {
    ...SSH_OPTIONS,
    HostKeyAlias: alias,
    Port: String(port),
    ...(source.user === undefined ? {} : { User: source.user }),
  };
  const lines = Object.entries(options).map(([name, value]) => `${name} ${value}\n`);
  const files = {
    key: key.replace(/\r\n/g, '\n').replace(/\n*$/, '\n'),
    known_hosts: `${known}\n`,
    ssh_config: lines.join(''),
  };
  for (const [name, content] of Object.entries(files)) {
    await rm(join(place, name), { force: true });
    await writeFile(join(place, name), content, { mode: 0o600, flag: 'wx' });
  }
}

/** Relative names are taken from the working directory. */
const SSH_OPTIONS = {
  HostName: '127.0.0.1',
  IdentityFile: 'key',
  IdentitiesOnly: 'yes',
  IdentityAgent: 'none',
  PreferredAuthentications: 'publickey',
  UserKnownHostsFile: 'known_hosts',
  GlobalKnownHostsFile: '/dev/null',
  StrictHostKeyChecking: 'yes',
  UpdateHostKeys: 'no',
  CheckHostIP: 'no',
  BatchMode: 'yes',
  ForwardAgent: 'no',
  ForwardX11: 'no',
  ClearAllForwardings: 'yes',
  PermitLocalCommand: 'no',
  ProxyCommand: 'none',
  ControlMaster: 'no',
  ControlPath: 'none',
  RequestTTY: 'no',
  EscapeChar: 'none',
  ConnectTimeout: '20',
  ServerAliveInterval: '15',
  ServerAliveCountMax: '4',
  LogLevel: 'ERROR',
} as const;
