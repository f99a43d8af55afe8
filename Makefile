# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each target is one command of tests/tools/run, which knows paths with spaces; make does not. Extra arguments: make peer ARGS='--check --diff'

SHELL := /bin/bash
.SHELLFLAGS := -c
.DEFAULT_GOAL := help
ARGS ?=

TARGETS := peer test lab lab-down env bench setup system clean help
.PHONY: $(TARGETS)
$(TARGETS):
	@tests/tools/run $@ $(ARGS)
