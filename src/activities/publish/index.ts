// Stage publish: everything is written beside the target, then one rename shows the new product.
import { createHash } from 'node:crypto';
import { lstat, mkdir, readdir, readFile, readlink, rename, symlink } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';
import { removeTree } from '../../bytes/files.js';
import { keys, pathOf, type Roots } from '../../bytes/layout.js';
import { findReceipt, leaveReceipt } from '../../bytes/receipts.js';
import type { ComputeActivities, PublishInput, PublishOutput } from '../../contracts/activities.js';
import type { ProductSummary } from '../../contracts/workflow.js';
import { Fault } from '../../domain/fault.js';
import {
  CONVERSION_RECORD,
  type ConversionRecord,
  exists,
  findProduct,
  productName,
} from '../convert/product.js';
import type { StageDeps } from '../support/deps.js';
import { startHeart } from '../support/heartbeat.js';
import { runStage } from '../support/run-stage.js';
import { VALIDATION_RECORD, type ValidationRecord } from '../validate/record.js';
import { hashOne, hashProduct, MANIFEST, type ProductManifest, writeManifest } from './manifest.js';
import { askOrigins, type FindOrigins, receivedFiles } from './origins.js';
import { CRATE, writeCrate } from './ro-crate.js';

export interface PublishDeps extends StageDeps {
  readonly findOrigins?: FindOrigins;
}

export function createPublishActivities(deps: PublishDeps): Pick<ComputeActivities, 'publishProduct'> {
  return { publishProduct: (input) => runStage(() => publish(deps, input), 'publish') };
}

async function publish(deps: PublishDeps, input: PublishInput): Promise<PublishOutput> {
  const { uuid, product } = input;
  const { roots } = deps;
  const name = productName(product);
  const done = await findReceipt<PublishOutput>(roots, uuid, 'publish', name);
  if (done !== undefined && (await isShown(roots, uuid, name))) {
    // The attempt that left the receipt may have died before it tidied up.
    await tidy(roots, uuid, name);
    return done.output;
  }

  const startedAt = new Date();
  const version = pathOf(roots, 'out', `${keys.versions(uuid)}/${name}`);
  if (!(await exists(version))) await complete(deps, input, version);
  await show(roots, uuid, name);
  const output = { product: await summarise(version, uuid, name) };
  await leaveReceipt(roots, uuid, 'publish', name, { input: product.digest, output, startedAt });
  await tidy(roots, uuid, name);
  return output;
}

/** Writes manifest and provenance beside the product in staging, and moves it among the versions, whole. */
async function complete(deps: PublishDeps, input: PublishInput, version: string): Promise<void> {
  const { uuid, product } = input;
  const directory = await findProduct(deps.roots, uuid, product);
  if (directory === undefined)
    throw new Fault('product_incomplete', 'The product is not in staging any more.');
  const conversion = await readRecord<ConversionRecord>(directory, CONVERSION_RECORD);
  const heart = startHeart(deps.progress, { uuid });
  const validation = await readRecord<ValidationRecord>(directory, VALIDATION_RECORD);
  const [origins, received] = await Promise.all([
    askOrigins(deps.findOrigins, uuid),
    receivedFiles(deps.roots, uuid),
  ]);
  // A crate of an attempt before this one is written anew.
  const files = (await hashProduct(directory, heart)).filter(({ path }) => path !== CRATE);
  await writeCrate(directory, { input, conversion, validation, origins, received, files });
  const all = [...files, await hashOne(directory, CRATE, heart)];
  await writeManifest(
    directory,
    all.sort((a, b) => (a.path < b.path ? -1 : 1)),
  );
  await mkdir(dirname(version), { recursive: true });
  await rename(directory, version);
}

/** Swaps `<out>/<uuid>` to this version in one rename, so that readers see the old product or the new one. */
async function show(roots: Roots, uuid: string, name: string): Promise<void> {
  const target = pathOf(roots, 'out', keys.published(uuid));
  const link = join(pathOf(roots, 'out', keys.datasetStaging(uuid)), `link-${name}`);
  await mkdir(dirname(link), { recursive: true });
  await removeTree(link);
  await symlink(`${keys.versions(uuid)}/${name}`, link);
  await moveOldDirectory(roots, uuid, target);
  await rename(link, target);
}

/** A directory that an older system left there becomes a version of its own. */
async function moveOldDirectory(roots: Roots, uuid: string, target: string): Promise<void> {
  const found = await lstat(target).catch(() => undefined);
  if (found?.isDirectory() !== true) return;
  const versions = pathOf(roots, 'out', keys.versions(uuid));
  for (let count = 1; ; count++) {
    const place = join(versions, count === 1 ? 'before-sluice' : `before-sluice-${count}`);
    if (await exists(place)) continue;
    await rename(target, place);
    return;
  }
}

async function isShown(roots: Roots, uuid: string, name: string): Promise<boolean> {
  const target = await readlink(pathOf(roots, 'out', keys.published(uuid))).catch(() => '');
  return basename(target) === name;
}

/** Staging ends empty; of the versions, the one before stays for readers that still have it open. */
async function tidy(roots: Roots, uuid: string, name: string): Promise<void> {
  await removeTree(pathOf(roots, 'out', keys.datasetStaging(uuid)));
  const versions = pathOf(roots, 'out', keys.versions(uuid));
  const others = (await readdir(versions)).filter((other) => other !== name && /^[0-9a-f]{32}$/.test(other));
  const aged = await Promise.all(
    others.map(async (other) => ({ other, at: (await lstat(join(versions, other))).ctimeMs })),
  );
  const [, ...older] = aged.sort((a, b) => b.at - a.at);
  for (const { other } of older) await removeTree(join(versions, other));
}

async function summarise(version: string, uuid: string, name: string): Promise<ProductSummary> {
  const content = await readFile(join(version, MANIFEST));
  const manifest = JSON.parse(content.toString()) as ProductManifest;
  const conversion = await readRecord<ConversionRecord>(version, CONVERSION_RECORD);
  const validation = await readRecord<ValidationRecord>(version, VALIDATION_RECORD);
  const digest = createHash('sha256').update(content).digest('hex');
  const key = `${keys.versions(uuid)}/${name}/${MANIFEST}`;
  return {
    manifest: { store: 'out', key, size: content.length, digest },
    kind: conversion.kind,
    entry: conversion.entry,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
    files: manifest.files.length,
    preview: validation.preview,
    ...(validation.pictures === undefined ? {} : { pictures: validation.pictures }),
    checked: validation.checked,
    blocks: validation.blocks,
  };
}

async function readRecord<T>(directory: string, name: string): Promise<T> {
  return JSON.parse(await readFile(join(directory, name), 'utf8')) as T;
}
