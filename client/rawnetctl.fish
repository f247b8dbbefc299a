# SPDX-License-Identifier: GPL-2.0-or-later
#
# fish completion for rawnetctl(1). rawnetctl itself knows what may come next.

function __rawnetctl_complete
    set -l current (commandline -ct)
    set -l words (commandline -opc) "$current"
    for line in (command rawnetctl --complete $words[2..-1] 2>/dev/null)
        switch $line
            case ':files'
                __fish_complete_path "$current"
            case ':users'
                __fish_complete_users
            case ':command *'
                # WORD 0 is $words[2].
                set -l first (math (string split ' ' -- $line)[2] + 2)
                complete -C (string join ' ' -- (string escape -- $words[$first..-2]) "$current")
            case '*'
                echo $line
        end
    end
end

complete -c rawnetctl -f -a '(__rawnetctl_complete)'
