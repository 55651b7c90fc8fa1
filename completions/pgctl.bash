# SPDX-License-Identifier: GPL-3.0-or-later
# Made by pgctl describe --completions from the tables of commands and options: do not edit.
# shellcheck shell=bash

_pgctl_commands='create volume put get extract read write status list inspect adopt scrub rebuild replace log check meta job wait history fail offline online add remove expand rebalance recombine evacuate migrate spare label topology failover failback measure map groups survive ok-to-fail forecast fault assemble detect overlay explain help shell describe version'
_pgctl_families=' volume log meta job spare topology fault overlay'
_pgctl_common=' --json --plan --overlay --yes --force --progress --progress-fd --trace --rate-max --quiet --verbose --color --io --tasks --member-timeout --fault --member --accept-stale --scan --help'
_pgctl_codes='no-memory usage io no-space checksum format version not-a-member not-found exists name size limit file-kind access busy in-use duplicate mixed-arrays split-brain too-few-members stale-member truncated state data-lost unsafe confirm stopped unsupported changed foreign adopted timeout member-missing member-failed member-offline member-truncated member-damaged member-stale member-too-old extents-stale volume-broken unused-member log-pending log-damaged rows-lost job-unfinished bad-blocks unclean log-replayed journal-missing not-committed being-undone no-seals reshape-unfinished reshape-in-doubt'

_pgctl_verbs() {
	case $1 in
	volume) printf '%s' 'create resize rename remove list' ;;
	log) printf '%s' 'show check prove' ;;
	meta) printf '%s' 'list diff dump restore rebuild' ;;
	job) printf '%s' 'list pause resume cancel' ;;
	spare) printf '%s' 'list add make' ;;
	topology) printf '%s' 'show set check' ;;
	fault) printf '%s' 'add list clear' ;;
	overlay) printf '%s' 'diff commit discard' ;;
	esac
}

_pgctl_options() {
	case $1 in
	'create') printf '%s' ' --size --layout --parity --copies --width --chunk --extent --levels --pure-on --literal-claim-16 --spare --label --across --topology --zones --journal --format --level --order --bitmap' ;;
	'volume create') printf '%s' ' --size --layout --parity --copies --width --chunk --extent --levels --pure-on --literal-claim-16' ;;
	'volume resize') printf '%s' ' --size' ;;
	'put') printf '%s' ' --as --tar --append --layout --parity --copies --width --chunk --extent --levels --pure-on --literal-claim-16 --unmirrored' ;;
	'get') printf '%s' ' --output --tar --sparse' ;;
	'extract') printf '%s' ' --output --volume --map --out-map --next-domain --resume' ;;
	'read') printf '%s' ' --offset --length' ;;
	'write') printf '%s' ' --offset --length' ;;
	'status') printf '%s' ' --test --nagios' ;;
	'adopt') printf '%s' ' --undo --commit --name' ;;
	'scrub') printf '%s' ' --check --repair --accept --quick --media --dirty --volume --percent --resume' ;;
	'rebuild') printf '%s' ' --to --into-free --size --group-buffer --resume' ;;
	'replace') printf '%s' ' --size --group-buffer --resume' ;;
	'check') printf '%s' ' --rebuild-map --rebuild-free' ;;
	'meta dump') printf '%s' ' --log' ;;
	'wait') printf '%s' ' --timeout' ;;
	'add') printf '%s' ' --spare --size' ;;
	'remove') printf '%s' ' --evacuate' ;;
	'expand') printf '%s' ' --size --width' ;;
	'recombine') printf '%s' ' --width' ;;
	'evacuate') printf '%s' ' --to-spare' ;;
	'migrate') printf '%s' ' --layout --parity --copies --width --chunk --extent --levels --pure-on --literal-claim-16 --resume' ;;
	'spare add') printf '%s' ' --size' ;;
	'topology show') printf '%s' ' --risk' ;;
	'topology set') printf '%s' ' --across --volume' ;;
	'measure') printf '%s' ' --zones --show' ;;
	'groups') printf '%s' ' --narrow --width' ;;
	'survive') printf '%s' ' --lose --by' ;;
	'forecast') printf '%s' ' --add --width' ;;
	'fault add') printf '%s' ' --kind --member --count --seed --range --size --file --list' ;;
	'fault list') printf '%s' ' --member' ;;
	'fault clear') printf '%s' ' --member' ;;
	'assemble') printf '%s' ' --why' ;;
	'detect') printf '%s' ' --output --rank --array --content' ;;
	'shell') printf '%s' ' --script' ;;
	'describe') printf '%s' ' --commands --completions --man --names' ;;
	esac
}

_pgctl_values() {
	case $1 in
	'create --size') printf '%s' 'nothing' ;;
	'create --layout' | 'create -l') printf '%s' 'words plain mirror parity sequential' ;;
	'create --parity' | 'create -p') printf '%s' 'nothing' ;;
	'create --copies') printf '%s' 'nothing' ;;
	'create --width') printf '%s' 'nothing' ;;
	'create --chunk' | 'create -c') printf '%s' 'nothing' ;;
	'create --extent') printf '%s' 'nothing' ;;
	'create --levels') printf '%s' 'nothing' ;;
	'create --pure-on') printf '%s' 'nothing' ;;
	'create --spare' | 'create -x') printf '%s' 'members' ;;
	'create --label') printf '%s' 'nothing' ;;
	'create --across') printf '%s' 'nothing' ;;
	'create --topology') printf '%s' 'words free pairs ring multi cross' ;;
	'create --zones') printf '%s' 'words off dynamic static' ;;
	'create --journal') printf '%s' 'words none degraded small' ;;
	'create --format') printf '%s' 'words md-0.90 md-1.0 md-1.1 md-1.2' ;;
	'create --level') printf '%s' 'nothing' ;;
	'create --order') printf '%s' 'nothing' ;;
	'volume create --size') printf '%s' 'nothing' ;;
	'volume create --layout' | 'volume create -l') printf '%s' 'words plain mirror parity sequential' ;;
	'volume create --parity' | 'volume create -p') printf '%s' 'nothing' ;;
	'volume create --copies') printf '%s' 'nothing' ;;
	'volume create --width') printf '%s' 'nothing' ;;
	'volume create --chunk' | 'volume create -c') printf '%s' 'nothing' ;;
	'volume create --extent') printf '%s' 'nothing' ;;
	'volume create --levels') printf '%s' 'nothing' ;;
	'volume create --pure-on') printf '%s' 'nothing' ;;
	'volume resize --size') printf '%s' 'nothing' ;;
	'put --as') printf '%s' 'nothing' ;;
	'put --tar') printf '%s' 'path' ;;
	'put --layout' | 'put -l') printf '%s' 'words plain mirror parity sequential' ;;
	'put --parity' | 'put -p') printf '%s' 'nothing' ;;
	'put --copies') printf '%s' 'nothing' ;;
	'put --width') printf '%s' 'nothing' ;;
	'put --chunk' | 'put -c') printf '%s' 'nothing' ;;
	'put --extent') printf '%s' 'nothing' ;;
	'put --levels') printf '%s' 'nothing' ;;
	'put --pure-on') printf '%s' 'nothing' ;;
	'get --output' | 'get -o') printf '%s' 'path' ;;
	'get --tar') printf '%s' 'path' ;;
	'extract --output' | 'extract -o') printf '%s' 'path' ;;
	'extract --volume') printf '%s' 'volumes' ;;
	'extract --map') printf '%s' 'nothing' ;;
	'extract --out-map') printf '%s' 'path' ;;
	'extract --next-domain') printf '%s' 'path' ;;
	'read --offset') printf '%s' 'nothing' ;;
	'read --length') printf '%s' 'nothing' ;;
	'write --offset') printf '%s' 'nothing' ;;
	'write --length') printf '%s' 'nothing' ;;
	'adopt --name') printf '%s' 'nothing' ;;
	'scrub --accept') printf '%s' 'nothing' ;;
	'scrub --volume') printf '%s' 'nothing' ;;
	'scrub --percent') printf '%s' 'nothing' ;;
	'rebuild --to') printf '%s' 'members' ;;
	'rebuild --size') printf '%s' 'nothing' ;;
	'replace --size') printf '%s' 'nothing' ;;
	'wait --timeout') printf '%s' 'nothing' ;;
	'add --size') printf '%s' 'nothing' ;;
	'expand --size') printf '%s' 'nothing' ;;
	'expand --width') printf '%s' 'nothing' ;;
	'recombine --width') printf '%s' 'nothing' ;;
	'migrate --layout' | 'migrate -l') printf '%s' 'words plain mirror parity sequential' ;;
	'migrate --parity' | 'migrate -p') printf '%s' 'nothing' ;;
	'migrate --copies') printf '%s' 'nothing' ;;
	'migrate --width') printf '%s' 'nothing' ;;
	'migrate --chunk' | 'migrate -c') printf '%s' 'nothing' ;;
	'migrate --extent') printf '%s' 'nothing' ;;
	'migrate --levels') printf '%s' 'nothing' ;;
	'migrate --pure-on') printf '%s' 'nothing' ;;
	'spare add --size') printf '%s' 'nothing' ;;
	'topology show --risk') printf '%s' 'nothing' ;;
	'topology set --across') printf '%s' 'nothing' ;;
	'topology set --volume') printf '%s' 'volumes' ;;
	'groups --width') printf '%s' 'nothing' ;;
	'survive --lose') printf '%s' 'nothing' ;;
	'survive --by') printf '%s' 'nothing' ;;
	'forecast --add') printf '%s' 'nothing' ;;
	'forecast --width') printf '%s' 'nothing' ;;
	'fault add --kind') printf '%s' 'words flip lost misdirect torn bad resize clone rollback' ;;
	'fault add --member') printf '%s' 'members' ;;
	'fault add --count') printf '%s' 'nothing' ;;
	'fault add --seed') printf '%s' 'nothing' ;;
	'fault add --range') printf '%s' 'nothing' ;;
	'fault add --size') printf '%s' 'nothing' ;;
	'fault add --file') printf '%s' 'path' ;;
	'fault list --member') printf '%s' 'members' ;;
	'fault clear --member') printf '%s' 'members' ;;
	'detect --output' | 'detect -o') printf '%s' 'path' ;;
	'detect --rank') printf '%s' 'nothing' ;;
	'detect --array') printf '%s' 'nothing' ;;
	'shell --script') printf '%s' 'path' ;;
	'describe --completions') printf '%s' 'words none bash zsh fish' ;;
	'describe --names') printf '%s' 'words none members volumes' ;;
	'* --overlay') printf '%s' 'path' ;;
	'* --progress') printf '%s' 'words auto never json' ;;
	'* --progress-fd') printf '%s' 'nothing' ;;
	'* --trace') printf '%s' 'path' ;;
	'* --rate-max') printf '%s' 'nothing' ;;
	'* --color') printf '%s' 'words auto always never' ;;
	'* --io') printf '%s' 'words auto sync uring' ;;
	'* --tasks') printf '%s' 'nothing' ;;
	'* --member-timeout') printf '%s' 'nothing' ;;
	'* --fault') printf '%s' 'nothing' ;;
	'* --member') printf '%s' 'path' ;;
	'* --accept-stale') printf '%s' 'members' ;;
	esac
}

_pgctl_operands() {
	case $1 in
	'create') printf '%s' 'nothing path *' ;;
	'volume create') printf '%s' 'path nothing' ;;
	'volume resize') printf '%s' 'path volumes' ;;
	'volume rename') printf '%s' 'path volumes nothing' ;;
	'volume remove') printf '%s' 'path volumes' ;;
	'volume list') printf '%s' 'path' ;;
	'put') printf '%s' 'path path *' ;;
	'get') printf '%s' 'path volumes *' ;;
	'extract') printf '%s' 'path path volumes *' ;;
	'read') printf '%s' 'path volumes' ;;
	'write') printf '%s' 'path volumes' ;;
	'status') printf '%s' 'path' ;;
	'list') printf '%s' 'path *' ;;
	'inspect') printf '%s' 'path *' ;;
	'adopt') printf '%s' 'path path *' ;;
	'scrub') printf '%s' 'path' ;;
	'rebuild') printf '%s' 'path members' ;;
	'replace') printf '%s' 'path members members' ;;
	'log show') printf '%s' 'path' ;;
	'log check') printf '%s' 'path' ;;
	'log prove') printf '%s' 'path' ;;
	'check') printf '%s' 'path' ;;
	'meta list') printf '%s' 'path' ;;
	'meta diff') printf '%s' 'path path' ;;
	'meta dump') printf '%s' 'path path' ;;
	'meta restore') printf '%s' 'path path' ;;
	'meta rebuild') printf '%s' 'path' ;;
	'job list') printf '%s' 'path' ;;
	'job pause') printf '%s' 'path nothing' ;;
	'job resume') printf '%s' 'path nothing' ;;
	'job cancel') printf '%s' 'path nothing' ;;
	'wait') printf '%s' 'path nothing' ;;
	'history') printf '%s' 'path' ;;
	'fail') printf '%s' 'path members' ;;
	'offline') printf '%s' 'path members' ;;
	'online') printf '%s' 'path members' ;;
	'add') printf '%s' 'path members *' ;;
	'remove') printf '%s' 'path members' ;;
	'expand') printf '%s' 'path members *' ;;
	'rebalance') printf '%s' 'path' ;;
	'recombine') printf '%s' 'path' ;;
	'evacuate') printf '%s' 'path members' ;;
	'migrate') printf '%s' 'path volumes' ;;
	'spare list') printf '%s' 'path' ;;
	'spare add') printf '%s' 'path members *' ;;
	'spare make') printf '%s' 'path members' ;;
	'label') printf '%s' 'path members nothing nothing *' ;;
	'topology show') printf '%s' 'path' ;;
	'topology set') printf '%s' 'path nothing' ;;
	'topology check') printf '%s' 'path' ;;
	'failover') printf '%s' 'path members' ;;
	'failback') printf '%s' 'path' ;;
	'measure') printf '%s' 'path' ;;
	'map') printf '%s' 'path volumes' ;;
	'groups') printf '%s' 'path' ;;
	'survive') printf '%s' 'path' ;;
	'ok-to-fail') printf '%s' 'path members *' ;;
	'forecast') printf '%s' 'path' ;;
	'fault add') printf '%s' 'path' ;;
	'fault list') printf '%s' 'path' ;;
	'fault clear') printf '%s' 'path' ;;
	'assemble') printf '%s' 'nothing *' ;;
	'detect') printf '%s' 'nothing *' ;;
	'overlay diff') printf '%s' 'path' ;;
	'overlay commit') printf '%s' 'path' ;;
	'overlay discard') printf '%s' 'path' ;;
	'explain') printf '%s' 'code' ;;
	'help') printf '%s' 'command nothing' ;;
	'shell') printf '%s' 'path' ;;
	'describe') printf '%s' 'command' ;;
	esac
}

# What kind of word stands at operand $2 of command $1.
_pgctl_operand_kind() {
	local kinds
	read -ra kinds <<<"$(_pgctl_operands "$1")"
	local count=${#kinds[@]}
	if ((count && $2 >= count - 1)) && [[ ${kinds[count - 1]} == '*' ]]; then
		printf '%s' "${kinds[count - 2]}"
	elif (($2 < count)); then
		printf '%s' "${kinds[$2]}"
	fi
}

# Replies for a kind of word: $1 kind, $2 what was typed, $3 the array on the line.
_pgctl_reply() {
	local IFS=$' \t\n'
	case $1 in
	words\ *) mapfile -t COMPREPLY < <(compgen -W "${1#words }" -- "$2") ;;
	path) compopt -o filenames; mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	command) mapfile -t COMPREPLY < <(compgen -W "$_pgctl_commands" -- "$2") ;;
	code) mapfile -t COMPREPLY < <(compgen -W "$_pgctl_codes" -- "$2") ;;
	members | volumes)
		local names
		names=$(pgctl describe --names "$1" -- "$3" 2>/dev/null)
		IFS=$'\n'
		mapfile -t COMPREPLY < <(compgen -W "$names" -- "$2")
		if [[ $1 == members && ${#COMPREPLY[@]} == 0 ]]; then
			compopt -o filenames
			mapfile -t COMPREPLY < <(compgen -f -- "$2")
		fi
		;;
	esac
}

_pgctl() {
	local typed=${COMP_WORDS[COMP_CWORD]} name='' array='' kind='' operand=0 i word
	COMPREPLY=()
	for ((i = 1; i < COMP_CWORD; i++)); do
		word=${COMP_WORDS[i]}
		kind=''
		if [[ $word == -?* ]]; then
			kind=$(_pgctl_values "$name $word")
			[[ $kind ]] || kind=$(_pgctl_values "* $word")
			[[ $kind && $((i + 1)) -lt $COMP_CWORD ]] && ((i++)) && kind=''
		elif [[ ! $name ]]; then
			name=$word
		elif [[ $name != *' '* && " $_pgctl_families " == *" $name "* ]]; then
			name="$name $word"
		else
			((operand++ == 0)) && array=$word
		fi
	done
	if [[ $kind ]]; then
		_pgctl_reply "$kind" "$typed" "$array"
	elif [[ $typed == -* ]]; then
		_pgctl_reply "words $(_pgctl_options "$name") $_pgctl_common" "$typed" ''
	elif [[ ! $name ]]; then
		_pgctl_reply command "$typed" ''
	elif [[ $name != *' '* && " $_pgctl_families " == *" $name "* ]]; then
		_pgctl_reply "words $(_pgctl_verbs "$name")" "$typed" ''
	else
		_pgctl_reply "$(_pgctl_operand_kind "$name" "$operand")" "$typed" "$array"
	fi
}
complete -F _pgctl pgctl
