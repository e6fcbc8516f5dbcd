# Sourced by the scripts, in the project's folder: prints a script's help, which is the comment at its top, and refuses
# arguments that the help does not name.
script=${0##*/}

print_help() { sed -n '2,${/^#/!q;s/^# \{0,1\}//p}' "scripts/$script"; }

refuse_usage() { # refuse_usage REASON
  echo "$script: $1" >&2
  print_help >&2
  exit 2
}

answer_help() { # answer_help ARGUMENT...: ends the script where one is --help
  local argument
  for argument; do
    case $argument in
      --) return ;;
      --help) print_help; exit 0 ;;
    esac
  done
}

take_no_arguments() {
  answer_help "$@"
  [ $# = 0 ] || refuse_usage "unexpected argument: $1"
}

take_options() { # take_options ARGUMENT...: each option must be in the help; its value is for the program to check
  local argument known
  answer_help "$@"
  known=$(print_help | tr -s ' ,=[]|' '\n')
  for argument; do
    case $argument in
      --) return ;;
      -[!0-9]*) grep -qxF -e "${argument%%=*}" <<<"$known" || refuse_usage "unknown option: $argument" ;;
    esac
  done
}
