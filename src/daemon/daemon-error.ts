/** The daemon cannot start, or does not answer; the message says what to do. */
export class DaemonError extends Error {
  override readonly name = 'DaemonError';
}
