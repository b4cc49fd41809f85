# Completion of weft for fish.

function __weft_complete
    set -l words (commandline -opc)
    set -e words[1]
    set -l current (commandline -ct)
    set -l answer (command weft complete -- $words "$current" 2>/dev/null)
    if set -q answer[2]
        printf '%s\n' $answer[2..-1]
    end
    switch "$answer[1]"
        case files
            __fish_complete_path "$current"
        case folders
            __fish_complete_directories "$current"
        case 'command *'
            # What follows is the line of another command.
            set -l first (math 1 + (string replace 'command ' '' -- $answer[1]))
            complete -C (string join -- ' ' (string escape -- $words[$first..-1]) "$current")
    end
end

complete -c weft -f -k -a '(__weft_complete)'
