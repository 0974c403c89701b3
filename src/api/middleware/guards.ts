// Who may ask a server that runs without authentication: programs on this machine, and nobody through them.
import type { MiddlewareHandler } from 'hono';
import { Fault } from '../../domain/fault.js';

/** Refuses foreign hosts (DNS rebinding), foreign web pages, and requests that a proxy passes on. */
export const loopbackOnly: MiddlewareHandler = async (c, next) => {
  const host = c.req.header('host') ?? '';
  if (!isLoopbackHost(host)) {
    throw new Fault(
      'forbidden_origin',
      `The Host header names ${JSON.stringify(host.slice(0, 120))}, not this machine.`,
    );
  }
  const origin = c.req.header('origin');
  if (origin !== undefined && origin !== `http://${host}`) {
    throw new Fault('forbidden_origin', 'The request comes from a web page of another origin.');
  }
  const site = c.req.header('sec-fetch-site');
  if (site !== undefined && site !== 'same-origin' && site !== 'none') {
    throw new Fault('forbidden_origin', 'The request comes from a web page of another site.');
  }
  const forwarded = Object.keys(c.req.header()).find((name) => /^(x-)?forwarded(-|$)/i.test(name));
  if (forwarded !== undefined) {
    throw new Fault('forbidden_origin', `The request was passed on by a proxy (header ${forwarded}).`);
  }
  await next();
};

/** Whether a Host header, or an address to listen on, names this machine only. */
export function isLoopbackHost(host: string): boolean {
  return /^(localhost|127(\.\d{1,3}){3}|\[::1\])(:\d{1,5})?$/i.test(host) || host === '::1';
}
