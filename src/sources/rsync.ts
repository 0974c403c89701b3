// Offer of the source `rsync`: what a daemon or rsync over ssh gives. Passwords and private keys are sealed.
import { z } from 'zod';
import { looksLikeRsync, readRsyncAddress } from '../contracts/rsync-address.js';
import { Fault } from '../domain/fault.js';
import type { RsyncSource } from '../domain/source.js';
import { offer } from './offer.js';

const fields = {
  from: z.string().min(1).max(2048),
  /** Of the daemon's user. */
  password: z.string().min(1).max(1024).optional(),
  /** A private key that the server has, by its name. */
  key: z.string().min(1).max(100).optional(),
  /** A private key, without a passphrase. */
  private_key: z.string().min(1).max(16_384).optional(),
  /** The public key of the host, as in known_hosts: `type base64`. */
  host_key: z
    .string()
    .max(4096)
    .regex(/^[a-z0-9@.-]{1,64} [A-Za-z0-9+/]{32,4000}={0,2}$/, 'must be a type and a base64 text')
    .optional(),
  /** What cannot be taken over (links, devices) is left out, instead of ending the upload. */
  leave_out: z.boolean().optional(),
};
const schema = z.strictObject({ type: z.literal('rsync'), ...fields });
type Body = z.output<typeof schema>;

/** What lies sealed under the job's id. */
export interface RsyncSecret {
  readonly password?: string;
  readonly privateKey?: string;
}

export const rsyncOffer = offer({
  schema,
  parameters: {
    required: ['from'],
    optional: ['password', 'key', 'private_key', 'host_key', 'leave_out', 'folder', 'team_uuid'],
  },

  async check(body, { urlGuard, ssh }) {
    const { password: inAddress, ...address } = readRsyncAddress(body.from);
    const password = body.password ?? inAddress;
    refuseMixture(address.via, body, password);
    urlGuard.checkHost(address.host, address.port);
    if (body.key !== undefined) await ssh.key(body.key);
    const secret: RsyncSecret = {
      ...(password === undefined ? {} : { password }),
      ...(body.private_key === undefined ? {} : { privateKey: body.private_key }),
    };
    const sealed = Object.keys(secret).length > 0;
    const source: RsyncSource = {
      kind: 'rsync',
      ...address,
      ...(body.key === undefined ? {} : { key: body.key }),
      ...(body.host_key === undefined ? {} : { hostKey: body.host_key }),
      ...(body.leave_out === true ? { leavesOut: true } : {}),
      sealed,
    };
    return sealed ? { source, secret } : { source };
  },

  compat: {
    config: z.object(fields).transform((config) => ({ type: 'rsync' as const, ...config })),
    seconds: 300,
  },

  cli: {
    example: 'user@host:path, rsync://host/module/path',
    read(text, { sshKey, hostKey }) {
      if (!looksLikeRsync(text)) return undefined;
      const name = text.replace(/\/+$/, '').split(/[/:]/).at(-1) ?? text;
      const keys = {
        ...(sshKey === undefined ? {} : { key: sshKey }),
        ...(hostKey === undefined ? {} : { host_key: hostKey }),
      };
      return { body: { type: 'rsync' as const, from: text, ...keys }, name };
    },
  },
});

/** Each way has its own secrets; one for the other way would be ignored without a word. */
function refuseMixture(via: 'daemon' | 'ssh', body: Body, password: string | undefined): void {
  const ofSsh = [body.key, body.private_key, body.host_key].some((one) => one !== undefined);
  if (via === 'daemon' && ofSsh) {
    throw new Fault(
      'invalid_field',
      'An rsync daemon takes a password, no keys; use user@host:path for ssh.',
    );
  }
  if (via === 'ssh' && password !== undefined) {
    throw new Fault('invalid_field', 'Over ssh a key is needed; passwords are not used.');
  }
  if (via === 'ssh' && (body.key === undefined) === (body.private_key === undefined)) {
    throw new Fault('invalid_field', 'Over ssh exactly one of key and private_key is needed.');
  }
}
