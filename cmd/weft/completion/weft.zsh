#compdef weft
# Completion of weft for zsh.

_weft() {
    local how line
    local -a answer items
    answer=("${(@f)$(command weft complete -- "${(@Q)words[2,CURRENT-1]}" "${(Q)PREFIX}" 2>/dev/null)}")
    how=$answer[1]
    for line in "${(@)answer[2,-1]}"; do
        items+=("${${line%%$'\t'*}//:/\\:}:${line#*$'\t'}")
    done
    (( $#items )) && _describe -V weft items
    case $how in
    files) _files ;;
    folders) _files -/ ;;
    command*)
        # What follows is the line of another command.
        shift $(( ${how#command } + 1 )) words
        (( CURRENT -= ${how#command } + 1 ))
        _normal
        ;;
    esac
}

# This file may be sourced, or be in $fpath under the name _weft.
if [[ $funcstack[1] == _weft ]]; then
    _weft "$@"
else
    compdef _weft weft
fi
