// Offer of the source `google_drive`: a file, a folder or a shared drive, by id or link, read by a service account of
// this server or with somebody's own tokens. Tokens and the keys of links are sealed.
import { z } from 'zod';
import { booleanField } from '../contracts/http-fields.js';
import { Fault } from '../domain/fault.js';
import { offer } from './offer.js';

const ID = /^[\w-]{4,200}$/;
const token = z.string().min(1).max(8192);

const schema = z.strictObject({
  type: z.literal('google_drive'),
  /** Id or link. */
  id: z.string().min(1).max(2048),
  /** Id or link of the shared drive that it lies in; found out where it is left out. */
  drive: z.string().min(1).max(2048).optional(),
  /** Name of a service account of this server, or the path of its key file; left out: the only one. */
  account: z.string().min(1).max(4096).optional(),
  /** Somebody's own access, in place of a service account. */
  oauth: z
    .union([
      z.strictObject({ access_token: token }),
      z.strictObject({ refresh_token: token, client_id: token, client_secret: token }),
    ])
    .optional(),
  /** Leave out what Google does not give out, instead of ending the upload. */
  leave_out: z.boolean().optional(),
});
type Body = z.output<typeof schema>;

const NO_KEPT_TOKENS =
  "This server keeps no user's tokens of Google: send them as oauth ({access_token} or {refresh_token, client_id, " +
  'client_secret}), or leave use_oauth out and share the file with a service account of this server';

/** What is sealed: somebody's own tokens, and the keys that links carry, by id. */
export interface GoogleDriveSecret {
  readonly oauth?: NonNullable<Body['oauth']>;
  readonly linkKeys?: Readonly<Record<string, string>>;
}

export const googleDriveOffer = offer({
  schema,
  parameters: { required: ['file_id', 'service_account_file'], optional: ['folder', 'team_uuid'] },

  async check({ id: named, drive, account: asked, oauth, leave_out: leavesOut }, { googleAccounts }) {
    const { id, key } = linked('id', named);
    if (oauth !== undefined && asked !== undefined) {
      throw new Fault('invalid_field', 'account: cannot be given together with oauth.');
    }
    const account = oauth === undefined ? await accountOf(asked, googleAccounts) : undefined;
    const secret: GoogleDriveSecret = {
      ...(oauth === undefined ? {} : { oauth }),
      ...(key === undefined ? {} : { linkKeys: { [id]: key } }),
    };
    const sealed = Object.keys(secret).length > 0;
    const source = {
      kind: 'google_drive',
      id,
      ...(drive === undefined ? {} : { drive: linked('drive', drive).id }),
      ...(account === undefined ? {} : { account }),
      sealed,
      ...(leavesOut === true ? { leavesOut } : {}),
    } as const;
    return sealed ? { source, secret } : { source };
  },

  compat: {
    config: z
      .object({
        file_id: schema.shape.id.optional(),
        folder_link: schema.shape.id.optional(),
        service_account_file: schema.shape.account,
        shared_drive_id: schema.shape.drive,
        account: schema.shape.account,
        oauth: schema.shape.oauth,
        use_oauth: booleanField.default(false),
      })
      .refine((config) => (config.file_id ?? config.folder_link) !== undefined, {
        path: ['file_id'],
        error: 'Field required',
      })
      // Read by a service account it would be somebody else who reads, perhaps other files.
      .refine(({ use_oauth: asPerson, oauth }) => !asPerson || oauth !== undefined, {
        path: ['use_oauth'],
        error: NO_KEPT_TOKENS,
      })
      .transform((config) => {
        const account = config.account ?? config.service_account_file;
        return {
          type: 'google_drive' as const,
          id: config.file_id ?? config.folder_link ?? '',
          ...(config.shared_drive_id === undefined ? {} : { drive: config.shared_drive_id }),
          ...(account === undefined || config.oauth !== undefined ? {} : { account }),
          ...(config.oauth === undefined ? {} : { oauth: config.oauth }),
        };
      }),
    seconds: 600,
  },

  cli: {
    example: 'gdrive:<id>',
    read(text, { account }) {
      const id = /^gdrive:(.+)$/is.exec(text)?.[1] ?? (isDriveLink(text) ? text : undefined);
      if (id === undefined) return undefined;
      const body = { type: 'google_drive' as const, id, ...(account === undefined ? {} : { account }) };
      return { body, name: `Google Drive ${readLink(id)?.id ?? id}` };
    },
  },
});

/** The name of the account: as it was asked for, by the path of its key file, or the only one there is. */
async function accountOf(
  asked: string | undefined,
  accounts: { names(): Promise<readonly string[]>; nameOfPath(path: string): Promise<string | undefined> },
): Promise<string> {
  const names = await accounts.names();
  const [only] = names;
  if (asked !== undefined && names.includes(asked)) return asked;
  if (asked === undefined && only !== undefined && names.length === 1) return only;
  const known = names.length === 0 ? 'It has none' : `It has ${names.slice(0, 10).join(', ')}`;
  if (asked === undefined) {
    throw new Fault('google_account_unknown', `Name a service account of this server. ${known}.`);
  }
  // Whether any other file exists is not told.
  const byPath = asked.includes('/') ? await accounts.nameOfPath(asked) : undefined;
  if (byPath !== undefined) return byPath;
  const quoted = JSON.stringify(asked.slice(0, 100).replace(/\p{Cc}/gu, '\uFFFD'));
  throw new Fault('google_account_unknown', `This server has no service account ${quoted}. ${known}.`);
}

/** @throws Fault `invalid_field`; the text is not repeated, since links may carry keys */
function linked(field: string, text: string): Link {
  const link = readLink(text);
  if (link !== undefined) return link;
  throw new Fault('invalid_field', `${field}: this is neither an id nor a link of Google Drive.`);
}

interface Link {
  readonly id: string;
  /** Of files that were shared before links had long ids. */
  readonly key?: string;
}

function readLink(text: string): Link | undefined {
  const plain = text.trim();
  if (ID.test(plain)) return { id: plain };
  if (!isDriveLink(plain)) return undefined;
  const url = new URL(plain);
  const id = url.searchParams.get('id') ?? idOfPath(url.pathname);
  if (id === undefined || !ID.test(id)) return undefined;
  const key = url.searchParams.get('resourcekey') ?? undefined;
  return { id, ...(key !== undefined && /^[\w-]{1,200}$/.test(key) ? { key } : {}) };
}

function isDriveLink(text: string): boolean {
  if (!/^https?:\/\//i.test(text) || !URL.canParse(text)) return false;
  const { hostname } = new URL(text);
  return ['drive.google.com', 'docs.google.com', 'drive.usercontent.google.com'].includes(hostname);
}

/** What follows `/d/` or `/folders/`; else the last part that is long enough for an id. */
function idOfPath(path: string): string | undefined {
  const parts = path.split('/').filter((part) => part !== '');
  const before = parts.findIndex((part) => part === 'd' || part === 'folders');
  if (before >= 0) return parts[before + 1];
  return parts.filter((part) => part.length >= 15).at(-1);
}
