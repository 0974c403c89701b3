// Ports of the servers on this machine: free ones, and a clear word when one is taken.
import { once } from 'node:events';
import { createServer } from 'node:net';
import { errnoOf } from '../bytes/disk-fault.js';
import { Fault } from '../domain/fault.js';

/**
 * The port itself when it is free, or any free one for 0.
 * @param variable the setting that changes it
 * @throws Fault `port_taken` naming the variable
 */
export async function claimPort(port: number, variable: string, host = '127.0.0.1'): Promise<number> {
  const server = createServer();
  try {
    server.listen({ port, host, exclusive: true });
    await once(server, 'listening');
    const address = server.address();
    return typeof address === 'object' && address !== null ? address.port : port;
  } catch (error) {
    if (errnoOf(error) !== 'EADDRINUSE') throw error;
    throw new Fault(
      'port_taken',
      `Port ${port} is taken by another program; end it, or set ${variable} to another port (0 = any free one).`,
      { cause: error, facts: { port, variable } },
    );
  } finally {
    server.close();
  }
}
