// Which remotes of the configuration a request may name: those that do not lead to the server's own disk.
import { Fault } from '../../../domain/fault.js';
import type { FetchContext, RcloneSettings } from '../source.js';
import { runRclone } from './child.js';

export type Remotes = ReadonlyMap<string, Readonly<Record<string, string>>>;

/**
 * Proves that the remote is in the configuration and reads no path of this machine, over however many others.
 * @throws Fault `rclone_remote_unknown`, `rclone_remote_forbidden`, `rclone_config_broken`
 */
export async function expectRemote(
  settings: RcloneSettings,
  context: FetchContext,
  name: string,
): Promise<void> {
  let text = '';
  // rclone decrypts it where that is needed, and hides what is secret.
  await runRclone(settings, context, ['config', 'redacted'], (bytes) => {
    text += bytes.toString();
  });
  const remotes = readRemotes(text);
  if (!remotes.has(name)) {
    throw new Fault(
      'rclone_remote_unknown',
      `There is no remote ${JSON.stringify(name)} in this server's rclone configuration.`,
    );
  }
  if (leadsToDisk(remotes, name)) throw new Fault('rclone_remote_forbidden');
}

/** The sections of a configuration. */
export function readRemotes(text: string): Remotes {
  const remotes = new Map<string, Record<string, string>>();
  let options: Record<string, string> = {};
  for (const line of text.split('\n')) {
    const section = /^\[([^\]]+)\]\s*$/.exec(line)?.[1];
    const [, key, value] = /^\s*([A-Za-z0-9_]+)\s*=\s*(.*?)\s*$/.exec(line) ?? [];
    if (section !== undefined) {
      options = {};
      remotes.set(section, options);
    } else if (key !== undefined && value !== undefined) options[key] = value;
  }
  return remotes;
}

/** Backends that stand for others name them in these options. */
const POINTERS = ['remote', 'remotes', 'upstreams'] as const;

/** Whether a remote is the disk, or stands for something that is. Circles and what cannot be judged count as yes. */
export function leadsToDisk(remotes: Remotes, name: string, above: readonly string[] = []): boolean {
  const options = remotes.get(name);
  if (options === undefined || options.type === undefined || above.includes(name)) return true;
  if (options.type === 'local') return true;
  const targets = POINTERS.flatMap((pointer) => (options[pointer] ?? '').split(/\s+/)).filter(Boolean);
  return targets.some((target) => {
    // combine writes `directory=remote:path`.
    const [, next] = /^(?:[^=:/]+=)?([A-Za-z0-9_][A-Za-z0-9_.+@-]*):/.exec(target) ?? [];
    return next === undefined || leadsToDisk(remotes, next, [...above, name]);
  });
}
