// Every kind of publish target; a new one is one line here.
import type { Target, TargetKind } from '../../../contracts/targets.js';
import { directoryPublisher } from './directory.js';
import type { Publisher } from './publisher.js';
import { rsyncPublisher } from './rsync.js';
import { s3Publisher } from './s3.js';

const PUBLISHERS: { readonly [K in TargetKind]: Publisher<Extract<Target, { kind: K }>> } = {
  s3: s3Publisher,
  rsync: rsyncPublisher,
  directory: directoryPublisher,
};

/** The publisher of this kind of target. */
export const publisherOf = <T extends Target>({ kind }: T): Publisher<T> =>
  PUBLISHERS[kind] as unknown as Publisher<T>;
