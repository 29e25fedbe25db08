# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The enforcing AWS of the drill, for the tests."""

from __future__ import annotations

from demo.embedded_aws import HOME, ROOT_KEYS, Ministack

__all__ = ["HOME", "ROOT_KEYS", "Ministack"]
