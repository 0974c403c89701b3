// Provenance as RO-Crate 1.1 (https://w3id.org/ro/crate/1.1): what it was made of, by which program, when, for whom.
import { join } from 'node:path';
import { writeJson } from '../../bytes/json-file.js';
import type { PublishInput } from '../../contracts/activities.js';
import { SLUICE_VERSION } from '../../contracts/version.js';
import { CONVERSION_RECORD, type ConversionRecord } from '../convert/product.js';
import { VALIDATION_RECORD } from '../validate/record.js';

const CRATE = 'ro-crate-metadata.json';

/** Writes `ro-crate-metadata.json` into the product. */
export async function writeCrate(
  directory: string,
  facts: { readonly input: PublishInput; readonly conversion: ConversionRecord },
): Promise<void> {
  await writeJson(join(directory, CRATE), {
    '@context': 'https://w3id.org/ro/crate/1.1/context',
    '@graph': [descriptor, ...graph(facts.input, facts.conversion)],
  });
}

const descriptor = {
  '@id': CRATE,
  '@type': 'CreativeWork',
  about: { '@id': './' },
  conformsTo: { '@id': 'https://w3id.org/ro/crate/1.1' },
};

function graph(input: PublishInput, conversion: ConversionRecord): Record<string, unknown>[] {
  const sources = conversion.inputs.map((file) => ({
    '@id': `urn:sha256:${file.sha256}`,
    '@type': 'File',
    name: file.path,
    contentSize: String(file.size),
    sha256: file.sha256,
  }));
  const parts = [
    CONVERSION_RECORD,
    VALIDATION_RECORD,
    ...(conversion.entry === null ? [] : [conversion.entry]),
  ];
  return [
    {
      '@id': './',
      '@type': 'Dataset',
      identifier: `urn:uuid:${input.uuid}`,
      name: input.name,
      description: `Data of the sensor ${input.sensor}, ingested and checked by Sluice.`,
      datePublished: conversion.finishedAt,
      license: 'not stated',
      author: { '@id': ownerId(input) },
      hasPart: parts.map((part) => ({ '@id': part })),
      mentions: { '@id': '#conversion' },
    },
    ...parts.map((part) => ({ '@id': part, '@type': 'File' })),
    action(input, conversion),
    { '@id': '#sluice', '@type': 'SoftwareApplication', name: 'Sluice', softwareVersion: SLUICE_VERSION },
    { '@id': ownerId(input), '@type': 'Person', email: input.owner },
    ...sources,
  ];
}

function action(input: PublishInput, conversion: ConversionRecord): Record<string, unknown> {
  return {
    '@id': '#conversion',
    '@type': 'CreateAction',
    name: conversion.program === null ? 'published as received' : `converted by ${conversion.program}`,
    startTime: conversion.startedAt,
    endTime: conversion.finishedAt,
    agent: { '@id': ownerId(input) },
    instrument: { '@id': '#sluice' },
    object: conversion.inputs.map((file) => ({ '@id': `urn:sha256:${file.sha256}` })),
    result: { '@id': './' },
  };
}

const ownerId = (input: PublishInput): string => `mailto:${input.owner}`;
