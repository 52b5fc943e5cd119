# SPDX-License-Identifier: BSD-3-Clause
# Completion of the situs command for bash. Commands, options and places are asked of the command itself, so
# nothing here has to be kept up with it.

# Words of the line up to the cursor. bash's own COMP_WORDS are cut at : and =, which places have.
_situs_words()
{
	local line=${COMP_LINE:0:COMP_POINT}

	read -ra words <<<"$line"
	[[ $line == *[[:space:]] ]] && words+=("")
	cur=${words[-1]}
}

_situs_commands()
{
	situs --help 2>/dev/null | sed -n 's/^  \([a-z]*\) .*/\1/p'
}

_situs_options()
{
	situs "$1" --help 2>/dev/null | grep -o -- '--[a-z][a-z-]*=\{0,1\}' | sort -u
}

_situs_places()
{
	situs places --json 2>/dev/null |
		awk -F'"' '$2 == "place" { place = $4 } $2 == "here" && /true/ { print place }'
	printf '%s\n' file: shm:
}

# Processes of this user that show heaps.
_situs_pids()
{
	local table folder=${XDG_RUNTIME_DIR:-/dev/shm}

	for table in "$folder"/situs-"$EUID"-*-* /dev/shm/situs-"$EUID"-*-*; do
		[[ $table =~ -([0-9]+)-[0-9]+$ && -e $table ]] && echo "${BASH_REMATCH[1]}"
	done | sort -nu
}

# Offers what begins with the word; bash replaces only what follows the last : or = of it.
_situs_offer()
{
	local word=$1 kept reply

	mapfile -t COMPREPLY < <(compgen -W "$2" -- "$word")
	[[ $word == *[:=]* ]] || return 0
	kept=${word%"${word##*[:=]}"}
	for reply in "${!COMPREPLY[@]}"; do
		COMPREPLY[reply]=${COMPREPLY[reply]#"$kept"}
	done
}

_situs_value()
{
	case $1 in
	-a | --area | --to) _situs_offer "$2" "$(_situs_places)" ;;
	--stats) _situs_offer "$2" json ;;
	--svg) mapfile -t COMPREPLY < <(compgen -f -- "$2") ;;
	*) COMPREPLY=() ;;
	esac
}

_situs()
{
	local words cur previous command i

	_situs_words
	COMPREPLY=()
	if ((${#words[@]} <= 2)); then
		_situs_offer "$cur" "$(_situs_commands) --help --version"
		return
	fi
	command=${words[1]}
	previous=${words[-2]}
	# Behind -- the words are the program's.
	for ((i = 2; i < ${#words[@]} - 1; i++)); do
		[[ ${words[i]} == -- ]] || continue
		if ((i == ${#words[@]} - 2)); then
			mapfile -t COMPREPLY < <(compgen -c -- "$cur")
		else
			mapfile -t COMPREPLY < <(compgen -f -- "$cur")
		fi
		return
	done
	if [[ $cur == --*=* ]]; then
		_situs_value "${cur%%=*}" "${cur#*=}"
	elif [[ $cur == -* ]]; then
		_situs_offer "$cur" "$(_situs_options "$command")"
		[[ ${#COMPREPLY[@]} == 1 && ${COMPREPLY[0]} == *= ]] && compopt -o nospace 2>/dev/null
	elif [[ $previous == -a || ($previous == --* && " $(_situs_options "$command" | tr '\n' ' ') " == *" $previous= "*) ]]; then
		_situs_value "$previous" "$cur"
	else
		case $command in
		stat | map | migrate) _situs_offer "$cur" "$(_situs_pids)" ;;
		topo) _situs_offer "$cur" "$(_situs_places)" ;;
		run) mapfile -t COMPREPLY < <(compgen -c -- "$cur") ;;
		esac
	fi
	return 0
}

complete -o default -F _situs situs
