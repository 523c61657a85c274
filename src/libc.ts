import { constants } from 'node:os';
import koffi from 'koffi';

// System calls without a function in Node, and constants that more than one caller needs.

export const AF_UNIX = 1;
export const AF_INET6 = 10;
export const AF_PACKET = 17;
export const SOCK_STREAM = 1;
export const SOCK_DGRAM = 2;
export const SOCK_RAW = 3;
export const SOCK_NONBLOCK = 0o4000;
export const SOCK_CLOEXEC = 0o2000000;
export const SOL_SOCKET = 1;
export const MSG_DONTWAIT = 0x40;

const library = koffi.load(null);

/** Each returns -1 on failure; {@link lastErrno} has the reason. */
export const libc = {
  socket: library.func('int socket(int, int, int)'),
  bind: library.func('int bind(int, const void *, uint32_t)'),
  connect: library.func('int connect(int, const void *, uint32_t)'),
  getsockname: library.func('int getsockname(int, void *, void *)'),
  setsockopt: library.func('int setsockopt(int, int, int, const void *, uint32_t)'),
  getsockopt: library.func('int getsockopt(int, int, int, void *, void *)'),
  send: library.func('intptr_t send(int, const void *, size_t, int)'),
  sendto: library.func('intptr_t sendto(int, const void *, size_t, int, const void *, uint32_t)'),
  recv: library.func('intptr_t recv(int, void *, size_t, int)'),
  recvfrom: library.func('intptr_t recvfrom(int, void *, size_t, int, void *, void *)'),
  prctl: library.func('int prctl(int, uintptr_t, uintptr_t, uintptr_t, uintptr_t)'),
  fcntl: library.func('int fcntl(int, int, int)'),
  flock: library.func('int flock(int, int)'),
  close: library.func('int close(int)'),
};

koffi.struct('sock_fprog', { len: 'uint16_t', filter: 'const void *' });
const attach = library.func('int setsockopt(int, int, int, const sock_fprog *, uint32_t)');
const SO_ATTACH_FILTER = 26;
/** struct sock_filter */
const instructionBytes = 8;

/**
 * Lets a socket receive only what a classic BPF program accepts.
 *
 * @param program struct sock_filter, one after the other
 * @returns -1 on failure
 */
export function attachFilter(fd: number, program: Uint8Array): number {
  const fprog = { len: program.length / instructionBytes, filter: program };
  return attach(fd, SOL_SOCKET, SO_ATTACH_FILTER, fprog, koffi.sizeof('sock_fprog'));
}

/** undefined with a C library that is not glibc, such as musl. */
const mallocTrim = find('int malloc_trim(size_t)');

function find(declaration: string): (() => number) | undefined {
  try {
    const call: (pad: number) => number = library.func(declaration);
    return () => call(0);
  } catch {
    return undefined;
  }
}

/** Gives the pages back to the kernel that free() left in the heap of the C library; some milliseconds at most. */
export function releaseFreePages(): void {
  mallocTrim?.();
}

// Where Linux has two names for one number, the name that the manual pages of sockets use.
const preferred = new Set(['EAGAIN', 'EOPNOTSUPP', 'EDEADLK']);
const names = new Map<number, string>();
for (const [name, number] of Object.entries(constants.errno)) {
  if (!names.has(number) || preferred.has(name)) names.set(number, name);
}

/** 17 -> 'EEXIST'; a number without a name becomes 'errno 4711'. */
export function errnoName(errno: number): string {
  return names.get(errno) ?? `errno ${errno}`;
}

/** The name of the error of the last call. */
export function lastErrno(): string {
  return errnoName(koffi.errno());
}

/**
 * A struct sockaddr_un, without trailing zeros.
 *
 * @param to a path, or `@name` for an abstract socket
 * @throws Error when there can be no such socket
 */
export function unixAddress(to: string): Uint8Array {
  const abstract = to.startsWith('@');
  const path = Buffer.from(abstract ? `\0${to.slice(1)}` : `${to}\0`);
  if (!(abstract || to.startsWith('/')) || path.length > longestPath + 1)
    throw new Error(`"${to}" is no address of a unix socket`);
  const address = Buffer.alloc(2 + path.length);
  new Uint16Array(address.buffer, address.byteOffset, 1)[0] = AF_UNIX;
  path.copy(address, 2);
  return address;
}

const longestPath = 107;
