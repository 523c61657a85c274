import { expect } from 'chai';
import { createLog, type LogFormat, type LogLevel, type LogOptions } from '../../src/log.ts';

interface Written {
  readonly lines: string[];
  readonly options: LogOptions;
}

function written(
  format: LogFormat,
  {
    isTTY = false,
    level = 'debug',
    env = {},
  }: { isTTY?: boolean; level?: LogLevel; env?: LogOptions['env'] } = {},
): Written {
  const lines: string[] = [];
  return { lines, options: { level, format, env, stream: { write: (text) => lines.push(text), isTTY } } };
}

describe('the log', () => {
  it('is one JSON object per record where no terminal is', () => {
    const { lines, options } = written('auto');
    createLog(options).info({ done: 3, eip: '198.51.100.7' }, 'round');
    expect(lines).to.have.length(1);
    const { time, ...rest } = JSON.parse(lines[0] ?? '');
    expect(rest).to.deep.equal({ level: 'info', done: 3, eip: '198.51.100.7', msg: 'round' });
    expect(time).to.match(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
  });

  it('is time, level, words and facts on a terminal, in colour', () => {
    const { lines, options } = written('auto', { isTTY: true });
    createLog(options).warn({ why: 'link down', ms: 12, links: ['eth0'] }, 'round');
    expect(lines.join('')).to.match(
      // biome-ignore lint/suspicious/noControlCharactersInRegex: colours are control characters
      /^\u001b\[2m\d\d:\d\d:\d\d\.\d{3}\u001b\[0m \u001b\[33mwarn \u001b\[0m round \u001b\[2mwhy=\u001b\[0m"link down" \u001b\[2mms=\u001b\[0m12 \u001b\[2mlinks=\u001b\[0m\["eth0"\]\n$/,
    );
  });

  it('has no colour with NO_COLOR, on a dumb terminal, or in a file', () => {
    for (const [isTTY, env] of [
      [true, { NO_COLOR: '1' }],
      [true, { TERM: 'dumb' }],
      [false, {}],
    ] as const) {
      const { lines, options } = written('pretty', { isTTY, env });
      createLog(options).info({ done: 3 }, 'round');
      expect(lines.join('')).to.match(/^\d\d:\d\d:\d\d\.\d{3} info {2}round done=3\n$/);
    }
  });

  it('says once on a terminal what is both its words and a fact', () => {
    const problem = 'interface eth0 is down';
    const { lines, options } = written('pretty');
    createLog(options).warn({ problem, code: 'interface-down' }, problem);
    expect(lines.join('')).to.match(/warn {2}interface eth0 is down code=interface-down\n$/);
    const json = written('json');
    createLog(json.options).warn({ problem }, problem);
    expect(JSON.parse(json.lines.join(''))).to.include({ problem, msg: problem });
  });

  it('is JSON on a terminal when asked for', () => {
    const { lines, options } = written('json', { isTTY: true });
    createLog(options).info('ready');
    expect(JSON.parse(lines.join(''))).to.include({ msg: 'ready', level: 'info' });
  });

  it('leaves out what is below its level', () => {
    const { lines, options } = written('json', { level: 'warn' });
    const log = createLog(options);
    log.debug('a');
    log.info('b');
    log.warn('c');
    log.error('d');
    expect(lines.map((line) => JSON.parse(line).msg)).to.deep.equal(['c', 'd']);
  });

  it('keeps each record in its line and the terminal unharmed, whatever the facts hold', () => {
    const nasty = 'a\nb\u001b[31m\u009b2J\u2028"';
    for (const format of ['pretty', 'json'] as const) {
      const { lines, options } = written(format);
      createLog(options).info({ [nasty]: nasty, err: new Error(nasty) }, nasty);
      expect(lines).to.have.length(1);
      const body = (lines[0] ?? '').slice(0, -1);
      expect(body, format).to.match(format === 'pretty' ? /^[^\p{Cc}\u2028]+$/u : /^[^\n]+$/);
    }
  });

  it('shows an error by its message on a terminal, and with its stack and cause in JSON', () => {
    const error = new Error('apply failed', { cause: new Error('EPERM') });
    const pretty = written('pretty');
    createLog(pretty.options).error({ err: error }, 'round');
    expect(pretty.lines.join('')).to.match(/ error round err="apply failed: EPERM"\n$/);
    const json = written('json');
    createLog(json.options).error({ err: error }, 'round');
    const { err } = JSON.parse(json.lines.join(''));
    expect(err.message).to.equal('apply failed: EPERM');
    expect(err.stack).to.include('log.test.ts');
  });
});
