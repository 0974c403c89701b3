// A form without files, as small as its fields.
import { Fault } from '../domain/fault.js';
import type { ApiDeps } from './deps.js';
import { InvalidRequest } from './problem.js';
import { type FormFields, receiveForm } from './receive-form.js';
import { type ApiContext, readBody } from './route.js';

const MOST_BYTES = 1024 * 1024;

/** @throws Fault unsupported_media_type, payload_too_large; InvalidRequest when a file is among them */
export async function readFields(c: ApiContext, { closing }: ApiDeps): Promise<FormFields> {
  const type = c.req.header('content-type') ?? '';
  if (/^application\/x-www-form-urlencoded\b/i.test(type)) {
    return Object.fromEntries(new URLSearchParams(await readBody(c)));
  }
  if (!/^multipart\/form-data\b/i.test(type)) {
    throw new Fault(
      'unsupported_media_type',
      'This route reads application/x-www-form-urlencoded and multipart/form-data.',
    );
  }
  const refuse = (part: string): never => {
    const msg = 'This route takes the path of a file, not a file';
    throw new InvalidRequest([{ type: 'unexpected_file', loc: ['body', part], msg, input: null }]);
  };
  return await receiveForm(c.env.incoming, {
    maxBytes: MOST_BYTES,
    idleMs: 60_000,
    signal: closing,
    open: async () => refuse('file'),
    stray: refuse,
    onBytes: () => undefined,
  });
}
