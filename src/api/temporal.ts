// The connection to Temporal: address, namespace, TLS and API key from the settings; found at the first call.
import { readFileSync } from 'node:fs';
import { Client, Connection, type ConnectionOptions } from '@temporalio/client';
import type { Config } from '../config/config.js';
import { SEARCH_ATTRIBUTES } from '../domain/ids.js';

/** Connects lazily, so that the API may start before its Temporal. */
export function connectTemporal(config: Config): Promise<Client> {
  const { address, namespace, port, apiKey } = config.temporal;
  const tls = tlsOptions(config);
  const connection = Connection.lazy({
    address: address ?? `127.0.0.1:${port}`,
    connectTimeout: '5s',
    ...(tls === undefined ? {} : { tls }),
    ...(apiKey === undefined ? {} : { apiKey }),
  });
  return Promise.resolve(new Client({ connection, namespace }));
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
