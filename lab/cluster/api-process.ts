import { writeFileSync } from 'node:fs';
import { createInterface } from 'node:readline';
import { parseArgs } from 'node:util';
import { startApiServer } from './api-server.ts';

// The embedded API server as a process of its own, for a network namespace of its own:
//   node lab/cluster/api-process.ts --kubeconfig FILE [--host ADDRESS] [--port N] [--also ADDRESS]...
// It writes the kubeconfig when it listens, says so on standard output, and takes commands line by line: stop, start.
// It ends with its standard input.

const { values } = parseArgs({
  options: {
    kubeconfig: { type: 'string' },
    host: { type: 'string', default: '127.0.0.1' },
    port: { type: 'string', default: '0' },
    also: { type: 'string', multiple: true, default: [] },
  },
});
const { kubeconfig, host, port, also } = values;
if (kubeconfig === undefined) throw new Error('--kubeconfig FILE is missing');

await using server = await startApiServer({ host, port: Number(port), addresses: also });
writeFileSync(kubeconfig, server.kubeconfig(), { mode: 0o600 });
process.stdout.write(`listening ${server.url}\n`);

for await (const line of createInterface({ input: process.stdin })) {
  switch (line.trim()) {
    case 'stop':
      await server.stop();
      process.stdout.write('stopped\n');
      break;
    case 'start':
      await server.start();
      process.stdout.write(`listening ${server.url}\n`);
      break;
    default:
      process.stdout.write('unknown: say stop or start\n');
  }
}
