#compdef rawnetctl
# SPDX-License-Identifier: GPL-2.0-or-later
#
# zsh completion for rawnetctl(1). rawnetctl itself knows what may come next.

_rawnetctl() {
        local line word
        local -a candidates

        for line in ${(f)"$(command rawnetctl --complete "${(@Q)words[2,CURRENT]}" 2>/dev/null)"}; do
                case $line in
                :files) _files && return ;;
                :users) _users && return ;;
                ':command '*)
                        # WORD 0 is words[2].
                        shift $((${line#:command } + 1)) words
                        ((CURRENT -= ${line#:command } + 1))
                        _normal && return
                        ;;
                *)
                        word=${line%%$'\t'*}
                        candidates+=("${word//:/\\:}:${line#*$'\t'}")
                        ;;
                esac
        done
        _describe -V 'rawnetctl' candidates
}

_rawnetctl "$@"
