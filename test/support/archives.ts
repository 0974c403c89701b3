// Archives of any kind, also such as no honest program writes.
import { crc32, deflateRawSync } from 'node:zlib';

export interface ZipEntry {
  readonly name: string | Buffer;
  readonly content?: Buffer;
  /** General purpose flags; default: names in UTF-8. */
  readonly flags?: number;
  /** Extra field of the directory. */
  readonly extra?: Buffer;
  /** Unix mode with its type bits, e.g. 0o120777 for a link. */
  readonly mode?: number;
  readonly encrypted?: boolean;
  readonly store?: boolean;
  /** Lies of the headers. */
  readonly size?: number;
  readonly crc?: number;
}

export function makeZip(entries: readonly ZipEntry[], { zip64 = false } = {}): Buffer {
  const locals: Buffer[] = [];
  const centrals: Buffer[] = [];
  let offset = 0;
  for (const entry of entries) {
    const { content = Buffer.alloc(0), mode = 0o100644, store = false, flags = 0x800 } = entry;
    const name = Buffer.from(entry.name);
    const data = store ? content : deflateRawSync(content);
    const shared = Buffer.alloc(26);
    shared.writeUInt16LE(20, 0);
    shared.writeUInt16LE(flags | (entry.encrypted === true ? 1 : 0), 2);
    shared.writeUInt16LE(store ? 0 : 8, 4);
    shared.writeUInt32LE(entry.crc ?? crc32(content), 10);
    shared.writeUInt32LE(data.length, 14);
    shared.writeUInt32LE(entry.size ?? content.length, 18);
    shared.writeUInt16LE(name.length, 22);
    const local = Buffer.concat([Buffer.from('PK\x03\x04'), shared, name, data]);
    const tail = Buffer.alloc(14);
    const extra = zip64 ? wide(entry.size ?? content.length, data.length, offset) : (entry.extra ?? NONE);
    const told = Buffer.from(shared);
    told.writeUInt16LE(extra.length, 24);
    if (zip64) told.fill(0xff, 14, 22);
    tail.writeUInt32LE((mode << 16) >>> 0, 6);
    tail.writeUInt32LE(zip64 ? 0xffff_ffff : offset, 10);
    centrals.push(Buffer.concat([Buffer.from('PK\x01\x02\x14\x03', 'latin1'), told, tail, name, extra]));
    locals.push(local);
    offset += local.length;
  }
  const central = Buffer.concat(centrals);
  const end = Buffer.alloc(22);
  end.write('PK\x05\x06', 'latin1');
  end.writeUInt16LE(entries.length, 8);
  end.writeUInt16LE(entries.length, 10);
  end.writeUInt32LE(central.length, 12);
  end.writeUInt32LE(offset, 16);
  if (!zip64) return Buffer.concat([...locals, central, end]);
  end.fill(0xff, 8, 20);
  return Buffer.concat([...locals, central, wideEnd(entries.length, central.length, offset), end]);
}

const NONE = Buffer.alloc(0);

/** The extra field with what four bytes cannot hold. */
function wide(...values: readonly number[]): Buffer {
  const field = Buffer.alloc(4 + 8 * values.length);
  field.writeUInt16LE(1, 0);
  field.writeUInt16LE(8 * values.length, 2);
  for (const [i, value] of values.entries()) field.writeBigUInt64LE(BigInt(value), 4 + 8 * i);
  return field;
}

/** End record and locator of zip64. */
function wideEnd(count: number, length: number, offset: number): Buffer {
  const record = Buffer.alloc(56);
  record.write('PK\x06\x06', 'latin1');
  record.writeBigUInt64LE(44n, 4);
  for (const [at, value] of [
    [24, count],
    [32, count],
    [40, length],
    [48, offset],
  ] as const) {
    record.writeBigUInt64LE(BigInt(value), at);
  }
  const locator = Buffer.alloc(20);
  locator.write('PK\x06\x07', 'latin1');
  locator.writeBigUInt64LE(BigInt(offset + length), 8);
  locator.writeUInt32LE(1, 16);
  return Buffer.concat([record, locator]);
}

export interface TarEntry {
  readonly name: string | Buffer;
  readonly content?: Buffer;
  /** Type flag: 0 file, 1 hard link, 2 symbolic link, 3 character device, 5 directory. */
  readonly type?: string;
  readonly link?: string;
}

export function makeTar(entries: readonly TarEntry[]): Buffer {
  const blocks = entries.flatMap(({ name, content = Buffer.alloc(0), type = '0', link = '' }) => {
    const header = Buffer.alloc(512);
    Buffer.from(name).copy(header, 0, 0, 100);
    header.write('0000644\0', 100);
    header.write('0000000\0', 108);
    header.write('0000000\0', 116);
    header.write(`${content.length.toString(8).padStart(11, '0')}\0`, 124);
    header.write('00000000000\0', 136);
    header.write('        ', 148);
    header.write(type, 156);
    header.write(link, 157, 100);
    header.write('ustar\x0000', 257, 'latin1');
    const sum = header.reduce((total, byte) => total + byte, 0);
    header.write(`${sum.toString(8).padStart(6, '0')}\0 `, 148, 'latin1');
    return [header, content, Buffer.alloc((512 - (content.length % 512)) % 512)];
  });
  return Buffer.concat([...blocks, Buffer.alloc(1024)]);
}
