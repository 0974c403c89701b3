// What is wrong with a request, field by field, in the words that older clients know.
import { z } from 'zod';
import type { $ZodIssue, $ZodIssueUnrecognizedKeys } from 'zod/v4/core';
import { nearestWord } from './nearest-word.js';

/** One mistake in a request. */
export interface FieldError {
  readonly type: string;
  readonly loc: readonly (string | number)[];
  readonly msg: string;
  readonly input: unknown;
}

/** Where in the request the values stood. */
export type RequestPart = 'body' | 'query' | 'path';

/** What was checked against what. */
export interface Checked {
  readonly schema: z.ZodType;
  readonly value: unknown;
  readonly part: RequestPart;
}

/** The type of the mistake that a field is sent which the route does not have. */
export const UNKNOWN_FIELD = 'unknown_field';

/** zod's issues in the contract's words. */
export function fieldErrors(checked: Checked, issues: readonly $ZodIssue[]): FieldError[] {
  return issues.flatMap((issue) => {
    // A union reports the mistakes of its nearest alternative.
    if (issue.code === 'invalid_union' && issue.errors.length > 0) {
      const nearest = [...issue.errors].sort((a, b) => a.length - b.length)[0] ?? [];
      return fieldErrors(
        checked,
        nearest.map((inner) => ({ ...inner, path: [...issue.path, ...inner.path] })),
      );
    }
    if (issue.code === 'unrecognized_keys') return unknownFields(checked, issue);
    return [fieldError(checked, issue)];
  });
}

function fieldError({ part, value }: Checked, { code, path, message }: $ZodIssue): FieldError {
  const loc = [part, ...path.map(stepOf)];
  // As the client sent it: not what a schema had made of it when it failed.
  const input = shown(path.at(-1), valueAt(value, path));
  return input === undefined
    ? { type: 'missing', loc, msg: 'Field required', input: null }
    : { type: code, loc, msg: message, input };
}

function unknownFields({ schema, value, part }: Checked, issue: $ZodIssueUnrecognizedKeys): FieldError[] {
  const known = fieldsAt(schema, issue.path);
  return issue.keys.map((key) => ({
    type: UNKNOWN_FIELD,
    loc: [part, ...issue.path.map(stepOf), key],
    msg: unknownWords(key, known),
    input: shown(key, valueAt(value, [...issue.path, key])) ?? null,
  }));
}

/** What a client sent, unless it may be a secret: a misspelt or wrong one is not repeated either. */
const shown = (field: PropertyKey | undefined, input: unknown): unknown =>
  input !== undefined && /secret|token|passw|key/i.test(String(field)) ? HIDDEN : input;
const HIDDEN = '(hidden)';

function unknownWords(key: string, known: readonly string[]): string {
  const name = JSON.stringify(key.slice(0, 100));
  const nearest = nearestWord(key, known);
  return nearest === undefined
    ? `There is no field ${name} here; the fields are ${known.join(', ')}`
    : `There is no field ${name} here; did you mean ${JSON.stringify(nearest)}?`;
}

/** The names that an object has at this place; those of all alternatives of a union. */
function fieldsAt(schema: unknown, path: readonly PropertyKey[]): readonly string[] {
  if (schema instanceof z.ZodUnion) {
    return [...new Set(schema.options.flatMap((option) => fieldsAt(option, path)))];
  }
  if (!(schema instanceof z.ZodObject)) return [];
  const [step, ...rest] = path;
  return step === undefined ? Object.keys(schema.shape) : fieldsAt(schema.shape[String(step)], rest);
}

const valueAt = (value: unknown, path: readonly PropertyKey[]): unknown =>
  path.reduce<unknown>((at, step) => (at as Record<PropertyKey, unknown> | null | undefined)?.[step], value);

const stepOf = (step: PropertyKey): string | number => (typeof step === 'symbol' ? String(step) : step);
