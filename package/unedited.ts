/** What the first line of a configuration says that nobody has written yet. */
const first =
  '# Edit me: take the "#" away from the keys that this host needs. Until then "eiproute config check" refuses this file,\n# and the daemon does not start.\n#\n';

/**
 * An example as it is installed: every key is a comment, so that no host forwards anything before somebody has said
 * what. The example names networks and interfaces that are nobody's.
 */
export function unedited(example: string): string {
  const lines = example.split('\n').map((line) => (line === '' || line.startsWith('#') ? line : `# ${line}`));
  return `${first}${lines.join('\n')}`;
}
