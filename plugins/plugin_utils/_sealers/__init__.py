# Copyright: Contributors to the mdps.venue_sts project
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""The programs and libraries that encrypt to a recipient's keys.

Imported by ``plugin_utils``.
"""
