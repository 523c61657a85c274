import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';
import { releaseFreePages } from '../libc.ts';

/**
 * Makes V8 keep the heap small from now on, and collects it. To be called once the lists are in: all that is kept for
 * long has been made by then, and what events allocate is not worth more memory.
 *
 * V8 compacts a page then that is a fifth empty, not only one that is four fifths empty: events change a little everywhere, so
 * that the old space took up to 1.8 times what was used of it. It would collect the old space each time that this has grown by a
 * tenth, which marks all of it: a fifth of the processor time of the events at 50,000 Services, and each time more than a hundred
 * events are slow. So the old space may grow by a fifth.
 *
 * Until then V8 lets the heap grow as it likes. A heap that is kept small is collected two dozen times while a hundred thousand
 * Services come in, which took half of the processor time of the start.
 */
export async function keepHeapSmall(): Promise<void> {
  setFlagsFromString('--optimize-for-size');
  setFlagsFromString('--heap-growing-percent=20');
  await collector()?.({ type: 'major', execution: 'async' });
  releaseFreePages();
}

/**
 * V8's collector, which a context has that is made under the flag. On the command line, the flag (as any that may change
 * how code is compiled) makes V8 refuse the compiled code of Node's own modules that is in Node's program file.
 */
function collector(): typeof globalThis.gc {
  setFlagsFromString('--expose-gc');
  return runInNewContext('gc');
}
