// The connection to Temporal: address, namespace, TLS and API key from the settings; found at the first call.
import { readFileSync } from 'node:fs';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { Config } from '../config/config.js';
import { SEARCH_ATTRIBUTES } from '../domain/ids.js';

/** Connects lazily, so that the API may start before its Temporal. */
export function connectTemporal(config: Config): Promise<Client> {
  const connection = Connection.lazy({ ...temporalConnection(config), connectTimeout: '5s' });
  return Promise.resolve(new Client({ connection, namespace: config.temporal.namespace }));
}

/** Where Temporal is and how to get in, for clients and for workers. */
export function temporalConnection(
  config: Config,
): Pick<ConnectionOptions, 'address' | 'tls'> & { apiKey?: string } {
  const { address, port, apiKey } = config.temporal;
  const tls = tlsOptions(config);
  return {
    address: address ?? `127.0.0.1:${port}`,
    ...(tls === undefined ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
  };
}

/** Registers our search attributes; safe to repeat. Servers without an operator API (a cloud) have them set up by hand. */
export async function ensureSearchAttributes(client: Client): Promise<void> {
  const keyword = 2;
  await client.connection.withDeadline(Date.now() + 5_000, async () => {
    const operator = (client.connection as Connection).operatorService;
    const { customAttributes } = await operator.listSearchAttributes({ namespace: client.options.namespace });
    const missing = SEARCH_ATTRIBUTES.filter((name) => customAttributes[name] === undefined);
    if (missing.length === 0) return;
    await operator.addSearchAttributes({
      namespace: client.options.namespace,
      searchAttributes: Object.fromEntries(missing.map((name) => [name, keyword])),
    });
  });
}

function tlsOptions({ temporal: { tls, apiKey } }: Config): ConnectionOptions['tls'] | undefined {
  if (tls === undefined) return apiKey === undefined ? undefined : true;
  const { certFile, keyFile, caFile, serverName } = tls;
  return {
    ...(caFile === undefined ? {} : { serverRootCACertificate: readFileSync(caFile) }),
    ...(serverName === undefined ? {} : { serverNameOverride: serverName }),
    ...(certFile === undefined || keyFile === undefined
      ? {}
      : { clientCertPair: { crt: readFileSync(certFile), key: readFileSync(keyFile) } }),
  };
}
