#!/usr/bin/env bash
# The queries through psql: PREPARE and EXECUTE, each twice.
#   psql.sh queries.txt      (the server: PGHOST and the like)
set -euo pipefail

name='' sql='' types='' values='' count=0
script=() expected=()

quoted() { printf "'%s'" "${1//\'/\'\'}"; }

flush() {
  [[ -n $sql ]] || return 0
  local execute="EXECUTE q${values:+(${values#, })};"
  script+=("\\echo query $name" "PREPARE q${types:+(${types#, })} AS $sql;" "$execute" "$execute" "DEALLOCATE q;")
  expected+=("query $name" "${rows[@]}" "${rows[@]}")
  count=$((count + 1))
}

rows=()
while IFS= read -r line; do
  rest=${line#* }
  case $line in
    'query '*) flush; name=$rest sql='' types='' values='' rows=() ;;
    'sql '*) sql=$rest ;;
    'param '*)
      types+=", ${rest%% *}"
      value=${rest#* }
      if [[ $value == '\N' ]]; then values+=', NULL'; else values+=", $(quoted "$value")"; fi
      ;;
    'row '*) rows+=("$rest") ;;
  esac
done <"$1"
flush

export PGTZ=UTC
answer=$(printf '%s\n' "${script[@]}" |
  psql -XAtq -v ON_ERROR_STOP=1 -F $'\t' -P null='\N')
diff <(printf '%s\n' "${expected[@]}") <(printf '%s\n' "$answer")
echo "$count queries"
