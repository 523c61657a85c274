/** The state of this machine prevents the start; the message says what to do. */
export class Refused extends Error {
  override readonly name = 'Refused';
}
