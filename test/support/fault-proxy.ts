// A TCP proxy with faults before any server: counts, slows down, cuts, falls silent.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface ProxyBehaviour {
  /** Bytes a second from the server, over all connections. */
  pace?: number;
  /** Resets a connection after so many bytes from the server. */
  cutAfter?: number | undefined;
  /** Passes nothing on after so many bytes from the server; the connection stays. */
  silentAfter?: number | undefined;
  /** Called with the number of a connection, from 1, before anything is passed on. */
  onConnection?: (number: number) => void;
}

export interface FaultProxy {
  readonly port: number;
  behaviour: ProxyBehaviour;
  /** Bytes from the server that were passed on. */
  given(): number;
  connections(): number;
  close(): Promise<void>;
}

/** @param port of the server, on 127.0.0.1 */
export async function startFaultProxy(port: number, behaviour: ProxyBehaviour = {}): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  let connections = 0;
  let given = 0;
  const proxy = {
    behaviour,
    given: () => given,
    connections: () => connections,
  };
  const server = createServer((near) => {
    connections += 1;
    proxy.behaviour.onConnection?.(connections);
    const far = connect(port, '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    near.once('close', () => far.destroy());
    near.pipe(far);
    void passOn(
      far,
      near,
      () => proxy.behaviour,
      (bytes) => {
        given += bytes;
      },
    );
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return Object.assign(proxy, {
    port: (server.address() as AddressInfo).port,
    async close() {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  });
}

async function passOn(
  far: Socket,
  near: Socket,
  behaviour: () => ProxyBehaviour,
  count: (bytes: number) => void,
): Promise<void> {
  let passed = 0;
  try {
    for await (const chunk of far) {
      const bytes = chunk as Buffer;
      const { pace, cutAfter, silentAfter } = behaviour();
      if (silentAfter !== undefined && passed >= silentAfter) await once(near, 'close');
      if (pace !== undefined) await sleep((bytes.length / pace) * 1000);
      passed += bytes.length;
      count(bytes.length);
      if (!near.write(bytes)) await once(near, 'drain');
      if (cutAfter === undefined || passed < cutAfter) continue;
      near.resetAndDestroy();
      return;
    }
    near.end();
  } catch {
    near.destroy();
  }
}
