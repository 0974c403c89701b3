// Offer of the source `url`: a file on the web. User, password and query are sealed.
import { z } from 'zod';
import { splitUrl } from '../net/http.js';
import { offer } from './offer.js';

const url = z.string().min(1).max(8192);

export const urlOffer = offer({
  schema: z.strictObject({ type: z.literal('url'), url }),
  parameters: { required: ['url'], optional: ['folder', 'team_uuid'] },

  async check(body, { urlGuard }) {
    urlGuard.check(body.url);
    const { url, secret } = splitUrl(body.url);
    const source = { kind: 'url', url, sealed: secret !== undefined } as const;
    return secret === undefined ? { source } : { source, secret };
  },

  compat: {
    config: z.object({ url }).transform((config) => ({ type: 'url' as const, url: config.url })),
    seconds: 180,
  },

  cli: {
    example: 'https://…',
    read(text) {
      if (!/^https?:/i.test(text)) return undefined;
      return { body: { type: 'url' as const, url: text }, name: nameOf(text) };
    },
  },
});

/** Its last part; what is no URL is refused by the check. */
function nameOf(text: string): string {
  if (!URL.canParse(text)) return text;
  const { pathname, hostname } = new URL(text);
  const last = pathname.split('/').filter(Boolean).at(-1) ?? hostname;
  try {
    return decodeURIComponent(last);
  } catch {
    return last;
  }
}
