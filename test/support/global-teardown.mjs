// Ends the servers of the run and removes their data.
import { rm } from 'node:fs/promises';

export default async function globalTeardown() {
  const servers = globalThis.sluiceTestServers;
  if (servers === undefined) return;
  await Promise.all(servers.daemons.map((daemon) => daemon.stop(10_000)));
  await rm(servers.directory, { recursive: true, force: true });
}
