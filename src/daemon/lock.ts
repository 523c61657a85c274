import { createServer, type Server } from 'node:net';
import { Refused } from './refused.ts';

/**
 * Keeps a second writer with the same protocol number out of this network namespace. An abstract socket is just
 * that: one per name and namespace, taken in one step, gone with the process however it ends.
 *
 * @throws Refused when another one runs
 */
export async function lock(protocol: number): Promise<AsyncDisposable> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      reject(
        error.code === 'EADDRINUSE'
          ? new Refused(
              `another eiproute already manages routes of protocol ${protocol} in this network namespace; stop it first (systemctl stop eiproute-gateway eiproute-node, or see "ss -xlp | grep eiproute")`,
            )
          : error,
      );
    });
    server.listen({ path: `\0eiproute-protocol-${protocol}` }, resolve);
  });
  // It keeps a name, not the program alive.
  server.unref();
  return { [Symbol.asyncDispose]: () => close(server) };
}

export function close(server: Server): Promise<void> {
  return new Promise((resolve, reject) => {
    server.close((error) => (error ? reject(error) : resolve()));
  });
}
