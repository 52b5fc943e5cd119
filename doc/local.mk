# Pages.
dist_man_MANS += doc/man/situs.7
