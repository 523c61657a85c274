import { once } from 'node:events';
import type { Server as HttpServer } from 'node:http';
import type { Server as HttpsServer } from 'node:https';
import { inside } from '../../lab/process/namespace.ts';

type Server = HttpServer | HttpsServer;

/** Resolves when the server listens in a network namespace, seen under its full name. */
export async function listenInside(namespace: string, server: Server, port: number): Promise<void> {
  const listening = once(server, 'listening');
  inside(namespace, () => server.listen(port));
  await listening;
}

/** Ends the server and what is on its connections. */
export async function close(server: Server): Promise<void> {
  server.closeAllConnections();
  await new Promise((resolve) => server.close(resolve));
}
