// node bench/runs/imports.mjs [MODULE ...]
// Loads the modules and prints {"rss":bytes,"anon":bytes,"load":ms,"cpu":ms}: what is resident afterwards, how long
// loading took, and the processor time of the process so far. JavaScript: stripping types takes memory itself.
const before = performance.now();
for (const name of process.argv.slice(2)) await import(name);
const load = performance.now() - before;
const status = process.getBuiltinModule('node:fs').readFileSync('/proc/self/status', 'utf8');
const bytes = (field) => Number(new RegExp(`^${field}:\\s+(\\d+) kB$`, 'm').exec(status)?.[1]) * 1024;
const { user, system } = process.cpuUsage();
process.stdout.write(
  `${JSON.stringify({ rss: bytes('VmRSS'), anon: bytes('RssAnon'), load, cpu: (user + system) / 1000 })}\n`,
);
