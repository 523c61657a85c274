# bash completion for eiproute(8)
_eiproute() {
  local cur prev words cword
  if declare -F _init_completion >/dev/null; then
    _init_completion || return
  else
    cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} words=("${COMP_WORDS[@]}") cword=$COMP_CWORD
  fi
  case $prev in
    --config | --from | --bundle | --kubeconfig) mapfile -t COMPREPLY < <(compgen -f -- "$cur"); return ;;
    --log-level) mapfile -t COMPREPLY < <(compgen -W 'debug info warn error' -- "$cur"); return ;;
    --log-format) mapfile -t COMPREPLY < <(compgen -W 'auto pretty json' -- "$cur"); return ;;
    --role) mapfile -t COMPREPLY < <(compgen -W 'gateway node' -- "$cur"); return ;;
    --timeout) return ;;
  esac
  local command= options='--config --log-level --log-format --help' i
  for ((i = 1; i < cword; i++)); do
    case ${words[i]} in
      gateway | node | plan | status | trace | doctor | events | pools | release | drain | undrain | bird | frr | purge | config | version | help) command=${words[i]}; break ;;
    esac
  done
  case $command in
    '') options="gateway node plan status trace doctor events pools release drain undrain bird frr purge config version help $options --version" ;;
    plan) options="$options --commands --from --json" ;;
    status) options="$options --eips --json --objects --wait-synced --timeout --watch" ;;
    doctor) options="$options --bundle --json" ;;
    events) options="$options --all --eip --follow --json --node --service" ;;
    trace) options="$options --from --json --probe" ;;
    purge) options="$options --dry-run --json --yes" ;;
    release) options="$options --json --show --yes" ;;
    config) options="check print $options --role --origin --json" ;;
    drain | undrain) options="$options --kubeconfig" ;;
    help) options="gateway node plan status trace doctor events pools release drain undrain bird frr purge config version" ;;
    pools | version) options="$options --json" ;;
  esac
  mapfile -t COMPREPLY < <(compgen -W "$options" -- "$cur")
}
complete -F _eiproute eiproute
