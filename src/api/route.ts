// One way to add a route: what it takes is checked and described (OpenAPI) by the same schemas.
import type { OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';
import type { z } from 'zod';
import { problemSchema } from '../contracts/http.js';
import { Fault } from '../domain/fault.js';
import type { ApiEnv } from './deps.js';
import { fieldErrors, type RequestPart } from './field-errors.js';
import { InvalidRequest } from './problem.js';

export type App = OpenAPIHono<ApiEnv>;
export type ApiContext = Context<ApiEnv>;

/** Bodies that are read whole may be this long (bytes); only forms with files are longer, and those stream. */
const JSON_BYTES = 1024 * 1024;

export interface Route {
  readonly method: 'get' | 'head' | 'post' | 'put' | 'patch' | 'delete';
  /** With parameters in braces, as OpenAPI writes them. */
  readonly path: string;
  readonly tag: string;
  readonly summary: string;
  readonly description?: string;
  readonly params?: z.ZodObject;
  readonly query?: z.ZodObject;
  readonly headers?: z.ZodObject;
  /** Content type → schema; described only, the handler reads it. */
  readonly body?: Readonly<Record<string, z.ZodType>>;
  readonly answers: Readonly<Record<number, { description: string; schema?: z.ZodType; type?: string }>>;
  /** Codes of refusals that are particular to this route, by status. */
  readonly refusals?: readonly number[];
}

/** Adds the route and its description. */
export function mount(
  app: App,
  route: Route,
  handler: (c: ApiContext) => Promise<Response> | Response,
): void {
  app.openAPIRegistry.registerPath(describeRoute(route));
  // A question for the head alone is answered by the handler of the whole.
  const method = route.method === 'head' ? 'GET' : route.method.toUpperCase();
  app.on(method, route.path.replace(/\{(\w+)\}/g, ':$1'), handler);
}

function describeRoute({
  method,
  path,
  tag,
  summary,
  description,
  body,
  answers,
  refusals = [],
  ...rest
}: Route) {
  const content = (schema: z.ZodType, type = 'application/json') => ({ content: { [type]: { schema } } });
  const good = Object.entries(answers).map(([status, { description: words, schema, type }]) => [
    status,
    { description: words, ...(schema === undefined ? {} : content(schema, type)) },
  ]);
  const bad = refusals.map((status) => [
    status,
    { description: 'Refused', ...content(problemSchema, 'application/problem+json') },
  ]);
  const { params, query, headers } = rest;
  return {
    method,
    path,
    tags: [tag],
    summary,
    ...(description === undefined ? {} : { description }),
    request: {
      ...(params === undefined ? {} : { params }),
      ...(query === undefined ? {} : { query }),
      ...(headers === undefined ? {} : { headers }),
      ...(body === undefined
        ? {}
        : {
            body: {
              content: Object.fromEntries(Object.entries(body).map(([type, schema]) => [type, { schema }])),
            },
          }),
    },
    responses: Object.fromEntries([...good, ...bad]),
  };
}

/** The value as the schema makes it. @throws InvalidRequest naming every mistake */
export function check<S extends z.ZodType>(schema: S, value: unknown, part: RequestPart): z.output<S> {
  const parsed = schema.safeParse(value);
  if (parsed.success) return parsed.data;
  throw new InvalidRequest(fieldErrors({ schema, value, part }, parsed.error.issues));
}

/** The query's parameters, checked. */
export const checkQuery = <S extends z.ZodType>(c: ApiContext, schema: S): z.output<S> =>
  check(schema, c.req.query(), 'query');

/** The JSON body as text. @throws Fault payload_too_large, unsupported_media_type */
export async function readText(c: ApiContext): Promise<string> {
  const type = c.req.header('content-type');
  if (type !== undefined && !/^application\/([\w.+-]*\+)?json\b/i.test(type)) {
    throw new Fault('unsupported_media_type', 'This route reads application/json.');
  }
  return await readBody(c);
}

/** A body of any type as text. @throws Fault payload_too_large */
export async function readBody(c: ApiContext): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  // A refusal must still be able to answer: the socket stays.
  for await (const chunk of c.env.incoming.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    size += chunk.length;
    if (size > JSON_BYTES)
      throw new Fault('payload_too_large', `The body is longer than ${JSON_BYTES} bytes.`);
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString('utf8');
}

/** A JSON text; empty reads as an empty object. @throws InvalidRequest */
export function parseJson(text: string): unknown {
  try {
    return text.trim() === '' ? {} : JSON.parse(text);
  } catch {
    throw new InvalidRequest([
      { type: 'json_invalid', loc: ['body'], msg: 'The body is not JSON.', input: null },
    ]);
  }
}
