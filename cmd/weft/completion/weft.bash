# Completion of weft for bash.

_weft() {
    local words=() at=() glue='' how='' word i
    # Bash cuts words at =, : and @, too: --color=auto comes as three.
    for ((i = 1; i <= COMP_CWORD; i++)); do
        word=${COMP_WORDS[i]}
        if [[ ${#words[@]} -gt 0 && ($glue || $word == [=:]*) ]]; then
            words[${#words[@]} - 1]+=$word
        else
            words+=("$word")
            at+=("$i")
        fi
        glue=''
        [[ $word == [=:@]* ]] && glue=1
    done
    # $2 is what is replaced: the last word, or the end of it behind such a cut.
    local last=$((${#words[@]} - 1)) cut=''
    case ${words[last]} in
    [\'\"]*) words[last]=$2 ;;
    *) cut=${words[last]%"$2"} ;;
    esac

    COMPREPLY=()
    local about=() width=0 text
    {
        IFS= read -r how
        while IFS= read -r word; do
            text=${word#*$'\t'} word=${word%%$'\t'*}
            COMPREPLY+=("${word#"$cut"}")
            about+=("$text")
            ((${#word} > width)) && width=${#word}
        done
    } < <(command weft complete -- "${words[@]}" 2>/dev/null)
    # What several words are is shown beside them, where bash only lists them: at the second
    # press of the key (63 is ?), and where what they have in common is typed already.
    if ((${#COMPREPLY[@]} > 1)) && [[ ${COMP_TYPE:-} == 63 ]]; then
        for i in "${!COMPREPLY[@]}"; do
            [[ ${about[i]} ]] || continue
            printf -v text '%-*s  (%s)' "$((width - ${#cut}))" "${COMPREPLY[i]}" "${about[i]}"
            COMPREPLY[i]=${text:0:${COLUMNS:-80} - 1}
        done
    fi

    local action=''
    case $how in
    files) action=file ;;
    folders) action=directory ;;
    command*)
        i=${how#command }
        if declare -F _command_offset >/dev/null; then
            _command_offset "${at[i]}"
            return
        fi
        action=file
        ((i == last)) && action=command
        ;;
    esac
    [[ $action ]] || return 0
    [[ $action == command ]] || compopt -o filenames 2>/dev/null
    while IFS= read -r word; do
        COMPREPLY+=("$word")
    done < <(compgen -A "$action" -- "$2")
}

# Tasks stay in their order, the newest first, where bash can do that.
complete -o nosort -F _weft weft 2>/dev/null || complete -F _weft weft
