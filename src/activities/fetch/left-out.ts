// What a source does not bring, as it was asked to: told with the delivery, in few words.
import type { LeftOut } from '../../contracts/workflow.js';

const MOST_NAMES = 20;
const LONGEST = 200;

export const leftOutOf = (names: readonly string[]): LeftOut => ({
  count: names.length,
  names: names
    .slice(0, MOST_NAMES)
    .map((name) => (name.length > LONGEST ? `${name.slice(0, LONGEST)}…` : name)),
});
