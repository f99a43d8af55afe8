# SPDX-FileCopyrightText: cloudnet.vpc contributors
# SPDX-License-Identifier: GPL-3.0-or-later
"""The only room that talks to AWS: sessions per account, pacing, retries, errors for people, and the observation of what is there.

boto3 is imported when a session is made, not before: whatever can be said without it (a wrong topology, a plan from a snapshot) costs
nothing.
"""
