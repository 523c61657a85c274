import { readFileSync, writeFileSync } from 'node:fs';
import { expect } from 'chai';
import { parse } from 'yaml';
import { families, histograms } from '../../../src/metrics/families.ts';

function path(name: string): URL {
  return new URL(`../../../${name}`, import.meta.url);
}

function file(name: string): string {
  return readFileSync(path(name), 'utf8');
}

/** A table as Biome leaves it: columns as wide as their widest cell. */
function table(rows: readonly (readonly string[])[]): string {
  const [head = [], ...rest] = rows;
  const widths = head.map((_, i) => Math.max(...rows.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    `| ${row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join(' | ')} |\n`;
  return `${line(head)}${line(widths.map((width) => '-'.repeat(width)))}${rest.map(line).join('')}`;
}

function metricsTable(): string {
  const whose = { both: 'both', gateway: 'gateway', node: 'node' } as const;
  return table([
    ['metric', 'type', 'labels', 'of', 'what it says'],
    ...families.map(({ name, type, labels, of, help }) => [
      `\`${name}\``,
      type,
      labels.map((label) => `\`${label}\``).join(', '),
      whose[of],
      help,
    ]),
    ...histograms.map(({ name, labels, help }) => [
      `\`${name}\``,
      'histogram',
      labels.map((label) => `\`${label}\``).join(', '),
      'both',
      help,
    ]),
  ]);
}

interface Rule {
  readonly alert: string;
  readonly expr: string;
  readonly labels: { readonly severity: string };
  readonly annotations: { readonly runbook_url: string };
}

const rules: readonly Rule[] = parse(file('monitoring/eiproute.rules.yml')).groups.flatMap(
  (group: { rules: readonly Rule[] }) => group.rules,
);

const known = [...families, ...histograms].map(({ name }) => name);

/** The names of metrics in an expression, without what Prometheus adds to a histogram. */
function metricsIn(expression: string): readonly string[] {
  const found = expression.match(/\b(eiproute|process|nodejs)_\w+/g) ?? [];
  return found.map((name) => name.replace(/_(bucket|sum|count)$/, ''));
}

describe('docs/metrics.md', () => {
  it('has a row for every metric (UPDATE_DOCS=1 writes them)', () => {
    const text = file('docs/metrics.md');
    const anew = text.replace(
      /(<!-- metrics -->\n\n)(?:\|.*\n|\n(?=\|))*/,
      (_, mark: string) => `${mark}${metricsTable()}`,
    );
    if (process.env['UPDATE_DOCS']) writeFileSync(path('docs/metrics.md'), anew);
    expect(text).to.equal(anew);
    expect(text).to.include(`| \`${known[0]}\``);
  });
});

describe('the alerts', () => {
  it('ask for metrics that there are', () => {
    for (const { alert, expr } of rules)
      for (const name of metricsIn(expr)) expect(known, alert).to.include(name);
  });

  it('have a section each in docs/runbooks.md that says what it means, whether traffic is hurt, and what to do', () => {
    const sections = new Map(
      file('docs/runbooks.md')
        .split(/^## /m)
        .slice(1)
        .map((section) => [section.split('\n')[0], section]),
    );
    expect([...sections.keys()]).to.deep.equal(rules.map(({ alert }) => alert));
    for (const { alert, annotations, labels } of rules) {
      expect(annotations.runbook_url).to.match(new RegExp(`/runbooks\\.md#${alert.toLowerCase()}$`));
      const section = sections.get(alert) ?? '';
      for (const part of ['**Means**', '**Traffic**', '**Look**', '**Wake somebody**'])
        expect(section, `${alert}: ${part}`).to.include(part);
      const wakes = /\*\*Wake somebody\*\* (yes|no)/.exec(section)?.[1];
      expect(wakes, alert).to.equal(labels.severity === 'critical' ? 'yes' : 'no');
    }
  });

  it('are tested, each on its cause and on a gateway that is well', () => {
    const { tests } = parse(file('monitoring/eiproute.rules.test.yml'));
    for (const test of tests) {
      const names = test.alert_rule_test.map(({ alertname }: { alertname: string }) => alertname);
      expect(names, test.name).to.deep.equal(rules.map(({ alert }) => alert));
    }
  });
});

describe('the dashboard', () => {
  it('asks for metrics that there are', () => {
    const { panels } = JSON.parse(file('monitoring/grafana-dashboard.json'));
    const expressions: readonly string[] = panels.flatMap(
      ({ targets = [] }: { targets?: { expr: string }[] }) => targets.map(({ expr }) => expr),
    );
    for (const expression of expressions) {
      expect(metricsIn(expression)).not.to.have.length(0);
      for (const name of metricsIn(expression)) expect(known, expression).to.include(name);
    }
  });
});
