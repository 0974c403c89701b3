// A line from a client to the API, as bad as a test wants it: slow, cut, or with a server that asks to wait.
import { once } from 'node:events';
import { type AddressInfo, connect, createServer, type Socket } from 'node:net';
import { setTimeout as sleep } from 'node:timers/promises';

export interface LineBehaviour {
  /** Bytes a second towards the server, over each connection. */
  pace?: number | undefined;
  /** Cuts a connection after so many bytes towards the server. */
  cutAfter?: number | undefined;
  /** PATCH requests that are answered with this status and `Retry-After: 1`, in turn. */
  refuse?: number[];
}

export interface Line {
  readonly url: string;
  behaviour: LineBehaviour;
  /** Bytes towards the server that were passed on. */
  passed(): number;
  cuts(): number;
  /** When PATCH requests came, ms. */
  readonly patches: number[];
  close(): Promise<void>;
}

/** @param server its address; it may go and come again */
export async function startLine(server: string, behaviour: LineBehaviour = {}): Promise<Line> {
  const sockets = new Set<Socket>();
  let passed = 0;
  let cuts = 0;
  const patches: number[] = [];
  const line = { behaviour, passed: () => passed, cuts: () => cuts, patches };
  const carry = async (near: Socket, far: Socket): Promise<void> => {
    let carried = 0;
    let isRefused = false;
    for await (const chunk of near) {
      const bytes = chunk as Buffer;
      const { pace, cutAfter, refuse = [] } = line.behaviour;
      if (bytes.toString('latin1', 0, 6) === 'PATCH ') {
        patches.push(Date.now());
        const status = refuse.shift();
        if (status !== undefined) {
          isRefused = true;
          near.end(
            `HTTP/1.1 ${status} Wait\r\nretry-after: 1\r\ncontent-length: 0\r\nconnection: close\r\n\r\n`,
          );
        }
      }
      // What comes of a refused request is read, so that its answer is.
      if (isRefused) continue;
      if (pace !== undefined) await sleep((bytes.length / pace) * 1000);
      passed += bytes.length;
      carried += bytes.length;
      if (!far.write(bytes)) await Promise.race([once(far, 'drain'), once(far, 'close')]);
      if (cutAfter !== undefined && carried >= cutAfter) {
        cuts += 1;
        near.resetAndDestroy();
        return;
      }
    }
    far.end();
  };
  const listener = createServer((near) => {
    const far = connect(Number(new URL(server).port), '127.0.0.1');
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', () => undefined).once('close', () => sockets.delete(socket));
    }
    near.once('close', () => far.destroy());
    far.once('close', () => near.destroy());
    far.pipe(near);
    carry(near, far).catch(() => far.destroy());
  });
  listener.listen(0, '127.0.0.1');
  await once(listener, 'listening');
  return Object.assign(line, {
    url: `http://127.0.0.1:${(listener.address() as AddressInfo).port}`,
    async close() {
      for (const socket of sockets) socket.destroy();
      listener.close();
      await once(listener, 'close');
    },
  });
}
