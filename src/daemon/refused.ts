/** This machine or its state will not let the daemon start; the message says what to do. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
