// The head of an HTTP/1.1 answer, for bodies that are taken straight from their socket. Strict: whatever is not plain
// (parts of unknown length, a coded body, two lengths) is left to a full client.

/** Names in lower case. */
export type Headers = Readonly<Record<string, string | undefined>>;

export interface PlainHead {
  readonly status: number;
  readonly headers: Headers;
  /** Bytes of the body. */
  readonly length: number;
  /** Whether the connection may carry another request after this body. */
  readonly keepAlive: boolean;
}

/** @param text up to and without the empty line @returns undefined when the answer is not plain */
export function readHead(text: string): PlainHead | undefined {
  const [first = '', ...lines] = text.split('\r\n');
  const [, minor, status] = /^HTTP\/1\.([01]) ([2-5]\d\d)(?: .*)?$/.exec(first) ?? [];
  if (minor === undefined || status === undefined) return undefined;
  const headers: Record<string, string> = {};
  for (const line of lines) {
    const [, name, value] = /^([!#$%&'*+.^_`|~0-9A-Za-z-]+):[ \t]*(.*?)[ \t]*$/.exec(line) ?? [];
    if (name === undefined || value === undefined) return undefined;
    const key = name.toLowerCase();
    const before = Object.hasOwn(headers, key) ? headers[key] : undefined;
    headers[key] = before === undefined ? value : `${before}, ${value}`;
  }
  const length = headers['content-length'] ?? '';
  const coded = (headers['content-encoding'] ?? 'identity') !== 'identity';
  if (!/^\d{1,15}$/.test(length) || headers['transfer-encoding'] !== undefined || coded) return undefined;
  const connection = (headers['connection'] ?? '').toLowerCase();
  const keepAlive = minor === '1' ? connection !== 'close' : connection === 'keep-alive';
  return { status: Number(status), headers, length: Number(length), keepAlive };
}

/**
 * The text of a GET.
 * @param path with its query, as it is sent
 * @throws Error when something would end a line early (the text is not repeated)
 */
export function writeGet(host: string, path: string, headers: Headers): string {
  const fields = Object.entries({ ...headers, host });
  const sound =
    /^\/[\x21-\x7e]*$/.test(path) &&
    fields.every(
      ([name, value]) => /^[A-Za-z0-9-]+$/.test(name) && /^[\x20-\x7e\x80-\xff]*$/.test(value ?? ''),
    );
  if (!sound) throw new Error('a request with signs that a request cannot hold');
  const lines = fields.flatMap(([name, value]) => (value === undefined ? [] : [`${name}: ${value}\r\n`]));
  return `GET ${path} HTTP/1.1\r\n${lines.join('')}\r\n`;
}
