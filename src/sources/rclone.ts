// Offer of the source `rclone`: a remote of the server's own rclone configuration, by name.
import { z } from 'zod';
import { Fault } from '../domain/fault.js';
import { offer } from './offer.js';

const from = z.string().min(2).max(1200);

/** A name as rclone takes it, without what would begin options or another backend. */
const PLACE = /^([A-Za-z0-9_][A-Za-z0-9_.+@-]{0,99}):(.*)$/s;
const PATH_BYTES = 1000;

export const rcloneOffer = offer({
  schema: z.strictObject({ type: z.literal('rclone'), from }),
  parameters: { required: ['from'], optional: ['folder', 'team_uuid'] },

  async check(body, { rclone }) {
    if (!rclone) throw new Fault('rclone_not_configured');
    const [, remote, path = ''] = PLACE.exec(body.from) ?? [];
    if (remote === undefined) throw wrong('it is not remote:path with a remote of the configuration');
    // A remote may stand for a part of a store; nothing may lead out of that part.
    if (path.split('/').includes('..')) throw wrong('its path holds ".."');
    if (/\p{Cc}/u.test(path) || Buffer.byteLength(path) > PATH_BYTES)
      throw wrong('its path is too long or holds control characters');
    return { source: { kind: 'rclone', remote, path: path.replace(/\/+$/, '') } };
  },

  compat: {
    config: z.object({ from }).transform((config) => ({ type: 'rclone' as const, ...config })),
    seconds: 300,
  },

  cli: {
    example: 'rclone:remote:path',
    read(text) {
      if (!text.startsWith('rclone:')) return undefined;
      const place = text.slice('rclone:'.length);
      const name = place.replace(/\/+$/, '').split(/[/:]/).at(-1) || place;
      return { body: { type: 'rclone' as const, from: place }, name };
    },
  },
});

const wrong = (why: string): Fault => new Fault('invalid_field', `The place cannot be used: ${why}.`);
