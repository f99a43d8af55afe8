# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
#
# Each target is one command of tests/tools/run, which knows paths with spaces; make does not. Extra arguments: make peer ARGS='--check --diff'

SHELL := /bin/bash
.SHELLFLAGS := -c
.DEFAULT_GOAL := help
ARGS ?=

JOBS := deploy two_vpc_lab finance_hub file_transfer shared_services
TARGETS := peer $(JOBS) delete test lab lab-down ssh shell env bench differential setup system clean help
.PHONY: $(TARGETS)
$(TARGETS):
	@tests/tools/run $@ $(ARGS)

# Only what stands on make's own command line, and as it stands there: a shell may have a HOST of its own.
given = $(if $(filter command,$(origin $(1))),$(value $(1)))
ssh: export CLOUDNET_HOST = $(call given,HOST)
ssh: export CLOUDNET_CMD = $(call given,CMD)
delete: export CLOUDNET_JOB = $(call given,JOB)
delete: export CLOUDNET_JOB_GIVEN = $(filter command,$(origin JOB))
