/** Why the kernel has no route for a packet, by the name of the errno. */
export function refusalWords(code: string): string {
  switch (code) {
    case 'EACCES':
      return 'EACCES: a rule or a route says prohibit';
    case 'ENETUNREACH':
      return 'ENETUNREACH: there is no route, or a rule says unreachable';
    case 'EHOSTUNREACH':
      return 'EHOSTUNREACH: a route says unreachable, or the interface does not forward';
    case 'EINVAL':
      return 'EINVAL: a rule or a route says blackhole, or the source cannot be that of a client';
    case 'EXDEV':
      return 'EXDEV: rp_filter rejects the source';
    default:
      return code;
  }
}
