// Provenance as RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): what it was made of, by which program, when, for whom.
import { join } from 'node:path';
import { writeJson } from '../../bytes/json-file.js';
import type { PublishInput } from '../../contracts/activities.js';
import type { FileEntry } from '../../contracts/claim.js';
import { SLUICE_VERSION } from '../../contracts/version.js';
import { CONVERSION_RECORD, type ConversionRecord } from '../convert/product.js';
import { VALIDATION_RECORD, type ValidationRecord } from '../validate/record.js';
import { CHECKSUMS } from './manifest.js';
import type { Origin, Received } from './origins.js';

export const CRATE = 'ro-crate-metadata.json';

/** Files of a product that are told one by one; of more, those that a reader opens first. */
const MOST_PARTS = 1_000;

export interface CrateFacts {
  readonly input: PublishInput;
  readonly conversion: ConversionRecord;
  readonly validation: ValidationRecord;
  readonly origins: readonly Origin[];
  readonly received: readonly Received[];
  /** All files of the product but the crate and the lists. */
  readonly files: readonly FileEntry[];
}

type Entity = Readonly<Record<string, unknown>>;

/** Writes `ro-crate-metadata.json` into the product. */
export async function writeCrate(directory: string, facts: CrateFacts): Promise<void> {
  await writeJson(join(directory, CRATE), {
    // Version 1.1 does not know `sha256` of schema.org yet; what has no meaning by the context is none of the crate.
    '@context': ['https://w3id.org/ro/crate/1.1/context', { sha256: 'http://schema.org/sha256' }],
    '@graph': [
      {
        '@id': CRATE,
        '@type': 'CreativeWork',
        about: { '@id': './' },
        conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
      },
      ...graph(facts),
    ],
  });
}

function graph(facts: CrateFacts): Entity[] {
  const { input, conversion, origins } = facts;
  const parts = partsOf(facts);
  const sources = sourcesOf(facts);
  const programs = programsOf(facts);
  const actions = [...extraction(facts), conversionAction(facts), validationAction(facts)];
  return [
    {
      '@id': './',
      '@type': 'Dataset',
      identifier: `urn:uuid:${input.uuid}`,
      name: input.name,
      description: `Data of the sensor ${input.sensor}, ingested and checked by Sluice.`,
      datePublished: conversion.finishedAt,
      license: { '@id': LICENSE['@id'] },
      author: { '@id': ownerId(input) },
      publisher: { '@id': ownerId(input) },
      hasPart: refs(parts),
      mentions: refs(actions),
    },
    ...parts,
    ...actions,
    ...programs,
    ...parametersOf(conversion),
    LICENSE,
    ...[...new Set([input.owner, ...origins.map(({ by }) => by)])].map(person),
    ...origins.map((origin) => originEntity(origin)),
    ...sources,
  ];
}

const LICENSE = {
  '@id': '#license',
  '@type': 'CreativeWork',
  name: 'not stated',
  description: 'The owner has not said how these data may be used; ask before you use them.',
};

function partsOf({ files, conversion }: CrateFacts): Entity[] {
  const first = [CONVERSION_RECORD, VALIDATION_RECORD, conversion.entry, conversion.proof];
  const isShown = ({ path }: FileEntry): boolean => files.length <= MOST_PARTS || first.includes(path);
  const shown = files.filter(isShown).map(({ path, size, sha256 }) => ({
    '@id': uriOf(path),
    '@type': 'File',
    name: path,
    contentSize: String(size),
    sha256,
    ...formatOf(path),
  }));
  return [...shown, ...directories(files.filter((file) => !isShown(file)))];
}

/** The directories at the top that hold the files that are not told one by one. */
function directories(files: readonly FileEntry[]): Entity[] {
  const held = new Map<string, { files: number; bytes: number }>();
  for (const { path, size } of files) {
    const [top = '', ...inside] = path.split('/');
    const { files: count, bytes } = held.get(top) ?? { files: 0, bytes: 0 };
    if (inside.length > 0) held.set(top, { files: count + 1, bytes: bytes + size });
  }
  return [...held].map(([name, { files: count, bytes }]) => ({
    '@id': `${uriOf(name)}/`,
    '@type': 'Dataset',
    name: `${name}/`,
    description: `${count} files of ${bytes} bytes; ${CHECKSUMS} lists them.`,
  }));
}

const FORMATS: Readonly<Record<string, string>> = {
  png: 'image/png',
  json: 'application/json',
  txt: 'text/plain',
};

function formatOf(path: string): { encodingFormat?: string } {
  const format = FORMATS[path.slice(path.lastIndexOf('.') + 1)];
  return format === undefined ? {} : { encodingFormat: format };
}

/** The files that were converted, and the archives that they came out of, each with its origin. */
function sourcesOf({ conversion, received, origins }: CrateFacts): Entity[] {
  const known = new Set(origins.map(({ jobId }) => jobId));
  // Two uploads may have brought the same bytes; what came out of an archive has another path than it.
  const jobOf = new Map(
    received.flatMap(({ sha256, path, jobId }) => [
      [sha256, jobId],
      [sha256 + path, jobId],
    ]),
  );
  const archives = received.filter(({ archive }) => archive !== undefined);
  const all = new Map([...conversion.inputs, ...archives].map((file) => [file.path, file]));
  return [...all.values()].map((file) => {
    const jobId = jobOf.get(file.sha256 + file.path) ?? jobOf.get(file.sha256);
    return {
      ...sourceRef(file),
      '@type': 'File',
      name: file.path,
      contentSize: String(file.size),
      sha256: file.sha256,
      ...(jobId !== undefined && known.has(jobId) ? { isBasedOn: { '@id': originId(jobId) } } : {}),
    };
  });
}

function originEntity({ jobId, kind, words, by, startedAt }: Origin): Entity {
  return {
    '@id': originId(jobId),
    '@type': 'CreativeWork',
    additionalType: kind,
    name: words,
    identifier: jobId,
    dateCreated: startedAt,
    provider: { '@id': personId(by) },
  };
}

/** Unpacking, when there were archives. */
function extraction({ input, conversion, received }: CrateFacts): Entity[] {
  if (input.extracted === undefined) return [];
  const whole = new Set(received.filter(({ archive }) => archive === undefined).map(({ sha256 }) => sha256));
  const archives = received.filter(({ archive }) => archive !== undefined);
  return [
    {
      '@id': '#extraction',
      '@type': 'CreateAction',
      name: 'archives unpacked',
      agent: { '@id': ownerId(input) },
      instrument: { '@id': '#sluice' },
      object: archives.map(sourceRef),
      result: conversion.inputs.filter(({ sha256 }) => !whole.has(sha256)).map(sourceRef),
    },
  ];
}

function conversionAction({ input, conversion }: CrateFacts): Entity {
  const { program } = conversion;
  return {
    '@id': '#conversion',
    '@type': 'CreateAction',
    name: program === null ? 'published as received' : `converted by ${program}`,
    startTime: conversion.startedAt,
    endTime: conversion.finishedAt,
    agent: { '@id': ownerId(input) },
    instrument: { '@id': program === null ? '#sluice' : programId(program) },
    object: [...conversion.inputs.map(sourceRef), ...refs(parametersOf(conversion))],
    result: { '@id': './' },
  };
}

function validationAction({ input, conversion, validation }: CrateFacts): Entity {
  const { checked, blocks } = validation;
  return {
    '@id': '#validation',
    '@type': 'CreateAction',
    name: 'compared with its source',
    description: `${checked} of ${blocks} ${conversion.proof === null ? 'files' : 'blocks'} are equal to their source.`,
    endTime: validation.at,
    agent: { '@id': ownerId(input) },
    instrument: { '@id': conversion.proof === null ? '#sluice' : programId('prove') },
    object: { '@id': './' },
    result: { '@id': VALIDATION_RECORD },
  };
}

function parametersOf({ parameters }: ConversionRecord): Entity[] {
  return Object.entries(parameters).map(([name, value]) => ({
    '@id': `#parameter-${encodeURIComponent(name)}`,
    '@type': 'PropertyValue',
    name,
    value: typeof value === 'object' ? JSON.stringify(value) : value,
  }));
}

/** Sluice, the programs that it called, and the libraries that these say they used. */
function programsOf({ conversion, validation }: CrateFacts): Entity[] {
  const sluice = {
    '@id': '#sluice',
    '@type': 'SoftwareApplication',
    name: 'Sluice',
    softwareVersion: SLUICE_VERSION,
  };
  if (conversion.program === null) return [sluice];
  const libraries = Object.entries(librariesOf(validation)).map(([name, version]) => ({
    '@id': `#library-${encodeURIComponent(name)}`,
    '@type': 'SoftwareApplication',
    name,
    softwareVersion: version,
  }));
  const programs = [conversion.program, 'prove'].map((name) => ({
    '@id': programId(name),
    '@type': 'SoftwareApplication',
    name: `Sluice ${name}`,
    softwareVersion: SLUICE_VERSION,
    softwareRequirements: refs(libraries),
  }));
  return [sluice, ...programs, ...libraries];
}

/** What the converter noted beside its proof. */
function librariesOf({ details }: ValidationRecord): Readonly<Record<string, string>> {
  const { libraries } = (details['writer'] ?? {}) as { libraries?: Readonly<Record<string, string>> };
  return libraries ?? {};
}

const refs = (entities: readonly Entity[]): Entity[] => entities.map((entity) => ({ '@id': entity['@id'] }));
/** By its path: two files may hold the same bytes. */
const sourceRef = ({ path }: FileEntry): { readonly '@id': string } => ({ '@id': `#source/${uriOf(path)}` });
/** Names may hold what means something in an address: `#`, `?`, `%`. */
const uriOf = (path: string): string => path.split('/').map(encodeURIComponent).join('/');
const originId = (jobId: string): string => `#origin-${jobId}`;
const programId = (name: string): string => `#program-${name}`;
const personId = (email: string): string => `mailto:${email}`;
const ownerId = (input: PublishInput): string => personId(input.owner);
const person = (email: string): Entity => ({
  '@id': personId(email),
  '@type': 'Person',
  name: email,
  email,
});
