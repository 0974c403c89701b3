// Values of options, refused by name with what they may be.
import { InvalidArgumentError } from 'commander';

export const choice =
  <T extends string>(known: readonly T[]) =>
  (text: string): T => {
    const found = known.find((word) => word === text);
    if (found !== undefined) return found;
    throw new InvalidArgumentError(`It may be: ${known.join(', ')}.`);
  };

const MOST = 500;

export function limit(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST) return count;
  throw new InvalidArgumentError(`It must be a whole number from 1 to ${MOST}.`);
}

const MOST_BYTES = 16 * 2 ** 20;

export function tailBytes(text: string): number {
  const count = Number(text);
  if (Number.isInteger(count) && count >= 1 && count <= MOST_BYTES) return count;
  throw new InvalidArgumentError(`It must be a number of bytes from 1 to ${MOST_BYTES}.`);
}
