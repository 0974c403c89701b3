// RAR archives with stored entries, written by hand: no free program writes them.
import { crc32 } from 'node:zlib';

export interface RarEntry {
  readonly name: string;
  readonly content?: Buffer;
  /** Unix mode with its type bits. */
  readonly mode?: number;
  readonly link?: string;
  readonly encrypted?: boolean;
}
interface RarOptions {
  /** The archive is one of several volumes. */
  readonly volume?: boolean;
}

export function makeRar5(entries: readonly RarEntry[], { volume = false }: RarOptions = {}): Buffer {
  return Buffer.concat([
    Buffer.from('Rar!\x1a\x07\x01\x00', 'latin1'),
    block5(vint(1), vint(0), vint(volume ? 1 : 0)),
    ...entries.flatMap(file5),
    block5(vint(5), vint(0), vint(0)),
  ]);
}

function file5({
  name,
  content = Buffer.alloc(0),
  mode = 0o100644,
  link,
  encrypted = false,
}: RarEntry): Buffer[] {
  const records = [
    ...(link === undefined
      ? []
      : [record(5, vint(1), vint(0), vint(Buffer.byteLength(link)), Buffer.from(link))]),
    // AES-256 with a salt, an iv and 2^15 rounds; nobody will get as far as using them.
    ...(encrypted ? [record(1, vint(0), vint(0), Buffer.from([15]), Buffer.alloc(32, 7))] : []),
  ];
  const extra = Buffer.concat(records);
  const header = block5(
    vint(2),
    vint(extra.length > 0 ? 3 : 2),
    ...(extra.length > 0 ? [vint(extra.length)] : []),
    vint(content.length),
    vint(4),
    vint(content.length),
    vint(mode),
    uint32(crc32(content)),
    vint(0),
    vint(1),
    vint(Buffer.byteLength(name)),
    Buffer.from(name),
    extra,
  );
  return [header, content];
}

function record(kind: number, ...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat([vint(kind), ...parts]);
  return Buffer.concat([vint(body.length), body]);
}

function block5(...parts: readonly Buffer[]): Buffer {
  const body = Buffer.concat(parts);
  const sized = Buffer.concat([vint(body.length), body]);
  return Buffer.concat([uint32(crc32(sized)), sized]);
}

/** Seven bits a byte, the lowest first. */
function vint(value: number): Buffer {
  const bytes = [];
  for (let rest = value; ; rest = Math.floor(rest / 128)) {
    if (rest < 128) return Buffer.from([...bytes, rest]);
    bytes.push((rest % 128) + 128);
  }
}

export function makeRar4(entries: readonly RarEntry[], { volume = false }: RarOptions = {}): Buffer {
  return Buffer.concat([
    Buffer.from('Rar!\x1a\x07\x00', 'latin1'),
    block4(0x73, volume ? 1 : 0, Buffer.alloc(6)),
    ...entries.flatMap(file4),
    block4(0x7b, 0x4000, Buffer.alloc(0)),
  ]);
}

function file4({ name, content = Buffer.alloc(0), mode = 0o100644, encrypted = false }: RarEntry): Buffer[] {
  const fields = Buffer.alloc(25);
  fields.writeUInt32LE(content.length, 0);
  fields.writeUInt32LE(content.length, 4);
  fields.writeUInt8(3, 8);
  fields.writeUInt32LE(crc32(content), 9);
  fields.writeUInt8(20, 17);
  fields.writeUInt8(0x30, 18);
  fields.writeUInt16LE(Buffer.byteLength(name), 19);
  fields.writeUInt32LE(mode, 21);
  return [block4(0x74, encrypted ? 0x8004 : 0x8000, Buffer.concat([fields, Buffer.from(name)])), content];
}

function block4(kind: number, flags: number, rest: Buffer): Buffer {
  const body = Buffer.alloc(5);
  body.writeUInt8(kind, 0);
  body.writeUInt16LE(flags, 1);
  body.writeUInt16LE(7 + rest.length, 3);
  const whole = Buffer.concat([body, rest]);
  const sum = Buffer.alloc(2);
  sum.writeUInt16LE(crc32(whole) % 65_536);
  return Buffer.concat([sum, whole]);
}

function uint32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeUInt32LE(value);
  return bytes;
}
