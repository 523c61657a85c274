import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import type { Network, Pod } from '../network/network.ts';
import { Process } from '../process/process.ts';

/** A rule of an Ingress: which pod gets the requests for a host and a path. */
export interface IngressRule {
  readonly host: string;
  readonly path: string;
  readonly to: Pod | undefined;
}

/** ms */
const patience = 10_000;

/** Starts nginx in the namespace of a pod, as the server of an ingress controller; resolves when it listens. */
export async function startNginx(
  network: Network,
  pod: string,
  port: number,
  rules: readonly IngressRule[],
): Promise<Process> {
  const folder = join(network.folder, pod);
  await mkdir(folder, { recursive: true });
  const config = join(folder, 'nginx.conf');
  await writeFile(config, configuration(folder, port, rules));
  const log = join(folder, 'nginx.log');
  const argv = ['nginx', '-p', folder, '-e', log, '-c', config];
  const nginx = await Process.start({ namespace: network.namespace(pod), argv, log });
  const listens = async (): Promise<true | undefined> => {
    const { status } = await network.outcome(pod, {
      argv: ['curl', '-s', '-o', '/dev/null', `http://127.0.0.1:${port}/`],
    });
    return status === 0 ? true : undefined;
  };
  await nginx.serves(`nginx listens in ${pod}`, listens, AbortSignal.timeout(patience));
  return nginx;
}

function configuration(folder: string, port: number, rules: readonly IngressRule[]): string {
  const servers = [...new Set(rules.map(({ host }) => host))].map((host) => {
    const locations = rules
      .filter((rule) => rule.host === host && rule.to !== undefined)
      .map(({ path, to }) => `    location ${path} { proxy_pass http://${to?.ip.v4}:${to?.port}; }`);
    return `  server {
    listen ${port};
    listen [::]:${port};
    server_name ${host};
${locations.join('\n')}
  }`;
  });
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `  ${name}_temp_path ${folder}/${name};`,
  );
  return `daemon off;
worker_processes 1;
user root;
pid ${folder}/nginx.pid;
events {}
http {
  access_log off;
${temporary.join('\n')}
${servers.join('\n')}
}
`;
}
