# SPDX-License-Identifier: GPL-2.0-or-later
# shellcheck shell=bash
#
# bash completion for rawnetctl(1). Asks rawnetctl itself for names of networks and leases.

_rawnetctl_names() {
        local line
        while read -r line _; do
                printf '%s\n' "$line"
        done < <(rawnetctl "$1" 2>/dev/null)
}

_rawnetctl_complete() {
        mapfile -t COMPREPLY < <(compgen -W "$1" -- "${COMP_WORDS[COMP_CWORD]}")
}

# The index of the command that run or qemu is to become, 0 while there is none yet.
_rawnetctl_command_index() {
        local i have_network=
        for ((i = 2; i < COMP_CWORD; i++)); do
                case ${COMP_WORDS[i]} in
                --) printf '%d' $((i + 1)); return ;;
                --kind | --mac | --name | --queues | --vnet-hdr) ((i++)) ;;
                --port) have_network=1; ((i++)) ;;
                -* | =) ;;
                *)
                        # bash splits words at = and :
                        [[ ${COMP_WORDS[i - 1]} == [=:] || ${COMP_WORDS[i]} == : ]] && continue
                        if [[ $1 == qemu || -n $have_network ]]; then
                                printf '%d' "$i"
                                return
                        fi
                        have_network=1
                        ;;
                esac
        done
        printf 0
}

_rawnetctl_run() {
        local previous=${COMP_WORDS[COMP_CWORD - 1]} index
        index=$(_rawnetctl_command_index run)
        if ((index > 0)); then
                if declare -F _command_offset >/dev/null; then
                        _command_offset "$index"
                fi
                return
        fi
        case $previous in
        --kind) _rawnetctl_complete "tap packet" ;;
        --mac) _rawnetctl_complete "learn" ;;
        --vnet-hdr | --vhost) _rawnetctl_complete "yes no" ;;
        --name | --queues | --port) ;;
        =)
                case ${COMP_WORDS[COMP_CWORD - 2]} in
                --vnet-hdr | --vhost) _rawnetctl_complete "yes no" ;;
                *) _rawnetctl_complete "$(_rawnetctl_names networks)" ;;
                esac
                ;;
        *)
                _rawnetctl_complete "--kind --mac --name --queues --vhost --vnet-hdr --port --
                        $(_rawnetctl_names networks)"
                ;;
        esac
}

_rawnetctl_vhost() {
        case ${COMP_WORDS[COMP_CWORD - 1]} in
        --socket | --connect) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
        --allow-user) mapfile -t COMPREPLY < <(compgen -u -- "${COMP_WORDS[COMP_CWORD]}") ;;
        --mac | --name | --queues | --busy-poll | --coalesce) ;;
        *) _rawnetctl_complete "--socket --connect --allow-user --mac --name --queues --busy-poll --coalesce $(_rawnetctl_names networks)" ;;
        esac
}

_rawnetctl_plug() {
        case ${COMP_WORDS[COMP_CWORD - 1]} in
        --qmp) mapfile -t COMPREPLY < <(compgen -f -- "${COMP_WORDS[COMP_CWORD]}") ;;
        --mac) _rawnetctl_complete "learn" ;;
        --id | --bus | --name | --queues) ;;
        *) _rawnetctl_complete "$1" ;;
        esac
}

_rawnetctl() {
        local verb=${COMP_WORDS[1]} index
        COMPREPLY=()
        if ((COMP_CWORD == 1)); then
                _rawnetctl_complete "networks list stat close check run qemu vhost plug unplug host --help --version"
                return
        fi
        case $verb in
        networks | list) _rawnetctl_complete "--json --no-legend" ;;
        stat) _rawnetctl_complete "--json --all $(_rawnetctl_names list)" ;;
        close) _rawnetctl_complete "$(_rawnetctl_names list)" ;;
        check) _rawnetctl_complete "--json $(_rawnetctl_names networks)" ;;
        run) _rawnetctl_run ;;
        vhost) _rawnetctl_vhost ;;
        plug) _rawnetctl_plug "--qmp --id --bus --mac --name --queues --vhost $(_rawnetctl_names networks)" ;;
        unplug) _rawnetctl_plug "--qmp" ;;
        host)
                if ((COMP_CWORD == 2)); then
                        _rawnetctl_complete "up down"
                else
                        _rawnetctl_complete "$(_rawnetctl_names networks)"
                fi
                ;;
        qemu)
                index=$(_rawnetctl_command_index qemu)
                if ((index == 0)); then
                        mapfile -t COMPREPLY < <(compgen -W "--dry-run --" -- "${COMP_WORDS[COMP_CWORD]}"
                                compgen -c -- "${COMP_WORDS[COMP_CWORD]:-qemu-system-}")
                elif declare -F _command_offset >/dev/null; then
                        _command_offset "$index"
                fi
                ;;
        esac
} &&
        complete -o default -F _rawnetctl rawnetctl
