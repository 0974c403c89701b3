// RAR archives, written by hand: no free program writes them. What RAR 5 packs stands for all the bytes of a run.
import { crc32 } from 'node:zlib';

export interface RarEntry {
  readonly name: string;
  readonly content?: Buffer;
  /** Unix mode with its type bits. */
  readonly mode?: number;
  readonly link?: string;
  readonly encrypted?: boolean;
  /** RAR 5: packed instead of stored. */
  readonly packed?: boolean;
  /** RAR 5: the window that it asks for, as a power of two of 128 KiB. */
  readonly window?: number;
  /** RAR 5: lie of the header about the unpacked size. */
  readonly size?: number;
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
  packed = false,
  window = 0,
  size = content.length,
}: RarEntry): Buffer[] {
  const data = packed ? pack5(content) : content;
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
    vint(data.length),
    vint(4),
    vint(size),
    vint(mode),
    uint32(crc32(content)),
    vint((packed ? 3 << 7 : 0) | (window << 10)),
    vint(1),
    vint(Buffer.byteLength(name)),
    Buffer.from(name),
    extra,
  );
  return [header, data];
}

/** Lengths of the codes of the four alphabets: bytes and matches, distances, their low bits, repeated lengths. */
const LENGTHS = [...fill(306, 9), ...fill(64, 6), ...fill(16, 4), ...fill(44, 6)];
function fill(count: number, length: number): number[] {
  return Array.from({ length: count }, () => length);
}
const [AGAIN, MATCH, LONGEST] = [257, 262, 4097];

/** One block, whose codes all are as long as their alphabet needs, so that each is the number of its sign. */
function pack5(content: Buffer): Buffer {
  const bits = new Bits();
  for (let i = 0; i < 20; i++) bits.push(5, 4);
  for (const length of LENGTHS) bits.push(length, 5);
  let last = 0;
  for (let at = 0; at < content.length; ) {
    const run = at === 0 ? 0 : runAt(content, at);
    if (run < 2) bits.push(content[at] ?? 0, 9);
    else if (run === last) bits.push(AGAIN, 9);
    else {
      pushLength(bits, run);
      // The distance: one byte.
      bits.push(0, 6);
      last = run;
    }
    at += Math.max(run, 1);
  }
  return bits.block();
}

/** How often the byte before is repeated, as far as one match may tell. */
function runAt(content: Buffer, at: number): number {
  const most = Math.min(content.length, at + LONGEST);
  let end = at;
  while (end < most && content[end] === content[at - 1]) end += 1;
  return end - at;
}

/** Four lengths share a number of low bits, which follow their sign. */
function pushLength(bits: Bits, length: number): void {
  const value = length - 2;
  const low = Math.max(0, 29 - Math.clz32(value));
  const slot = value < 8 ? value : 4 * (low + 1) + ((value >> low) & 3);
  bits.push(MATCH + slot, 9);
  if (value >= 8) bits.push(value & ((1 << low) - 1), low);
}

/** Bits one after the other, the highest first. */
class Bits {
  private readonly bytes: number[] = [];
  private free = 0;

  push(value: number, count: number): void {
    for (let at = count - 1; at >= 0; at--) {
      if (this.free === 0) this.bytes.push(0);
      this.free = this.free === 0 ? 7 : this.free - 1;
      this.bytes[this.bytes.length - 1] = (this.bytes.at(-1) ?? 0) | (((value >> at) & 1) << this.free);
    }
  }

  /** With the head of the only block: flags (last, with codes, a length of three bytes, bits of the last byte). */
  block(): Buffer {
    const flags = 0xc0 | (2 << 3) | (7 - this.free);
    const { length } = this.bytes;
    const check = 0x5a ^ flags ^ length ^ (length >> 8) ^ (length >> 16);
    const head = [flags, check & 0xff, length & 0xff, (length >> 8) & 0xff, length >> 16];
    return Buffer.from([...head, ...this.bytes]);
  }
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
