// Every source that a request may name. A new one is a file beside this one and two lines here.
import { z } from 'zod';
import { googleDriveOffer } from './google_drive.js';
import { localOffer } from './local.js';
import type { CheckedSource, OfferDeps, SourceOffer } from './offer.js';
import { rcloneOffer } from './rclone.js';
import { rsyncOffer } from './rsync.js';
import { s3Offer } from './s3.js';
import { urlOffer } from './url.js';

/** By the words of `type`. */
export const OFFERS = {
  local: localOffer,
  // Before url: its links are addresses too.
  google_drive: googleDriveOffer,
  url: urlOffer,
  rsync: rsyncOffer,
  rclone: rcloneOffer,
  s3: s3Offer,
} as const;

export const sourceSchema = z.discriminatedUnion('type', [
  localOffer.schema,
  googleDriveOffer.schema,
  urlOffer.schema,
  rsyncOffer.schema,
  rcloneOffer.schema,
  s3Offer.schema,
]);

export type SourceType = keyof typeof OFFERS;
/** The `source` of a request, after its schema. */
export type SourceBody = z.output<typeof sourceSchema>;

export const SOURCE_TYPES = Object.keys(OFFERS) as SourceType[];

/** An offer whose own types are behind us: its schema has checked the body. */
export const offerOf = (type: SourceType): SourceOffer => OFFERS[type] as unknown as SourceOffer;

/** @throws Fault as the source's own check */
export const checkSource = (body: SourceBody, deps: OfferDeps): Promise<CheckedSource> =>
  offerOf(body.type).check(body, deps);
