// Five activities that do nothing but show in the database that their stage was reached: majority, journaled.
import type { Collection } from 'mongodb';

export interface BareRow {
  readonly _id: string;
  readonly status: string;
  readonly updated_at: Date;
}

export interface BareActivities {
  bareFetch(id: string): Promise<string>;
  bareExtract(id: string): Promise<string>;
  bareConvert(id: string): Promise<string>;
  bareValidate(id: string): Promise<string>;
  barePublish(id: string): Promise<string>;
}

/** @param rows a collection whose writes are majority and journaled, as ours are */
export function createBareActivities(rows: Collection<BareRow>): BareActivities {
  const show = (status: string) => async (id: string) => {
    await rows.updateOne({ _id: id }, { $set: { status, updated_at: new Date() } });
    return status;
  };
  return {
    bareFetch: show('uploading'),
    bareExtract: show('unzipping'),
    bareConvert: show('converting'),
    bareValidate: show('validating'),
    barePublish: show('done'),
  };
}
