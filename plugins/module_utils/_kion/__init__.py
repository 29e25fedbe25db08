# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The gateway to Kion: answers in, values of the domain out. It decides nothing.

Imported by ``_operations``.
"""
