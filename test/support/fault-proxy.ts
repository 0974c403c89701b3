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
  /** Bytes a second to the server. */
  paceTo?: number;
  /** Resets a connection after so many bytes to the server. */
  cutAfterTo?: number | undefined;
  /** Called with the number of a connection, from 1, before anything is passed on. */
  onConnection?: (number: number) => void;
}

export interface FaultProxy {
  readonly port: number;
  behaviour: ProxyBehaviour;
  /** Bytes from the server that were passed on. */
  given(): number;
  /** Bytes to the server that were passed on. */
  taken(): number;
  connections(): number;
  /** Connections that are open now. */
  open(): number;
  close(): Promise<void>;
}

/** @param port of the server, on 127.0.0.1 */
export async function startFaultProxy(port: number, behaviour: ProxyBehaviour = {}): Promise<FaultProxy> {
  const sockets = new Set<Socket>();
  const lines: Record<'there' | 'back', Line> = { there: { freeAt: 0 }, back: { freeAt: 0 } };
  let connections = 0;
  let open = 0;
  let given = 0;
  let taken = 0;
  const proxy = {
    behaviour,
    given: () => given,
    taken: () => taken,
    connections: () => connections,
    open: () => open,
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    connections += 1;
    open += 1;
    proxy.behaviour.onConnection?.(connections);
    const far = connect({ port, host: '127.0.0.1', allowHalfOpen: true });
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    near.once('close', () => {
      open -= 1;
      far.destroy();
    });
    const there = (): Way => {
      const { paceTo: pace, cutAfterTo: cutAfter } = proxy.behaviour;
      return { line: lines.there, pace, cutAfter };
    };
    const back = (): Way => {
      const { pace, cutAfter, silentAfter } = proxy.behaviour;
      return { line: lines.back, pace, cutAfter, silentAfter };
    };
    const cut = (): void => void near.resetAndDestroy();
    const count = {
      taken: (bytes: number): void => {
        taken += bytes;
      },
      given: (bytes: number): void => {
        given += bytes;
      },
    };
    void passOn(near, far, there, count.taken, cut);
    void passOn(far, near, back, count.given, cut);
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

/** What all connections share in one direction. */
interface Line {
  /** When it has passed on what it took so far, ms. */
  freeAt: number;
}

interface Way {
  readonly line: Line;
  readonly pace?: number | undefined;
  readonly cutAfter?: number | undefined;
  readonly silentAfter?: number | undefined;
}

async function passOn(
  from: Socket,
  to: Socket,
  behaviour: () => Way,
  count: (bytes: number) => void,
  cut: () => void,
): Promise<void> {
  let passed = 0;
  try {
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      const bytes = chunk as Buffer;
      const { line, pace, cutAfter, silentAfter } = behaviour();
      if (silentAfter !== undefined && passed >= silentAfter) await once(to, 'close');
      if (pace !== undefined) await travel(line, bytes.length, pace);
      passed += bytes.length;
      count(bytes.length);
      if (!to.write(bytes)) await once(to, 'drain');
      if (cutAfter === undefined || passed < cutAfter) continue;
      cut();
      return;
    }
    to.end();
  } catch {
    to.destroy();
  }
}

async function travel(line: Line, bytes: number, pace: number): Promise<void> {
  const now = performance.now();
  line.freeAt = Math.max(now, line.freeAt) + (bytes / pace) * 1000;
  await sleep(line.freeAt - now);
}
