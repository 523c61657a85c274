#compdef eiproute
# zsh completion for eiproute(8)
local -a commands common
commands=(
  'gateway:the daemon'
  'node:the daemon of a Kubernetes node'
  'plan:what would change in the kernel'
  'status:how the daemon is, and what needs you'
  'trace:why an address works or does not'
  'doctor:check this host'
  'events:what the daemon did and found lately'
  'pools:who holds what of the pools, and who waits'
  'release:release held deletes'
  'drain:announce nothing any more, or give a node no new flows'
  'undrain:the other way round'
  'bird:what BIRD 2 includes to announce the EIPs'
  'frr:what FRR takes to announce the EIPs'
  'purge:remove everything of ours from the kernel'
  'config:check the configuration, or show it'
  'version:show the version'
  'help:show the help of a command'
)
common=(
  '--config[the configuration]:file:_files'
  '--log-level[the lowest level that is logged]:level:(debug info warn error)'
  '--log-format[how a log line looks]:format:(auto pretty json)'
  '--help[show help]'
)
_arguments -C $common '1:command:{_describe command commands}' '*::argument:->rest'
case $state in
  rest)
    case $words[1] in
      plan) _arguments $common '--commands[as commands to be pasted]' '--from[read the cluster from a file]:file:_files' '--json[print JSON]' ;;
      status) _arguments $common '--eips[where each EIP goes]::EIP, Service or node:' '--json[print JSON]' '--objects[every kernel object with its state]' '--watch[show it again every second]' '--wait-synced[wait until the state is OK]' '--timeout[seconds]:seconds:' ;;
      doctor) _arguments $common '--bundle[write a tar for a bug report]:file:_files' '--json[print JSON]' ;;
      events) _arguments $common '(-f --follow)'{-f,--follow}'[go on with those that come]' '--eip[of this EIP]:address:' '--service[of this Service]:name:' '--node[of this node]:name:' '--all[the rounds as well]' '--json[print JSON]' ;;
      trace) _arguments $common '1:EIP, Service or ADDRESS\:PORT:' '--probe[open connections as well]' '--from[trace the packets of this client]:address:' '--json[print JSON]' ;;
      release) _arguments $common '*:EIP:' '--show[only show what is held]' '--yes[do not ask]' '--json[print JSON]' ;;
      purge) _arguments $common '--dry-run[only print the commands]' '--yes[do not ask]' '--json[print JSON]' ;;
      drain | undrain) _arguments $common '1:node:' '--kubeconfig[with the right to patch nodes]:file:_files' ;;
      help) _arguments '1:command:{_describe command commands}' ;;
      config) _arguments $common '1:what:(check print)' '--role[whose configuration it is]:role:(gateway node)' '--origin[where each value came from]' '--json[print JSON]' ;;
      pools | version) _arguments $common '--json[print JSON]' ;;
      *) _arguments $common ;;
    esac
    ;;
esac
