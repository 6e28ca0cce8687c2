#!/bin/sh
# SPDX-License-Identifier: MIT
# Each gate finds what it is there for, and nothing in a clean tree.
set -eu

mkdir -p scripts src/base src/ctl src/include/storefs backends/sqlite mount
cp "$SRCDIR"/scripts/check-* "$SRCDIR"/scripts/gate.sh scripts/
cp "$SRCDIR"/.clang-format .
failures=0

# to_source FILE: standard input after the lines that every source has.
to_source() {
	{
		printf '// SPDX-License-Identifier: MIT\n#include "config.h"\n'
		cat
	} >"$1"
}

# finds GATE TEXT: the gate fails and says so.
finds() {
	if scripts/check-"$1" >found 2>&1; then
		echo "check-$1 let pass: $2"
		failures=1
	elif ! grep -qF -- "$2" found; then
		echo "check-$1 did not say: $2"
		cat found
		failures=1
	fi
	rm -f ./*/bad.* ./*/*/bad.*
}

# quiet GATE: the gate passes.
quiet() {
	scripts/check-"$1" >found 2>&1 || {
		echo "check-$1 is not content:"
		cat found
		failures=1
	}
	rm -f ./*/bad.* ./*/*/bad.*
}

# function_of LINES: a function that long, braces included.
function_of() {
	printf '\nint f(int x)\n{\n'
	awk -v n=$(($1 - 3)) 'BEGIN { for (; n > 0; n--) print "\tx++;" }'
	printf '\treturn x;\n}\n'
}

for gate in layers functions banned format; do
	quiet $gate
done

for case in 'src/base/bad.c src/store.h' 'src/bad.c backends/x.h' \
	'src/bad.c mount/x.h' 'backends/bad.c mount/x.h' \
	'mount/bad.c backends/local/x.h' 'src/bad.c src/ctl/x.h' \
	'backends/sqlite/bad.c backends/local/x.h'; do
	echo "#include \"${case#* }\"" | to_source "${case% *}"
	finds layers "may not include \"${case#* }\""
done
for case in 'src/bad.c fuse_lowlevel.h' 'mount/bad.c sqlite3.h' \
	'src/bad.c ini.h' 'src/bad.c jansson.h' 'src/base/bad.c openssl/evp.h' \
	'mount/bad.c xxhash.h'; do
	echo "#include <${case#* }>" | to_source "${case% *}"
	finds layers "may not include <${case#* }>"
done
printf '#include <stdio.h>\n#include "config.h"\n' >src/bad.c
finds layers 'the first include must be "config.h"'
echo '#include <sqlite3.h>' | to_source backends/sqlite/bad.c
quiet layers

function_of 80 | to_source src/bad.c
quiet functions
function_of 81 | to_source src/bad.c
finds functions 'f has 81 lines'
{
	echo 'static const struct row table[] = {'
	awk 'BEGIN { for (n = 100; n > 0; n--) print "\t{ 1 }," }'
	echo '};'
} | to_source src/bad.c
quiet functions
printf 'int g(void)\n{\n\tif (a)\n\t\tif (b)\n\t\t\tfor (;;)\n%s' \
	'				while (c)
					d();
}
' | to_source src/bad.c
finds functions 'nested more than three deep in g'

for name in strcpy sprintf atoi strtok localtime strerror rand alloca; do
	printf 'int f(void)\n{\n\treturn %s(x);\n}\n' $name | to_source src/bad.c
	finds banned "$name() is banned"
done
cat <<'END' | to_source src/bad.c
/* strcpy(a, b) */
int f(void)
{
	// rand() is not called
	return store_rand() + t.rand() + puts("sprintf(x)");
}
END
quiet banned
echo 'typedef struct thing thing;' | to_source src/bad.c
finds banned 'typedef of something that is no function'
echo 'typedef int thing_fn(void *arg);' | to_source src/bad.c
quiet banned

printf '\nint  f( void );\n' | to_source src/bad.c
finds format 'clang-format would change this'

touch Makefile.am
awk 'BEGIN { for (n = 0; n < 699; n++) print "" }' | to_source src/bad.c
finds files 'more than 700 lines'
echo 'int f(void);' | to_source src/bad.c
finds files 'in no Makemodule.am'
echo 'int f(void);' >src/bad.c
finds files 'no SPDX-License-Identifier line'

# shellcheck disable=SC2016
printf '#!/bin/sh\n# SPDX-License-Identifier: MIT\nrm $1/*\n' >scripts/bad.sh
finds shell 'SC2086'

exit $failures
