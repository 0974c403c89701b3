// A door on this machine to one guarded address, for a child program: it connects here, we connect there.
// So the guard's check is the connection that is used, limits on bandwidth hold while it runs, and the connection
// ends with this process.
import { once } from 'node:events';
import { type AddressInfo, createServer, type Socket } from 'node:net';

export interface Relay {
  /** On 127.0.0.1. */
  readonly port: number;
  /** Why there is no connection to the far side; undefined when there is one, or none was asked for. */
  failure(): unknown;
  close(): void;
}

export interface RelayOptions {
  /** Makes the connection to the far side. */
  connect(): Promise<Socket>;
  /** Waits until so many bytes may be taken from the far side; left out: at once. */
  paceReceived?(bytes: number): Promise<void>;
  /** The same for bytes that go there. */
  paceSent?(bytes: number): Promise<void>;
  /** The far side is given up after so long without a byte, ms. */
  readonly silenceMs: number;
}

/** Takes a single connection. */
export async function openRelay(options: RelayOptions): Promise<Relay> {
  let failure: unknown;
  const sockets = new Set<Socket>();
  const keep = (socket: Socket): Socket => {
    sockets.add(socket);
    // Errors end the pumping; an error without a listener would end this process.
    return socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
  };
  const server = createServer({ allowHalfOpen: true }, (near) => {
    server.close();
    keep(near);
    options
      .connect()
      .then((far) => join(near, keep(far), options))
      .catch((error: unknown) => {
        failure ??= error;
        near.destroy();
      });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return {
    port: (server.address() as AddressInfo).port,
    failure: () => failure,
    close() {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Both directions until both have ended. What has come still reaches the child when the far side closes in order. */
async function join(
  near: Socket,
  far: Socket,
  { paceReceived = atOnce, paceSent = atOnce, silenceMs }: RelayOptions,
): Promise<void> {
  near.once('close', () => far.destroy());
  far.once('close', (hadError) => (hadError ? near.destroy() : near.end()));
  await Promise.allSettled([pump(far, near, paceReceived, silenceMs), pump(near, far, paceSent)]);
}

const atOnce = async (): Promise<void> => undefined;

/** @param silenceMs how long `from` may say nothing while it is listened to; left out: for ever */
async function pump(
  from: Socket,
  to: Socket,
  before: (bytes: number) => Promise<void>,
  silenceMs?: number,
): Promise<void> {
  let limit: NodeJS.Timeout | undefined;
  const listenOn = (): void => {
    if (silenceMs !== undefined) limit = setTimeout(() => from.destroy(new Error('silence')), silenceMs);
  };
  try {
    listenOn();
    for await (const chunk of from.iterator({ destroyOnReturn: false })) {
      clearTimeout(limit);
      await before((chunk as Buffer).length);
      if (!to.write(chunk as Buffer)) await drained(to);
      listenOn();
    }
    to.end();
  } catch {
    to.destroy();
  } finally {
    clearTimeout(limit);
  }
}

async function drained(socket: Socket): Promise<void> {
  if (socket.destroyed) throw new Error('the connection is closed');
  // Whichever does not come must not be waited for any longer: a large file has many such moments.
  const over = new AbortController();
  const { signal } = over;
  try {
    await Promise.race([
      once(socket, 'drain', { signal }),
      once(socket, 'close', { signal }).then(() => {
        throw new Error('the connection is closed');
      }),
    ]);
  } finally {
    over.abort();
  }
}
