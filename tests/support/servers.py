# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Servers that tests talk to: each on 127.0.0.1, on a free port, stopped by its own handle."""

from __future__ import annotations

from demo.embedded_aws import ANYTHING, FAKE_KEYS, REGION, Moto, free_port, stop, wait_until_it_answers

__all__ = ["ANYTHING", "FAKE_KEYS", "REGION", "Moto", "free_port", "stop", "wait_until_it_answers"]
