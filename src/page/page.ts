import { readFileSync } from 'node:fs';
import { sha256 } from '@noble/hashes/sha2.js';

/** The live page: one document that loads nothing, and the policy that lets a browser run just what is in it. */
export interface Page {
  readonly html: string;
  readonly headers: Readonly<Record<string, string>>;
}

export function readPage(): Page {
  const html = readFileSync(new URL('page.html', import.meta.url), 'utf8');
  const policy = [
    "default-src 'none'",
    `style-src ${hashesOf(html, 'style')}`,
    `script-src ${hashesOf(html, 'script')}`,
    "connect-src 'self'",
    'img-src data:',
    "base-uri 'none'",
    "form-action 'none'",
    "frame-ancestors 'none'",
  ];
  return {
    html,
    headers: {
      'content-security-policy': policy.join('; '),
      'referrer-policy': 'no-referrer',
      'cache-control': 'no-store',
    },
  };
}

/**
 * Text that somebody else puts into the page has another hash, and is not run. Not by node:crypto: a node agent loads this
 * file as well.
 */
function hashesOf(html: string, tag: 'style' | 'script'): string {
  const found = html.matchAll(new RegExp(`<${tag}>([\\s\\S]*?)</${tag}>`, 'g'));
  return [...found]
    .map(([, text = '']) => `'sha256-${Buffer.from(sha256(Buffer.from(text))).toString('base64')}'`)
    .join(' ');
}
