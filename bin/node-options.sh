# Sourced by bin/eiproute, and by /usr/bin/eiproute of the package: sets $options, the options of Node for the command
# on the command line, and what the C library is told by the environment. docs/performance.md has the figures behind them.
# With fewer than about 24 open files Node ends by SIGSEGV without a word.
files=$(ulimit -n)
[ "$files" = unlimited ] || [ "$files" -ge 32 ] || {
  echo "eiproute: no more than $files files may be open here (ulimit -n), and Node needs 32; raise the limit (LimitNOFILE= of a unit)" >&2
  exit 1
}
# Without --disable-sigusr1, SIGUSR1 makes Node listen on 127.0.0.1:9229 for a debugger, which any user of the host may be.
options='--disable-warning=ExperimentalWarning --disable-sigusr1'
# Node parses the 121 authorities that it comes with as soon as TLS is loaded, and keeps them, also where the kubeconfig
# names the one to believe. Not with this: where it names none, src/cluster/credentials.ts gives them to Node. Who has
# chosen by the environment whom Node believes has the last word: Node takes one such option.
case "${NODE_OPTIONS-} ${NODE_USE_SYSTEM_CA-}" in
  *-ca* | *' 1') authorities='' ;;
  *) authorities=' --use-openssl-ca' ;;
esac
for word; do
  case $word in
    gateway | node) options="$options$authorities" ;;
  esac
  case $word in
    gateway)
      # V8 lets the young part of a heap grow to 3 times 16 MiB (32 for a large heap). A gateway runs for months at one
      # size; the little that each event allocates is not worth that memory. src/daemon/heap.ts limits the old part.
      # Not --expose-gc: with it, and with most other flags of V8, Node's own modules are compiled anew.
      options="$options --max-semi-space-size=4"
      # glibc gives each thread a heap of its own, where what V8's threads free stays for that thread alone (mallopt(3)).
      export MALLOC_ARENA_MAX=1
      break
      ;;
    node)
      # It does little and is on every node of a cluster: no machine code, hence no memory for compiling it. Not
      # --jitless or --lite-mode: WebAssembly, which undici parses HTTP/1.1 with, would be gone.
      options="$options --no-opt --no-maglev --no-sparkplug --optimize-for-size --max-semi-space-size=1"
      # What V8 notes of the values that a function sees makes it faster: worth its memory for those that run often.
      options="$options --invocation-count-for-feedback-allocation=1000"
      # glibc keeps what is freed below these limits, or in holes: buffers of 64 KiB are not to leave any (mallopt(3)).
      export MALLOC_MMAP_THRESHOLD_=65536 MALLOC_TRIM_THRESHOLD_=65536 MALLOC_TOP_PAD_=16384
      break
      ;;
  esac
done
