// One run of rsync for an upload: with its credentials, through the guard, at its pace.
import { Fault } from '../../../domain/fault.js';
import type { RsyncSource } from '../../../domain/source.js';
import type { RsyncSecret } from '../../../sources/rsync.js';
import { type RsyncHost, runRsync } from '../../rsync/run.js';
import type { FetchContext, SourceDeps } from '../source.js';
import { rsyncPlace } from './staged.js';
import { type Asked, rsyncFault } from './verdict.js';

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
export async function fetchByRsync(
  deps: SourceDeps,
  context: FetchContext<RsyncSource>,
  { asked, args, path, target, onOutput }: RsyncCall,
): Promise<void> {
  const { source, signal } = context;
  const end = await runRsync({
    host: await hostOf(deps, context),
    place: rsyncPlace(context.staging),
    connect: () => deps.guard.connect(source.host, source.port, signal),
    pace: { paceReceived: context.pace },
    silenceMs: 2 * deps.transfer.stallMs,
    args,
    path,
    operands: (far) => (target === undefined ? [far] : [far, target]),
    onOutput,
    signal,
  });
  if (end.exitCode !== 0) throw rsyncFault(asked, source.host, end);
}

async function hostOf(deps: SourceDeps, context: FetchContext<RsyncSource>): Promise<RsyncHost> {
  const { via, host, port, user, key, hostKey } = context.source;
  const secret = await secretOf(deps, context);
  return {
    via,
    host,
    port,
    ...(user === undefined ? {} : { user }),
    password: secret.password,
    ssh: {
      privateKey: async () => (key === undefined ? (secret.privateKey ?? '') : await deps.ssh.key(key)),
      hostKey,
      knownHosts: deps.ssh.knownHosts,
    },
  };
}

async function secretOf(
  deps: SourceDeps,
  { source, jobId }: FetchContext<RsyncSource>,
): Promise<RsyncSecret> {
  if (!source.sealed) return {};
  const secret = await deps.secrets.open<RsyncSecret>(jobId);
  if (secret !== undefined) return secret;
  throw new Fault('remote_denied', 'The credentials are no longer kept; send it again with them.');
}
