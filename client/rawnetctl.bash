# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# bash completion for rawnetctl(1). rawnetctl itself knows what may come next.

_rawnetctl() {
        local word=${COMP_WORDS[COMP_CWORD]} line before i words=() places=()

        COMPREPLY=()
        # bash splits words at = and :, rawnetctl takes them whole.
        for ((i = 1; i <= COMP_CWORD; i++)); do
                before=${COMP_WORDS[i - 1]}
                if ((${#words[@]} > 0)) && [[ ${COMP_WORDS[i]} == [=:]* || $before == *[=:] ]]; then
                        words[-1]+=${COMP_WORDS[i]}
                else
                        words+=("${COMP_WORDS[i]}")
                        places+=("$i")
                fi
        done
        [[ $word != [=:]* ]] || word=
        while IFS= read -r line; do
                case $line in
                :files)
                        mapfile -t COMPREPLY < <(compgen -f -- "$word")
                        compopt -o filenames 2>/dev/null
                        ;;
                :users) mapfile -t COMPREPLY < <(compgen -u -- "$word") ;;
                ":command "*)
                        i=${places[${line#:command }]}
                        if declare -F _command_offset >/dev/null; then
                                _command_offset "$i"
                        elif ((i == COMP_CWORD)); then
                                mapfile -t COMPREPLY < <(compgen -c -- "$word")
                        else
                                mapfile -t COMPREPLY < <(compgen -f -- "$word")
                                compopt -o filenames 2>/dev/null
                        fi
                        ;;
                *)
                        # What is in front of the last = or : stays as it is.
                        line=${line%%$'\t'*}
                        COMPREPLY+=("${line:$((${#words[-1]} - ${#word}))}")
                        ;;
                esac
        done < <(rawnetctl --complete "${words[@]}" 2>/dev/null)
} &&
        complete -F _rawnetctl rawnetctl
