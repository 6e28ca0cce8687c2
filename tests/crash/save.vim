" SPDX-License-Identifier: MIT
" Saves documents with vim, in each of its ways; run by
" safe_saves_survive_kills.sh. What :write says was saved is noted in $told.
set nomore fsync writebackup nobackup noswapfile backupskip= backupdir=.
let s:serial = $number * 100000
try
	while 1
		for s:way in split($vim_ways)
			let s:serial += 1
			let s:lines = rand() % 3000 + 1
			execute 'silent edit!' s:way
			silent %delete _
			call setline(1, ['begin ' . s:serial . ' ' . s:lines]
				\ + repeat(['line ' . s:serial], s:lines)
				\ + ['end ' . s:serial])
			execute 'set backupcopy=' . s:way[4:]
			silent write!
			call writefile([s:serial], $told . '/' . s:way, 'a')
		endfor
	endwhile
catch
	call writefile([v:exception], '/dev/stderr', 'a')
	cquit
endtry
