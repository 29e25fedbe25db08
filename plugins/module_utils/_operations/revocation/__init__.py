# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Revoking tokens of a venue, lifting revocations, and the lock: read, plan, apply.

Imported by ``modules`` and ``action``.
"""
