// biome-ignore-all lint/style/noDefaultExport: what a CommonJS module exports is the default of its ES module

// The parts of prom-client that are used, by their files: its index takes 20 MiB, of OpenTelemetry's API and
// collectors that nobody here asks for; these take 4.

declare module 'prom-client/lib/registry.js' {
  export { Registry as default } from 'prom-client';
}
declare module 'prom-client/lib/gauge.js' {
  export { Gauge as default } from 'prom-client';
}
declare module 'prom-client/lib/counter.js' {
  export { Counter as default } from 'prom-client';
}
declare module 'prom-client/lib/histogram.js' {
  export { Histogram as default } from 'prom-client';
}
