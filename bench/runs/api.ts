import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { startApiServer } from '../../lab/cluster/api-server.ts';
import { fill } from './world.ts';

// node bench/runs/api.ts FOLDER SERVICES
// An API server with a full cluster, as a process of its own: writes FOLDER/kubeconfig, and then the line "ready".

const [folder = '.', services = '0'] = process.argv.slice(2);
const api = await startApiServer();
fill(api, Number(services));
writeFileSync(join(folder, 'kubeconfig'), api.kubeconfig(), { mode: 0o600 });
process.stdout.write('ready\n');
