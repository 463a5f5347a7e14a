// The script for bash. That of @bomb.sh/tab evaluates the words of the line: Tab behind `> file` empties the file, and Tab
// behind `$(...)` runs it. Here no word is evaluated, and the package bash-completion is not needed (docs/decisions/0048).

export const BASH_SCRIPT = `# bash completion for sluice
_sluice_completion() {
  local word line output glue= last=0
  local -a words=('')
  COMPREPLY=()
  # Behind a redirection bash completes files itself.
  case \${COMP_WORDS[COMP_CWORD-1]} in *'<'|*'>') compopt -o default; return;; esac
  # bash splits words at = and :, so --option=value comes in three.
  for word in "\${COMP_WORDS[@]:1:COMP_CWORD}"; do
    case $word in =*|:*) glue=1;; esac
    if [[ $glue ]]; then words[last]+=$word; else words[last]=$word; fi
    case $word in *=|*:) glue=1;; *) glue=; ((last++));; esac
  done
  [[ $glue ]] || ((last--))
  output=$(sluice complete -- "\${words[@]:0:last+1}" 2>/dev/null) || return
  while IFS= read -r line; do
    case $line in
      :0) compopt -o default;;
      :*) ;;
      *) COMPREPLY+=("\${line%%$'\\t'*}");;
    esac
  done <<< "$output"
}
complete -F _sluice_completion sluice`;
